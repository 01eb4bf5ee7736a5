"""Searching: what `Collection.search` and `similar` do, over whatever keeps the rows.

A `SearchSource` opens a snapshot, one state of its rows, for each search. Within a snapshot rows are int64 keys: a
folder's are its row numbers, an engine's are numbers given to its ids for the one search.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from imi.collection.deepening import Deepener, DeepReading
from imi.collection.description import Bound
from imi.collection.model import CollectionModel
from imi.collection.pictures import Query
from imi.collection.rankings import Fused, How, Page, Ranking, TextRanking, hits_of
from imi.collection.second_look import FIRST, looked_at
from imi.embedders.base import Embedder
from imi.embedders.emoji_names import spelled_out
from imi.errors import UsageError
from imi.fusion import fuse
from imi.pictures import Source, is_picture
from imi.records import Document, Hits, Mode
from imi.row_sets import among, distinct
from imi.text.lexical import in_other_script, is_unspaced, query_terms
from imi.types import Floats, Rows
from imi.vectors import normalize

_POOL = 100
"""Rows that each ranking of a hybrid search brings, and as many again for deeper pages."""
_SURE = 0.3
"""The part of a pool that must hold nearly all of the nearest rows: what comes later hardly moves the first hits.

Of 250 questions over a million texts the ten hits are the same but for 6 in 1,000, in two thirds of the time; the first
hit is the same for all.
"""
_DEEPEST = 2**20
_ATTEMPTS = 3
_HALF, _SYMBOLS = 0.5, 0.25
"""The finer model's share of questions in another script, and of emoji and symbols alone: `benchmarks/emoji.py`."""
_LOOKED_AT = 8
"""How many rows are read to compare the script of a collection with that of a question."""


class Snapshot(Protocol):
    """One state of a collection's rows; `allowed` is the source's own form of a filter, None for all rows."""

    def check_model(self, fingerprint: str) -> None:
        """Raise ModelMismatch where the vectors are not, or no longer, of the model that embedded the query."""
        ...

    def allowed(self, where: Mapping[str, Any] | None, facets: Sequence[str]) -> Any:
        """Read a filter, and refuse fields, also of facets, that no row has."""
        ...

    def by_text(self, text: str, keep: int, allowed: Any) -> TextRanking:
        """Rank rows by BM25, or by containing a short or quoted query."""
        ...

    def by_meaning(self, vector: Floats, keep: int, allowed: Any, how: How) -> tuple[Ranking, dict[str, Any]]:
        """Rank rows by cosine; the dict says what was read, where that was asked for."""
        ...

    def begin_by_meaning(
        self, vector: Floats, keep: int, allowed: Any, how: How
    ) -> Callable[[], tuple[Ranking, dict[str, Any]]]:
        """Return what gives the ranking of `by_meaning`, which may be made meanwhile."""
        ...

    def cosines(self, vector: Floats, keys: Rows, how: How) -> Ranking:
        """Return these rows with their cosines, those without a vector left out."""
        ...

    def documents(self, keys: Rows) -> Mapping[int, Document]:
        """Return the documents of rows; what is gone is left out."""
        ...

    def gone(self, keys: list[int]) -> None:
        """Say what it means that ranked rows have no document, after several attempts: nothing, or damage."""
        ...

    def vector_of(self, id: str) -> tuple[int, Floats | None] | None:
        """Return a row's key and vector by its id; None where there is no such row."""
        ...

    def count_facets(self, facets: Sequence[str], allowed: Any, text: str | None) -> dict[str, dict[str, int]]:
        """Count the values of fields over rows that match the filter, and the text where one is given."""
        ...


