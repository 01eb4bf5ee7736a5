"""Finding: what `Collection.search` and `similar` do, each inside one state of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imi.collection.arms import Arm, Page, by_meaning, by_text, check_fields, filter_of, hits_of
from imi.collection.description import Bound, read_bound
from imi.collection.model import CollectionModel
from imi.collection.snapshot import Snapshot
from imi.errors import ModelMismatch, UsageError
from imi.fusion import fuse
from imi.records import Hits, Mode
from imi.store.store import Store

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
_POOL = 100
"""Rows that each arm of a hybrid search brings at least."""


class Finder:
    """Searches one collection; holds the vectors of the last state of the file that was searched."""

    def __init__(self, store: Store, model: CollectionModel) -> None:
        """Set up.

        Args:
            store: what is searched.
            model: what embeds words.
        """
        self._store = store
        self._model = model
        self._snapshot: Snapshot | None = None

    def forget(self) -> None:
        """Let go of what is held in memory."""
        self._snapshot = None

    def current(self) -> Snapshot:
        """Return the vectors of the state that this thread's transaction sees; must run inside `reading()`."""
        snapshot = self._snapshot
        snapshot = Snapshot.read(self._store) if snapshot is None else snapshot.advanced(self._store)
        self._snapshot = snapshot
        return snapshot

    def search(
        self,
        query: str | ArrayLike,
        page: Page,
        mode: Mode,
        where: Mapping[str, Any] | None,
        dims: int | None,
        facets: Sequence[str],
    ) -> Hits:
        """Find rows; see `Collection.search`."""
        text = query if isinstance(query, str) else None
        if text is not None and not text.strip():
            raise UsageError("the query is empty", hint="give some words, an emoji, or a vector")
        mode = self._possible(mode, text is not None)
        vector, of = (None, None) if mode == "text" else self._query_vector(query)
        with self._store.reading():
            if of is not None and of != self._store.meta("fingerprint"):
                raise ModelMismatch(
                    f"{self._store.folder} was migrated to another model while this search ran", hint="search again"
                )
            condition = filter_of(self._store, where)
            check_fields(self._store, frozenset(facets))
            allowed = None if condition is None else self._store.rows_of(condition)
            arm = page.of(self._ranked(text, vector, mode, page.k + page.offset, allowed, dims))
            documents = self._store.by_rows(arm.rows)
            counted = allowed
            if facets and mode == "text" and text is not None:
                counted = np.sort(by_text(self._store, text, -1, allowed).rows)
            counts = {field: self._store.facet(field, counted) for field in facets}
        return Hits(hits_of(arm, documents), mode=mode, facets=counts)

    def similar(self, id: str, vector: Floats, k: int, where: Mapping[str, Any] | None, dims: int | None) -> Hits:
        """Find the rows nearest to a row's vector, without the row; see `Collection.similar`."""
        with self._store.reading():
            itself = self._store.by_ids([id])
            condition = filter_of(self._store, where)
            allowed = None if condition is None else self._store.rows_of(condition)
            arm = by_meaning(self.current(), vector, k + 1, allowed, dims)
            others = arm.rows != (itself[id].row if id in itself else -1)
            arm = Arm(arm.rows[others], arm.scores[others]).cut(0, k)
            return Hits(hits_of(arm, self._store.by_rows(arm.rows)), mode="meaning")

    def _ranked(
        self, text: str | None, vector: Floats | None, mode: Mode, keep: int, allowed: Rows | None, dims: int | None
    ) -> Arm:
        if vector is None:
            return by_text(self._store, text or "", keep, allowed)
        if mode == "meaning" or text is None:
            return by_meaning(self.current(), vector, keep, allowed, dims)
        pool = max(_POOL, keep)
        words = by_text(self._store, text, pool, allowed)
        meaning = by_meaning(self.current(), vector, pool, allowed, dims)
        return Arm(*fuse((words.rows, words.scores), (meaning.rows, meaning.scores)))

    def _possible(self, mode: Mode, words: bool) -> Mode:
        """Return the mode that the query and the collection allow."""
        if not words:
            if mode == "text":
                raise UsageError("a vector cannot be searched by text", hint='use mode="meaning"')
            return "meaning"
        if mode == "hybrid" and not self._model.given:
            with self._store.reading():
                bound = read_bound(self._store)
            # Nothing here can embed the words, and half of the hybrid is better than an error.
            return "text" if bound is not None and bound.own else mode
        return mode

    def _query_vector(self, query: str | ArrayLike) -> tuple[Floats, str | None]:
        """Return the query as a vector, and the fingerprint of what embedded it, None for a vector that was given."""
        if isinstance(query, str):
            embedder = self._model.embedder()
            with self._store.reading():
                bound = read_bound(self._store)
            dims = None if bound is None else bound.dims
            vector = np.asarray(embedder.embed([query], kind="query", dims=dims)[0])
            return vector, None if bound is None else Bound(None, embedder.info, dims).fingerprint
        vector = np.asarray(query, dtype=np.float32)
        with self._store.reading():
            width = self._store.width
        if vector.ndim != 1 or (width is not None and len(vector) != width):
            raise UsageError(f"the vector has the shape {vector.shape}, the collection's have ({width},)")
        return vector, None
