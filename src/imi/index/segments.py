"""Parts of a changing index: rows that arrived together, each with a key, a stamp and whether it is still alive."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.index.exact import Exact
from imi.index.ladder import Ladder
from imi.index.manifest import CheckedVectors
from imi.index.passing import Passing
from imi.types import Floats, Rows
from imi.vectors import Metric

_FILTERS = 16
_FILTER_BYTES = 1 << 27
"""What the filters that a part remembers may take of memory, with the codes of the rows that pass."""

_EXACT_SPEED = 4e9
"""Dimensions that an exact search compares a second."""

Keys = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Lookup:
    """Finds the place of a key among unique keys: by subtraction, by a table or by bisection, whichever fits them."""

    def __init__(self, keys: Keys) -> None:
        self._count = len(keys)
        self._low = int(keys.min(initial=0)) if len(keys) else 0
        span = int(keys.max()) - self._low + 1 if len(keys) else 0
        self._run = span == len(keys) and bool((np.diff(keys) == 1).all())
        self._table: NDArray[np.int32] | None = None
        if not self._run and span <= 8 * len(keys) + 1024:
            self._table = np.full(span, -1, dtype=np.int32)
            self._table[keys - self._low] = np.arange(len(keys), dtype=np.int32)
        self._span = span
        if not self._run and self._table is None:
            self._order = np.argsort(keys)
            self._sorted = keys[self._order]

    def places(self, keys: Keys) -> Rows:
        """Return the place of each key, -1 where it is not among them."""
        if self._count == 0:
            return np.full(len(keys), -1, dtype=np.int64)
        if self._run or self._table is not None:
            at = keys - self._low
            inside = (at >= 0) & (at < self._span)
            if self._table is None:
                return np.where(inside, at, -1)
            return np.where(inside, self._table[np.where(inside, at, 0)], -1).astype(np.int64)
        at = np.minimum(np.searchsorted(self._sorted, keys), self._count - 1)
        return np.where(self._sorted[at] == keys, self._order[at], -1)


@dataclass(frozen=True)
class Part:
    """Rows with their vectors, searched by a ladder where one was built and exactly otherwise; never changed in place.

    keys and stamps are (n,) int64, alive (n,) bool; saved is what the names of this part's files end in.
    """

    keys: Keys
    stamps: Keys
    vectors: NDArray[Any] | CheckedVectors
    alive: Mask
    metric: Metric
    ladder: Ladder | None = None
    saved: str | None = None
    dead: int = 0
    lookup: Lookup = field(repr=False, default_factory=lambda: Lookup(np.empty(0, dtype=np.int64)))
    exact: Exact | None = field(repr=False, default=None)
    known: list[tuple[Keys, Passing]] = field(repr=False, compare=False, default_factory=list)

    @classmethod
    def make(
        cls,
        keys: Keys,
        stamps: Keys,
        vectors: NDArray[Any] | CheckedVectors,
        metric: Metric,
        ladder: Ladder | None = None,
        saved: str | None = None,
        alive: Mask | None = None,
    ) -> Part:
        """Return a part with what its searches need."""
        living = np.ones(len(keys), dtype=bool) if alive is None else alive
        dead = len(keys) - int(np.count_nonzero(living))
        exact = Exact(vectors, metric)
        return cls(keys, stamps, vectors, living, metric, ladder, saved, dead, Lookup(keys), exact)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def vector_bytes(self) -> int:
        """Bytes of the vectors of all its rows."""
        return len(self) * int(self.vectors.shape[1]) * self.vectors.dtype.itemsize

    @property
    def seconds(self) -> float:
        """About what a search of one query takes."""
        return len(self) * self.vectors.shape[1] / _EXACT_SPEED if self.ladder is None else self.ladder.latency

    def without(self, keys: Keys) -> tuple[Part, int]:
        """Return this part with these keys dead, and how many of them were alive in it."""
        places = np.unique(self.lookup.places(keys))  # a key that is named twice dies once
        places = places[places >= 0]
        places = places[self.alive[places]]
        if not len(places):
            return self, 0
        alive = self.alive.copy()
        alive[places] = False
        return replace(self, alive=alive, dead=self.dead + len(places), known=[]), len(places)

    def passing(self, allowed: Keys | None) -> Passing | None:
        """Return which rows may be found, or None for all of them.

        A filter's keys that cannot be written to are known again: many searches share what was made of them.
        """
        if allowed is None:
            return Passing(self.alive) if self.dead else None
        known = list(self.known)  # read once: another thread may put another filter there
        for keys, passing in known:
            if keys is allowed:
                return passing
        places = self.lookup.places(allowed)
        mask = np.zeros(len(self), dtype=bool)
        mask[places[places >= 0]] = True
        if self.dead:
            mask &= self.alive
        # After a write a filter comes in another array, and lets the same rows of this part pass.
        same = (passing for _, passing in known if np.array_equal(passing.mask, mask))
        passing = next(same, None) or Passing(mask)
        if not allowed.flags.writeable:
            self.known[:] = _kept([(allowed, passing), *(pair for pair in known if pair[1] is not passing)])
        return passing

    def search_exactly(
        self, queries: Floats, k: int, passing: Passing | None, dims: int | None = None
    ) -> tuple[Floats, Rows]:
        """Search every row that passes, by all dimensions or the first `dims`."""
        return self._exactly(dims).search(queries, k, None if passing is None else passing.rows)

    def score(self, query: Floats, keys: Keys, dims: int | None = None) -> tuple[Keys, Floats]:
        """Return those of some keys, each named once, that have a live row here, and their scores as a search's."""
        places = self.lookup.places(keys)
        there = places >= 0
        if self.dead:
            there &= self.alive[np.maximum(places, 0)]
        if not there.all():
            keys, places = keys[there], places[there]
        index = self.ladder if dims is None and self.ladder is not None else self._exactly(dims)
        return keys, index.score(query, places)

    def _exactly(self, dims: int | None) -> Exact:
        return self.exact if dims is None and self.exact is not None else Exact(self.vectors, self.metric, dims)


