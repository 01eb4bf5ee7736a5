"""SQLite files: the rows of a query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from imi.errors import DataError, Failure, UsageError
from imi.foreign_sqlite import opened
from imi.text.readers.rows import ReadOptions, Row, RowReader


def read_sqlite(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield one document a row of the query or table in `options.sql`, else of the only table there is.

    The file is opened for reading only.

    Raises:
        UsageError: there are several tables and no query, or SQLite does not take it; the message lists them.
        DataError: the file is not an SQLite database.
    """
    with opened(Path(source)) as file:
        names = file.tables()
        tables = ", ".join(names) or "none"
        sql = _query(source, names, options)
        try:
            columns, found = file.table(sql)
        except DataError as wrong:
            raise UsageError(
                f"{source} does not take the query: {wrong.message}", hint=wrong.hint or f"its tables: {tables}"
            ) from wrong
        reader = RowReader(source, columns, options)
        number = 0
        try:
            for number, values in enumerate(found, 1):
                yield reader.row(number, dict(zip(columns, values, strict=True)))
        except DataError as broken:
            yield Failure(source, number + 1, f"SQLite cannot read the rest: {broken.message}")


def _query(source: str, tables: Sequence[str], options: ReadOptions) -> str:
    """Return the query to run: the one given, or all rows of the table given or of the only one there is."""
    given = options.sql
    if given is None and not tables:
        raise DataError(f"{source}: the database holds no tables")
    if given is None and len(tables) != 1:
        listed = ", ".join(tables)
        raise UsageError(f"{source} needs a query; its tables: {listed}", hint='--sql "SELECT id, text FROM …"')
    if given is None:
        options.say(source, None, f"the rows are those of its only table, {tables[0]!r}")
    elif given.strip().strip('"') not in tables:
        return given
    name = (tables[0] if given is None else given.strip().strip('"')).replace('"', '""')
    return f'SELECT * FROM "{name}"'  # noqa: S608  quotes in the name are doubled, and the file is open to be read
