"""Rows as they are stored in the file: encoding, checksums, and the error for a damaged one."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from imi.errors import Damaged, UsageError
from imi.records import Document, plain_value
from imi.types import Floats

Dtype = Literal["float32", "float16"]
_NONE = "\x00"
_DECODER = json.JSONDecoder()
COLUMNS = 'row, id, text, metadata, parent, start, "end", checksum'


@dataclass(frozen=True, slots=True)
class Stored:
    """A document with its row number."""

    row: int
    document: Document


@dataclass(frozen=True, slots=True)
class New:
    """A row to be written: metadata as JSON, tokens for the full text, vector (width,); None where it has none."""

    document: Document
    metadata: str
    tokens: str | None
    vector: Floats | None


def encode_metadata(metadata: Mapping[str, Any]) -> str:
    """Return the metadata as JSON text.

    Raises:
        UsageError: a key that is not a text, or a value that JSON does not have (NaN, bytes …); it names the field.
    """
    for key in metadata:
        if not isinstance(key, str):
            raise UsageError(f"a metadata key is {key!r}, allowed are texts")
    try:
        text = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as wrong:
        plain_metadata(metadata)
        raise UsageError(
            f"the metadata is not JSON: {wrong}", hint="use texts, numbers, true, false, null, lists and dicts"
        ) from wrong
    return text


def plain_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata with the values that JSON does not have as such: dates, Decimals, scalars of numpy.

    Raises:
        UsageError: a value has no such form; the message names its field.
    """
    plain = {}
    for key, value in metadata.items():
        try:
            plain[key] = plain_value(value)
        except (ValueError, RecursionError) as wrong:
            why = str(wrong) if isinstance(wrong, ValueError) else "it is nested too deep"
            raise UsageError(
                f"the metadata field {key!r} is not JSON: {why}",
                hint="use texts, finite numbers, true, false, null, dates, lists and dicts",
            ) from wrong
    return plain


def document_checksum(row: int, document: Document, metadata: str) -> int:
    """Return the CRC-32 of a row with its number, so that a row in another's place is noticed too."""
    number, start, end = str(row), str(document.start), str(document.end)
    text = _NONE if document.text is None else f"{len(document.text)}:{document.text}"
    parent = _NONE if document.parent is None else f"{len(document.parent)}:{document.parent}"
    # Each part with its length before it; written out, as every row that is read passes here.
    return zlib.crc32(
        f"{len(number)}:{number}\x1f{len(document.id)}:{document.id}\x1f{text}\x1f{len(metadata)}:{metadata}"
        f"\x1f{parent}\x1f{len(start)}:{start}\x1f{len(end)}:{end}".encode()
    )


def vector_checksum(row: int, blob: bytes) -> int:
    """Return the CRC-32 of a vector's bytes, begun with its row number."""
    return zlib.crc32(blob, row & 0xFFFFFFFF)


def decode_document(values: tuple[Any, ...]) -> Stored:
    """Return the row read as COLUMNS, verified.

    Raises:
        Damaged: it does not agree with its checksum.
    """
    row, id_, text, metadata, parent, start, end, checksum = values
    try:
        document = Document(id_, text, _decoded(metadata), parent, start, end)
        agrees = document_checksum(row, document, metadata) == checksum
    except (TypeError, ValueError, AttributeError):
        agrees = False
    if not agrees:
        raise damaged([row], "document")
    return Stored(row, document)


def _decoded(metadata: str) -> Any:
    """Return the value of a JSON text, as `json.loads`, in a third of the time where it is as it was written here."""
    value, end = _DECODER.raw_decode(metadata) if metadata[:1] == "{" else (None, -1)
    return value if end == len(metadata) else json.loads(metadata)


def encode_vector(vector: Floats, dtype: Dtype) -> bytes:
    """Return the little-endian bytes of one vector."""
    return vector.astype("<f4" if dtype == "float32" else "<f2", copy=False).tobytes()


def decode_vectors(rows: list[int], blobs: list[bytes], checksums: list[int], width: int, dtype: Dtype) -> Floats:
    """Return (n, width) float32, every row verified.

    Raises:
        Damaged: a row does not agree with its checksum or has another length; all such rows are named.
    """
    size = width * (4 if dtype == "float32" else 2)
    bad = [
        row
        for row, blob, checksum in zip(rows, blobs, checksums, strict=True)
        if not isinstance(blob, bytes) or len(blob) != size or zlib.crc32(blob, row & 0xFFFFFFFF) != checksum
    ]
    if bad:
        raise damaged(bad, "vector")
    flat = np.frombuffer(b"".join(blobs), dtype="<f4" if dtype == "float32" else "<f2")
    return flat.reshape(len(rows), width).astype(np.float32)


def damaged(rows: list[int], what: str) -> Damaged:
    """Return the error that names the rows."""
    named = ", ".join(map(str, rows[:5])) + (" …" if len(rows) > 5 else "")
    return Damaged(
        f"the {what} of row {named} does not agree with its checksum",
        hint="imi verify lists all such rows; imi repair sets them aside and keeps the rest",
        rows=rows,
    )


def ascending(found: Iterable[tuple[Any, ...]], after: int, path: Path) -> Iterator[tuple[Any, ...]]:
    """Yield what a query ordered by its first column gives, a whole number above `after`.

    SQLite trusts the order of a table's pages, so that a page in another's place would give rows twice or for ever.

    Raises:
        Damaged: it is not in order.
    """
    for values in found:
        if not isinstance(values[0], int) or values[0] <= after:
            raise damaged_file(path, f"row {values[0]!r} comes after row {after}")
        after = values[0]
        yield values


def damaged_file(path: Path, what: str) -> Damaged:
    """Return the error for a file that is not in order as a whole."""
    return Damaged(f"{path} is damaged: {what}", hint=f"imi verify {path.parent}, then imi repair {path.parent}")
