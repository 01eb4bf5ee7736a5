"""Several collections read as one: searched together, their ranks fused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imi.collection import Collection
from imi.collection.folding import search_folded
from imi.collection.several import label_of, search_several
from imi.embedders.base import Embedder
from imi.errors import UsageError
from imi.records import Document, Hits, Mode


class Together:
    """What answering needs of collections: one of them, or several, whose hits say where they were found."""

    def __init__(self, collections: Sequence[Collection], *, folded: bool = True) -> None:
        """Set up.

        Args:
            collections: at least one; the model of the first compares sentences with each other.
            folded: whether rows that say the same are one passage.

        Raises:
            UsageError: there is none.
        """
        if not collections:
            raise UsageError("no collection was given", hint="imi.ask([notes, reviews], question)")
        self.collections = tuple(collections)
        self._folded = folded

    @property
    def reader(self) -> Embedder:
        """An embedder for comparing texts with each other."""
        return self.collections[0].reader

    def of(self, label: str | None) -> Collection:
        """Return the collection that a hit was found in."""
        return next((one for one in self.collections if label_of(one) == label), self.collections[0])

    def search(self, query: str, k: int, mode: Mode = "hybrid", where: Mapping[str, Any] | None = None) -> Hits:
        """Return the hits of all, best first."""

        def found(collection: Collection, many: int) -> Hits:
            if not self._folded:
                return collection.search(query, k=many, mode=mode, where=where)
            return search_folded(lambda more: collection.search(query, k=more, mode=mode, where=where), many)

        if len(self.collections) == 1:
            return found(self.collections[0], k)
        return search_several(self.collections, found, k)

    def get(self, id: str) -> Document:
        """Return a document of the first collection that has it.

        Raises:
            UsageError: none has.
        """
        for collection in self.collections[:-1]:
            try:
                return collection.get(id)
            except UsageError:
                continue
        return self.collections[-1].get(id)
