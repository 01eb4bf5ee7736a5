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
from imi.index.codes import Code, RowCodes
from imi.index.exact import Exact
from imi.index.heldout import HeldOut
from imi.index.manifest import CheckedVectors, Write, vector_parts, write_files
from imi.index.native import processors
from imi.index.passing import Filtering, Passing, PassingScan, cut_to_passing
from imi.index.rabitq import DEGREE, HnswRabitq, SymphonyQG
from imi.index.rerank import VectorReranker, inverse_lengths
from imi.index.rungs import Rung, check_rungs
from imi.index.space import Space
from imi.index.structures import FaissStructure, Scan, Structure
from imi.progress import Progress, may_end
from imi.types import Floats, Rows
from imi.vectors import Metric

_REMEMBERED = 64
"""Pairs of k and of what is promised whose reach is remembered: most callers ask for one or two."""


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
        filtering: Filtering | None = None,
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
            filtering: how rows that pass a filter are compared where they are few.
        """
        self.vectors = vectors
        self.rungs = tuple(rungs)
        self.structure = structure
        self.space = space
        self.scales = scales
        self.latency = latency
        self.held_out = held_out
        self.threads = processors()
        self._reached: dict[tuple[int, int | None], tuple[int, int, int, list[int]]] = {}
        later = self.rungs[1:] or (Rung(rungs[0].dims, rungs[0].keep),)
        self._later = [VectorReranker(vectors, rung, space.metric, scales.get(rung.dims)) for rung in later]
        self._exact = Exact(vectors, space.metric, self._later[-1].rung.dims)
        self.filtering = filtering or Filtering()
        self._filter_by(None)

    def _filter_by(self, codes: RowCodes | None) -> None:
        by = self.filtering.prefix
        prefix = None if by is None else VectorReranker(self.vectors, by, self.metric, None)
        self.scan_of_passing = PassingScan(self._later[-1], prefix, self.filtering, codes)

    def code_rows(self, code: Code) -> RowCodes:
        """Return the codes of all rows, for `with_filtering`."""
        return RowCodes.build(self.vectors, code, self.metric, self.scales.get(self.width), self.threads)

    def scan_over(self, vectors: Floats, scale: Floats | None, codes: RowCodes) -> PassingScan:
        """Return what compares rows that pass over other vectors of the same kind: for measuring on a sample."""
        return PassingScan(VectorReranker(vectors, self._later[-1].rung, self.metric, scale), None, None, codes)

    @property
    def codes(self) -> RowCodes | None:
        """The codes by which many rows that pass a filter are compared."""
        return self.scan_of_passing.codes

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
        may_end()
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
        return self._like(checked, scales, self.held_out, self.filtering, self.codes)

    def without_held_out(self) -> Ladder:
        """Return the same ladder, by which the rows held out of its structure are not found: for measuring by them."""
        held = None if self.held_out is None else self.held_out.unlinked
        return self._like(self.rungs, self.scales, held, self.filtering, self.codes)

    def with_filtering(self, filtering: Filtering, codes: RowCodes | None = None) -> Ladder:
        """Return the same ladder that compares rows passing a filter in another way, by codes where they are given."""
        return self._like(self.rungs, self.scales, self.held_out, filtering, codes)

    def _like(
        self,
        rungs: tuple[Rung, ...],
        scales: dict[int, Floats | None],
        held: HeldOut | None,
        filtering: Filtering,
        codes: RowCodes | None,
    ) -> Ladder:
        ladder = Ladder(self.vectors, rungs, self.structure, self.space, scales, self.latency, held, filtering)
        ladder.threads = self.threads
        ladder._filter_by(codes)
        return ladder

    def search(
        self,
        queries: NDArray[Any],
        k: int = 10,
        allowed: Passing | Rows | NDArray[np.bool_] | None = None,
        *,
        promised: int | None = None,
    ) -> tuple[Floats, Rows]:
        """Find k near rows for each query, as `Index.search` says.

        With `allowed` those rows are compared one by one when they are few, otherwise the first rung's shortlist is
        widened by their share. Where fewer of a shortlist pass than that share lets expect, the filter goes against the
        query: it is widened by what did pass, or the passing rows are compared after all. When k rows pass, k come.

        Args:
            queries: (b, width) vectors.
            k: how many; beyond the last rung's keep, shortlists and effort grow in proportion.
            allowed: row numbers, a mask (n,) of bool, or `Passing`, which many searches can share.
            promised: how many of the k are found with the planned recall; the others are taken from the same shortlist,
                of which fewer are the nearest. None for all.
        """
        asked = check_queries(queries, self.width, k)
        return self._climb(asked, k, promised, None if allowed is None else Passing.of(allowed, len(self)), None)

    def score(self, query: Floats, rows: Rows) -> Floats:
        """Return the scores of some rows (n,), those that a search gives them, for one query (width,)."""
        scores: Floats = self._later[-1].score(query[None], np.ascontiguousarray(rows[None]))[0]
        return scores

    def explain(
        self,
        queries: NDArray[Any],
        k: int = 10,
        allowed: Passing | Rows | NDArray[np.bool_] | None = None,
        *,
        promised: int | None = None,
    ) -> tuple[Floats, Rows, list[Step]]:
        """Search and also return what each rung did, averaged over the queries."""
        asked = check_queries(queries, self.width, k)
        steps: list[Step] = []
        passing = None if allowed is None else Passing.of(allowed, len(self))
        scores, rows = self._climb(asked, k, promised, passing, steps)
        return scores, rows, steps

    def _climb(
        self, queries: Floats, k: int, promised: int | None, passing: Passing | None, steps: list[Step] | None
    ) -> tuple[Floats, Rows]:
        if len(self) <= k or (passing is not None and len(passing) <= k):
            return self._exactly(queries, k, passing, steps)
        if passing is None:
            scores, rows, _ = self._by_rungs(queries, k, promised, None, 1.0, steps)
            if len(rows) == 1 and rows[0, -1] >= 0:
                return scores, rows
            if (short := rows[:, -1] < 0).any():  # too few in the lists that were read, or in reach of a graph
                scores[short], rows[short] = self._exactly(queries[short], k, None, steps)
            return scores, rows
        scan = self.scan_of_passing
        alone = min(scan.time(passing), scan.masked_time(passing))
        # Where a filter went against queries before, the graph was asked for nothing.
        after = alone if passing.packed is None else min(alone, scan.coded_time(passing))
        again = passing.against / max(passing.asked, 1) * after
        climbing = self._time(passing.widening) + again
        if scan.has_packed(len(queries), passing, min(alone, climbing)):
            return self._coded(queries, k, passing, steps)
        if alone < climbing:
            return self._compared(queries, k, passing, steps)
        scores, rows, wider = self._by_rungs(queries, k, promised, passing.mask, passing.widening, steps)
        against = np.flatnonzero(wider > passing.widening)
        passing.asked += len(queries)
        passing.against += len(against)
        if len(against):
            most = float(wider[against].max())
            coded = scan.has_packed(len(against), passing, alone)
            # A wider shortlist holds rows that pass, but not always the nearest of them: the last resort.
            if scan.codes is None and self._time(most) <= alone:
                widened = self._by_rungs(queries[against], k, promised, passing.mask, most, steps)
                scores[against], rows[against] = widened[:2]
                against = against[widened[2] > most]
            if len(against):
                search = self._coded if coded else self._compared
                scores[against], rows[against] = search(queries[against], k, passing, steps)
        if (short := rows[:, -1] < 0).any():
            scores[short], rows[short] = self._scanned(queries[short], k, passing, steps)
        return scores, rows

    def widened(self, queries: Floats, k: int, passing: Passing) -> Floats:
        """Return the scores of what a shortlist holds, once it is widened by a filter's share: for measuring."""
        return self._by_rungs(queries, k, None, passing.mask, passing.widening, None)[0]

    def _time(self, widening: float) -> float:
        """Estimate the seconds of a query whose first rung looks so many times as far: its work grows with it."""
        return float(self.latency * widening ** (0.9 * self._widening))

    @property
    def _widening(self) -> float:
        """The power with which a graph's effort grows as its shortlist is widened for a filter."""
        return self._growth if self.filtering.growth is None else self.filtering.growth

    @property
    def _growth(self) -> float:
        """The power of the neighbours wanted with which a graph's effort grows: less where it looks at many for each.

        By recall@10 and @100 (`benchmarks/peers.py`): an effort of six for each neighbour must grow nearly as they do,
        one of twenty by the power .63, which is taken a little higher here.
        """
        first = self.rungs[0]
        many = (first.effort or 2 * first.keep) / first.keep
        return float(min(1.0, max(0.55, 0.9 - 0.19 * math.log(max(many, 1.0) / 5.5))))

    def _coded(self, queries: Floats, k: int, passing: Passing, steps: list[Step] | None) -> tuple[Floats, Rows]:
        packed = passing.packed
        if packed is None:
            return self._scanned(queries, k, passing, steps)
        started = time.perf_counter()
        scores, rows = self.scan_of_passing.search_packed(queries, k, packed)
        if steps is not None:
            code, seconds = packed.codes.code, (time.perf_counter() - started) / len(queries)
            steps.append(Step(f"codes/{code.dims}", len(passing), float(len(passing) * code.dims), seconds))
        if (short := rows[:, -1] < 0).any():
            scores[short], rows[short] = self._scanned(queries[short], k, passing, steps)
        return scores, rows

    def _compared(self, queries: Floats, k: int, passing: Passing, steps: list[Step] | None) -> tuple[Floats, Rows]:
        """Compare the rows that pass in the quickest way for which nothing is packed."""
        scan = self.scan_of_passing
        if scan.codes is None or scan.time(passing) <= scan.masked_time(passing):
            return self._scanned(queries, k, passing, steps)
        started = time.perf_counter()
        scores, rows = scan.search_masked(queries, k, passing, scan.codes)
        if steps is not None:
            dims, seconds = scan.codes.code.dims, (time.perf_counter() - started) / len(queries)
            steps.append(Step(f"masked/{dims}", len(self), float(len(self) * dims), seconds))
        if (short := rows[:, -1] < 0).any():
            scores[short], rows[short] = self._scanned(queries[short], k, passing, steps)
        return scores, rows

    def _scanned(self, queries: Floats, k: int, passing: Passing, steps: list[Step] | None) -> tuple[Floats, Rows]:
        if not self.scan_of_passing.fits(len(queries), passing):
            return self._exactly(queries, k, passing, steps)
        started = time.perf_counter()
        scores, rows = self.scan_of_passing.search(queries, k, passing)
        if steps is not None:
            by = self.scan_of_passing.prefix.rung if self.scan_of_passing.prefix is not None else self._later[-1].rung
            seconds = (time.perf_counter() - started) / len(queries)
            steps.append(Step(f"scan/{by.dims}", len(passing), float(len(passing) * by.dims), seconds))
        return scores, rows

    def _exactly(
        self, queries: Floats, k: int, passing: Passing | None, steps: list[Step] | None
    ) -> tuple[Floats, Rows]:
        started = time.perf_counter()
        allowed = None if passing is None else passing.rows
        scores, rows = self._exact.search(queries, k, allowed)
        if steps is not None:
            count = len(self) if allowed is None else len(allowed)
            seconds = (time.perf_counter() - started) / max(len(queries), 1)
            steps.append(Step("exact", count, float(count * self._exact.dims), seconds))
        return scores, rows

    def _by_rungs(
        self,
        queries: Floats,
        k: int,
        promised: int | None,
        mask: NDArray[np.bool_] | None,
        widening: float,
        steps: list[Step] | None,
    ) -> tuple[Floats, Rows, NDArray[np.float64]]:
        """Climb; with a mask also return the widening that each query would have needed by what passed."""
        keep, wide, effort, keeps = self._reach(k, promised, widening, mask is not None)
        # Asked again each time: a forked child has one.
        threads = min(self.threads, processors()) if len(queries) > 1 else 1
        started = 0.0 if steps is None else time.perf_counter()
        rows = self.structure.search(self.space.queries(queries), wide, effort, threads)
        if self.held_out is not None:
            rows = self.held_out.added_to(rows)
        needed = np.empty(0)
        if mask is not None:
            # What is linked comes in front, and must push none of the structure's own rows out.
            rows, counts = cut_to_passing(rows, mask, keep + rows.shape[1] - wide)
            needed = np.where(counts < keep, 1.5 * wide / np.maximum(counts, 0.5), widening)
        if steps is not None:
            now = time.perf_counter()
            work = self.structure.work(len(self), effort) / 2
            steps.append(Step(str(self.rungs[0]), work / self.rungs[0].dims, work, (now - started) / len(queries)))
        scores = np.empty(0, dtype=np.float32)
        for rung, best in zip(self._later, keeps, strict=True):
            started = 0.0 if steps is None else time.perf_counter()
            scored = rows.shape[1]
            scores, rows = _best(rung.score(queries, rows, threads), rows, best, rung is self._later[-1])
            if steps is not None:
                seconds = (time.perf_counter() - started) / len(queries)
                steps.append(Step(str(rung.rung), scored, float(scored * rung.rung.dims), seconds))
        return scores, rows, needed

    def _reach(self, k: int, promised: int | None, widening: float, masked: bool) -> tuple[int, int, int, list[int]]:
        """Return how many rows that pass are wanted, how many asked for, the effort and what each later rung keeps."""
        known = self._reached.get((k, promised)) if not masked and widening == 1 else None
        if known is not None:
            return known
        first, last = self.rungs[0], self._later[-1].rung.keep
        sure = k if promised is None else min(k, promised)
        grown = 1.0 if sure <= 1.1 * last else sure / last  # one more than planned for does not justify a wider search
        keep = max(k, math.ceil(first.keep * grown))
        # By chance alone a shortlist holds fewer that pass: three deviations more are asked for.
        wide = min(len(self), math.ceil((keep + (3 * math.sqrt(keep) if masked else 0)) * widening))
        effort = math.ceil((first.effort or 2 * first.keep) * grown**self._growth * widening**self._widening)
        if first.structure == "ivf":
            effort = math.ceil((first.effort or 16) * math.sqrt(grown * widening))
        keeps = [max(k, math.ceil(rung.rung.keep * grown)) for rung in self._later[:-1]]
        found = keep, wide, effort, [*keeps, k]
        if not masked and widening == 1 and len(self._reached) < _REMEMBERED:
            self._reached[k, promised] = found
        return found


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
    if ladder.codes is not None:
        writers[f"codes{tail}"] = ladder.codes.save
        writers[f"packed{tail}"] = ladder.codes.table.save
    description = {
        "metric": ladder.metric,
        "rungs": [rung.to_dict() for rung in ladder.rungs],
        "longest": ladder.space.longest,
        "latency": ladder.latency,
        "held_out": None if held is None else held.through.shape[1],
        "filtering": ladder.filtering.to_dict(),
        "coded": ladder.codes is not None,
        "packed": ladder.codes is not None,
        "unit": [dims for dims, scale in ladder.scales.items() if scale is None],
        "lengths": [dims for dims, scale in ladder.scales.items() if scale is not None],
    }
    return description, writers


def structure_name(linked: bool) -> str:
    """Name the structure's file: one that lacks rows has a name that a reader without their links does not look for."""
    return "linked" if linked else "structure"
