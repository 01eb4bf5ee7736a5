"""QdrantEngine: the verbs of an engine as requests to Qdrant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from qdrant_client import models

from imi.backends.address import Address
from imi.backends.engine import Abilities, EngineRow, IdRanking, Size, StoredRow, cannot
from imi.backends.filter_tree import Filter
from imi.backends.phrases import rank_phrases, word_number, words_of
from imi.backends.qdrant.client import QdrantConnection
from imi.backends.qdrant.filters import compile_filter, has_any
from imi.backends.qdrant.points import (
    PLACED,
    WORDS,
    described,
    document_of,
    number_of,
    point_of,
    possible,
    vector_of,
)
from imi.backends.vector_fields import FULL, VectorFields, prefix_name, prefixes_of
from imi.collection.description import Bound
from imi.collection.rankings import How
from imi.errors import TooNew, UsageError
from imi.index.rungs import format_ladder
from imi.records import Document
from imi.types import Floats
from imi.vectors import truncate

FORMAT = 1
_KEEPS = (400, 100, 50, 25)
"""How many rows the usual ladder keeps of each prefix."""
_NAME = re.compile(r"[\w][\w.-]{0,199}")
_LOOKED_AT = 5000
"""Texts that hold all words of a phrase and are read to see whether they hold it."""


class QdrantEngine:
    """One collection on Qdrant, and a small one beside it that remembers the model and the fields."""

    name = "qdrant"
    abilities = Abilities(
        facets=False, substrings=False, text_order=False, parts=False, raw_vectors=False, whole_batches=False
    )

    def __init__(self, address: Address) -> None:
        """Connect.

        Raises:
            UsageError: the name or an option cannot be. EndpointError: the server cannot be reached.
        """
        if not _NAME.fullmatch(address.name):
            raise UsageError(f"the collection's name {address.name!r} cannot be", hint="letters, digits, _ . and -")
        self.label = address.shown
        self._name, self._beside = address.name, f"{address.name}.imi"
        self._asked = address.numbers("prefixes")
        self._coded = address.choice("quantization", ("int8", "binary", "none"))
        self._local = address.local
        self._client = QdrantConnection(address)
        self._bound: Bound | None = None
        self._fields = VectorFields(self.label, keeps=_KEEPS)

    def close(self) -> None:
        """Close the client."""
        self._client.raw.close()

    # --- what the collection is ---

    def bound(self) -> Bound | None:
        """Return the model that the vectors here are of, None before the first row."""
        if self._bound is None and self._client.call(lambda c: c.collection_exists(self._beside)):
            found = self._noted(["about"])
            if found:
                about = found[0]["about"]
                if about["format"] > FORMAT:
                    raise TooNew(f"{self.label} has format {about['format']}, this imi reads {FORMAT}", hint="upgrade")
                self._bound = Bound.from_json(about["model"])
                ladder = next((one["ladder"] for one in self._noted(["ladder"])), None)
                prefixes = tuple(about["prefixes"])
                self._fields = replace(self._fields, prefixes=prefixes, width=self._bound.width, ladder=ladder)
        return self._bound

    def _noted(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        """Return what was recorded under any of the keys."""
        filter_ = models.Filter(must=[has_any("kind", keys)])
        found, _ = self._client.call(lambda c: c.scroll(self._beside, scroll_filter=filter_, limit=10_000))
        return [dict(one.payload or {}) for one in found]

    def _note(self, notes: Mapping[str, dict[str, Any]]) -> None:
        points = [models.PointStruct(id=number_of(key), vector={}, payload=note) for key, note in notes.items()]
        if points:
            self._client.call(lambda c: c.upsert(self._beside, points))

    def prepare(self, bound: Bound) -> Bound:
        """Make the two collections where they are missing; return the model that holds."""
        if self.bound() is None:
            prefixes = prefixes_of(self._asked, default_prefixes(bound.info.dims, bound.width), bound.width)
            self._fields = replace(self._fields, prefixes=prefixes, width=bound.width)
            if not self._client.call(lambda c: c.collection_exists(self._name)):
                self._make(bound)
            if not self._client.call(lambda c: c.collection_exists(self._beside)):
                self._client.call(lambda c: c.create_collection(self._beside, vectors_config={}))
            about = {"format": FORMAT, "model": bound.to_json(), "prefixes": list(self._fields.prefixes)}
            self._note({"about": {"kind": "about", "about": about}})
            self._bound = bound
        return self._bound or bound

    def _make(self, bound: Bound) -> None:
        cosine = models.Distance.COSINE
        # The whole vector is only reranked by where there are prefixes: it needs no graph, and may stay on disk.
        graph = models.HnswConfigDiff(m=0) if self._fields.prefixes else None
        vectors = {FULL: models.VectorParams(size=bound.width, distance=cosine, on_disk=True, hnsw_config=graph)}
        for dims in self._fields.prefixes:
            codes = self._codes()
            vectors[prefix_name(dims)] = models.VectorParams(size=dims, distance=cosine, quantization_config=codes)
        words = {WORDS: models.SparseVectorParams()}
        self._client.call(
            lambda c: c.create_collection(self._name, vectors_config=vectors, sparse_vectors_config=words)
        )
        if not self._local:
            kind = models.PayloadSchemaType.KEYWORD
            for key in ("facts", "terms"):
                self._client.call(lambda c, key=key, kind=kind: c.create_payload_index(self._name, key, kind))  # type: ignore[misc]

    def _codes(self) -> Any:
        if self._coded == "int8":
            small = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
            return models.ScalarQuantization(scalar=small)
        if self._coded == "binary":
            return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
        return None

    def fields(self) -> list[str]:
        """Return every metadata key that any row ever had, sorted."""
        return [] if self.bound() is None else sorted({note["field"] for note in self._noted(["field"])})

    def size(self) -> Size:
        """Qdrant does not say how many bytes a collection takes; tell what answers searches."""
        ladder = format_ladder(self._fields.rungs()) if self.bound() is not None else None
        return Size(None, None, {"engine": self.name, "ladder": ladder, "prefixes": list(self._fields.prefixes)})

    # --- rows ---

    def kept(self, ids: Sequence[str]) -> dict[str, StoredRow]:
        """Return the rows with these ids; absent ids are left out."""
        found = (dict(one.payload or {}) for one in self._retrieved(ids, vectors=False))
        return {payload["id"]: StoredRow(document_of(payload), payload.get("digest")) for payload in found}

    def fetch(self, ids: Sequence[str]) -> dict[str, tuple[Document, Floats | None]]:
        """Return the rows with these ids and their vectors."""
        found = self._retrieved(ids, vectors=True)
        return {one.payload["id"]: (document_of(one.payload), vector_of(one.vector)) for one in found}

    def _retrieved(self, ids: Sequence[str], *, vectors: bool) -> list[Any]:
        numbers = [number_of(id_) for id_ in ids if possible(id_)]
        if not numbers or self.bound() is None:
            return []
        wanted = [FULL] if vectors else False
        return list(
            self._client.call(lambda c: c.retrieve(self._name, numbers, with_payload=PLACED, with_vectors=wanted))
        )

    def write(self, new: Sequence[EngineRow], changed: Sequence[EngineRow]) -> None:
        """Write rows; a request that was cut off leaves some of its rows, and is sent again."""
        notes: dict[str, dict[str, Any]] = {}
        for row in (*new, *changed):
            for name, value in row.document.metadata.items():
                notes[f"field:{name}"] = {"kind": "field", "field": name}
                if isinstance(value, str):
                    notes[f"text:{name}"] = {"kind": "text", "field": name}
        self._note(notes)
        for row in changed:
            payload, number = described(row), number_of(row.document.id)
            self._client.call(lambda c, p=payload, n=number: c.set_payload(self._name, p, points=[n]))  # type: ignore[misc]
        for at in range(0, len(new), 256):
            points = [point_of(row, self._fields.prefixes) for row in new[at : at + 256]]
            self._client.call(lambda c, points=points: c.upsert(self._name, points, wait=True))  # type: ignore[misc]

    def remove(self, ids: Sequence[str] | None, where: Filter | None) -> int:
        """Delete rows by id or by filter; return how many were there."""
        if self.bound() is None:
            return 0
        if ids is not None:
            numbers = [one.id for one in self._retrieved(ids, vectors=False)]
            if numbers:
                self._client.call(lambda c: c.delete(self._name, models.PointIdsList(points=numbers)))
            return len(numbers)
        there, filter_ = self.count(where), self._filter(where)
        if filter_ is not None and there:
            self._client.call(lambda c: c.delete(self._name, models.FilterSelector(filter=filter_)))
        return there

    def _filter(self, where: Filter | None) -> models.Filter | None:
        if where is None:
            return None
        texts = frozenset(note["field"] for note in self._noted(["text"]))
        return compile_filter(where, texts, self.label)

    def count(self, where: Filter | None) -> int:
        """Return how many rows there are, or pass."""
        if self.bound() is None:
            return 0
        filter_ = self._filter(where)
        return int(self._client.call(lambda c: c.count(self._name, count_filter=filter_, exact=True)).count)

    def scroll(
        self, where: Filter | None, *, vectors: bool, size: int = 1000
    ) -> Iterator[list[tuple[Document, Floats | None]]]:
        """Iterate over rows in the order of the points' numbers."""
        if self.bound() is None:
            return
        for part in self._pages(self._filter(where), vectors, size):
            yield [(document_of(one.payload), vector_of(one.vector)) for one in part]

    def _pages(self, filter_: models.Filter | None, vectors: bool, size: int) -> Iterator[list[Any]]:
        after: Any = None
        wanted = [FULL] if vectors else False
        while True:
            found, after = self._client.call(
                lambda c, after=after: c.scroll(  # type: ignore[misc]
                    self._name, filter_, limit=size, offset=after, with_payload=PLACED, with_vectors=wanted
                )
            )
            if found:
                yield found
            if after is None:
                return

    # --- finding ---

    def nearest(self, vector: Floats, keep: int, where: Filter | None, how: How) -> tuple[IdRanking, dict[str, Any]]:
        """Rank rows by cosine: each rung of the ladder is a prefetch of the next one."""
        width = len(vector) if self.bound() is None else self._fields.width
        dims = how.dims or width
        rungs, ladder = self._fields.climbed(how, dims)
        filter_ = self._filter(where)
        found: models.Prefetch | None = None
        for rung in rungs:
            inner = {"filter": filter_} if found is None else {"prefetch": found}
            found = models.Prefetch(
                query=truncate(vector, rung.dims).tolist(),
                using=self._fields.name(rung.dims),
                limit=max(rung.keep, keep),
                **inner,
            )
        query, using = truncate(vector, dims).tolist(), self._fields.name(dims)
        # Local mode is exact anyway, and warns of parameters.
        exactly = models.SearchParams(exact=True) if how.exact and not self._local else None
        answer = self._client.call(
            lambda c: c.query_points(
                self._name, query=query, using=using, prefetch=found, limit=keep, search_params=exactly,
                query_filter=filter_ if found is None else None, with_payload=["id"],
            )
        )  # fmt: skip
        return _ranking(answer), {"engine": self.name, "ladder": ladder}

    def term_counts(self, terms: Sequence[str]) -> dict[str, int]:
        """Return how many rows hold each term."""
        if self.bound() is None:
            return {}
        filters = {term: models.Filter(must=[has_any("terms", [term])]) for term in terms}
        counts = {
            term: self._client.call(lambda c, f=filter_: c.count(self._name, count_filter=f)).count  # type: ignore[misc]
            for term, filter_ in filters.items()
        }
        return {term: count for term, count in counts.items() if count}

    def ranked(self, weights: Mapping[str, float], keep: int, where: Filter | None) -> IdRanking:
        """Rank rows by their sparse vectors: BM25 with lengths weighed against a fixed mean."""
        by_number = {word_number(term): weight for term, weight in weights.items()}
        query = models.SparseVector(indices=list(by_number), values=list(by_number.values()))
        filter_ = self._filter(where)
        answer = self._client.call(
            lambda c: c.query_points(
                self._name, query=query, using=WORDS, limit=keep, query_filter=filter_, with_payload=["id"]
            )
        )
        return [(id_, score) for id_, score in _ranking(answer) if score > 0]

    def containing(self, parts: Sequence[tuple[str, ...]], keep: int, where: Filter | None) -> IdRanking:
        """Rank rows that contain every part: rows with all the words are read and looked at."""
        if self.bound() is None:
            return []
        must: list[Any] = [has_any("terms", [word]) for word in words_of(parts)]
        narrowed = self._filter(where)
        filter_ = models.Filter(must=[*must, *([] if narrowed is None else [narrowed])])
        texts: list[tuple[str, str | None]] = []
        for part in self._pages(filter_, False, 1000):
            texts += [(one.payload["id"], one.payload.get("text")) for one in part]
            if len(texts) >= _LOOKED_AT:
                break
        return rank_phrases(texts, parts, keep, self.count(None))

    def facet(self, field: str, where: Filter | None, ids: Sequence[str] | None) -> dict[str, int]:
        """Refuse: Qdrant counts texts alone, and not over the rows of a filter of ours."""
        raise cannot(self.label, "count facets", "ask for hits alone, or imi copy it into a folder")

    def set_ladder(self, ladder: str) -> None:
        """Search by this ladder from now on; its prefixes must be there."""
        self.bound()
        self._fields.rungs(ladder)
        self._note({"ladder": {"kind": "ladder", "ladder": ladder}})
        self._fields = replace(self._fields, ladder=ladder)

    def settle(self) -> None:
        """Nothing to do: Qdrant builds its indexes by itself."""


def default_prefixes(dims: Sequence[int], width: int) -> tuple[int, ...]:
    """Return the trained prefixes that are kept as separate vectors: from an eighth to half, two at most."""
    return tuple(size for size in sorted(dims) if size >= 64 and width <= 8 * size and 2 * size <= width)[-2:]


def _ranking(answer: Any) -> IdRanking:
    return [(point.payload["id"], float(point.score)) for point in answer.points]
