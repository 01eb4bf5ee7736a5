"""The rows that pass a filter: known as a mask and as numbers, and compared one by one where they are few."""

from __future__ import annotations

import math
import time
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.index.rerank import VectorReranker
from imi.types import Floats, Rows

_WHOLE = 1024
"""Rows up to which a prefix saves nothing: all their dimensions are read."""
_BATCH = 16
"""Queries from which one matrix product over the passing rows is quicker than a scan for each."""


class Passing:
    """Which of n rows pass; its forms are made once, however many searches use it."""

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        """Wrap a mask (n,), which must not change any more."""
        self.mask = mask

    @classmethod
    def of(cls, allowed: Passing | Rows | NDArray[np.bool_], count: int) -> Passing:
        """Read row numbers, or a mask (count,) of bool.

        Raises:
            UsageError: the mask has another length, or a row is outside.
        """
        if isinstance(allowed, Passing):
            return allowed
        if allowed.dtype == np.bool_:
            if allowed.shape != (count,):
                raise UsageError(f"a mask of shape {allowed.shape} does not fit {count} rows")
            return cls(allowed.astype(np.bool_, copy=False))
        rows = allowed.astype(np.int64, copy=False)
        if len(rows) and (rows.min() < 0 or rows.max() >= count):
            raise UsageError(f"allowed rows reach from {rows.min()} to {rows.max()}, there are 0 to {count - 1}")
        mask = np.zeros(count, dtype=bool)
        mask[rows] = True
        return cls(mask)

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _count(self) -> int:
        return int(np.count_nonzero(self.mask))

    @cached_property
    def rows(self) -> Rows:
        """Their numbers, ascending."""
        return np.flatnonzero(self.mask)

    @property
    def widening(self) -> float:
        """How many rows there are for one that passes."""
        return len(self.mask) / max(len(self), 1)


class PassingScan:
    """Compares a query with the rows that pass: by a prefix first where a plan found one that is enough.

    The prefix is read from the full vectors in place, in native code, so nothing is kept beside them.
    """

    def __init__(self, full: VectorReranker, prefix: VectorReranker | None, seconds: float | None = None) -> None:
        """Put rerankers together.

        Args:
            full: by all dimensions that count.
            prefix: by fewer; its rung's `keep` is the shortlist that is enough. None where no prefix is.
            seconds: for one row, as measured; None for an estimate by what is read.
        """
        self.full = full
        self.prefix = None if prefix is None or not prefix.native else prefix
        self.seconds = seconds if seconds is not None else self._estimated()

    def _estimated(self) -> float:
        """Return seconds a row: what is read of it from memory that lies scattered."""
        first = self.prefix or self.full
        return 2e-8 + 4 * first.rung.dims / (1e10 if first.native else 1e9)

    def time(self, passing: Passing) -> float:
        """Estimate the seconds of a query."""
        return self.seconds * len(passing)

    def fits(self, queries: int, passing: Passing) -> bool:
        """Return whether a scan for each query is quicker than an exact search over the passing rows."""
        return queries < _BATCH and (len(passing) <= _WHOLE or self.full.native)

    def search(self, queries: Floats, k: int, passing: Passing) -> tuple[Floats, Rows]:
        """Return scores (b, k), best first, equal ones in the order of their rows, and rows; -inf and -1 for none."""
        shortlists = self._shortlists(queries, k, passing)
        scores = self.full.score(queries, shortlists)
        scores[np.isnan(scores)] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best, rows = np.take_along_axis(scores, order, axis=1), np.take_along_axis(shortlists, order, axis=1)
        rows[best == -np.inf] = -1
        short = k - rows.shape[1]
        if short > 0:
            best = np.pad(best, ((0, 0), (0, short)), constant_values=-np.inf)
            rows = np.pad(rows, ((0, 0), (0, short)), constant_values=-1)
        return best, rows

    def _shortlists(self, queries: Floats, k: int, passing: Passing) -> Rows:
        """Return (b, m) rows that hold each query's k best, ascending."""
        if len(passing) <= max(_WHOLE, k):
            return np.ascontiguousarray(np.broadcast_to(passing.rows, (len(queries), len(passing))))
        if self.prefix is None:
            return np.sort(self.full.nearest(queries, passing.rows, k), axis=1)
        keep = max(self.prefix.rung.keep, math.ceil(self.prefix.rung.keep * k / 10))
        return np.sort(self.prefix.nearest(queries, passing.rows, min(keep, len(passing))), axis=1)


def cut_to_passing(rows: Rows, mask: NDArray[np.bool_], keep: int) -> tuple[Rows, NDArray[np.int64]]:
    """Move the matching rows to the front of each shortlist and cut it to the longest that is needed.

    Returns:
        The shortlists, -1 where one has no more, and how many of each passed.
    """
    good = mask[rows] & (rows >= 0)
    counts: NDArray[np.int64] = good.sum(axis=1)
    most = min(keep, int(counts.max(initial=1)) or 1)
    order = np.argsort(~good, axis=1, kind="stable")[:, :most]
    found = np.take_along_axis(rows, order, axis=1)
    found[~np.take_along_axis(good, order, axis=1)] = -1
    return np.ascontiguousarray(found), counts


def measured_seconds(scan: PassingScan, queries: Floats, rows: int, random: np.random.Generator) -> float:
    """Return the seconds that a scan takes for one row, by a few thousand rows that lie scattered."""
    mask = np.zeros(rows, dtype=bool)
    mask[random.choice(rows, min(rows, 8 * _WHOLE), replace=False)] = True
    passing = Passing(mask)
    times = []
    for at in range(min(20, len(queries))):
        started = time.perf_counter()
        scan.search(queries[at : at + 1], 10, passing)
        times.append(time.perf_counter() - started)
    return float(np.median(times)) / max(len(passing), 1)
