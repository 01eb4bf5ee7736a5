"""The small pictures that are kept beside rows: to be shown, and to be embedded again by another model.

What is kept is the picture as it was embedded, at most `imi.pictures.VIEW` pixels a side, as a JPEG. Every function
must run inside `reading()` or `writing()`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apsw
import numpy as np

from imi.store.rows import damaged
from imi.store.store import Store

COLUMNS = "row, digest, thumbnail, checksum"
MADE_BY = "picture_fingerprint"
"""The key in `meta` of who made the vectors of pictures, which may be another part of the model than texts'."""


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture of a row: a JPEG, and the digest of the picture that it was made from."""

    digest: str
    thumbnail: bytes


def put_pictures(store: Store, pictures: Iterable[tuple[int, StoredPicture]]) -> None:
    """Keep pictures beside new rows; they go with their rows."""
    store.connection.executemany(
        f"INSERT INTO pictures ({COLUMNS}) VALUES (?, ?, ?, ?)",
        ((row, kept.digest, kept.thumbnail, _checksum(row, kept)) for row, kept in pictures),
    )


def picture_digests(store: Store, rows: Iterable[int]) -> dict[int, str]:
    """Return the digests of those of the rows that have a picture."""
    return {row: digest for row, digest in _found(store, "row, digest", rows)}


def pictures_of(store: Store, rows: Iterable[int]) -> dict[int, StoredPicture]:
    """Return the pictures of those of the rows that have one.

    Raises:
        Damaged: one does not agree with its checksum.
    """
    return {values[0]: decode_picture(values) for values in _found(store, COLUMNS, rows)}


def has_pictures(store: Store) -> bool:
    """Say whether any row has a picture."""
    return holds_pictures(store) and store.connection.execute("SELECT 1 FROM pictures LIMIT 1").fetchone() is not None


def picture_rows(store: Store) -> list[int]:
    """Return the rows that have a picture, ascending."""
    if not holds_pictures(store):
        return []
    return [row for (row,) in store.connection.execute("SELECT row FROM pictures ORDER BY row")]


def decode_picture(values: tuple[Any, ...]) -> StoredPicture:
    """Return the picture read as COLUMNS, verified.

    Raises:
        Damaged: it does not agree with its checksum.
    """
    row, digest, thumbnail, checksum = values
    kept = StoredPicture(str(digest), thumbnail if isinstance(thumbnail, bytes) else b"")
    if _checksum(row, kept) != checksum:
        raise damaged([row], "picture")
    return kept


def holds_pictures(store: Store) -> bool:
    """Whether the file's format has pictures at all; one of an older imi that is only read has none."""
    return store.connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'pictures'").fetchone() is not None


def _found(store: Store, columns: str, rows: Iterable[int]) -> Iterator[tuple[Any, ...]]:
    wanted = np.fromiter(rows, dtype=np.int64)
    if len(wanted) == 0 or not holds_pictures(store):
        return iter(())
    sql = f"SELECT {columns} FROM pictures WHERE row IN carray(?)"
    return iter(store.connection.execute(sql, (apsw.carray(wanted),)))


def _checksum(row: int, kept: StoredPicture) -> int:
    """Return the CRC-32 of a picture, begun with its row number, so that another row's is noticed."""
    return zlib.crc32(kept.thumbnail, zlib.crc32(kept.digest.encode(), row & 0xFFFFFFFF))
