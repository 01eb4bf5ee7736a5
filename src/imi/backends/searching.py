"""Finding on an engine: its ranking by words, its ranking by meaning, and both fused, as in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from imi.backends.engine import Engine, Floats, Ranking, Way, cannot
from imi.backends.filter_tree import Filter, check_known, read_where
from imi.collection.description import Bound
from imi.collection.model import CollectionModel
from imi.collection.rankings import Page
from imi.errors import UsageError
from imi.fusion import expected_score, fuse
from imi.records import Hit, Hits, Mode
from imi.text.lexical import query_terms
from imi.vectors import cosine, truncate

_POOL = 100
"""Rows that each arm of a hybrid search brings at least."""
_FEW = 10_000
_MOST = 100_000
"""Entries of a full-text index that are read without counting the cost, and at the most."""


class EngineFinder:
    """Searches one collection on an engine."""

    def __init__(self, engine: Engine, model: CollectionModel) -> None:
        """Set up.

        Args:
            engine: what is searched.
            model: what embeds words.
        """
        self._engine = engine
        self._model = model

    def search(
        self,
        query: str | ArrayLike,
        page: Page,
        mode: Mode,
        where: Mapping[str, Any] | None,
        way: Way,
        facets: Sequence[str],
    ) -> Hits:
        """Find rows; see `Collection.search`."""
        text = query if isinstance(query, str) else None
        if text is not None and not text.strip():
            raise UsageError("the query is empty", hint="give some words, an emoji, or a vector")
        mode, notes = self._possible(mode, text is not None)
        vector = None if mode == "text" else self._query_vector(query)
        allowed = self.filter(where)
        self._check_facets(facets)
        ranking, story = self._ranked(text, vector, mode, page.k + page.offset, allowed, way)
        least = page.min_score
        kept = [one for one in ranking if least is None or one[1] >= least][page.offset : page.offset + page.k]
        counts = self._facets(facets, allowed, text if mode == "text" else None)
        return Hits(self._hits(kept), mode=mode, facets=counts, search=story, notes=notes)

    def similar(self, id: str, k: int, where: Mapping[str, Any] | None, dims: int | None) -> Hits:
        """Find the rows nearest to a row's vector, without the row; see `Collection.similar`."""
        found = self._engine.fetch([id])
        vector = found[id][1] if id in found else None
        if vector is None:
            said = "has no vector" if found else "is not there"
            raise UsageError(f"the id {id!r} {said}", hint="imi search finds ids")
        ranking, _ = self._engine.nearest(vector, k + 1, self.filter(where), self._checked(Way(dims)))
        return Hits(self._hits([one for one in ranking if one[0] != id][:k]), mode="meaning")

    def filter(self, where: Mapping[str, Any] | None) -> Filter | None:
        """Read a filter and check that its fields are known here."""
        return None if where is None else read_where(where, self._engine.fields(), self._engine.label)

    def _check_facets(self, facets: Sequence[str]) -> None:
        if not facets:
            return
        if not self._engine.abilities.facets:
            raise cannot(self._engine.label, "count facets", "ask for hits alone, or imi copy it into a folder")
        check_known(set(facets), self._engine.fields(), self._engine.label)

    def _facets(self, facets: Sequence[str], allowed: Filter | None, text: str | None) -> dict[str, dict[str, int]]:
        if not facets:
            return {}
        matched = (
            None if text is None else [id_ for id_, _ in self._by_text(text, self._engine.count(None), allowed)[0]]
        )
        return {name: self._engine.facet(name, allowed, matched) for name in facets}

    def _checked(self, way: Way) -> Way:
        bound = self._engine.bound()
        if way.dims is not None and bound is not None and not 1 <= way.dims <= bound.width:
            raise UsageError(f"dims is {way.dims!r}, allowed are whole numbers from 1 to the width, {bound.width}")
        return way

    def _ranked(
        self, text: str | None, vector: Floats | None, mode: Mode, keep: int, allowed: Filter | None, way: Way
    ) -> tuple[Ranking, dict[str, Any]]:
        if vector is None:
            return self._by_text(text or "", keep, allowed)[0], {}
        if self._engine.bound() is None:
            return [], {}
        way = self._checked(way)
        if mode == "meaning" or text is None:
            return self._engine.nearest(vector, keep, allowed, way)
        pool = max(_POOL, keep)
        words, expected = self._by_text(text, pool, allowed)
        meaning, story = self._engine.nearest(vector, pool, allowed, way)
        # What only the words found has a meaning too: fusing needs its cosine.
        near = {id_ for id_, _ in meaning}
        meaning = meaning + self._cosines(vector, [id_ for id_, _ in words if id_ not in near], way.dims)
        return _fused(words, meaning, expected), story

    def _by_text(self, text: str, keep: int, allowed: Filter | None) -> tuple[Ranking, float | None]:
        """Rank by BM25, or by containing a short or quoted query; and what a whole answer would score."""
        query = query_terms(text)
        if not query:
            return [], None
        if query.phrase:
            return self._engine.containing(query.parts, keep, allowed), None
        counts = self._engine.term_counts(query.terms)
        total = self._engine.count(None)
        expected = expected_score((counts.get(term, 0) for term in query.terms), total)
        kept = query.pruned(counts, max(min(total, _MOST), _FEW)).terms
        weights = {term: expected_score([counts[term]], total) for term in kept if counts.get(term)}
        return (self._engine.ranked(weights, keep, allowed) if weights else []), expected

    def _cosines(self, vector: Floats, ids: Sequence[str], dims: int | None) -> Ranking:
        found = [(id_, z) for id_, (_, z) in self._engine.fetch(ids).items() if z is not None] if ids else []
        if not found:
            return []
        z = np.array([z for _, z in found])
        scores = cosine(vector, z) if dims is None else cosine(truncate(vector, dims), truncate(z, dims))
        return [(id_, float(score)) for (id_, _), score in zip(found, np.atleast_1d(scores), strict=True)]

    def _hits(self, ranking: Ranking) -> list[Hit]:
        """Return the hits of a ranking; a row that was deleted since it was ranked is left out."""
        found = self._engine.fetch([id_ for id_, _ in ranking])
        documents = {id_: document for id_, (document, _) in found.items()}
        return [
            Hit(id_, score, documents[id_].text, documents[id_].metadata) for id_, score in ranking if id_ in documents
        ]

    def _possible(self, mode: Mode, words: bool) -> tuple[Mode, tuple[str, ...]]:
        """Return the mode that the query and the collection allow, and why it is not the one asked for."""
        if not words:
            if mode == "text":
                raise UsageError("a vector cannot be searched by text", hint='use mode="meaning"')
            return "meaning", ()
        return self._model.possible(mode)

    def _query_vector(self, query: str | ArrayLike) -> Floats:
        bound = self._engine.bound()
        if isinstance(query, str):
            embedder = self._model.embedder()
            dims = None if bound is None else bound.dims
            return np.asarray(embedder.embed([query], kind="query", dims=dims)[0])
        try:
            vector = np.asarray(query, dtype=np.float32)
        except (TypeError, ValueError) as wrong:
            raise UsageError(
                f"{self._engine.label} is asked by words or vectors, not by {type(query).__name__}",
                hint="embed a picture first: imi.load().embed_images([picture])[0]",
            ) from wrong
        width = _width(bound)
        if vector.ndim != 1 or (width is not None and len(vector) != width):
            raise UsageError(f"the vector has the shape {vector.shape}, the collection's have ({width},)")
        return vector


def _width(bound: Bound | None) -> int | None:
    return None if bound is None else bound.width


def _fused(words: Ranking, meaning: Ranking, expected: float | None) -> Ranking:
    numbers = {id_: at for at, id_ in enumerate(dict.fromkeys(id_ for id_, _ in [*meaning, *words]))}
    arms = [
        (
            np.array([numbers[id_] for id_, _ in arm], dtype=np.int64),
            np.array([score for _, score in arm], dtype=np.float32),
        )
        for arm in (words, meaning)
    ]
    rows, scores = fuse(arms[0], arms[1], expected=expected)
    names = list(numbers)
    return [(names[row], float(score)) for row, score in zip(rows.tolist(), scores.tolist(), strict=True)]