class SearchSource(Protocol):
    """What keeps the rows of a collection."""

    @property
    def label(self) -> str:
        """What messages call the collection."""
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open one state of the rows."""
        ...

    def width(self) -> int | None:
        """Return the dimensions of a vector, None before the first one."""
        ...

    def picture_vector(self, embedder: Embedder, picture: Source) -> tuple[Floats, str | None]:
        """Return a picture as a vector to search with, and the fingerprint of the model that the vectors are of."""
        ...


class Searcher:
    """Searches one collection by full text and by meaning."""

    def __init__(self, source: SearchSource, model: CollectionModel, deepener: Deepener | None = None) -> None:
        """Set up.

        Args:
            source: what is searched.
            model: what embeds words.
            deepener: orders the first rows of a hybrid search, where there is one.
        """
        self._source = source
        self._model = model
        self._deepener = deepener

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
        deep = self._deepener.begin(text, how.rerank) if self._deepener and text and mode == "hybrid" else None
        vector, of = (None, None) if mode == "text" else self._query_vector(query)
        attempts = _ATTEMPTS if deep is None else _ATTEMPTS + 1
        for attempt in range(attempts):
            if deep is not None and deep.unread:
                deep.read()
            with self._source.snapshot() as state:
                if of is not None:
                    state.check_model(of)
                allowed = state.allowed(where, facets)
                found = _ranked(state, text, vector, mode, page.k + page.offset, allowed, how)
                documents: dict[int, Document] = {}
                if deep is not None and not deep.asked:
                    deep.ask(found, state.documents)
                    if deep.unread:
                        continue  # read outside of the snapshot, as what was read is kept
                if text is not None and mode == "hybrid":
                    found = _in_order(state, text, deep, found, how.explain, documents)
                ranking = found.ranking
                ranking = page.of(ranking)
                others = ranking.rows[~among(ranking.rows, np.array([*documents], dtype=np.int64))]
                documents |= state.documents(others) if len(others) else {}
                absent = [key for key in ranking.rows.tolist() if key not in documents]
                if absent and attempt + 1 < attempts:
                    continue  # another thread brought the index to a later state: look at that one
                if absent:
                    state.gone(absent)
                matched = text if mode == "text" else None
                counts = state.count_facets(facets, allowed, matched) if facets else {}
                break
        finer = deep is not None and deep.held + len(deep.vectors) > 0
        found_hits = hits_of(ranking, documents)
        return Hits(found_hits, mode=mode, facets=counts, search=found.story, notes=notes, finer=finer)

    def similar(self, id: str, k: int, where: Mapping[str, Any] | None, dims: int | None) -> Hits:
        """Find the rows nearest to a row's vector, without the row; see `Collection.similar`."""
        with self._source.snapshot() as state:
            itself = state.vector_of(id)
            key, vector = (0, None) if itself is None else itself
            if vector is None:
                said = "is not there" if itself is None else "has no vector"
                raise UsageError(f"the id {id!r} {said}", hint="imi search finds ids")
            ranking, _ = state.by_meaning(vector, k + 1, state.allowed(where, ()), How(dims))
            others = ranking.rows != key
            ranking = Ranking(ranking.rows[others], ranking.scores[others]).cut(0, k)
            return Hits(hits_of(ranking, state.documents(ranking.rows)), mode="meaning")

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
        if isinstance(query, tuple) and len(query) == 2 and is_picture(query[0]) and isinstance(query[1], str):
            vector, of = self._query_vector(query[0])
            # A picture and words weigh the same: "like this, but a dress".
            return normalize(vector + self._query_vector(query[1])[0]), of
        if is_picture(query):
            return self._source.picture_vector(self._model.embedder(), query)
        try:
            vector = np.asarray(query, dtype=np.float32)
        except (TypeError, ValueError) as wrong:
            kinds = "words, a picture, both as a pair, or a vector"
            raise UsageError(
                f"{self._source.label} is searched by {kinds}, not by {type(query).__name__}",
                hint="give a text, or a vector of the collection's width",
            ) from wrong
        width = self._source.width()
        if vector.ndim != 1 or (width is not None and len(vector) != width):
            raise UsageError(f"the vector has the shape {vector.shape}, the collection's have ({width},)")
        return vector, None


