"""Qdrant points: a row's payload, its full vector and prefixes of it, and its terms as a sparse vector."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
from qdrant_client import models

from imi.backends.engine import EngineRow
from imi.backends.filter_digests import facts_of
from imi.backends.phrases import sparse
from imi.backends.vector_fields import FULL, prefix_name
from imi.records import Document
from imi.text.lexical import index_tokens
from imi.types import Floats
from imi.vectors import normalize, truncate

WORDS = "words"
_NAMESPACE = uuid.UUID("6f2f0f7e-5a5c-4d37-9a53-696d69000001")
PLACED = ["id", "text", "metadata", "parent", "start", "end", "digest"]


def number_of(id_: str) -> str:
    """Return the UUID of an id's point: the same on every machine and in every run."""
    return str(uuid.uuid5(_NAMESPACE, id_))


def possible(id_: str) -> bool:
    """Say whether an id can be sent as UTF-8: it holds no half of a surrogate pair."""
    return not any("\ud800" <= letter <= "\udfff" for letter in id_)


def described(row: EngineRow) -> dict[str, Any]:
    """Return the part of a point's payload that comes from metadata and from the row's place in its parent."""
    facts, numbers = facts_of(row.document.metadata)
    return {
        "metadata": row.metadata,
        "parent": row.document.parent,
        "start": row.document.start,
        "end": row.document.end,
        "facts": facts,
        "numbers": numbers,
    }


def point_of(row: EngineRow, prefixes: Sequence[int]) -> models.PointStruct:
    """Return a row as a point with unit vectors; prefixes that are zero are left out."""
    document = row.document
    vectors: dict[str, Any] = {}
    if row.vector is not None:
        unit = normalize(row.vector)
        vectors[FULL] = unit.tolist()
        for dims in prefixes:
            if unit[:dims].any():
                vectors[prefix_name(dims)] = truncate(unit, dims).tolist()
    tokens = [] if document.text is None else index_tokens(document.text)
    if tokens:
        weights = sparse(tokens)
        vectors[WORDS] = models.SparseVector(indices=list(weights), values=list(weights.values()))
    payload = described(row) | {"id": document.id, "text": document.text, "digest": row.digest}
    payload["terms"] = list(dict.fromkeys(tokens))
    return models.PointStruct(id=number_of(document.id), vector=vectors, payload=payload)


def document_of(payload: dict[str, Any]) -> Document:
    """Return the document in a point's payload."""
    return Document(
        payload["id"],
        payload.get("text"),
        json.loads(payload["metadata"]),
        payload.get("parent"),
        payload.get("start"),
        payload.get("end"),
    )


def vector_of(vectors: Any) -> Floats | None:
    """Return a point's whole vector, None where it has none."""
    found = vectors.get(FULL) if isinstance(vectors, dict) else None
    return None if found is None else np.asarray(found, dtype=np.float32)
