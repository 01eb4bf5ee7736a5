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
    # Texts in another encoding cost their row, not the file.
    database.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
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
        number = 0
        try:
            for number, values in enumerate(cursor, 1):
                binary = [name for name, value in zip(columns, values, strict=True) if isinstance(value, bytes)]
                for name in binary:
                    options.say(source, None, f"the column {name!r} holds binary values, which are left out")
                yield reader.row(number, dict(zip(columns, values, strict=True)) | dict.fromkeys(binary))
        except sqlite3.Error as broken:
            yield Failure(source, number + 1, f"SQLite cannot read the rest: {broken}")
    finally:
        database.close()
