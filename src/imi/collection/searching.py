"""Finding: what `Collection.search` and `similar` do, each inside one state of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.collection.description import Bound, read_bound
from imi.collection.model import CollectionModel
from imi.collection.pictures import Query, picture_query
from imi.collection.rankings import Arm, How, Page, by_meaning, by_text, check_fields, filter_of, hits_of
from imi.collection.vector_index import CollectionIndex
from imi.errors import Damaged, ModelMismatch, UsageError
from imi.fusion import fuse
from imi.pictures import is_picture
from imi.records import Hits, Mode
from imi.store.rows import damaged
from imi.store.store import Store

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
_POOL = 100
"""Rows that each arm of a hybrid search brings at least."""
_ATTEMPTS = 3


class Finder:
    """Searches one collection by its full text and its index."""

    def __init__(self, store: Store, model: CollectionModel, index: CollectionIndex) -> None:
        """Set up.

        Args:
            store: what is searched.
            model: what embeds words.
            index: of the vectors.
        """
        self._store = store
        self._model = model
        self._index = index

    def search(
        self,
        query: Query,
        page: Page,
        mode: Mode,
        where: Mapping[str, Any] | None,
        how: How,
        facets: Sequence[str],
    ) -> Hits:
        """Find rows; see `Collection.search`."""
        text = query if isinstance(query, str) else None
        if text is not None and not text.strip():
            raise UsageError("the query is empty", hint="give some words, an emoji, a picture, or a vector")
        mode, notes = self._possible(mode, text is not None)
        vector, of = (None, None) if mode == "text" else self._query_vector(query)
        for attempt in range(_ATTEMPTS):
            with self._store.reading():
                self._check_model(of)
                allowed = self._allowed(where, facets)
                arm, story = self._ranked(text, vector, mode, page.k + page.offset, allowed, how)
                arm = page.of(arm)
                documents = self._store.by_rows(arm.rows)
                absent = [row for row in arm.rows.tolist() if row not in documents]
                if absent and attempt + 1 < _ATTEMPTS:
                    continue  # another thread brought the index to a later state: look at that one
                if absent:
                    raise damaged(absent, "document")
                counted = allowed
                if facets and mode == "text" and text is not None:
                    counted = np.sort(by_text(self._store, self._index.words, text, -1, allowed).arm.rows)
                counts = {field: self._store.facet(field, counted) for field in facets}
                break
        return Hits(hits_of(arm, documents), mode=mode, facets=counts, search=story, notes=notes)

    def similar(self, id: str, k: int, where: Mapping[str, Any] | None, dims: int | None) -> Hits:
        """Find the rows nearest to a row's vector, without the row; see `Collection.similar`."""
        with self._store.reading():
            itself = self._store.by_ids([id])
            rows = np.array([stored.row for stored in itself.values()], dtype=np.int64)
            found, vectors = self._store.vectors(rows)
            if len(found) == 0:
                said = "has no vector" if len(rows) else "is not there"
                raise UsageError(f"the id {id!r} {said}", hint="imi search finds ids")
            arm, _ = self._meaning(vectors[0], k + 1, self._allowed(where, ()), How(dims))
            others = arm.rows != found[0]
            arm = Arm(arm.rows[others], arm.scores[others]).cut(0, k)
            return Hits(hits_of(arm, self._store.by_rows(arm.rows)), mode="meaning")

    def _check_model(self, of: str | None) -> None:
        bound = None if of is None else read_bound(self._store)
        if of is not None and (bound is None or of != bound.fingerprint):
            raise ModelMismatch(
                f"{self._store.folder} was migrated to another model while this search ran", hint="search again"
            )

    def _allowed(self, where: Mapping[str, Any] | None, facets: Sequence[str]) -> Rows | None:
        condition = filter_of(self._store, where)
        check_fields(self._store, frozenset(facets))
        return None if condition is None else self._store.rows_of(condition)

    def _ranked(
        self, text: str | None, vector: Floats | None, mode: Mode, keep: int, allowed: Rows | None, how: How
    ) -> tuple[Arm, dict[str, Any]]:
        if vector is None:
            return by_text(self._store, self._index.words, text or "", keep, allowed).arm, {}
        if mode == "meaning" or text is None:
            return self._meaning(vector, keep, allowed, how)
        pool = max(_POOL, keep)
        words = by_text(self._store, self._index.words, text, pool, allowed)
        meaning, story = self._meaning(vector, pool, allowed, how)
        # What only the words found has a meaning too: fusing needs its cosine.
        others = np.setdiff1d(words.arm.rows, meaning.rows)
        if len(others):
            near, _ = self._meaning(vector, len(others), others, How(how.dims))
            meaning = Arm(np.concatenate([meaning.rows, near.rows]), np.concatenate([meaning.scores, near.scores]))
        text_ranking = (words.arm.rows, words.arm.scores)
        return Arm(*fuse(text_ranking, (meaning.rows, meaning.scores), expected=words.expected)), story

    def _meaning(self, vector: Floats, keep: int, allowed: Rows | None, how: How) -> tuple[Arm, dict[str, Any]]:
        try:
            return by_meaning(self._index.current(), vector, keep, allowed, how)
        except Damaged:
            # A block of the index is not what was written; the file is the truth, and heals it.
            self._index.renew()
            return by_meaning(self._index.current(), vector, keep, allowed, how)

    def _possible(self, mode: Mode, words: bool) -> tuple[Mode, tuple[str, ...]]:
        """Return the mode that the query and the collection allow, and why it is not the one asked for."""
        if not words:
            if mode == "text":
                raise UsageError("a vector or a picture cannot be searched by text", hint='use mode="meaning"')
            return "meaning", ()
        return self._model.possible(mode)

    def _query_vector(self, query: Query) -> tuple[Floats, str | None]:
        """Return the query as a vector, and the fingerprint of what embedded it, None for a vector that was given."""
        if isinstance(query, str):
            embedder, bound = self._model.bound()
            dims = None if bound is None else bound.dims
            vector = np.asarray(embedder.embed([query], kind="query", dims=dims)[0])
            return vector, None if bound is None else Bound(None, embedder.info, dims).fingerprint
        if is_picture(query):
            return picture_query(self._store, self._model.embedder(), query)
        vector = np.asarray(query, dtype=np.float32)
        with self._store.reading():
            width = self._store.width
        if vector.ndim != 1 or (width is not None and len(vector) != width):
            raise UsageError(f"the vector has the shape {vector.shape}, the collection's have ({width},)")
        return vector, None
