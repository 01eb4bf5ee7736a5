"""Second vectors of rows, by the finer model: kept beside the first ones, of those rows that it has read so far.

They are derived, as an index is: a row without one is complete, and one that does not agree with its checksum counts
as not read yet. A trigger deletes them with their rows; as a row's text never changes (an update is a delete and an
insert) and no row number is used twice, none can ever be of another text. Every function must run inside `reading()`,
`writing()` or `keeping()`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import apsw
import numpy as np

from imi.errors import Damaged
from imi.store.rows import COLUMNS as DOCUMENT_COLUMNS
from imi.store.rows import Dtype, decode_document, decode_vectors, encode_vector, vector_checksum
from imi.store.store import Store
from imi.types import Floats, Rows

COLUMNS = "row, vector, checksum"
DTYPE: Dtype = "float16"
"""What orders some tens of rows needs no more, and the file grows by half as much."""
FINGERPRINT, WIDTH, COUNT = "deep_fingerprint", "deep_width", "deep_count"


def holds_deep(store: Store) -> bool:
    """Whether the file's format has second vectors at all; one of an older imi that is only read has none."""
    return store.connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'deep_vectors'").fetchone() is not None


def deep_count(store: Store) -> int:
    """Return how many rows have a second vector."""
    return int(store.meta(COUNT) or 0)


def deep_vectors(store: Store, rows: Rows) -> tuple[Rows, Floats]:
    """Return those of the rows that have a second vector, ascending, and the vectors (n, width) float32."""
    width = int(store.meta(WIDTH) or 0)
    if len(rows) == 0 or width == 0:
        return np.empty(0, np.int64), np.empty((0, max(width, 1)), np.float32)
    wanted = apsw.carray(np.ascontiguousarray(np.sort(rows), dtype=np.int64))
    sql = f"SELECT {COLUMNS} FROM deep_vectors WHERE row IN carray(?) ORDER BY row"
    kept = [values for values in store.connection.execute(sql, (wanted,)) if _agrees(values, width)]
    numbers = np.fromiter((values[0] for values in kept), np.int64, len(kept))
    flat = np.frombuffer(b"".join(values[1] for values in kept), "<f2")
    return numbers, flat.reshape(len(kept), width).astype(np.float32)


def _agrees(values: tuple[Any, ...], width: int) -> bool:
    row, blob, checksum = values
    return isinstance(blob, bytes) and len(blob) == 2 * width and zlib.crc32(blob, row & 0xFFFFFFFF) == checksum


def check_deep_vector(values: tuple[Any, ...], width: int) -> None:
    """Raise Damaged where a row read as COLUMNS does not agree with its checksum."""
    decode_vectors([values[0]], [values[1]], [values[2]], width, DTYPE)


def put_deep_vectors(store: Store, rows: Sequence[int], vectors: Floats, fingerprint: str) -> int:
    """Keep second vectors of rows that are still there; return how many were.

    Those of another model, of an earlier imi, are of no use beside these and go.
    """
    if store.meta(FINGERPRINT) != fingerprint:
        forget_deep(store)
        store.set_meta(FINGERPRINT, fingerprint)
        store.set_meta(WIDTH, vectors.shape[1])
    if len(rows) == 0:
        return 0
    execute = store.connection.execute
    given = apsw.carray(np.ascontiguousarray(rows, dtype=np.int64))
    there = {row for (row,) in execute("SELECT row FROM documents WHERE row IN carray(?)", (given,))}
    known = int(execute("SELECT count(*) FROM deep_vectors WHERE row IN carray(?)", (given,)).get)
    blobs = [(row, encode_vector(z, DTYPE)) for row, z in zip(rows, vectors, strict=True) if row in there]
    store.connection.executemany(
        f"INSERT OR REPLACE INTO deep_vectors ({COLUMNS}) VALUES (?, ?, ?)",
        ((row, blob, vector_checksum(row, blob)) for row, blob in blobs),
    )
    store.set_meta(COUNT, deep_count(store) + len(blobs) - known)
    return len(blobs)


def forget_deep(store: Store) -> None:
    """Delete all second vectors, and of what model they were."""
    store.connection.execute("DELETE FROM deep_vectors")
    store.connection.execute("DELETE FROM meta WHERE key IN (?, ?, ?)", (FINGERPRINT, WIDTH, COUNT))


def rows_to_deepen(store: Store, after: int, limit: int) -> list[tuple[int, str]]:
    """Return rows above `after` that have a text and no second vector yet, in order, with their texts.

    A row whose text is damaged is left out: `verify` tells of it.
    """
    sql = (
        f"SELECT {DOCUMENT_COLUMNS} FROM documents AS d WHERE row > ? AND text IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM deep_vectors AS v WHERE v.row = d.row) ORDER BY row LIMIT ?"
    )
    found = []
    for values in store.connection.execute(sql, (after, limit)):
        try:
            found.append((values[0], decode_document(values).document.text or ""))
        except Damaged:
            continue
    return found


def count_to_deepen(store: Store) -> int:
    """Return how many rows have a text, whether it was read by the finer model or not."""
    return int(store.connection.execute("SELECT count(*) FROM documents WHERE text IS NOT NULL").get)