def _ranked(
    state: Snapshot, text: str | None, vector: Floats | None, mode: Mode, keep: int, allowed: Any, how: How
) -> Fused:
    if vector is None:
        return Fused(state.by_text(text or "", keep, allowed).ranking)
    if mode == "meaning" or text is None:
        return Fused(*state.by_meaning(vector, keep, allowed, how))
    found = _fused(state, text, vector, _POOL, allowed, how)
    ranking, pool = found.ranking, _POOL
    # Deeper pages come after those before them, whatever a larger pool would say of the first rows.
    while len(ranking.rows) < keep and pool < _DEEPEST:
        pool *= 2
        more = _fused(state, text, vector, pool, allowed, how).ranking
        new = ~among(more.rows, ranking.rows)
        if not new.any():
            break
        least = ranking.scores[-1:].min(initial=np.inf)
        scores = np.minimum(more.scores[new], least).astype(np.float32)
        ranking = Ranking(np.concatenate([ranking.rows, more.rows[new]]), np.concatenate([ranking.scores, scores]))
    return replace(found, ranking=ranking)


def _fused(state: Snapshot, text: str, vector: Floats, pool: int, allowed: Any, how: How) -> Fused:
    """Fuse the first `pool` rows by words and as many by meaning."""
    by_meaning = state.begin_by_meaning(vector, pool, allowed, replace(how, promised=math.ceil(_SURE * pool)))
    words = state.by_text(text, pool, allowed)
    meaning, story = by_meaning()
    # What only the words found has a meaning too: fusing needs its cosine.
    others = distinct(words.ranking.rows[~among(words.ranking.rows, meaning.rows)])
    if len(others):
        near = state.cosines(vector, others, How(how.dims))
        meaning = Ranking(np.concatenate([meaning.rows, near.rows]), np.concatenate([meaning.scores, near.scores]))
    by_words = (words.ranking.rows, words.ranking.scores)
    fused = Ranking(*fuse(by_words, (meaning.rows, meaning.scores), expected=words.expected))
    return Fused(fused, story, words.ranking, meaning, words.expected, words.rarity)


def _in_order(
    state: Snapshot, text: str, deep: DeepReading | None, found: Fused, explain: bool, documents: dict[int, Document]
) -> Fused:
    """Return what was found as a second look and the finer model order it; documents that are read are noted.

    Where the finer model has read all rows, its order is looked at, with its cosines too; else it orders what was
    looked at, among the rows that it knows.
    """
    known = deep is not None and deep.knows(found.ranking.rows)
    if not known:
        found = _looked(state, text, found, documents)
    if deep is None:
        return found
    rows = found.ranking.rows[:_LOOKED_AT].tolist()
    documents |= state.documents(np.array([row for row in rows if row not in documents], dtype=np.int64))
    best = [documents[row].text or "" for row in rows if row in documents]
    ranking, story = deep.ordered(found, explain, _share(text, found, best))
    found = replace(found, ranking=ranking, story=story)
    return _looked(state, text, found, documents, deep.cosines) if known else found


def _looked(
    state: Snapshot, text: str, found: Fused, documents: dict[int, Document], finer: Ranking | None = None
) -> Fused:
    """Take a second look at the first rows, reading those that were not read yet."""
    first = found.ranking.rows[:FIRST].tolist()
    documents |= state.documents(np.array([row for row in first if row not in documents], dtype=np.int64))
    return replace(found, ranking=looked_at(found, text, documents, finer))


def _share(text: str, found: Fused, best: Sequence[str]) -> float:
    """Return what the finer model counts for of both, where words answer nothing of a question."""
    if not any(map(str.isalnum, text)):
        return _SYMBOLS
    return _HALF if _bare(text, found) or spelled_out(text) != text or in_other_script(text, best) else 1.0


def _bare(text: str, found: Fused) -> bool:
    """Whether a question is a Japanese word that no row holds: alone, in kana, it says little to the finer model.

    An English word says more to it than to the first one ("spoilt", "bad delivery" over reviews).
    """
    return len(found.text.rows) == 0 and is_unspaced(text) and bool(query_terms(text).phrase)
