"""Measure a ladder: recall against one exact truth, latency of single queries, and what shortlists a prefix needs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.index.base import Index
from imi.index.exact import Exact
from imi.index.goal import Goal
from imi.index.heldout import without
from imi.index.ladder import Ladder
from imi.index.manifest import AROUND, HELD_BYTES, CheckedVectors, let_go_of
from imi.index.rerank import VectorReranker
from imi.index.rungs import Rung
from imi.progress import may_end
from imi.types import Floats, Rows
from imi.vectors import Metric

Vectors = NDArray[Any] | CheckedVectors
_TIMED = 256
"""Different queries that are timed."""
_LARGE = 1 << 32
"""Bytes of a mapped table of which not everything that was read is kept in memory."""


@dataclass(frozen=True)
class Truth:
    """Queries and their exact answers, found once and used for everything that is measured.

    queries: (m, d). rows: (m, k) and bar: (m,) the k-th best score, less a rounding: whatever scores at least this is
    as good as a true neighbour, so that ties and duplicates count right. held: (h,) rows of the table that the queries
    were taken from, in their order as long as the truth is whole; they are nobody's answer. None for real queries.
    """

    queries: Floats
    rows: Rows
    bar: Floats
    k: int
    held: Rows | None = None

    def part(self, where: slice) -> Truth:
        """Return the truth for some of the queries."""
        return Truth(self.queries[where], self.rows[where], self.bar[where], self.k, self.held)

    def recalls(self, scores: Floats, rows: Rows) -> NDArray[np.float64]:
        """Return each query's share of k true neighbours among what was found, (m,)."""
        good = (scores >= self.bar[:, None]) & (rows >= 0)
        return np.asarray(np.minimum(good.sum(axis=1), self.k) / self.k, dtype=np.float64)


def find_truth(vectors: Vectors, queries: Floats, metric: Metric, k: int, held: Rows | None = None) -> Truth:
    """Search exactly once, (m, d) queries, for k rows that are not held out; queries without so many are dropped."""
    may_end()
    spare = 0 if held is None else 64 if k <= 64 else len(held)
    scores, rows = Exact(vectors, metric).search(queries, min(k + spare, len(vectors)))
    places, enough = without(rows, held, k)
    if held is not None:
        queries, scores, rows, places = queries[enough], scores[enough], rows[enough], places[enough]
    scores, rows = np.take_along_axis(scores, places, axis=1), np.take_along_axis(rows, places, axis=1)
    last = scores[:, -1]
    bar = last - 4e-6 * np.maximum(np.abs(last), 1 if metric == "cosine" else 0)
    return Truth(queries, rows, bar.astype(np.float32), k, None if held is None else held[enough])


