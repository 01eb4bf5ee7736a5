"""The two rankings of a search, by text and by meaning, and what is made of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from imi.collection.text_index import WordIndex
from imi.errors import UsageError
from imi.fusion import expected_score, lucene_idf
from imi.index.live import Live
from imi.records import FACTS, Document, Hit, Mode
from imi.store.filters import Condition, compile_where
from imi.store.store import Store
from imi.text.lexical import query_terms
from imi.types import Floats, Rows

MODES: tuple[Mode, ...] = ("text", "meaning", "hybrid")
BUDGET_MS = 400.0
VARIABLE = "IMI_DEEP_BUDGET"
_FEW = 10_000
"""Entries of FTS5 that are read without counting the cost."""


@dataclass(frozen=True)
class Ranking:
    """One ranking: rows, best first, and their scores on the ranking's own scale."""

    rows: Rows
    scores: Floats

    def cut(self, offset: int, k: int) -> Ranking:
        """Return the k rows after the first `offset`."""
        return Ranking(self.rows[offset : offset + k], self.scores[offset : offset + k])

    def above(self, least: float | None) -> Ranking:
        """Return the rows that score at least that much."""
        if least is None:
            return self
        with np.errstate(over="ignore"):  # beyond float32 it is infinite, which is right
            kept = self.scores >= least
        return Ranking(self.rows[kept], self.scores[kept])


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a ranking is wanted."""

    k: int
    offset: int = 0
    min_score: float | None = None

    def of(self, ranking: Ranking) -> Ranking:
        """Return that part."""
        return ranking.above(self.min_score).cut(self.offset, self.k)


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
    unknown = sorted(name for name in names.difference(known) if not (FACTS in known and name.startswith(f"{FACTS}.")))
    if unknown:
        raise UsageError(
            f"no row of {store.folder} has the field {unknown[0]!r}",
            hint=f"fields here: {', '.join(name for name in known if name != FACTS) or 'none at all'}",
        )


@dataclass(frozen=True)
class TextRanking:
    """A ranking by text.

    expected: what a text that answers the whole query would score; None for "contains" queries. rarity: the idf of the
    query's terms; empty for these.
    """

    ranking: Ranking
    expected: float | None
    rarity: Mapping[str, float] = field(default_factory=dict)


def _no_rows() -> Ranking:
    return Ranking(np.empty(0, np.int64), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True)
class Fused:
    """A ranking, what was read for it, and of a hybrid one what it was fused from.

    text: rows found by words. meaning: every row of the ranking with its cosine. expected, rarity: as in
    `TextRanking`.
    """

    ranking: Ranking
    story: dict[str, Any] = field(default_factory=dict)
    text: Ranking = field(default_factory=_no_rows)
    meaning: Ranking = field(default_factory=_no_rows)
    expected: float | None = None
    rarity: Mapping[str, float] = field(default_factory=dict)


def rarity_of(counts: Mapping[str, int], total: int) -> dict[str, float]:
    """Return the idf of terms by how many of the rows hold them."""
    idf = lucene_idf(np.fromiter(counts.values(), np.float64, len(counts)), total)
    return dict(zip(counts, idf.tolist(), strict=True))


def by_text(store: Store, words: WordIndex, text: str, keep: int, allowed: Rows | None) -> TextRanking:
    """Rank by BM25, or by containing a short or quoted query; must run inside `reading()`.

    Args:
        store: holds the full text.
        words: ranks what does not mean "contains", where there is such an index.
        text: the query.
        keep: how many rows; below 0 all that match, where the commonest words of a ranked query do not count.
        allowed: rows that may be found; None for all.
    """
    query = query_terms(text)
    postings = None if query.phrase else words.current()
    if postings is not None:
        if keep >= 0:
            ranking = Ranking(*postings.search(query.terms, keep, allowed))
            rarity = rarity_of(postings.counts(query.terms), len(postings))
            return TextRanking(ranking, sum(rarity.values()), rarity)
        telling = query.pruned(postings.counts(query.terms), len(postings)).terms
        rows = postings.matching(telling, allowed)
        return TextRanking(Ranking(rows, np.zeros(len(rows), np.float32)), None)
    expected, rarity = None, {}
    if not query.phrase:
        counts, total = dict.fromkeys(query.terms, 0) | store.term_counts(query.terms), store.count()
        expected, rarity = expected_score(counts.values(), total), rarity_of(counts, total)
        query = query.pruned(counts, max(total, _FEW))
    expression = query.fts5()
    if not expression:
        return TextRanking(Ranking(np.empty(0, np.int64), np.empty(0, np.float32)), expected, rarity)
    return TextRanking(Ranking(*store.match(expression, keep, allowed)), expected, rarity)


@dataclass(frozen=True, slots=True)
class Rerank:
    """Whether a hybrid search is ordered by the finer model, and how long it may read rows for it.

    by: "deep", where it is installed and fits the collection; "none" to leave the order to words and the first model.
    budget: milliseconds for reading rows that were not read yet; 0 for none; None for IMI_DEEP_BUDGET, else
        400.
    """

    by: Literal["deep", "none"] = "deep"
    budget: float | None = None

    @classmethod
    def of(cls, given: Rerank | str | None) -> Rerank:
        """Return what was meant by a name, or by nothing.

        Raises:
            UsageError: an unknown name, or a budget that is not a number from 0 upwards.
        """
        rerank = cls() if given is None else cls(given) if isinstance(given, str) else given  # type: ignore[arg-type]
        if not isinstance(rerank, cls) or rerank.by not in ("deep", "none"):
            raise UsageError(f"rerank is {given!r}, allowed are 'deep' and 'none'")
        check_budget(rerank.budget)
        return rerank

    @property
    def milliseconds(self) -> float:
        """The budget, from the environment where none was given."""
        if self.budget is not None:
            return self.budget
        said = os.environ.get(VARIABLE)
        if not said:
            return BUDGET_MS
        try:
            budget = float(said)
        except ValueError:
            budget = -1.0
        if not 0 <= budget < float("inf"):
            raise UsageError(f"{VARIABLE} is {said!r}, allowed are milliseconds from 0 upwards")
        return budget


def check_budget(budget: float | None) -> None:
    """Refuse a budget that is not a number of milliseconds.

    Raises:
        UsageError: it is below 0 or infinite.
    """
    if budget is not None and not 0 <= budget < float("inf"):
        raise UsageError(f"the budget is {budget!r}, allowed are milliseconds from 0 upwards")


@dataclass(frozen=True, slots=True)
class How:
    """How vectors are compared: by fewer dimensions, with every row, by a ladder of one's own; and whether to tell.

    `rerank` says whether the finer model orders the first rows of a hybrid search, `promised` how many of the rows the
    index must find with the recall it was planned for (None: all).
    """

    dims: int | None = None
    exact: bool = False
    ladder: str | None = None
    explain: bool = False
    rerank: Rerank = field(default_factory=Rerank)
    promised: int | None = None

    def of_index(self) -> dict[str, Any]:
        """Return what the index is asked with."""
        return {"dims": self.dims, "exact": self.exact, "ladder": self.ladder, "promised": self.promised}


def by_meaning(
    live: Live | None, vector: Floats, keep: int, allowed: Rows | None, how: How
) -> tuple[Ranking, dict[str, Any]]:
    """Rank by the cosine of vectors; the dict tells what was read where `how.explain` asks for it."""
    story: dict[str, Any] = {}
    if live is None or (allowed is not None and len(allowed) == 0):
        return Ranking(np.empty(0, np.int64), np.empty(0, np.float32)), story
    if how.explain:
        scores, keys, story = live.explain(vector, keep, allowed, **how.of_index())
    else:
        scores, keys = live.search(vector, keep, allowed, **how.of_index())
    real = keys[0] >= 0
    return Ranking(keys[0][real], scores[0][real]), story


def scored(live: Live | None, vector: Floats, rows: Rows, dims: int | None) -> Ranking:
    """Return those of some rows, each named once, that have a vector, with their cosines, in no order."""
    if live is None:
        return _no_rows()
    scores, keys = live.score(vector, rows, dims)
    return Ranking(keys, scores)


def check_page(k: int, offset: int, mode: str) -> None:
    """Refuse what no search can be asked for, naming the value."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise UsageError(f"k is {k!r}, allowed are whole numbers from 1")
    if isinstance(offset, bool) or not isinstance(offset, int | np.integer) or offset < 0:
        raise UsageError(f"offset is {offset!r}, allowed are whole numbers from 0")
    if mode not in MODES:
        raise UsageError(f"mode is {mode!r}, allowed are {', '.join(MODES)}")


def hits_of(ranking: Ranking, documents: Mapping[int, Document]) -> Iterator[Hit]:
    """Yield the hits of a ranking, whose documents were read in the same transaction."""
    for row, score in zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True):
        document = documents.get(row)
        if document is not None:  # an engine's row may be deleted after it was ranked
            yield Hit(document.id, float(score), document.text, document.metadata)
