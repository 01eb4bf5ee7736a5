"""Rows as PostgreSQL's COPY takes them in binary: texts, a tsvector with positions, and a vector of two or four bytes.

Formats: tsvector is a count, then for each lexeme its bytes, a zero, a count and positions of 16 bits; halfvec and
vector are the width, two bytes that are zero, and big-endian numbers (pgvector's halfvec_recv and vector_recv).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from imi.backends.engine import EngineRow
from imi.errors import UsageError
from imi.text.lexical import index_tokens
from imi.types import Floats

_LAST_POSITION = 16383
_MOST_POSITIONS = 255
_LONGEST = 2000  # bytes of a lexeme; PostgreSQL takes 2046
_MOST_BYTES = 1_000_000  # of all lexemes of a text; PostgreSQL takes 1 MiB
_HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack("!II", 0, 0)
_TRAILER = struct.pack("!h", -1)
_NULL = struct.pack("!i", -1)


def lexeme(token: str) -> str:
    """Return a token as it is kept, cut where PostgreSQL would refuse its length; asked for, it is cut alike."""
    return token if len(token) * 4 <= _LONGEST else token.encode()[:_LONGEST].decode(errors="ignore")


def encode_tokens(tokens: Sequence[str]) -> bytes:
    """Return the binary tsvector of tokens in order.

    Beyond 16,383 tokens of a text phrases can no longer be distinguished from words that merely both occur; beyond a
    megabyte of different tokens further ones are not found.
    """
    places: dict[str, list[int]] = {}
    size = 0
    for at, token in enumerate(tokens, 1):
        known = places.get(token)
        if known is None:
            size += 4 * len(token) + 8
            if size > _MOST_BYTES:
                continue
            places[token] = [min(at, _LAST_POSITION)]
        elif len(known) < _MOST_POSITIONS and known[-1] < _LAST_POSITION:
            known.append(min(at, _LAST_POSITION))
    parts = [struct.pack("!I", len(places))]
    for token, at_ in places.items():
        parts.append(token.encode() + b"\0" + struct.pack(f"!H{len(at_)}H", len(at_), *at_))
    return b"".join(parts)


def encode_vector(vector: Floats, dtype: str) -> bytes:
    """Return a vector as `halfvec` or `vector` takes it in binary.

    Raises:
        UsageError: a number is beyond what two bytes hold.
    """
    if dtype == "halfvec":
        with np.errstate(over="ignore"):
            numbers = vector.astype(">f2")
        if not np.isfinite(numbers).all():
            raise UsageError(
                f"a vector holds {np.abs(vector).max():g}, halfvec holds numbers up to 65504",
                hint="normalise it (imi.normalize), or open with &dtype=float32",
            )
        return struct.pack("!HH", len(vector), 0) + numbers.tobytes()
    return struct.pack("!HH", len(vector), 0) + vector.astype(">f4").tobytes()


def decode_vector(sent: bytes, dtype: str) -> Floats:
    """Return (width,) float32 from what `halfvec_send` and `vector_send` give."""
    return np.frombuffer(sent, ">f2" if dtype == "halfvec" else ">f4", offset=4).astype(np.float32)


def encode_rows(rows: Sequence[EngineRow], dtype: str) -> bytes:
    """Return rows as one binary COPY of id, text, metadata, parent, start, end, tokens, length, vector, digest."""
    return _HEADER + b"".join(_encode_row(row, dtype) for row in rows) + _TRAILER


def _encode_row(row: EngineRow, dtype: str) -> bytes:
    document = row.document
    tokens = None if document.text is None else [lexeme(token) for token in index_tokens(document.text)]
    fields: list[bytes | None] = [
        _text(document.id),
        _text(document.text),
        _text(row.metadata),
        _text(document.parent),
        _int(document.start),
        _int(document.end),
        None if tokens is None else encode_tokens(tokens),
        _int(None if tokens is None else len(tokens)),
        None if row.vector is None else encode_vector(row.vector, dtype),
        _text(row.digest),
    ]
    return struct.pack("!h", len(fields)) + b"".join(
        _NULL if part is None else struct.pack("!i", len(part)) + part for part in fields
    )


def check_storable(row: EngineRow) -> None:
    """Refuse what PostgreSQL's text cannot hold.

    Raises:
        UsageError: the character U+0000 is in the id, text, parent or metadata.
    """
    document = row.document
    parts: dict[str, Any] = {"id": document.id, "text": document.text, "parent": document.parent}
    held = [name for name, value in parts.items() if value is not None and "\0" in value]
    if not held and "\\u0000" in row.metadata and _has_zero(dict(document.metadata)):
        held = ["metadata"]
    if held:
        raise UsageError(
            f"the {held[0]} of the row {document.id!r} holds the character U+0000, which PostgreSQL has no place for",
            hint="take it out of the text, or keep the collection in a folder",
        )


def _has_zero(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_zero(part) for pair in value.items() for part in pair)
    return isinstance(value, list | tuple) and any(map(_has_zero, value))


def _text(value: str | None) -> bytes | None:
    return None if value is None else value.encode()


def _int(value: int | None) -> bytes | None:
    return None if value is None else struct.pack("!i", value)
