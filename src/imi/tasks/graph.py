"""The graph of each row and its nearest rows, as a file that tools for graphs read."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from imi.atomic import whole
from imi.errors import UsageError
from imi.index.knn import knn_graph
from imi.index.planner import plan
from imi.tasks.rows import read_rows
from imi.types import Floats

KINDS = (".csv", ".tsv", ".jsonl", ".graphml")
_EXACT_ROWS = 20_000


@dataclass(frozen=True)
class Graph:
    """Each row's nearest other rows.

    ids: (n) names of the rows. texts: of the rows, where they have some. scores: (n, k) cosines, best first. rows:
    (n, k) row numbers, -1 where there are fewer rows.
    """

    ids: Sequence[str]
    texts: Sequence[str] | None
    scores: Floats
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return int(np.count_nonzero(self.rows >= 0))

    def edges(self) -> Iterator[tuple[int, int, float]]:
        """Iterate over (row, neighbour, cosine), the nearest first for each row."""
        for row, (found, scores) in enumerate(zip(self.rows.tolist(), self.scores.tolist(), strict=True)):
            yield from ((row, at, score) for at, score in zip(found, scores, strict=True) if at >= 0)

    def to_dict(self) -> dict[str, Any]:
        """Return how large it is."""
        return {"rows": len(self.ids), "edges": len(self)}

    def save(self, path: str | Path) -> None:
        """Write the edges: .csv and .tsv (source, target, similarity), .jsonl, or .graphml with texts as labels.

        Raises:
            UsageError: another suffix.
        """
        path = Path(path)
        check_kind(path)
        with whole(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
            if path.suffix == ".graphml":
                self._graphml(file)
            elif path.suffix == ".jsonl":
                for a, b, score in self.edges():
                    edge = {"source": self.ids[a], "target": self.ids[b], "similarity": score}
                    file.write(json.dumps(edge, ensure_ascii=False) + "\n")
            else:
                writer = csv.writer(file, delimiter="," if path.suffix == ".csv" else "\t", lineterminator="\n")
                writer.writerow(["source", "target", "similarity"])
                writer.writerows((self.ids[a], self.ids[b], f"{score:.6f}") for a, b, score in self.edges())

    def _graphml(self, file: TextIO) -> None:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n')
        file.write('<key id="label" for="node" attr.name="label" attr.type="string"/>\n')
        file.write('<key id="similarity" for="edge" attr.name="similarity" attr.type="double"/>\n')
        file.write('<graph edgedefault="directed">\n')
        for at, name in enumerate(self.ids):
            label = escape("".join(c for c in (self.texts[at] if self.texts else name) or name if c >= " "))
            file.write(f'<node id={quoteattr(name)}><data key="label">{label}</data></node>\n')
        for a, b, score in self.edges():
            ends = f"source={quoteattr(self.ids[a])} target={quoteattr(self.ids[b])}"
            file.write(f'<edge {ends}><data key="similarity">{score:.6f}</data></edge>\n')
        file.write("</graph>\n</graphml>\n")


def check_kind(path: Path) -> None:
    """Refuse a file that no graph can be written to, before anything is computed.

    Raises:
        UsageError: the suffix is none of `KINDS`.
    """
    if path.suffix not in KINDS:
        raise UsageError(f"a graph cannot be written to {path.name!r}", hint=f"suffixes: {', '.join(KINDS)}")


def graph(
    data: Any,
    k: int = 10,
    *,
    dims: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Graph:
    """Find each row's k nearest other rows: exactly up to 20,000 rows, by a ladder planned for recall .98 beyond.

    Args:
        data: (n, d) numbers, or a collection.
        k: neighbours of each row, itself not among them.
        dims: leading dimensions to use; None for all.
        progress: called as progress(done, total).

    Raises:
        UsageError: k is below 1, or there are no vectors.
    """
    rows = read_rows(data, dims)
    index = None if len(rows) <= _EXACT_ROWS else plan(rows.z, 0.98).build(rows.z)
    scores, found = knn_graph(rows.z, k, index=index, progress=progress)
    return Graph(rows.ids, rows.texts, scores, found)
