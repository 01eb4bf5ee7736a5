"""Entities of Milvus: the schema of a collection, and a row with its facts, its words and its prefixes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from pymilvus import DataType, Function, FunctionType, MilvusClient

from imi.backends.engine import EngineRow
from imi.backends.filter_digests import facts_of
from imi.backends.milvus.expressions import word
from imi.backends.vector_fields import FULL, prefix_name
from imi.errors import DataError, Failure
from imi.records import Document
from imi.text.lexical import index_tokens
from imi.types import Floats
from imi.vectors import truncate

LONGEST = 65_535  # bytes of a VARCHAR and of a JSON field
PLACED = ["id", "text", "metadata", "parent", "start", "end", "digest"]
_NO_WORD = "none"


def key_of(id_: str) -> str:
    """Return the primary key of an id: the same wherever and whenever it is made."""
    return hashlib.blake2b(id_.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def schema_of(width: int, prefixes: Sequence[int]) -> Any:
    """Return the schema of a collection."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("pk", DataType.VARCHAR, is_primary=True, max_length=40)
    for name, nullable in (("id", False), ("text", True), ("metadata", False), ("parent", True), ("digest", True)):
        schema.add_field(name, DataType.VARCHAR, max_length=LONGEST, nullable=nullable)
    for name in ("start", "end"):
        schema.add_field(name, DataType.INT64, nullable=True)
    schema.add_field("facts", DataType.JSON)
    schema.add_field("numbers", DataType.JSON)
    schema.add_field("words", DataType.VARCHAR, max_length=LONGEST, enable_analyzer=True, enable_match=True)
    schema.add_field("bm25", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_field(FULL, DataType.FLOAT_VECTOR, dim=width)
    for dims in prefixes:
        schema.add_field(prefix_name(dims), DataType.FLOAT_VECTOR, dim=dims)
    schema.add_field("seen", DataType.BOOL)
    ranking = Function(
        name="bm25", function_type=FunctionType.BM25, input_field_names=["words"], output_field_names=["bm25"]
    )
    schema.add_function(ranking)
    return schema


def indexes_of(prefixes: Sequence[int]) -> Any:
    """Return the indexes: a graph over each prefix, and none over the whole vector where a prefix goes first."""
    found = MilvusClient.prepare_index_params()
    graph = {"M": 16, "efConstruction": 200}
    for dims in prefixes:
        found.add_index(prefix_name(dims), index_type="HNSW", metric_type="COSINE", params=graph)
    if prefixes:
        found.add_index(FULL, index_type="FLAT", metric_type="COSINE")
    else:
        found.add_index(FULL, index_type="HNSW", metric_type="COSINE", params=graph)
    found.add_index("bm25", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
    return found


def entity_of(row: EngineRow, width: int, prefixes: Sequence[int]) -> dict[str, Any]:
    """Return a row as an entity. A row without a vector has one that no search looks at.

    Raises:
        DataError: a text or the metadata is longer than Milvus takes.
    """
    document = row.document
    facts, numbers = facts_of(document.metadata)
    entity: dict[str, Any] = {
        "pk": key_of(document.id),
        "id": document.id,
        "text": document.text,
        "metadata": row.metadata,
        "parent": document.parent,
        "start": document.start,
        "end": document.end,
        "digest": row.digest,
        "words": _words(document.text),
        "facts": facts,
        "numbers": numbers,
    }
    for name in ("id", "text", "metadata", "parent"):
        size = len((entity[name] or "").encode())
        if size > LONGEST:
            reason = f"the {name} of {document.id[:80]!r} has {size} bytes, Milvus takes {LONGEST}"
            raise DataError(reason, hint="cut it into pieces first", failures=[Failure(document.id, None, reason)])
    vector = row.vector
    if vector is None:
        vector = np.eye(1, width, dtype=np.float32)[0]
    entity |= {FULL: vector.tolist(), "seen": row.vector is not None}
    for dims in prefixes:
        first = vector if vector[:dims].any() else np.eye(1, width, dtype=np.float32)[0]
        entity[prefix_name(dims)] = truncate(first, dims).tolist()
    return entity


def _words(text: str | None) -> str:
    """Return the tokens of a text as words that an analyzer leaves whole; beyond 64 kB they are left out."""
    words, size = [], 0
    for token in index_tokens(text or ""):
        one = word(token)
        size += len(one) + 1
        if size > LONGEST:
            break
        words.append(one)
    return " ".join(words) or _NO_WORD


def document_of(entity: dict[str, Any]) -> Document:
    """Return the document of an entity."""
    metadata = json.loads(entity["metadata"])
    return Document(entity["id"], entity["text"], metadata, entity["parent"], entity["start"], entity["end"])


def vector_of(entity: dict[str, Any]) -> Floats | None:
    """Return an entity's whole vector, None where it has none."""
    return np.asarray(entity[FULL], dtype=np.float32) if entity.get("seen") else None