def _kept(known: list[tuple[Keys, Passing]]) -> list[tuple[Keys, Passing]]:
    """Return the filters asked for last, as many as may be remembered; always the first."""
    total = 0
    for at, (_, passing) in enumerate(known[:_FILTERS]):
        total += passing.nbytes
        if total > _FILTER_BYTES and at:
            return known[:at]
    return known[:_FILTERS]


def with_newest(parts: tuple[Part, ...], newest: Part, frozen: int = 0) -> tuple[Part, ...]:
    """Append a part, first joining it with unsaved ones not four times its size: few parts, and few copies of a row.

    The first `frozen` parts stay as they are.
    """
    kept = list(parts)
    while len(kept) > frozen and kept[-1].ladder is None and kept[-1].saved is None and len(kept[-1]) < 4 * len(newest):
        newest = joined([kept.pop(), newest])
    return (*kept, newest)


def joined(parts: list[Part]) -> Part:
    """Return one part in memory with the live rows of several."""
    return Part.make(
        np.concatenate([part.keys[part.alive] for part in parts]),
        np.concatenate([part.stamps[part.alive] for part in parts]),
        np.concatenate([part.vectors[part.alive] for part in parts]),
        parts[0].metric,
    )


def best_of(scores: Floats, keys: Keys, more: Floats, others: Keys, k: int) -> tuple[Floats, Keys]:
    """Merge two sorted lists of hits for each query into the k best, ties by key."""
    every = np.concatenate([scores, more], axis=1)
    names = np.concatenate([keys, others], axis=1)
    order = np.lexsort((names, -every), axis=1)[:, :k]
    return np.take_along_axis(every, order, axis=1), np.take_along_axis(names, order, axis=1)
