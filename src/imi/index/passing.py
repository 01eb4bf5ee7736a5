"""The rows that pass a filter: known as a mask and as numbers, and compared one by one where they are few."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.index.codes import Code, PackedCodes, RowCodes
from imi.index.rerank import VectorReranker
from imi.index.rungs import Rung
from imi.types import Floats, Rows

_WHOLE = 1024
"""Rows up to which a prefix saves nothing: all their dimensions are read."""
_LONGEST = 64
"""How many times its first length a shortlist may grow to."""
_TIMES = ("packing", "base", "coded", "masked")
_BATCH = 16
"""Queries from which one matrix product over the passing rows is quicker than a scan for each."""


@dataclass(frozen=True, slots=True)
class Filtering:
    """How rows that pass a filter are compared, as a plan measured it.

    prefix: what is read of each where codes are not packed, and its shortlist; None for all dimensions. seconds: for a
    row in this way, None for an estimate. code: what is kept of each row for filters; None for nothing.
    packing, base and coded: seconds for packing a row, of a search by codes, and for a row in it. masked: for each row
    of the table, whether it passes or not, where a mask says which count. growth: the power of a shortlist's widening
    with which a graph's effort must grow; None for an estimate.
    """

    prefix: Rung | None = None
    seconds: float | None = None
    code: Code | None = None
    packing: float = 1.7e-7
    base: float = 5e-5
    coded: float = 2.2e-9
    masked: float = 3e-9
    growth: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        plain: dict[str, Any] = {"prefix": None if self.prefix is None else self.prefix.to_dict()}
        plain |= {"seconds": self.seconds, "growth": self.growth}
        if self.code is not None:
            plain["code"] = self.code.to_dict()
            plain |= {name: getattr(self, name) for name in _TIMES}
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any] | None) -> Filtering:
        """Read what `to_dict` wrote; indexes of before have none, or no codes."""
        if plain is None:
            return cls()
        prefix = None if plain["prefix"] is None else Rung.from_dict(plain["prefix"])
        growth = plain.get("growth")
        if plain.get("code") is None:
            return cls(prefix, plain["seconds"], growth=growth)
        times = {name: float(plain[name]) for name in _TIMES if name in plain}
        return cls(prefix, plain["seconds"], Code(**plain["code"]), **times, growth=growth)


class Passing:
    """Which of n rows pass; its forms are made once, however many searches use it."""

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        """Wrap a mask (n,), which must not change any more."""
        self.mask = mask
        self.packed: PackedCodes | None = None
        self.lost = 0.0  # seconds that searches would have been spared by packed codes
        self.asked = self.against = 0  # queries that asked a graph, and those of them that the filter went against

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

    @cached_property
    def bits(self) -> NDArray[np.uint8]:
        """The mask, eight rows a byte, the first in the lowest bit."""
        return np.packbits(self.mask, bitorder="little")

    @property
    def nbytes(self) -> int:
        """Bytes of memory, codes included."""
        return self.mask.nbytes * 9 // 8 + (0 if self.packed is None else self.packed.nbytes)

    @property
    def widening(self) -> float:
        """How many rows there are for one that passes."""
        return len(self.mask) / max(len(self), 1)


class PassingScan:
    """Compares a query with the rows that pass: by codes, by a prefix that is enough, or by all dimensions.

    The prefix is read from the full vectors in place, in native code, so nothing is kept beside them. Codes are those
    of all rows with a mask; they are packed for a filter once the searches with it have lost as much time without that
    as packing takes.
    """

    def __init__(
        self,
        full: VectorReranker,
        prefix: VectorReranker | None,
        filtering: Filtering | None = None,
        codes: RowCodes | None = None,
    ) -> None:
        """Put rerankers together.

        Args:
            full: by all dimensions that count.
            prefix: by fewer; its rung's `keep` is the shortlist that is enough. None where no prefix is.
            filtering: the times that were measured; those of an estimate by what is read where it has none.
            codes: of all rows; None where none were made.
        """
        self.full = full
        self.prefix = None if prefix is None or not prefix.native else prefix
        self.codes = codes
        self._times = filtering or Filtering()
        self.seconds = self._times.seconds if self._times.seconds is not None else self._estimated()

    def _estimated(self) -> float:
        """Return seconds a row: what is read of it from memory that lies scattered."""
        first = self.prefix or self.full
        return 2e-8 + 4 * first.rung.dims / (1e10 if first.native else 1e9)

    def time(self, passing: Passing) -> float:
        """Estimate the seconds of a query without codes."""
        return self.seconds * len(passing)

    def coded_time(self, passing: Passing) -> float:
        """Estimate the seconds of a query by packed codes; infinite where there are none."""
        return math.inf if self.codes is None else self._times.base + self._times.coded * len(passing)

    def masked_time(self, passing: Passing) -> float:
        """Estimate the seconds of a query by the codes of all rows and a mask; infinite where there are none."""
        if self.codes is None or len(passing) <= _WHOLE:
            return math.inf
        return self._times.base + self._times.masked * len(passing.mask)

    def has_packed(self, queries: int, passing: Passing, other: float) -> bool:
        """Return whether packed codes are the quickest way, and pack them where that has become worth its time.

        Args:
            queries: how many are asked now.
            passing: the rows.
            other: seconds that a query takes in the best other way.
        """
        spared = other - self.coded_time(passing)
        if self.codes is None or spared <= 0 or len(passing) <= _WHOLE:
            return False
        if passing.packed is None or passing.packed.codes is not self.codes:
            passing.lost += queries * spared
            if passing.lost < self._times.packing * len(passing):
                return False
            passing.packed = self.codes.packed(passing.rows)
        return True

    def fits(self, queries: int, passing: Passing) -> bool:
        """Return whether a scan for each query is quicker than an exact search over the passing rows."""
        return queries < _BATCH and (len(passing) <= _WHOLE or self.full.native)

    def search(self, queries: Floats, k: int, passing: Passing) -> tuple[Floats, Rows]:
        """Return scores (b, k), best first, equal ones in the order of their rows, and rows; -inf and -1 for none."""
        count, prefix = len(passing), self.prefix
        if count <= max(_WHOLE, k):
            all_of_them = np.ascontiguousarray(np.broadcast_to(passing.rows, (len(queries), count)))
            return self._ranked(queries, k, all_of_them)[:2]
        if prefix is None:
            return self._ranked(queries, k, self.full.nearest(queries, passing.rows, k))[:2]
        return self._grown(queries, k, prefix.rung.keep, count, lambda q, keep: prefix.nearest(q, passing.rows, keep))

    def search_masked(self, queries: Floats, k: int, passing: Passing, codes: RowCodes) -> tuple[Floats, Rows]:
        """Search as `search` does, by the codes of all rows and the mask."""
        table, bits = codes.table, passing.bits
        return self._grown(
            queries, k, codes.code.keep, len(passing), lambda asked, keep: table.nearest(asked, keep, bits)
        )

    def search_packed(self, queries: Floats, k: int, packed: PackedCodes, grow: bool = True) -> tuple[Floats, Rows]:
        """Search as `search` does, by packed codes; without `grow` by the first shortlist alone."""
        keep = packed.codes.code.keep
        return self._grown(queries, k, keep, len(packed.rows) if grow else 0, packed.nearest)

    def _grown(
        self, queries: Floats, k: int, keep: int, most: int, nearest: Callable[[Floats, int], Rows]
    ) -> tuple[Floats, Rows]:
        """Rank shortlists, and longer ones where too many of the best were in the second half: more may follow."""
        keep = max(keep, math.ceil(keep * k / 10))
        scores, rows, deepest = self._ranked(queries, k, nearest(queries, keep))
        most = min(most, keep * _LONGEST)
        while keep < most and len(again := np.flatnonzero(deepest >= keep // 2)):
            keep = min(4 * keep, most)
            scores[again], rows[again], deep = self._ranked(queries[again], k, nearest(queries[again], keep))
            deepest = np.zeros_like(deepest)
            deepest[again] = deep
        return scores, rows

    def _ranked(self, queries: Floats, k: int, shortlists: Rows) -> tuple[Floats, Rows, Rows]:
        """Return the k best of each shortlist, and up to which place of it nineteen of twenty of these were found."""
        places = np.argsort(shortlists, axis=1)
        shortlists = np.take_along_axis(shortlists, places, axis=1)
        scores = self.full.score(queries, shortlists)
        scores[np.isnan(scores)] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best, rows = np.take_along_axis(scores, order, axis=1), np.take_along_axis(shortlists, order, axis=1)
        deepest = np.sort(np.take_along_axis(places, order, axis=1), axis=1)[:, math.ceil(0.95 * order.shape[1]) - 1]
        rows[best == -np.inf] = -1
        short = k - rows.shape[1]
        if short > 0:
            best = np.pad(best, ((0, 0), (0, short)), constant_values=-np.inf)
            rows = np.pad(rows, ((0, 0), (0, short)), constant_values=-1)
        return best, rows, deepest


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
