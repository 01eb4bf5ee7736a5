"""What a search reads of a collection in a folder: its file, its index of words and its index of vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import numpy as np

from imi.collection.description import read_bound
from imi.collection.pictures import picture_query
from imi.collection.rankings import How, Ranking, TextRanking, by_meaning, by_text, check_fields, filter_of, scored
from imi.collection.side_thread import side_thread
from imi.collection.vector_index import CollectionIndex
from imi.embedders.base import Embedder
from imi.errors import Damaged, ModelMismatch
from imi.index.live import Live
from imi.index.native import processor_to_spare
from imi.pictures import Source
from imi.records import Document
from imi.store.rows import damaged
from imi.store.store import Store
from imi.types import Floats, Rows

T = TypeVar("T")
_WORTH = 3e-4
"""Seconds of a search by meaning from which a second thread spares more than its handing over takes."""


class FolderSource:
    """The rows of a folder, as `imi.collection.searching` reads them."""

    def __init__(self, store: Store, index: CollectionIndex) -> None:
        """Set up.

        Args:
            store: the file.
            index: of its words and vectors.
        """
        self._store = store
        self._index = index

    @property
    def label(self) -> str:
        """The folder."""
        return str(self._store.folder)

    @contextmanager
    def snapshot(self) -> Iterator[FolderSnapshot]:
        """Open one state of the file."""
        with self._store.reading():
            yield FolderSnapshot(self._store, self._index)

    def width(self) -> int | None:
        """Return the dimensions of a vector."""
        with self._store.reading():
            return self._store.width

    def picture_vector(self, embedder: Embedder, picture: Source) -> tuple[Floats, str | None]:
        """Return a picture as a vector, embedded as this folder's pictures were."""
        return picture_query(self._store, embedder, picture)


class FolderSnapshot:
    """One state of a folder; keys are its row numbers, filters are the rows that match them."""

    def __init__(self, store: Store, index: CollectionIndex) -> None:
        """Set up; lives inside `store.reading()`."""
        self._store = store
        self._index = index
        self._live: Live | None = None

    def check_model(self, fingerprint: str) -> None:
        """Refuse a query that was embedded before the collection was migrated."""
        bound = read_bound(self._store)
        if bound is None or fingerprint != bound.fingerprint:
            raise ModelMismatch(
                f"{self._store.folder} was migrated to another model while this search ran", hint="search again"
            )

    def allowed(self, where: Mapping[str, Any] | None, facets: Sequence[str]) -> Rows | None:
        """Return the rows that match a filter; it is asked of the file once for each state of the collection."""
        condition = filter_of(self._store, where)
        check_fields(self._store, frozenset(facets))
        return None if condition is None else self._index.filtered.rows_of(self._store, condition)

    def by_text(self, text: str, keep: int, allowed: Rows | None) -> TextRanking:
        """Rank by words."""
        return by_text(self._store, self._index.words, text, keep, allowed)

    def by_meaning(self, vector: Floats, keep: int, allowed: Rows | None, how: How) -> tuple[Ranking, dict[str, Any]]:
        """Rank by cosine."""
        return self._asked(lambda live: by_meaning(live, vector, keep, allowed, how))

    def begin_by_meaning(
        self, vector: Floats, keep: int, allowed: Rows | None, how: How
    ) -> Callable[[], tuple[Ranking, dict[str, Any]]]:
        """Begin to rank by cosine beside what comes next, where that takes long and a processor is idle."""
        if self._live is None:
            self._live = self._index.current()
        live = self._live
        if live is None or live.seconds < _WORTH or not processor_to_spare():
            return partial(self.by_meaning, vector, keep, allowed, how)
        begun = side_thread.begin(partial(by_meaning, live, vector, keep, allowed, how))

        def ended() -> tuple[Ranking, dict[str, Any]]:
            try:
                return begun()
            except Damaged:
                return self.by_meaning(vector, keep, allowed, how)  # which heals it

        return ended

    def cosines(self, vector: Floats, keys: Rows, how: How) -> Ranking:
        """Return the cosines of some rows."""
        return self._asked(lambda live: scored(live, vector, keys, how.dims))

    def _asked(self, ask: Callable[[Live | None], T]) -> T:
        """Ask the index, which is brought up to date once for a snapshot."""
        if self._live is None:
            self._live = self._index.current()
        try:
            return ask(self._live)
        except Damaged:
            # A block of the index is not what was written; the file is the truth, and heals it.
            self._index.renew()
            self._live = self._index.current()
            return ask(self._live)

    def documents(self, keys: Rows) -> Mapping[int, Document]:
        """Return the documents of rows."""
        return self._store.by_rows(keys)

    def gone(self, keys: list[int]) -> None:
        """What an index has of a later state is nothing to speak of; a vector in the file without its row is damage."""
        lone = self._store.has_vector(np.array(keys, dtype=np.int64))
        if lone:
            raise damaged(sorted(lone), "document")

    def vector_of(self, id: str) -> tuple[int, Floats | None] | None:
        """Return a row's number and vector."""
        itself = self._store.by_ids([id])
        if not itself:
            return None
        rows = np.array([stored.row for stored in itself.values()], dtype=np.int64)
        found, vectors = self._store.vectors(rows)
        return int(rows[0]), vectors[0] if len(found) else None

    def count_facets(self, facets: Sequence[str], allowed: Rows | None, text: str | None) -> dict[str, dict[str, int]]:
        """Count the values of fields."""
        counted = allowed if text is None else np.sort(self.by_text(text, -1, allowed).ranking.rows)
        return {field: self._store.facet(field, counted) for field in facets}
