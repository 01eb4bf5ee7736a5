"""The ladder: search with few dimensions, then rerank fewer and fewer candidates by more of them.

Two rungs are adaptive retrieval, more are funnel retrieval (Kusupati et al., 2022, "Matryoshka Representation
Learning", arXiv 2205.13147, sections 4.3 and appendix F).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.index.base import check_metric, check_queries, check_vectors
from imi.index.exact import Exact
from imi.index.heldout import HeldOut
from imi.index.manifest import CheckedVectors, Write, vector_parts, write_files
from imi.index.native import processors
from imi.index.rabitq import DEGREE, HnswRabitq, SymphonyQG
from imi.index.rerank import VectorReranker, inverse_lengths
from imi.index.rungs import Rung, check_rungs
from imi.index.space import Space
from imi.index.structures import FaissStructure, Scan, Structure
from imi.progress import Progress
from imi.types import Floats, Rows
from imi.vectors import Metric

_BYTES_A_SECOND = 4e9
"""Bytes of scattered rows that an exact search reads in a second, for choosing between it and a widened shortlist."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one rung did for a search: candidates scored and dimensions read by a query, and its share of the time."""

    rung: str
    candidates: float
    numbers: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "rung": self.rung,
            "candidates": self.candidates,
            "numbers_read": self.numbers,
            "seconds": self.seconds,
        }


