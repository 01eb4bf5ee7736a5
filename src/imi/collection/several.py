"""Searching several collections at once: their ranks are fused, never their scores, which different models give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from imi.collection.base import Collection
from imi.errors import UsageError
from imi.records import Hit, Hits

_RRF = 60
"""The constant of reciprocal rank fusion."""


def label_of(collection: Collection) -> str:
    """Return what hits call a collection: its path or URL, a plain folder's as it was given."""
    return collection.label


def search_several(
    collections: Sequence[Collection], search: Callable[[Collection, int], Hits], k: int, offset: int = 0
) -> Hits:
    """Return the hits of several collections in one ranking; each hit says in `collection` where it was found.

    A hit's score is its reciprocal rank, from 0 to 1: the first of every collection has 1. Among equal ranks the one
    whose collection was named first comes first.

    Args:
        collections: at least one.
        search: returns the first hits of one collection, as many as asked for.
        k: how many hits.
        offset: how many to leave out.

    Raises:
        UsageError: no collection, or one given twice.
    """
    if not collections:
        raise UsageError("no collection was given", hint="imi.ask([notes, reviews], question)")
    labels = [label_of(one) for one in collections]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UsageError(f"the collection {twice} was given twice", hint="name each once")
    found: list[tuple[float, int, Hit]] = []
    facets: dict[str, dict[str, int]] = {}
    notes: list[str] = []
    for at, (collection, label) in enumerate(zip(collections, labels, strict=True)):
        hits = search(collection, k + offset)
        notes += hits.notes
        for rank, hit in enumerate(hits):
            found.append(((_RRF + 1) / (_RRF + 1 + rank), at, replace(hit, collection=label)))
        for name, counts in hits.facets.items():
            for value, count in counts.items():
                facets.setdefault(name, {})[value] = facets.get(name, {}).get(value, 0) + count
    found.sort(key=lambda one: (-one[0], one[1]))
    ranked = [replace(hit, score=score) for score, _, hit in found[offset : offset + k]]
    return Hits(ranked, mode="hybrid", facets=facets, notes=tuple(dict.fromkeys(notes)))
