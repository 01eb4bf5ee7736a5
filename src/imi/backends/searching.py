"""What a search reads of a collection on an engine: rankings by its ids, numbered for each search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from imi.backends.engine import Engine, IdRanking, cannot
from imi.backends.filter_tree import Filter, check_known, read_where
from imi.collection.rankings import How, Ranking, TextRanking, rarity_of
from imi.embedders.base import Embedder
from imi.errors import ModelMismatch, UsageError
from imi.fusion import expected_score
from imi.pictures import Source
from imi.records import Document
from imi.text.lexical import query_terms
from imi.types import Floats, Rows
from imi.vectors import cosine, truncate

_FEW = 10_000
_MOST = 100_000
"""Entries of a full-text index that are read without counting the cost, and at the most."""


class EngineSource:
    """The rows of an engine, as `imi.collection.searching` reads them."""

    def __init__(self, engine: Engine) -> None:
        """Set up.

        Args:
            engine: what is searched.
        """
        self._engine = engine

    @property
    def label(self) -> str:
        """The engine's address without its secrets."""
        return self._engine.label

    @contextmanager
    def snapshot(self) -> Iterator[EngineSnapshot]:
        """Begin a search; engines answer each question from a state of its own."""
        yield EngineSnapshot(self._engine)

    def width(self) -> int | None:
        """Return the dimensions of a vector."""
        bound = self._engine.bound()
        return None if bound is None else bound.width

    def picture_vector(self, embedder: Embedder, picture: Source) -> tuple[Floats, str | None]:
        """Refuse: pictures are kept in collections on this machine only."""
        raise UsageError(
            f"{self.label} is searched by words or vectors, not by {type(picture).__name__}",
            hint="embed a picture first: imi.load().embed_images([picture])[0]",
        )

    def filter(self, where: Mapping[str, Any] | None) -> Filter | None:
        """Read a filter and check that its fields are known here."""
        return None if where is None else read_where(where, self._engine.fields(), self._engine.label)


class EngineSnapshot:
    """One search on an engine; keys are numbers that its ids are given as they come."""

    def __init__(self, engine: Engine) -> None:
        """Set up."""
        self._engine = engine
        self._source = EngineSource(engine)
        self._numbers: dict[str, int] = {}
        self._ids: list[str] = []

    def check_model(self, fingerprint: str) -> None:
        """Refuse a query that another model embedded."""
        bound = self._engine.bound()
        if bound is not None and bound.fingerprint != fingerprint:
            raise ModelMismatch(
                f"{self._engine.label} was filled by another model while this search ran", hint="search again"
            )

    def allowed(self, where: Mapping[str, Any] | None, facets: Sequence[str]) -> Filter | None:
        """Return a filter as the engine takes it."""
        condition = self._source.filter(where)
        if facets:
            if not self._engine.abilities.facets:
                raise cannot(self._engine.label, "count facets", "ask for hits alone, or imi copy it into a folder")
            check_known(set(facets), self._engine.fields(), self._engine.label)
        return condition

    def by_text(self, text: str, keep: int, allowed: Filter | None) -> TextRanking:
        """Rank by BM25, or by containing a short or quoted query; and what a whole answer would score."""
        ranking, expected, rarity = self._by_text(text, keep, allowed)
        return TextRanking(self._numbered(ranking), expected, rarity)

    def by_meaning(self, vector: Floats, keep: int, allowed: Filter | None, how: How) -> tuple[Ranking, dict[str, Any]]:
        """Rank by cosine."""
        bound = self._engine.bound()
        if bound is None:
            return self._numbered([]), {}
        if how.dims is not None and not 1 <= how.dims <= bound.width:
            raise UsageError(f"dims is {how.dims!r}, allowed are whole numbers from 1 to the width, {bound.width}")
        ranking, story = self._engine.nearest(vector, keep, allowed, how)
        return self._numbered(ranking), story

    def begin_by_meaning(
        self, vector: Floats, keep: int, allowed: Filter | None, how: How
    ) -> Callable[[], tuple[Ranking, dict[str, Any]]]:
        """Return what ranks by cosine: an engine answers one question after another."""
        return partial(self.by_meaning, vector, keep, allowed, how)

    def cosines(self, vector: Floats, keys: Rows, how: How) -> Ranking:
        """Return the cosines of some rows."""
        ids = self._names(keys)
        found = [(id_, z) for id_, (_, z) in self._engine.fetch(ids).items() if z is not None] if ids else []
        if not found or self._engine.bound() is None:
            return self._numbered([])
        z = np.array([z for _, z in found])
        dims = how.dims
        scores = cosine(vector, z) if dims is None else cosine(truncate(vector, dims), truncate(z, dims))
        return self._numbered(
            [(id_, float(score)) for (id_, _), score in zip(found, np.atleast_1d(scores), strict=True)]
        )

    def documents(self, keys: Rows) -> Mapping[int, Document]:
        """Return the documents of rows."""
        return {self._numbers[id_]: document for id_, (document, _) in self._engine.fetch(self._names(keys)).items()}

    def gone(self, keys: list[int]) -> None:
        """A row that was deleted since it was ranked is left out."""

    def vector_of(self, id: str) -> tuple[int, Floats | None] | None:
        """Return a row's number and vector."""
        found = self._engine.fetch([id])
        return (self._number(id), found[id][1]) if id in found else None

    def count_facets(
        self, facets: Sequence[str], allowed: Filter | None, text: str | None
    ) -> dict[str, dict[str, int]]:
        """Count the values of fields."""
        matched = (
            None if text is None else [id_ for id_, _ in self._by_text(text, self._engine.count(None), allowed)[0]]
        )
        return {name: self._engine.facet(name, allowed, matched) for name in facets}

    def _by_text(
        self, text: str, keep: int, allowed: Filter | None
    ) -> tuple[IdRanking, float | None, dict[str, float]]:
        query = query_terms(text)
        if not query:
            return [], None, {}
        if query.phrase:
            return self._engine.containing(query.parts, keep, allowed), None, {}
        counts = dict.fromkeys(query.terms, 0) | self._engine.term_counts(query.terms)
        total = self._engine.count(None)
        expected, rarity = expected_score(counts.values(), total), rarity_of(counts, total)
        kept = query.pruned(counts, max(min(total, _MOST), _FEW)).terms
        weights = {term: expected_score([counts[term]], total) for term in kept if counts.get(term)}
        return (self._engine.ranked(weights, keep, allowed) if weights else []), expected, rarity

    def _number(self, id: str) -> int:
        number = self._numbers.setdefault(id, len(self._ids))
        if number == len(self._ids):
            self._ids.append(id)
        return number

    def _numbered(self, ranking: IdRanking) -> Ranking:
        rows = np.array([self._number(id_) for id_, _ in ranking], dtype=np.int64)
        return Ranking(rows, np.array([score for _, score in ranking], dtype=np.float32))

    def _names(self, keys: Iterable[int] | Rows) -> list[str]:
        return [self._ids[int(key)] for key in keys]
