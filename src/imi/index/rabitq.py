"""Structures of rabitqlib for the first rung: SymphonyQG and HNSW over RaBitQ codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import MissingExtra
from imi.index.manifest import CheckedVectors
from imi.index.native import load_rabitqlib, processors
from imi.index.rungs import Rung
from imi.index.space import Space
from imi.index.structures import graph_work
from imi.types import Floats, Rows

DEGREE = 32
_TOO_FEW = "could not produce k results"
_BITS = {"float32": 0, "rabitq": 4, "int8": 8}


class _Graph:
    """What both graphs share: the native index, its file, and a search."""

    def __init__(self, index: Any, rung: Rung) -> None:
        self._index = index
        self._rung = rung
        self._rows = int(index.num_points)

    def save(self, path: Path) -> None:
        """Write the graph to a file."""
        self._index.save(str(path))

    def search(self, queries: Floats, keep: int, effort: int, threads: int) -> Rows:
        """Return row numbers (b, keep) int64, nearest first, -1 where none is left."""
        count = min(keep, self._rows)
        try:
            rows = self._index.search(queries, count, max(effort, count), threads)[0].astype(np.int64)
        except RuntimeError as failed:
            if _TOO_FEW not in str(failed):
                raise
            # Among many equal rows a graph hangs together so little that it meets fewer; it gives none of them then.
            if len(queries) == 1:
                return np.full((1, keep), -1, dtype=np.int64)
            each = (queries[at : at + 1] for at in range(len(queries)))
            return np.concatenate([self.search(query, keep, effort, 1) for query in each])
        return _padded(rows, keep)


class SymphonyQG(_Graph):
    """A graph whose nodes hold their neighbours' codes, scored 32 at a time (Gou et al., 2024, arXiv 2411.12229)."""

    @classmethod
    def build(cls, vectors: NDArray[Any] | CheckedVectors, space: Space, rung: Rung, threads: int) -> SymphonyQG:
        """Build over all rows of the table at once; needs more rows than a node has neighbours."""
        index = _library().SymqgIndex(space.width, DEGREE, "l2", _BITS[rung.codec])
        index.build(space.all_rows(vectors), 200, max(1, min(threads, processors())))
        return cls(index, rung)

    @classmethod
    def load(cls, path: Path, rung: Rung) -> SymphonyQG:
        """Read a file whose checksum has been verified."""
        return cls(_library().SymqgIndex.load(str(path)), rung)

    def work(self, rows: int, effort: int) -> float:
        """Estimate multiplications and additions of a query by the stored codes of the first rung."""
        return graph_work(rows, self._rung.dims, effort, DEGREE)


class HnswRabitq(_Graph):
    """An HNSW graph over RaBitQ codes of four or eight bits a number, to which rows can be added."""

    @classmethod
    def build(cls, vectors: NDArray[Any] | CheckedVectors, space: Space, rung: Rung, threads: int) -> HnswRabitq:
        """Build over all rows of the table, coded around sixteen centroids."""
        library = _library()
        rows = space.all_rows(vectors)
        threads = max(1, min(threads, processors()))
        clusters = min(16, len(rows))
        centroids = library.RaBitQKMeans(space.width, clusters, num_threads=threads)
        centroids.train(rows[:: max(1, len(rows) // 50_000)])
        nearest = _nearest(rows, centroids.centroids)
        index = library.HnswIndex(space.width, len(rows), 16, 200, _BITS[rung.codec], "l2")
        index.build(rows, centroids.centroids, nearest, threads)
        return cls(index, rung)

    @classmethod
    def load(cls, path: Path, rung: Rung) -> HnswRabitq:
        """Read a file whose checksum has been verified."""
        return cls(_library().HnswIndex.load(str(path)), rung)

    def work(self, rows: int, effort: int) -> float:
        """Estimate multiplications and additions of a query by the stored codes of the first rung."""
        return graph_work(rows, self._rung.dims, effort)


def _library() -> Any:
    library = load_rabitqlib()
    if library is None:
        raise MissingExtra("rabitqlib", "fast")
    return library


def _padded(rows: Rows, keep: int) -> Rows:
    if rows.shape[1] == keep:
        return rows
    out = np.full((len(rows), keep), -1, dtype=np.int64)
    out[:, : rows.shape[1]] = rows
    return out


def _nearest(rows: Floats, centroids: Floats) -> NDArray[np.uint32]:
    half = np.einsum("kd,kd->k", centroids, centroids) / 2
    out = np.empty(len(rows), dtype=np.uint32)
    for start in range(0, len(rows), 1 << 16):
        out[start : start + (1 << 16)] = np.argmax(rows[start : start + (1 << 16)] @ centroids.T - half, axis=1)
    return out