class Ladder:
    """A structure for the first rung and rerankers for the others, over vectors that may stay on disk."""

    can_filter = True
    can_save = True

    def __init__(
        self,
        vectors: NDArray[Any] | CheckedVectors,
        rungs: Sequence[Rung],
        structure: Structure,
        space: Space,
        scales: dict[int, Floats | None],
        latency: float = 2e-4,
        held_out: HeldOut | None = None,
    ) -> None:
        """Put built parts together; `build` and `imi.index.saved.load_ladder` make them.

        Args:
            vectors: the full vectors, (n, d).
            rungs: first to last; a single one is reranked by its own dimensions, so that scores are exact.
            structure: finds candidates in `space`.
            space: of the first rung.
            scales: under cosine, one over each row's length by dims, None where rows are unit.
            latency: seconds that one unfiltered query takes, for the choice of how to filter.
            held_out: rows that are not in the structure, and through which others they are found.
        """
        self.vectors = vectors
        self.rungs = tuple(rungs)
        self.structure = structure
        self.space = space
        self.scales = scales
        self.latency = latency
        self.held_out = held_out
        self.threads = processors()
        later = self.rungs[1:] or (Rung(rungs[0].dims, rungs[0].keep),)
        self._later = [VectorReranker(vectors, rung, space.metric, scales.get(rung.dims)) for rung in later]
        self._exact = Exact(vectors, space.metric, self._later[-1].rung.dims)

    @classmethod
    def build(
        cls,
        vectors: NDArray[Any] | CheckedVectors,
        rungs: Sequence[Rung],
        metric: str = "cosine",
        threads: int | None = None,
        progress: Progress | None = None,
        held_out: HeldOut | None = None,
    ) -> Ladder:
        """Build a ladder over vectors, which are kept, not copied.

        Args:
            vectors: (n, d) float32 or float16, also a memory map.
            rungs: see `parse_ladder`.
            metric: "cosine", "dot" or "l2".
            threads: for building; None for all processors.
            progress: called as progress(done, total) where the structure can tell.
            held_out: rows to leave out of the structure; a search finds them through those linked to them.

        Raises:
            UsageError: the rungs do not fit the vectors; a graph of rabitqlib on fewer than 65 rows.
            MissingExtra: the structure needs rabitqlib.
        """
        known = check_metric(metric)
        table = vectors if isinstance(vectors, CheckedVectors) else check_vectors(vectors)
        checked = check_rungs(rungs, int(table.shape[1]))
        first = checked[0]
        if first.structure in ("symphonyqg", "hnsw-rabitq") and len(table) <= 2 * DEGREE:
            raise UsageError(
                f"{first.structure} needs more than {2 * DEGREE} rows, there are {len(table)}", hint="flat"
            )
        space = Space.measure(known, first.dims, table, first.rotated)
        if held_out is not None:
            space.exiled = held_out.rows
        workers = threads or processors()
        structure: Structure
        if first.structure == "symphonyqg":
            structure = SymphonyQG.build(table, space, first, workers)
        elif first.structure == "hnsw-rabitq":
            structure = HnswRabitq.build(table, space, first, workers)
        else:
            structure = FaissStructure.build(table, space, first, workers, progress)
        scales = {rung.dims: inverse_lengths(table, rung.dims) for rung in checked[-1:] + checked[1:]}
        return cls(table, checked, structure, space, scales if known == "cosine" else {}, held_out=held_out)

    @classmethod
    def scan(cls, vectors: NDArray[Any] | CheckedVectors, rungs: Sequence[Rung], metric: str = "cosine") -> Ladder:
        """Return a ladder whose first rung scans prefixes of the vectors themselves: nothing is built.

        Raises:
            UsageError: the first rung asks for another structure than flat.float32.
        """
        checked = check_rungs(rungs, int(vectors.shape[1]))
        if (checked[0].structure, checked[0].codec) != ("flat", "float32"):
            raise UsageError(f"rung {checked[0]} needs a build, a scan is flat.float32", hint="leave the structure out")
        space = Space.measure(check_metric(metric), checked[0].dims, vectors)
        scales = {rung.dims: inverse_lengths(vectors, rung.dims) for rung in checked[-1:] + checked[1:]}
        return cls(vectors, checked, Scan(vectors, space), space, scales if metric == "cosine" else {})

    @property
    def metric(self) -> Metric:
        """What a score means."""
        return self.space.metric

    @property
    def width(self) -> int:
        """Numbers in a query."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.vectors)

    def save(self, folder: str | Path) -> None:
        """Write the ladder and its vectors; `imi.index.load` reads them, the vectors by memory map.

        Raises:
            UsageError: the first rung is a scan, which was not built.
        """
        description, writers = ladder_parts(self)
        table = {"shape": [len(self), self.width], "dtype": self.vectors.dtype.str}
        write_files(Path(folder), {"ladder": description, "table": table}, writers | vector_parts(self.vectors))

    def with_rungs(self, rungs: Sequence[Rung]) -> Ladder:
        """Return a ladder over the same structure with other shortlists, efforts or later rungs.

        Raises:
            UsageError: the first rung's dims, codec or structure differ, which would need another build.
        """
        checked = check_rungs(rungs, self.width)
        mine, other = self.rungs[0], checked[0]
        if replace(mine, keep=1, effort=0) != replace(other, keep=1, effort=0):
            raise UsageError(f"first rung {other} needs another build than {mine}", hint="Ladder.build")
        scales = dict(self.scales)
        for rung in checked[-1:] + checked[1:]:
            if self.metric == "cosine" and rung.dims not in scales:
                scales[rung.dims] = inverse_lengths(self.vectors, rung.dims)
        ladder = Ladder(self.vectors, checked, self.structure, self.space, scales, self.latency, self.held_out)
        ladder.threads = self.threads
        return ladder

    def without_held_out(self) -> Ladder:
        """Return the same ladder, by which the rows held out of its structure are not found: for measuring by them."""
        held = None if self.held_out is None else self.held_out.unlinked
        ladder = Ladder(self.vectors, self.rungs, self.structure, self.space, self.scales, self.latency, held)
        ladder.threads = self.threads
        return ladder

    def search(
        self, queries: NDArray[Any], k: int = 10, allowed: Rows | NDArray[np.bool_] | None = None
    ) -> tuple[Floats, Rows]:
        """Find k near rows for each query, as `Index.search` says.

        With `allowed` the search is exact over those rows when they are few, otherwise the first rung's shortlist is
        widened by their share; a query that then has fewer than k hits though more rows pass is answered exactly.

        Args:
            queries: (b, width) numbers.
            k: how many; beyond the last rung's keep, shortlists and effort grow in proportion.
            allowed: row numbers, or a mask (n,) of bool.
        """
        asked = check_queries(queries, self.width, k)
        return self._climb(asked, k, None if allowed is None else self._mask(allowed), None)

    def explain(
        self, queries: NDArray[Any], k: int = 10, allowed: Rows | NDArray[np.bool_] | None = None
    ) -> tuple[Floats, Rows, list[Step]]:
        """Search and also return what each rung did, averaged over the queries."""
        asked = check_queries(queries, self.width, k)
        steps: list[Step] = []
        scores, rows = self._climb(asked, k, None if allowed is None else self._mask(allowed), steps)
        return scores, rows, steps

    def _mask(self, allowed: Rows | NDArray[np.bool_]) -> NDArray[np.bool_]:
        if allowed.dtype == np.bool_:
            if allowed.shape != (len(self),):
                raise UsageError(f"a mask of shape {allowed.shape} does not fit {len(self)} rows")
            return allowed.astype(np.bool_, copy=False)
        rows = allowed.astype(np.int64, copy=False)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise UsageError(f"allowed rows reach from {rows.min()} to {rows.max()}, there are 0 to {len(self) - 1}")
        mask = np.zeros(len(self), dtype=bool)
        mask[rows] = True
        return mask

    def _climb(
        self, queries: Floats, k: int, mask: NDArray[np.bool_] | None, steps: list[Step] | None
    ) -> tuple[Floats, Rows]:
        if mask is None and len(self) > k:
            return self._by_rungs(queries, k, None, 1.0, steps)
        passing = len(self) if mask is None else int(np.count_nonzero(mask))
        widening = len(self) / max(passing, 1)
        if passing <= k or self._exact_is_cheaper(passing, widening):
            return self._exactly(queries, k, mask, steps)
        scores, rows = self._by_rungs(queries, k, mask, widening, steps)
        if mask is not None and (short := rows[:, -1] < 0).any():
            scores[short], rows[short] = self._exactly(queries[short], k, mask, steps)
        return scores, rows

    def _exact_is_cheaper(self, passing: int, widening: float) -> bool:
        """Compare reading the passing rows with a first rung whose work grows with the widening."""
        return passing * self.width * 4 / _BYTES_A_SECOND < self.latency * float(widening**0.9)

    def _exactly(
        self, queries: Floats, k: int, mask: NDArray[np.bool_] | None, steps: list[Step] | None
    ) -> tuple[Floats, Rows]:
        started = time.perf_counter()
        allowed = None if mask is None else np.flatnonzero(mask)
        scores, rows = self._exact.search(queries, k, allowed)
        if steps is not None:
            count = len(self) if allowed is None else len(allowed)
            seconds = (time.perf_counter() - started) / max(len(queries), 1)
            steps.append(Step("exact", count, float(count * self._exact.dims), seconds))
        return scores, rows

    def _by_rungs(
        self, queries: Floats, k: int, mask: NDArray[np.bool_] | None, widening: float, steps: list[Step] | None
    ) -> tuple[Floats, Rows]:
        # Asked again each time: a forked child has one.
        first, threads = self.rungs[0], min(self.threads, processors()) if len(queries) > 1 else 1
        last = self._later[-1].rung.keep
        grown = 1.0 if k <= 1.1 * last else k / last  # one more than planned for is no reason to look harder
        keep = max(k, math.ceil(first.keep * grown))
        wide = min(len(self), math.ceil(keep * widening * (1.2 if mask is not None else 1)))
        effort = math.ceil((first.effort or 2 * first.keep) * grown * widening)
        if first.structure == "ivf":
            effort = math.ceil((first.effort or 16) * math.sqrt(grown * widening))
        started = time.perf_counter()
        rows = self.structure.search(self.space.queries(queries), wide, effort, threads)
        if self.held_out is not None:
            rows = self.held_out.added_to(rows)
        if mask is not None:
            # What is linked comes in front, and must push none of the structure's own rows out.
            rows = _passing(rows, mask, keep + rows.shape[1] - wide)
        if steps is not None:
            now = time.perf_counter()
            work = self.structure.work(len(self), effort) / 2
            steps.append(Step(str(first), work / first.dims, work, (now - started) / len(queries)))
        scores = np.empty(0, dtype=np.float32)
        for rung in self._later:
            started = time.perf_counter()
            scored = rows.shape[1]
            final = rung is self._later[-1]
            scores, rows = _best(
                rung.score(queries, rows, threads),
                rows,
                k if final else max(k, math.ceil(rung.rung.keep * grown)),
                final,
            )
            if steps is not None:
                seconds = (time.perf_counter() - started) / len(queries)
                steps.append(Step(str(rung.rung), scored, float(scored * rung.rung.dims), seconds))
        return scores, rows


def _best(scores: Floats, rows: Rows, keep: int, ordered: bool) -> tuple[Floats, Rows]:
    """Return the best `keep` of each row of scores, in order when asked; short shortlists are padded."""
    if len(rows) == 1:
        first = (-scores[0]).argsort(kind="stable")[:keep]
        best, found = scores[0].take(first)[None], rows[0].take(first)[None]
    elif keep < rows.shape[1] and not ordered:
        order = np.argpartition(scores, rows.shape[1] - keep, axis=1)[:, -keep:]
        best, found = np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
    else:
        order = np.argsort(-scores, axis=1, kind="stable")[:, :keep]
        best, found = np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
    if found.shape[1] < keep and ordered:
        extra = ((0, 0), (0, keep - found.shape[1]))
        return np.pad(best, extra, constant_values=-np.inf), np.pad(found, extra, constant_values=-1)
    return best, found


def _passing(rows: Rows, mask: NDArray[np.bool_], keep: int) -> Rows:
    """Move the matching rows to the front of each shortlist and cut it to the longest that is needed."""
    good = mask[rows] & (rows >= 0)
    most = min(keep, int(good.sum(axis=1).max(initial=1)) or 1)
    order = np.argsort(~good, axis=1, kind="stable")[:, :most]
    found = np.take_along_axis(rows, order, axis=1)
    found[~np.take_along_axis(good, order, axis=1)] = -1
    return np.ascontiguousarray(found)


def ladder_parts(ladder: Ladder, tail: str = "") -> tuple[dict[str, Any], dict[str, Write]]:
    """Return a ladder's description and the writers of its files, the full vectors apart; names end in `tail`."""
    held = ladder.held_out
    writers: dict[str, Write] = {f"{structure_name(held is not None)}{tail}": ladder.structure.save}
    for dims, scale in ladder.scales.items():
        if scale is not None:
            writers[f"lengths{dims}x{tail}"] = scale.tofile
    if ladder.space.rotation is not None:
        writers[f"rotation{tail}"] = ladder.space.rotation.tofile
    if held is not None:
        writers[f"heldout{tail}"] = np.column_stack([held.rows, held.through]).tofile
    description = {
        "metric": ladder.metric,
        "rungs": [rung.to_dict() for rung in ladder.rungs],
        "longest": ladder.space.longest,
        "latency": ladder.latency,
        "held_out": None if held is None else held.through.shape[1],
        "unit": [dims for dims, scale in ladder.scales.items() if scale is None],
        "lengths": [dims for dims, scale in ladder.scales.items() if scale is not None],
    }
    return description, writers


def structure_name(linked: bool) -> str:
    """Name the structure's file: one that lacks rows has a name that a reader without their links does not look for."""
    return "linked" if linked else "structure"
