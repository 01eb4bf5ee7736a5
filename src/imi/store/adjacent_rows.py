"""Rows by their place: pieces of one whole, and lines of one file; must run inside `reading()`."""

from __future__ import annotations

from imi.records import Document
from imi.store.rows import COLUMNS, decode_document
from imi.store.sources import ORIGIN
from imi.store.store import Store


def pieces_between(store: Store, parent: str, start: int, end: int) -> list[Document]:
    """Return the pieces of a whole that touch its characters from start to end, in order, verified."""
    sql = f'SELECT {COLUMNS} FROM documents WHERE parent = ? AND "end" > ? AND start < ? ORDER BY start, "end"'
    return [decode_document(values).document for values in store.connection.execute(sql, (parent, start, end))]


def rows_between(store: Store, source: str, first: int, last: int) -> list[Document]:
    """Return the rows of a file that are whole lines, from line first to last, in order, verified."""
    found = []
    for origin, line in ((ORIGIN, "'$.imi.line'"), (f"{ORIGIN} IS NULL AND source", "'$.line'")):
        sql = (
            f"SELECT {COLUMNS} FROM documents WHERE {origin} = ? AND parent IS NULL "
            f"AND json_extract(metadata, {line}) BETWEEN ? AND ? ORDER BY json_extract(metadata, {line}), row"
        )
        found += [decode_document(values).document for values in store.connection.execute(sql, (source, first, last))]
    return found
