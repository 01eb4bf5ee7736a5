"""MilvusEngine: the verbs of an engine as requests to Milvus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pymilvus import DataType, MilvusClient

from imi.backends.address import Address
from imi.backends.engine import Abilities, EngineRow, IdRanking, Size, StoredRow, cannot
from imi.backends.filter_tree import Filter
from imi.backends.milvus.client import MilvusConnection
from imi.backends.milvus.entities import (
    PLACED,
    document_of,
    entity_of,
    indexes_of,
    key_of,
    schema_of,
    vector_of,
)
from imi.backends.milvus.expressions import both, compile_filter, has_word, one_of, word
from imi.backends.phrases import rank_phrases, words_of
from imi.backends.vector_fields import FULL, VectorFields, prefixes_of
from imi.collection.description import Bound
from imi.collection.rankings import How
from imi.errors import TooNew, UsageError
from imi.index.rungs import format_ladder
from imi.records import Document
from imi.types import Floats
from imi.vectors import truncate

FORMAT = 1
_KEEPS = (200,)
"""How many rows the usual ladder keeps of each prefix."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_LOOKED_AT = 5000
_SEEN = "seen == true"


class MilvusEngine:
    """One collection on Milvus, and a small one beside it that remembers the model and the fields."""

    name = "milvus"
    abilities = Abilities(facets=False, substrings=False, text_order=False, parts=False, whole_batches=False)

    def __init__(self, address: Address) -> None:
        """Connect.

        Raises:
            UsageError: the name or an option cannot be. EndpointError: the server cannot be reached.
        """
        if not _NAME.fullmatch(address.name):
            raise UsageError(f"the collection's name {address.name!r} cannot be", hint="letters, digits and _ only")
        self.label = address.shown
        self._name, self._beside = address.name, f"{address.name}_imi"
        self._asked = address.numbers("prefixes")
        self._client = MilvusConnection(address)
        self._bound: Bound | None = None
        self._fields = VectorFields(self.label, keeps=_KEEPS)

    def close(self) -> None:
        """Close the client."""
        self._client.raw.close()

    # --- what the collection is ---

    def bound(self) -> Bound | None:
        """Return the model that the vectors here are of, None before the first row."""
        if self._bound is None and self._client.call(lambda c: c.has_collection(self._beside)):
            self._client.call(lambda c: c.load_collection(self._beside))
            found = self._noted("about")
            if found:
                if found[0]["format"] > FORMAT:
                    raise TooNew(
                        f"{self.label} has format {found[0]['format']}, this imi reads {FORMAT}", hint="upgrade"
                    )
                self._client.call(lambda c: c.load_collection(self._name))
                self._bound = Bound.from_json(found[0]["model"])
                ladder = next((one["ladder"] for one in self._noted("ladder")), None)
                prefixes = tuple(found[0]["prefixes"])
                self._fields = replace(self._fields, prefixes=prefixes, width=self._bound.width, ladder=ladder)
        return self._bound

    def _noted(self, kind: str) -> list[dict[str, Any]]:
        """Return what was recorded of a kind."""
        found = self._client.call(
            lambda c: c.query(self._beside, filter=f'kind == "{kind}"', output_fields=["note"], limit=16_000)
        )
        return [json.loads(one["note"]) for one in found]

    def _note(self, notes: Mapping[str, tuple[str, dict[str, Any]]]) -> None:
        entities = [
            {"pk": key_of(key), "kind": kind, "note": json.dumps(note), "nothing": [0.0, 1.0]}
            for key, (kind, note) in notes.items()
        ]
        if entities:
            self._client.call(lambda c: c.upsert(self._beside, entities))

    def prepare(self, bound: Bound) -> Bound:
        """Make the two collections where they are missing; return the model that holds."""
        if self.bound() is None:
            prefixes = prefixes_of(self._asked, default_prefixes(bound.info.dims, bound.width), bound.width)
            self._fields = replace(self._fields, prefixes=prefixes, width=bound.width)
            schema, indexes = schema_of(bound.width, prefixes), indexes_of(prefixes)
            self._make(self._name, schema, indexes)
            self._make(self._beside, *_beside())
            about = {"format": FORMAT, "model": bound.to_json(), "prefixes": list(prefixes)}
            self._note({"about": ("about", about)})
            self._bound = bound
        return self._bound or bound

    def _make(self, name: str, schema: Any, indexes: Any) -> None:
        call = self._client.call
        if not call(lambda c: c.has_collection(name)):
            call(lambda c: c.create_collection(name, schema=schema, consistency_level="Strong"))
        # An index of no rows is finished at once; the client would look half a second later, for each. One that is
        # there already stays as it is, so that making a collection goes on where it was interrupted.
        call(lambda c: c.create_index(name, indexes, sync=False))
        call(lambda c: c.load_collection(name))

    def fields(self) -> list[str]:
        """Return every metadata key that any row ever had, sorted."""
        return [] if self.bound() is None else sorted({note["field"] for note in self._noted("field")})

    def size(self) -> Size:
        """Milvus does not say how many bytes a collection takes; tell what answers searches."""
        ladder = format_ladder(self._fields.rungs()) if self.bound() is not None else None
        return Size(None, None, {"engine": self.name, "ladder": ladder, "prefixes": list(self._fields.prefixes)})

    # --- rows ---

    def kept(self, ids: Sequence[str]) -> dict[str, StoredRow]:
        """Return the rows with these ids; absent ids are left out."""
        return {one["id"]: StoredRow(document_of(one), one["digest"]) for one in self._found(ids, PLACED)}

    def fetch(self, ids: Sequence[str]) -> dict[str, tuple[Document, Floats | None]]:
        """Return the rows with these ids and their vectors."""
        found = self._found(ids, [*PLACED, "seen", FULL])
        return {one["id"]: (document_of(one), vector_of(one)) for one in found}

    def _found(self, ids: Sequence[str], fields: Sequence[str]) -> list[Any]:
        if not ids or self.bound() is None:
            return []
        asked = one_of([key_of(id_) for id_ in ids])
        return list(
            self._client.call(
                lambda c: c.query(self._name, filter=asked, output_fields=list(fields), limit=max(len(ids), 1))
            )
        )

    def write(self, new: Sequence[EngineRow], changed: Sequence[EngineRow]) -> None:
        """Write rows; a request that was cut off leaves some of its rows, and is sent again."""
        notes: dict[str, tuple[str, dict[str, Any]]] = {}
        for row in (*new, *changed):
            for name, value in row.document.metadata.items():
                notes[f"field:{name}"] = ("field", {"field": name})
                if isinstance(value, str):
                    notes[f"text:{name}"] = ("text", {"field": name})
        # An entity is only ever replaced whole, so that a change of metadata takes the vector along.
        there = self._found([row.document.id for row in changed], ["id", "digest", "seen", FULL])
        old = {one["id"]: (vector_of(one), one["digest"]) for one in there}
        again = [
            EngineRow(row.document, row.metadata, *old[row.document.id]) for row in changed if row.document.id in old
        ]
        width = 1 if self._bound is None else self._bound.width
        entities = [entity_of(row, width, self._fields.prefixes) for row in (*new, *again)]
        self._note(notes)
        for at in range(0, len(entities), 256):
            part = entities[at : at + 256]
            self._client.call(lambda c, part=part: c.upsert(self._name, part))  # type: ignore[misc]

    def remove(self, ids: Sequence[str] | None, where: Filter | None) -> int:
        """Delete rows by id or by filter; return how many were there."""
        if self.bound() is None:
            return 0
        if ids is not None:
            there = [key_of(one["id"]) for one in self._found(ids, ["id"])]
            if there:
                self._client.call(lambda c: c.delete(self._name, ids=there))
            return len(there)
        count, asked = self.count(where), self._filter(where)
        if count:
            self._client.call(lambda c: c.delete(self._name, filter=asked))
        return count

    def _filter(self, where: Filter | None) -> str | None:
        if where is None:
            return None
        texts = frozenset(note["field"] for note in self._noted("text"))
        return compile_filter(where, texts, self.label)

    def count(self, where: Filter | None) -> int:
        """Return how many rows there are, or pass."""
        return 0 if self.bound() is None else self._count(self._filter(where) or "")

    def _count(self, asked: str) -> int:
        found = self._client.call(lambda c: c.query(self._name, filter=asked, output_fields=["count(*)"]))
        return int(found[0]["count(*)"])

    def scroll(
        self, where: Filter | None, *, vectors: bool, size: int = 1000
    ) -> Iterator[list[tuple[Document, Floats | None]]]:
        """Iterate over rows in the order of their keys."""
        if self.bound() is None:
            return
        fields = [*PLACED, "seen", FULL] if vectors else PLACED
        for part in self._pages(self._filter(where) or "", fields, size):
            yield [(document_of(one), vector_of(one)) for one in part]

    def _pages(self, asked: str, fields: Sequence[str], size: int) -> Iterator[list[Any]]:
        """Yield entities in the order of their keys, each page by a separate request that may be repeated."""
        after = ""
        while True:
            beyond = both(f'pk > "{after}"', asked)
            rows = self._client.call(
                lambda c, beyond=beyond: c.query_iterator(  # type: ignore[misc]
                    self._name, filter=beyond, output_fields=["pk", *fields], batch_size=size, limit=size
                )
            )
            found: list[Any] = list(rows.next())
            rows.close()
            if found:
                yield sorted(found, key=lambda one: str(one["pk"]))
                after = max(str(one["pk"]) for one in found)
            if len(found) < size:
                return

    # --- finding ---

    def nearest(self, vector: Floats, keep: int, where: Filter | None, how: How) -> tuple[IdRanking, dict[str, Any]]:
        """Rank rows by cosine: each rung is a search among the rows that the one before it has found."""
        width = len(vector) if self.bound() is None else self._fields.width
        dims = how.dims or width
        rungs, ladder = self._fields.climbed(how, dims)
        asked = both(_SEEN, self._filter(where))
        for rung in rungs:
            found = self._search(vector, rung.dims, max(rung.keep, keep), asked, max(rung.keep, rung.effort))
            if not found:
                return [], {"engine": self.name, "ladder": format_ladder(rungs)}
            asked = one_of([pk for pk, _, _ in found])
        ranking = [(id_, score) for _, id_, score in self._search(vector, dims, keep, asked, keep)]
        return ranking, {"engine": self.name, "ladder": ladder}

    def _search(self, vector: Floats, dims: int, keep: int, asked: str, effort: int) -> list[tuple[str, str, float]]:
        query, using = truncate(vector, dims).tolist(), self._fields.name(dims)
        graph = using != FULL or not self._fields.prefixes
        parameters = {"metric_type": "COSINE", "params": {"ef": max(effort, keep)} if graph else {}}
        answer = self._client.call(
            lambda c: c.search(
                self._name, [query], anns_field=using, limit=keep, filter=asked, output_fields=["id"],
                search_params=parameters,
            )
        )  # fmt: skip
        return [(str(one["pk"]), str(one["entity"]["id"]), float(one["distance"])) for one in answer[0]]

    def term_counts(self, terms: Sequence[str]) -> dict[str, int]:
        """Return how many rows hold each term."""
        if self.bound() is None:
            return {}
        counts = {term: self._count(has_word(term)) for term in terms}
        return {term: count for term, count in counts.items() if count}

    def ranked(self, weights: Mapping[str, float], keep: int, where: Filter | None) -> IdRanking:
        """Rank rows by Milvus's own BM25, whose idf is its own as well."""
        query, asked = " ".join(map(word, weights)), self._filter(where) or ""
        answer = self._client.call(
            lambda c: c.search(
                self._name, [query], anns_field="bm25", limit=keep, filter=asked, output_fields=["id"],
                search_params={"metric_type": "BM25"},
            )
        )  # fmt: skip
        # A server gives scores, milvus-lite the same below zero.
        return [(str(one["entity"]["id"]), abs(float(one["distance"]))) for one in answer[0]]

    def containing(self, parts: Sequence[tuple[str, ...]], keep: int, where: Filter | None) -> IdRanking:
        """Rank rows that contain every part: rows with all the words are read and looked at."""
        if self.bound() is None:
            return []
        asked = both(*(has_word(token) for token in words_of(parts)), self._filter(where))
        texts: list[tuple[str, str | None]] = []
        for part in self._pages(asked, ["id", "text"], 1000):
            texts += [(str(one["id"]), one["text"]) for one in part]
            if len(texts) >= _LOOKED_AT:
                break
        return rank_phrases(texts, parts, keep, self.count(None))

    def facet(self, field: str, where: Filter | None, ids: Sequence[str] | None) -> dict[str, int]:
        """Refuse: Milvus does not count values."""
        raise cannot(self.label, "count facets", "ask for hits alone, or imi copy it into a folder")

    def set_ladder(self, ladder: str) -> None:
        """Search by this ladder from now on; its prefixes must be there."""
        self.bound()
        self._fields.rungs(ladder)
        self._note({"ladder": ("ladder", {"ladder": ladder})})
        self._fields = replace(self._fields, ladder=ladder)

    def settle(self) -> None:
        """Make what was written last beyond this process."""
        if self.bound() is not None:
            self._client.call(lambda c: c.flush(self._name))
            self._client.call(lambda c: c.flush(self._beside))


def default_prefixes(dims: Sequence[int], width: int) -> tuple[int, ...]:
    """Return the trained prefix that is kept as a separate field: the smallest of a quarter to half."""
    return tuple(size for size in sorted(dims) if size >= 64 and width <= 4 * size and 2 * size <= width)[:1]


def _beside() -> tuple[Any, Any]:
    """Return the schema and indexes of the collection that remembers; Milvus wants a vector in each."""
    schema = MilvusClient.create_schema(auto_id=False)
    schema.add_field("pk", DataType.VARCHAR, is_primary=True, max_length=40)
    schema.add_field("kind", DataType.VARCHAR, max_length=20)
    schema.add_field("note", DataType.VARCHAR, max_length=65_535)
    schema.add_field("nothing", DataType.FLOAT_VECTOR, dim=2)
    indexes = MilvusClient.prepare_index_params()
    indexes.add_index("nothing", index_type="FLAT", metric_type="COSINE")
    return schema, indexes
