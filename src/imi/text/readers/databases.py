"""SQLite files: the rows of a query."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from imi.errors import DataError, Failure, UsageError
from imi.text.readers.rows import ReadOptions, Row, RowReader


def read_sqlite(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield one document a row of the query in `options.sql`; the file is opened for reading only.

    Raises:
        UsageError: no query was given, or SQLite does not take it; the message lists the tables.
        DataError: the file is no SQLite database.
    """
    database = sqlite3.connect(f"{Path(source).resolve().as_uri()}?mode=ro", uri=True)
    try:
        try:
            found = database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
            tables = ", ".join(name for (name,) in found) or "none"
        except sqlite3.DatabaseError as broken:
            raise DataError(f"{source} is no SQLite database: {broken}") from broken
        if options.sql is None:
            raise UsageError(f"{source} needs a query; its tables: {tables}", hint='--sql "SELECT id, text FROM …"')
        try:
            cursor = database.execute(options.sql)
        except sqlite3.Error as wrong:
            raise UsageError(f"{source} does not take the query: {wrong}", hint=f"its tables: {tables}") from wrong
        columns = [column[0] for column in cursor.description or ()]
        reader = RowReader(source, columns, options)
        for number, values in enumerate(cursor, 1):
            plain = {
                name: None if isinstance(value, bytes) else value for name, value in zip(columns, values, strict=True)
            }
            yield reader.row(number, plain)
    finally:
        database.close()
