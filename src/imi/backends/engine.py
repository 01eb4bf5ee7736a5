"""What an engine must do so that a collection can run on it: keep rows, find the nearest, find words.

The verbs of `imi.Collection` are written once, in `imi.backends.collection`; a new engine implements `Engine` and
says in `Abilities` what it cannot do, which is then refused in the same words everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from imi.backends.filter_tree import Filter
from imi.collection.description import Bound
from imi.collection.rankings import How
from imi.errors import UsageError
from imi.records import Document
from imi.types import Floats

IdRanking = list[tuple[str, float]]
"""Ids, best first, and their scores, higher is better."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an engine can do beyond the least; False is refused by name.

    facets: counts of a field's values. substrings: `contains` within a text. text_order: < and > between texts.
    parts: words found as parts of longer words. raw_vectors: vectors come back as they were given, not at length one.
    whole_batches: a batch is there whole or not at all, whatever breaks.
    """

    facets: bool = True
    substrings: bool = True
    text_order: bool = True
    parts: bool = True
    raw_vectors: bool = True
    whole_batches: bool = True


@dataclass(frozen=True, slots=True)
class EngineRow:
    """A row to write: its metadata as JSON text, its vector (width,), and the vector's digest as it was given."""

    document: Document
    metadata: str
    vector: Floats | None
    digest: str | None


@dataclass(frozen=True, slots=True)
class StoredRow:
    """What an engine holds of a row: the document, and the digest of the vector that was given with it."""

    document: Document
    digest: str | None


@dataclass(frozen=True, slots=True)
class Size:
    """What an engine says of itself: bytes of rows and of indexes where it tells, and what answers searches."""

    rows: int | None
    index: int | None
    about: Mapping[str, Any]


class Engine(Protocol):
    """One collection on one engine. Its errors are `imi.errors`, and show no secret."""

    name: str
    label: str
    abilities: Abilities

    def bound(self) -> Bound | None:
        """Return the model that the vectors here are of, None before the first row."""
        ...

    def prepare(self, bound: Bound) -> Bound:
        """Make what is missing for rows of this model; return the model that holds, which another may have set."""
        ...

    def fields(self) -> list[str]:
        """Return every metadata key that any row ever had, sorted."""
        ...

    def kept(self, ids: Sequence[str]) -> dict[str, StoredRow]:
        """Return the rows with these ids; absent ids are left out."""
        ...

    def fetch(self, ids: Sequence[str]) -> dict[str, tuple[Document, Floats | None]]:
        """Return the rows with these ids and their vectors."""
        ...

    def write(self, new: Sequence[EngineRow], changed: Sequence[EngineRow]) -> None:
        """Write rows in place of those with their ids; of `changed` rows only the metadata and place are new."""
        ...

    def remove(self, ids: Sequence[str] | None, where: Filter | None) -> int:
        """Delete rows by id or by filter; return how many were there."""
        ...

    def count(self, where: Filter | None) -> int:
        """Return how many rows there are, or pass."""
        ...

    def scroll(
        self, where: Filter | None, *, vectors: bool, size: int = 1000
    ) -> Iterator[list[tuple[Document, Floats | None]]]:
        """Iterate over rows in the engine's own order, `size` at a time, with their vectors where asked for."""
        ...

    def nearest(self, vector: Floats, keep: int, where: Filter | None, how: How) -> tuple[IdRanking, dict[str, Any]]:
        """Rank rows by cosine to a vector (width,); the dict tells how."""
        ...

    def term_counts(self, terms: Sequence[str]) -> dict[str, int]:
        """Return how many rows hold each term, exactly where that is few."""
        ...

    def ranked(self, weights: Mapping[str, float], keep: int, where: Filter | None) -> IdRanking:
        """Rank rows that hold any of the terms by BM25, their idf given."""
        ...

    def containing(self, parts: Sequence[tuple[str, ...]], keep: int, where: Filter | None) -> IdRanking:
        """Rank rows that contain every part, each a run of consecutive tokens."""
        ...

    def facet(self, field: str, where: Filter | None, ids: Sequence[str] | None) -> dict[str, int]:
        """Count the values of a field over matching rows, or over those with these ids."""
        ...

    def set_ladder(self, ladder: str) -> None:
        """Answer searches by this ladder from now on, and make the indexes that it needs."""
        ...

    def settle(self) -> None:
        """Look after what writing has left behind: an index that is due, statistics."""
        ...

    def size(self) -> Size:
        """Say what it takes and what answers searches."""
        ...

    def close(self) -> None:
        """Let go of all connections."""
        ...


def cannot(label: str, what: str, hint: str) -> UsageError:
    """Return the error for what an engine does not do."""
    return UsageError(f"{label} cannot {what}", hint=hint)


def unique(names: Iterable[str]) -> list[str]:
    """Return each name once, in the order in which they first come."""
    return list(dict.fromkeys(names))
