"""The planner: measure ladders on the user's own vectors and take the cheapest that keeps the recall asked for.

What it measures, in order: the exact truth for held-out queries; what prefixes of the vectors are worth against random
dimensions; candidate ladders on a sample; the chosen one on all rows, where its shortlist and effort are set; and once
more with queries that nothing was set by. Everything it tried is in the result.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.index.base import check_metric, check_queries
from imi.index.candidates import building_bytes, first_rungs, prefix_sizes, row_bytes
from imi.index.exact import Exact
from imi.index.filter_plan import choose_filtering
from imi.index.goal import Goal
from imi.index.heldout import LINKS, HeldOut
from imi.index.ladder import Ladder
from imi.index.manifest import CheckedVectors, gathered
from imi.index.measure import (
    Point,
    Prefix,
    Truth,
    Vectors,
    find_truth,
    front,
    funnels,
    prefix_worth,
    recalls_of,
)
from imi.index.measure import latency as median_latency
from imi.index.memory import free_memory
from imi.index.passing import Filtering
from imi.index.plan import Plan, Tried, as_table
from imi.index.questions import unlike
from imi.index.rungs import Rung
from imi.progress import Progress
from imi.types import Floats, Rows
from imi.vectors import Metric

EXACT_NUMBERS = 5_000_000
"""Rows times width below which an exact search ends in half a millisecond, and nothing is worth building."""
_TRUTH_WORK = 5e11
_SAMPLE_NUMBERS = 8_000_000
_SAMPLE_SECONDS = 20.0
"""For trying structures on a sample, of an idle machine; one that is busy gets three times as long."""


def plan(
    vectors: NDArray[Any] | CheckedVectors,
    target_recall: float | Goal = 0.95,
    memory: int | None = None,
    latency: float | None = None,
    queries: NDArray[Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    metric: str = "cosine",
    k: int = 10,
) -> Plan:
    """Measure ladders on these vectors and build the cheapest that keeps the recall.

    Args:
        vectors: (n, d), also a memory map.
        target_recall: share of the k exact neighbours that a search must find, above 0 and at most 1; or a `Goal`,
            which can say of how many of the queries this holds.
        memory: bytes that the index may take beside the full vectors, which can stay on disk; None for as much as
            can be built in the memory that is free.
        latency: seconds that a single query may take; None for as fast as can be.
        queries: (m, d) real queries, at least 20, which alone are measured by then. Without them rows are held out of
            the structure and asked for, and so are stand-ins for questions, which lie further from the rows.
        seed: for the sample and the rows held out.
        progress: called as progress(done, total).
        metric: "cosine", "dot" or "l2".
        k: how many neighbours the recall is about.

    Raises:
        UsageError: a value is out of range, or no structure fits the memory.
    """
    table = as_table(vectors)
    goal = Goal.of(target_recall)
    if len(table) < 2:
        raise UsageError(f"a plan needs at least two vectors, and there are {len(table)}")
    if queries is not None and len(queries) < 20:
        raise UsageError(f"{len(queries)} queries are too few to measure with: give 20 or more, or none")
    asked = None if queries is None else check_queries(queries, int(table.shape[1]), k)
    planner = Planner(table, check_metric(metric), min(k, len(table) - 1), goal, memory, latency, seed, progress)
    return planner.run(asked)


class Planner:
    """One run of the planner over one table; `run` does it all."""

    def __init__(
        self,
        vectors: Vectors,
        metric: Metric,
        k: int,
        goal: Goal,
        memory: int | None,
        latency: float | None,
        seed: int,
        progress: Progress | None,
    ) -> None:
        self.vectors = vectors
        self.metric = metric
        self.k = k
        self.goal = goal
        self.memory = memory
        self.latency = latency
        self.random = np.random.default_rng(seed)
        self.progress = progress
        self.rows, self.width = len(vectors), int(vectors.shape[1])
        self.tried: list[Tried] = []

    def run(self, queries: Floats | None) -> Plan:
        """Return the plan, with its index built."""
        self._tell(0)
        if self.rows * self.width <= EXACT_NUMBERS or self.rows < 2000:
            return self._exact_plan(queries)
        truth = self._truth(queries)
        truths = [truth] if truth.held is None else [truth, self._unlike(truth)]
        self._tell(1)
        prefixes, matryoshka = self._prefixes(truth.part(slice(0, None, 2)))
        self._tell(2)
        ranked = self._try_on_sample(prefixes, matryoshka, queries)
        self._tell(3)
        for rung in ranked:
            done = self._set_and_verify(rung, truths)
            if done is not None:
                self._tell(5)
                done = done[0], self._filtering(done[1], prefixes, truths, done[0].bytes)
                note = f"{self._note(matryoshka, prefixes, done[0])}{self._promise(done[0])}"
                return self._plan(*done, prefixes, matryoshka, note)
        exact = Exact(self.vectors, self.metric)
        chosen = self._exact_tried(exact, truth.queries)
        note = "no structure that fits the limits kept the recall: exact search answers"
        return self._plan(chosen, exact, prefixes, matryoshka, note)

    def _tell(self, done: int) -> None:
        if self.progress is not None:
            self.progress(done, 5)

    def _plan(
        self, chosen: Tried, index: Ladder | Exact, prefixes: Sequence[Prefix], matryoshka: bool, note: str
    ) -> Plan:
        return Plan(
            self.goal.recall,
            self.k,
            self.metric,
            self.rows,
            self.width,
            chosen,
            tuple(self.tried),
            matryoshka,
            tuple(prefixes),
            note,
            index,
            self.memory,
            self.latency,
            self.goal.share,
            filtering=index.filtering if isinstance(index, Ladder) else Filtering(),
        )

    def _exact_plan(self, queries: Floats | None) -> Plan:
        exact = Exact(self.vectors, self.metric)
        truth = self._truth(queries)
        prefixes, matryoshka = self._prefixes(truth)
        chosen = self._exact_tried(exact, truth.queries)
        note = f"exact search is simply best for {self.rows} rows × {self.width} dimensions: recall 1, nothing to build"
        self._tell(5)
        return self._plan(chosen, exact, prefixes, matryoshka, note)

    def _exact_tried(self, exact: Exact, queries: Floats) -> Tried:
        return Tried((), 1.0, 1.0, 1.0, 1 / median_latency(exact, queries, self.k), 4 * self.rows, "all rows")

    def _truth(self, queries: Floats | None) -> Truth:
        """Search exactly for the queries, or for rows to hold out: as many as a few seconds allow, at most 1,000."""
        count = int(np.clip(_TRUTH_WORK / (self.rows * self.width), 200, 1000))
        if queries is not None:
            if len(queries) > count:
                queries = queries[self.random.choice(len(queries), count, replace=False)]
            return find_truth(self.vectors, queries, self.metric, self.k)
        few = self.rows < max(100, 4 * self.k)  # too little would be left without them
        count = min(count, self.rows) if few else min(count, max(200, self.rows // 100), self.rows // 4)
        held = self.random.choice(self.rows, count, replace=False)
        asked = np.empty((len(held), self.width), dtype=np.float32)
        order = np.argsort(held)
        asked[order] = gathered(self.vectors, held[order])
        if not np.isfinite(asked).all():
            raise UsageError("the vectors hold NaN or infinite numbers", hint="imi doctor FILE lists such rows")
        return find_truth(self.vectors, asked, self.metric, self.k, None if few else held)

    def _unlike(self, truth: Truth) -> Truth:
        """Search exactly for stand-ins for questions unlike the rows; nobody's answer is a row held out here either."""
        asked = unlike(truth.queries, self.vectors, self.random)
        return find_truth(self.vectors, asked, self.metric, self.k, truth.held)

    def _prefixes(self, truth: Truth) -> tuple[list[Prefix], bool]:
        """Measure prefixes on all rows, and as many random dimensions on a sample against the sample's own truth."""
        sizes = [size for size in prefix_sizes(self.width) if size * 8 >= self.width or size <= 64]
        if not sizes:
            return [], False
        some = np.sort(self.random.choice(self.rows, min(self.rows, 20_000), replace=False))
        if truth.held is not None:
            some = np.setdiff1d(some, truth.held)
        sample = np.asarray(gathered(self.vectors, some), dtype=np.float32)
        queries = truth.queries[:100]
        exact = Exact(sample, self.metric).search(queries, self.k)[1]
        mixed = self.random.permutation(self.width)
        lucky, plain = [], []
        for size in sizes:
            chance = Exact(np.ascontiguousarray(sample[:, mixed[:size]]), self.metric)
            lucky.append(_shared(exact, chance.search(np.ascontiguousarray(queries[:, mixed[:size]]), self.k)[1]))
            plain.append(_shared(exact, Exact(sample, self.metric, size).search(queries, self.k)[1]))
        gains = [share - luck for share, luck, size in zip(plain, lucky, sizes, strict=True) if size <= self.width // 2]
        matryoshka = bool(gains) and float(np.mean(gains)) > 0.02
        measured = truth.part(slice(0, 200))
        return prefix_worth(self.vectors, measured, sizes, self.metric, self.goal.recall, lucky), matryoshka

    def _try_on_sample(self, prefixes: Sequence[Prefix], matryoshka: bool, queries: Floats | None) -> list[Rung]:
        """Build every candidate on a sample, and rank the first rungs that reach the target by their time."""
        room = free_memory()
        rungs = first_rungs(self.rows, self.width, prefixes, matryoshka, self.memory, room)
        if not rungs:  # what is said to be free may be wrong: the smallest is worth trying
            possible = first_rungs(self.rows, self.width, prefixes, matryoshka, self.memory)
            rungs = sorted(possible, key=lambda rung: building_bytes(rung, self.rows))[:1]
        if not rungs:
            least = min(row_bytes(Rung(min(64, self.width), 1, "pq", "ivf"), self.rows), 64) * self.rows
            raise UsageError(f"memory={self.memory}: no structure fits {self.rows} rows, {int(least)} bytes would do")
        size = int(min(self.rows * 0.9, max(10_000, _SAMPLE_NUMBERS // self.width)))
        held = min(400, self.rows // 20)
        chosen = self.random.choice(self.rows, min(self.rows, size + held), replace=False)
        sample = np.asarray(gathered(self.vectors, np.sort(chosen[held:])), dtype=np.float32)
        asked = queries[:held] if queries is not None else gathered(self.vectors, np.sort(chosen[:held]))
        asked = np.asarray(asked, dtype=np.float32)
        truths = [find_truth(sample, asked, self.metric, self.k)]
        if queries is None:
            truths.append(find_truth(sample, unlike(asked, sample, self.random), self.metric, self.k))
        scored: list[tuple[float, Rung]] = []
        # By this thread's own time, so that a busy machine tries what an idle one does.
        worked, stop = time.thread_time() + _SAMPLE_SECONDS, time.monotonic() + 3 * _SAMPLE_SECONDS
        for rung in rungs:
            if len(scored) > 1 and (time.thread_time() > worked or time.monotonic() > stop):
                break  # what was measured must do
            ladder = Ladder.build(sample, (rung, Rung(self.width, self.k)), self.metric)
            points = front(ladder, truths, self.goal)
            good = self._reaching(points)
            size_all = int(row_bytes(rung, self.rows) * self.rows)
            for point in points:
                self.tried.append(self._tried(point, size_all, "sample", "" if good else "stops gaining recall"))
            if good:
                scored.append((min(point.seconds for point in good), rung))
        return [rung for _, rung in sorted(scored, key=lambda pair: pair[0])]

    def _reaching(self, points: Sequence[Point]) -> list[Point]:
        """Return the points that reach the goal with every group of queries, or else those that do with the rows.

        The latter find the most of questions unlike the rows first: a structure that answers rows well is not thrown
        away because questions are harder than it can do, but the plan says what it finds of them.
        """
        good = [point for point in points if point.value >= self.goal.bar]
        if good:
            return good
        like = [point for point in points if point.outside is not None and point.recall >= self.goal.recall]
        return sorted(like, key=lambda point: -(point.outside or 0.0))

    def _set_and_verify(self, rung: Rung, truths: list[Truth]) -> tuple[Tried, Ladder] | None:
        """Build on all rows, set shortlist and effort there, verify with other queries; None where it misses.

        Without real queries the structure is built without the rows that are asked for, and finds them by links.
        """
        held, truth = None, truths[0]
        if truth.held is not None:
            near = truth
            if self.metric == "dot":  # the largest products are the longest rows', near to nothing
                near = find_truth(self.vectors, truth.queries, "l2", self.k, truth.held)
            held = HeldOut(truth.held if near.held is None else near.held, near.rows[:, :LINKS], self.rows)
        ladder = Ladder.build(self.vectors, (rung, Rung(self.width, self.k)), self.metric, held_out=held)
        self._tell(4)
        tuning = [one.part(slice(0, None, 2)) for one in truths]
        points = self._with_funnels(ladder, tuning, front(ladder, tuning, self.goal))
        size = int(row_bytes(rung, self.rows) * self.rows)
        self.tried += [self._tried(point, size, "all rows", "") for point in points]
        quick = [point for point in points if self.latency is None or point.seconds <= self.latency]
        for point in self._reaching(quick):
            done = ladder.with_rungs(point.rungs)
            found = recalls_of(done, [one.part(slice(1, None, 2)) for one in truths])
            verified = Point.of(point.rungs, found, self.goal, point.seconds)
            missed = verified.value < self.goal.bar - self.goal.chance(min(map(len, found)))
            if missed and (point.value >= self.goal.bar or verified.recall < self.goal.recall - 0.004):
                continue
            done.latency = point.seconds
            return self._tried(verified, size, "all rows", "verified"), done
        return None

    def _filtering(self, ladder: Ladder, prefixes: Sequence[Prefix], truths: list[Truth], size: int) -> Ladder:
        """Choose how rows passing a filter are compared; the codes for it must fit the memory, too."""
        room = None if self.memory is None else self.memory - size
        groups = [one.queries for one in truths]
        return choose_filtering(ladder, prefixes, groups, self.k, self.random, room, self.goal.recall)

    def _with_funnels(self, ladder: Ladder, truths: list[Truth], points: list[Point]) -> list[Point]:
        """Add deeper ladders made of the two quickest that reach the recall; return all, the quickest first."""
        good = [point for point in points if point.value >= self.goal.bar][:2]
        deeper = [more for point in good for more in funnels(ladder, truths, self.goal, point)]
        return sorted([*points, *deeper], key=lambda point: point.seconds)

    def _tried(self, point: Point, size: int, where: str, note: str) -> Tried:
        measured = point.recall, point.low, point.high, 1 / point.seconds, size, where, note
        return Tried(point.rungs, *measured, point.outside, None if self.goal.share is None else point.value)

    def _note(self, matryoshka: bool, prefixes: Sequence[Prefix], chosen: Tried) -> str:
        if matryoshka:
            first = chosen.rungs[0]
            if first.dims < self.width:
                first_of = f"the first {first.dims} of {self.width} dimensions"
                return f"{first_of} find the candidates, the full vectors rank them"
            return f"all {self.width} dimensions are searched at once: prefixes would not be faster at this recall"
        middle = min(prefixes, key=lambda prefix: abs(prefix.dims - self.width // 4), default=None)
        share = (
            ""
            if middle is None
            else f" (the first {middle.dims} hold {middle.top:.2f} of the nearest, random ones {middle.chance:.2f})"
        )
        answer = "a rotation learnt from them is used instead" if chosen.rungs[0].rotated else "the full width is used"
        return f"these are not Matryoshka vectors{share}: {answer}"

    def _promise(self, chosen: Tried) -> str:
        """Say what is found of questions unlike the rows, and how many of the queries reach the recall."""
        reached = ""
        if chosen.share is not None:
            reached = f"; {chosen.share:.3f} of the queries reach {self.goal.recall:g}"
            reached += ", less than was asked for" if chosen.share < self.goal.bar - 0.03 else ""
        if chosen.outside is None:
            return reached
        found = f"; of questions unlike the rows it finds {chosen.outside:.3f}"
        short = chosen.outside < self.goal.recall - 0.004 and self.goal.share is None
        return (
            reached + found + (", less than was asked for: plan with real ones (--queries, queries=)" if short else "")
        )


def _shared(a: Rows, b: Rows) -> float:
    """Return the mean share of a's rows that are in b's."""
    return float((a[:, :, None] == b[:, None, :]).any(axis=2).mean())
