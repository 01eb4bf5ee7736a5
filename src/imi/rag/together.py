"""Several collections read as one: searched together, their ranks fused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imi.collection import Collection
from imi.collection.evidence import Evidence, evidence
from imi.collection.folding import search_folded
from imi.collection.several import label_of, search_several
from imi.embedders.base import Embedder
from imi.embedders.load import load
from imi.errors import UsageError
from imi.records import Document, Hit, Hits, Mode
from imi.text.lexical import in_other_script

ANSWERS, LATER, UNLIKELY = range(3)
"""Likely to answer; likely, but others are likelier; not likely. What is not known counts as likely."""
_SURE = 0.6
"""Rows in the question's script with a sentence that has so much of it answer before any in another script."""
_NEAR = 0.3
"""They must come so near."""
_ACROSS = 0.05
"""What nearness across scripts falls short of nearness within one, at least.

Of 200 training questions six are then answered by the wrong one of two collections of articles, one in each language,
and eight of 16 in the other language than the articles that they are about no longer are.
"""


def _least_across(seen: Evidence | None) -> float:
    """Return how near rows in another script must come to answer before those that this is known of."""
    if seen is None or seen.near is None or (seen.share >= _SURE and seen.near >= _NEAR):
        return 1.0
    return seen.near - _ACROSS


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
        """Return for each collection that hits are of how well it suits a question: ANSWERS, LATER or UNLIKELY.

        Different models' scores say nothing beside each other; whether the hits of each have the question's words, and
        are in its script, can be said of all. Those in its script come first, unless they hold only some of its words
        and others are nearer.
        """
        found: dict[str | None, int] = {}
        within, across = [], []
        for label in dict.fromkeys(hit.collection for hit in hits):
            own = [hit for hit in hits if hit.collection == label]
            seen = evidence(self.of(label), question, own)
            found[label] = ANSWERS
            if seen is not None and not seen.enough:
                found[label] = UNLIKELY
            elif in_other_script(question, [hit.text or "" for hit in own]):
                found[label] = LATER
                across.append((label, seen))
            else:
                within.append((label, seen))
        least = max((_least_across(seen) for _, seen in within), default=-1.0)
        nearer = {label for label, seen in across if seen is not None and seen.near is not None and seen.near > least}
        if not nearer:
            return found
        # What is in another script and nearer comes first.
        return found | {label: LATER for label, _ in within} | dict.fromkeys(nearer, ANSWERS)

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
