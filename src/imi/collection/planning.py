"""Planning a collection: the ladder that its own vectors need, measured, built and kept with the index."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from imi.collection.vector_index import CollectionIndex
from imi.index.base import check_queries
from imi.store.store import Store

if TYPE_CHECKING:
    from imi.index.plan import Plan


class Planned:
    """The part of a collection that measures how it is best searched."""

    _store: Store
    _index: CollectionIndex

    def plan(
        self,
        target_recall: float = 0.95,
        memory: int | None = None,
        latency: float | None = None,
        *,
        queries: ArrayLike | None = None,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> Plan:
        """Measure ladders on this collection's vectors and search with the cheapest that keeps the recall.

        The plan stays with the index: rows added later are put into a ladder of its kind, and when there are four times
        as many, it is measured again by the same target and limits. Collections plan by themselves when they outgrow
        exact search, for a recall of .95 in a gigabyte of memory; this is for other wishes, and for seeing what was
        tried.

        Args:
            target_recall: share of the ten exact neighbours that a search must find, above 0 and at most 1.
            memory: bytes that the index may take beside the vectors, which stay on disk; None for what is free.
            latency: seconds that a search may take; None for as fast as can be.
            queries: (m, width) vectors of real questions, at least 20; without them rows are held out and asked for.
            seed: of what is drawn at random.
            progress: called as progress(done, total).

        Raises:
            UsageError: a value is out of range, nothing fits the memory, or there are no vectors.
            CollectionError: it was opened for reading only.
            Locked: another process is writing the index.
        """
        asked = None
        if queries is not None:
            with self._store.reading():
                width = self._store.width or 1
            asked = check_queries(np.asarray(queries), width, 10)
        return self._index.plan(target_recall, memory, latency, asked, seed, progress)

    def settle(self) -> None:
        """Begin to build what the index is due, in a thread; searches go on meanwhile. Every write does so by itself.

        A collection that grew while its index could not be built, or was copied without it, is mended by this.
        """
        if self._store.write:
            self._index.settle()