def confidence(recalls: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean and the ends of its 95 % interval, by the normal approximation over queries."""
    mean = float(recalls.mean())
    reach = 1.96 * float(recalls.std(ddof=1)) / math.sqrt(len(recalls)) if len(recalls) > 1 else 1.0
    return mean, max(0.0, mean - reach), min(1.0, mean + reach)


def latency(index: Index, queries: Floats, k: int, seconds: float = 0.05) -> float:
    """Return the median time of a single query; medians do not mind a machine that does other things too."""
    may_end()
    times: list[float] = []
    asked = [queries[at : at + 1] for at in range(min(len(queries), _TIMED))]
    index.search(asked[0], k)
    stop = time.perf_counter() + seconds
    while len(times) < 20 or time.perf_counter() < stop:
        query = asked[len(times) % len(asked)]
        started = time.perf_counter()
        index.search(query, k)
        times.append(time.perf_counter() - started)
    return float(np.median(times))


@dataclass(frozen=True, slots=True)
class Point:
    """A ladder's shortlist and effort, with the recall and the seconds of a query that they give.

    recall, low and high are of the first group of queries; `outside` is the recall of the second, where there is one.
    `value` is what the goal is compared with: the worst of all groups.
    """

    rungs: tuple[Rung, ...]
    recall: float
    low: float
    high: float
    seconds: float
    value: float
    outside: float | None = None

    @classmethod
    def of(cls, rungs: tuple[Rung, ...], groups: Sequence[NDArray[np.float64]], goal: Goal, seconds: float) -> Point:
        """Put a point together from each group's recalls."""
        outside = float(groups[1].mean()) if len(groups) > 1 else None
        return cls(rungs, *confidence(groups[0]), seconds, goal.worst(groups), outside)


def front(ladder: Ladder, truths: Sequence[Truth], goal: Goal) -> list[Point]:
    """Try the ladder's efforts and, for each, the shortest shortlists that matter; return them timed, cheapest first.

    One search for each effort serves all shortlists, because a shortlist is the head of a longer one. The search ends
    when the worst group of queries has passed the goal well or no longer grows.
    """
    points: list[Point] = []
    best = np.zeros(len(truths))
    stalled = 0
    k = truths[0].k
    for effort in _efforts(ladder, k):
        may_end()
        groups = [_recall_by_keep(ladder, truth, effort) for truth in truths]
        kept = {keep: [group[keep] for group in groups] for keep in groups[0]}
        values = {keep: goal.worst(recalls) for keep, recalls in kept.items()}
        near = next(keep for keep, value in values.items() if value >= max(values.values()) - 0.002)
        wanted = next((keep for keep, value in values.items() if value >= goal.bar), near)
        alone = next((keep for keep, recalls in kept.items() if goal.value(recalls[0]) >= goal.bar), near)
        for keep in sorted({near, wanted} if values[wanted] >= goal.bar else {near, alone}):
            timed = ladder.with_rungs(_with(ladder, keep, effort, k))
            if _is_large(ladder.vectors):  # bring in the rows that were let go of: that is not to be timed
                timed.search(truths[0].queries[:_TIMED], k)
            seconds = latency(timed, truths[0].queries, k)
            points.append(Point.of(timed.rungs, kept[keep], goal, seconds))
        # Means tell whether more effort still helps: a share of a hundred queries moves by whole hundredths.
        top = np.array([max(recalls[at].mean() for recalls in kept.values()) for at in range(len(truths))])
        stalled = 0 if (top > best + 0.001).any() else stalled + 1
        best = np.maximum(best, top)
        if stalled >= 2 or max(values.values()) >= min(0.999, goal.bar + 0.6 * (1 - goal.bar)):
            break
    return sorted(_steadied(points), key=lambda point: point.seconds)


def _steadied(points: Sequence[Point]) -> list[Point]:
    """Give no point more time than one that does at least its work took: a busy moment is not the ladder's."""

    def work(point: Point) -> tuple[int, int]:
        return point.rungs[0].effort, point.rungs[0].keep

    least = [
        min(other.seconds for other in points if all(b >= a for a, b in zip(work(point), work(other), strict=True)))
        for point in points
    ]
    return [replace(point, seconds=seconds) for point, seconds in zip(points, least, strict=True)]


def funnels(ladder: Ladder, truths: Sequence[Truth], goal: Goal, point: Point) -> list[Point]:
    """Return the point with one and with two rungs between the first and the last, timed, where dims leave room.

    A longer shortlist is cheap when few of its rows are read whole: rungs between double the dims and cut the list.
    """
    first, last, k = point.rungs[0], point.rungs[-1], truths[0].k
    room = [dims for dims in (2 * first.dims, 4 * first.dims) if 2 * dims <= ladder.width and ladder.width % dims == 0]
    found = []
    for depth in range(1, len(room) + 1):
        for share in (0.5, 0.3):
            keeps = [max(round(1.3 * k), math.ceil(first.keep * share**at)) for at in range(1, depth + 1)]
            if keeps[0] >= first.keep:
                continue
            between = tuple(Rung(dims, keep) for dims, keep in zip(room[:depth], keeps, strict=True))
            deeper = ladder.with_rungs((first, *between, last))
            seconds = latency(deeper, truths[0].queries, k)
            found.append(Point.of(deeper.rungs, recalls_of(deeper, truths), goal, seconds))
    return found


def recalls_of(ladder: Ladder, truths: Sequence[Truth]) -> list[NDArray[np.float64]]:
    """Return each group's recalls by the ladder as it is, rows held out of its structure apart."""
    bare = ladder.without_held_out()
    return [truth.recalls(*bare.search(truth.queries, truth.k)) for truth in truths]


def _with(ladder: Ladder, keep: int, effort: int, k: int) -> tuple[Rung, ...]:
    return (replace(ladder.rungs[0], keep=keep, effort=effort), Rung(ladder.width, min(k, keep)))


def _efforts(ladder: Ladder, k: int) -> list[int]:
    kind = ladder.rungs[0].structure
    if kind == "flat":
        return [0]
    if kind == "ivf":
        return [1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90, 140, 200, 300]
    return sorted({max(k + 1, round(k * factor)) for factor in np.geomspace(1.5, 80, 22)})


def _recall_by_keep(ladder: Ladder, truth: Truth, effort: int) -> dict[int, NDArray[np.float64]]:
    """Search once at this effort and return each query's recall for every shortlist it could have been cut to."""
    kind = ladder.rungs[0].structure
    k = truth.k
    longest = 40 * k if kind in ("flat", "ivf") else min(effort, 40 * k)
    longest = min(longest, len(ladder))
    rows = ladder.structure.search(ladder.space.queries(truth.queries), longest, effort, ladder.threads)
    if ladder.held_out is not None:
        rows = ladder.held_out.unlinked.added_to(rows)
    judge = VectorReranker(ladder.vectors, Rung(ladder.width, k), ladder.metric, ladder.scales.get(ladder.width))
    scores = np.empty(rows.shape, dtype=np.float32)
    step = max(1, HELD_BYTES // AROUND // longest) if _is_large(ladder.vectors) else len(rows)
    for first in range(0, len(rows), step):
        part = slice(first, first + step)
        scores[part] = judge.score(truth.queries[part], rows[part], ladder.threads)
        if step < len(rows):
            let_go_of(ladder.vectors)
    good = (scores >= truth.bar[:, None]) & (rows >= 0)
    found = np.minimum(np.cumsum(good, axis=1), k) / k  # recall if the shortlist ended here
    keeps = sorted(
        {min(longest, max(k + 1, round(k * f))) for f in (1.1, 1.3, 1.6, 2, 2.5, 3, 4, 5, 7, 10, 14, 20, 28, 40)}
    )
    return {keep: found[:, keep - 1] for keep in keeps}


def _is_large(vectors: Vectors) -> bool:
    return bool(len(vectors) * vectors.shape[1] * vectors.dtype.itemsize > _LARGE)


@dataclass(frozen=True, slots=True)
class Prefix:
    """What the first dims of these vectors are worth: how many of the k true neighbours are among the best by them.

    top is their share in the best k, chance the same for as many dimensions taken at random, and keep the shortlist
    that holds the target, None when the longest tried does not.
    """

    dims: int
    top: float
    chance: float
    keep: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"dims": self.dims, "top": self.top, "chance": self.chance, "keep": self.keep}


def prefix_worth(
    vectors: Vectors, truth: Truth, dims: Sequence[int], metric: Metric, target: float, chance: Sequence[float]
) -> list[Prefix]:
    """Measure on all rows how long each prefix's shortlist must be; exact scans of few dimensions."""
    out = []
    longest = min(20 * truth.k, len(vectors))
    spare = 0 if truth.held is None else 16
    for size, lucky in zip(dims, chance, strict=True):
        rows = Exact(vectors, metric, size).search(truth.queries, min(longest + spare, len(vectors)))[1]
        rows = np.take_along_axis(rows, without(rows, truth.held, longest)[0], axis=1)
        hit = (rows[:, :, None] == truth.rows[:, None, :]).any(axis=2)
        held = np.cumsum(hit, axis=1).mean(axis=0) / truth.k
        enough = np.flatnonzero(held >= target)
        keep = None if not len(enough) else max(truth.k, int(enough[0]) + 1)
        out.append(Prefix(size, float(held[truth.k - 1]), lucky, keep))
    return out
