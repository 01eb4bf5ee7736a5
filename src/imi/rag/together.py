"""Several collections read as one: searched together, their ranks fused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imi.collection import Collection
from imi.collection.evidence import evidence
from imi.collection.folding import search_folded
from imi.collection.several import label_of, search_several
from imi.embedders.base import Embedder
from imi.embedders.load import load
from imi.errors import UsageError
from imi.records import Document, Hit, Hits, Mode
from imi.text.lexical import in_other_script

ANSWERS, FOREIGN, UNLIKELY = range(3)
"""Likely to answer; likely, but in another script than the question; not likely. What is not known counts as likely."""


class Together:
    """What answering needs of collections: one of them, or several, whose hits say where they were found."""

    def __init__(self, collections: Sequence[Collection], *, folded: bool = True) -> None:
        """Set up.

        Args:
            collections: at least one.
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
        """An embedder for comparing texts with each other: the built-in one where collections have different models."""
        models = {None if one.bound is None else one.bound.info.fingerprint for one in self.collections}
        return self.collections[0].reader if len(models) == 1 else load()

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

    def groups(self, question: str, hits: Sequence[Hit]) -> dict[str | None, int]:
        """Return for each collection that hits are of how well it suits a question: ANSWERS, FOREIGN or UNLIKELY.

        Different models' scores say nothing beside each other; whether the hits of each have the question's words, and
        are in its script, can be said of all.
        """
        found = {}
        for label in dict.fromkeys(hit.collection for hit in hits):
            own = [hit for hit in hits if hit.collection == label]
            seen = evidence(self.of(label), question, own)
            if seen is not None and not seen.enough:
                found[label] = UNLIKELY
            else:
                found[label] = FOREIGN if in_other_script(question, [hit.text or "" for hit in own]) else ANSWERS
        return found

    def best_first(self, question: str, hits: Sequence[Hit], k: int) -> list[Hit]:
        """Return the first k hits of several collections, those of the collections that suit a question best first."""
        groups = self.groups(question, hits)
        return sorted(hits, key=lambda hit: groups[hit.collection])[:k]

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
