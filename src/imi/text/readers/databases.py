"""SQLite files: the rows of a query."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from imi.errors import DataError, Failure, UsageError
from imi.foreign_sqlite import opened
from imi.text.readers.rows import ReadOptions, Row, RowReader


def read_sqlite(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield one document a row of the query in `options.sql`; the file is opened for reading only.

    Raises:
        UsageError: no query was given, or SQLite does not take it; the message lists the tables.
        DataError: the file is no SQLite database.
    """
    with opened(Path(source)) as file:
        tables = ", ".join(file.tables()) or "none"
        if options.sql is None:
            raise UsageError(f"{source} needs a query; its tables: {tables}", hint='--sql "SELECT id, text FROM …"')
        try:
            columns, found = file.table(options.sql)
        except DataError as wrong:
            raise UsageError(
                f"{source} does not take the query: {wrong.message}", hint=wrong.hint or f"its tables: {tables}"
            ) from wrong
        reader = RowReader(source, columns, options)
        number = 0
        try:
            for number, values in enumerate(found, 1):
                binary = [name for name, value in zip(columns, values, strict=True) if isinstance(value, bytes)]
                for name in binary:
                    options.say(source, None, f"the column {name!r} holds binary values, which are left out")
                yield reader.row(number, dict(zip(columns, values, strict=True)) | dict.fromkeys(binary))
        except DataError as broken:
            yield Failure(source, number + 1, f"SQLite cannot read the rest: {broken.message}")
