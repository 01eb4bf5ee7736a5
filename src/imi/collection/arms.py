"""The two arms of a search, by text and by meaning, and what is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.collection.snapshot import Snapshot
from imi.errors import UsageError
from imi.records import Document, Hit, Mode
from imi.store.filters import Condition, compile_where
from imi.store.store import Store
from imi.text.lexical import query_terms

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
MODES: tuple[Mode, ...] = ("text", "meaning", "hybrid")


@dataclass(frozen=True)
class Arm:
    """One ranking: rows, best first, and their scores on the arm's own scale."""

    rows: Rows
    scores: Floats

    def cut(self, offset: int, k: int) -> Arm:
        """Return the k rows after the first `offset`."""
        return Arm(self.rows[offset : offset + k], self.scores[offset : offset + k])

    def above(self, least: float | None) -> Arm:
        """Return the rows that score at least that much."""
        if least is None:
            return self
        kept = self.scores >= least
        return Arm(self.rows[kept], self.scores[kept])


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a ranking is wanted."""

    k: int
    offset: int = 0
    min_score: float | None = None

    def of(self, arm: Arm) -> Arm:
        """Return that part."""
        return arm.above(self.min_score).cut(self.offset, self.k)


def filter_of(store: Store, where: Mapping[str, Any] | None) -> Condition | None:
    """Compile a filter and check its fields against those that rows have ever had.

    Raises:
        UsageError: the filter is malformed, or names a field that no row has.
    """
    if where is None:
        return None
    condition = compile_where(where)
    check_fields(store, condition.fields)
    return condition


def check_fields(store: Store, names: frozenset[str] | set[str]) -> None:
    """Refuse fields that no row has ever had, naming those that there are.

    Raises:
        UsageError: a field is unknown.
    """
    known = store.fields()
    unknown = sorted(names.difference(known))
    if unknown:
        raise UsageError(
            f"no row of {store.folder} has the field {unknown[0]!r}",
            hint=f"fields here: {', '.join(known) if known else 'none at all'}",
        )


def by_text(store: Store, query: str, keep: int, allowed: Rows | None) -> Arm:
    """Rank by BM25, or by containing a short or quoted query; must run inside `reading()`."""
    expression = query_terms(query).fts5()
    if not expression:
        return Arm(np.empty(0, np.int64), np.empty(0, np.float32))
    return Arm(*store.match(expression, keep, allowed))


def by_meaning(snapshot: Snapshot, vector: Floats, keep: int, allowed: Rows | None, dims: int | None) -> Arm:
    """Rank by the cosine of vectors, at fewer numbers where `dims` says so."""
    positions = None if allowed is None else snapshot.positions(allowed)
    if len(snapshot.rows) == 0 or (positions is not None and len(positions) == 0):
        return Arm(np.empty(0, np.int64), np.empty(0, np.float32))
    scores, found = snapshot.search(vector, keep, positions, dims)
    real = found >= 0
    return Arm(snapshot.rows[found[real]], scores[real])


def check_page(k: int, offset: int, mode: str) -> None:
    """Refuse what no search can be asked for, naming the value."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise UsageError(f"k is {k!r}, allowed are whole numbers from 1")
    if isinstance(offset, bool) or not isinstance(offset, int | np.integer) or offset < 0:
        raise UsageError(f"offset is {offset!r}, allowed are whole numbers from 0")
    if mode not in MODES:
        raise UsageError(f"mode is {mode!r}, allowed are {', '.join(MODES)}")


def hits_of(arm: Arm, documents: Mapping[int, Document]) -> Iterator[Hit]:
    """Yield the hits of an arm, whose documents were read in the same transaction."""
    for row, score in zip(arm.rows.tolist(), arm.scores.tolist(), strict=True):
        document = documents[row]
        yield Hit(document.id, float(score), document.text, document.metadata)
