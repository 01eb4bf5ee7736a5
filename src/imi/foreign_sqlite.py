"""SQLite files of others, opened so that nothing in them runs: no views, triggers, virtual tables or extensions."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from imi.errors import DataError

SECONDS = 30.0
"""How long a query may look for its next row before it counts as one without an end."""
_STEPS = 20_000
_LONGEST = 1 << 28
"""Bytes of one value; a text of 256 MB is not worth a row."""
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)


class ForeignFile:
    """One SQLite file, for reading alone; texts that are not UTF-8 come with surrogates in them."""

    def __init__(self, path: Path, connection: sqlite3.Connection, seconds: float) -> None:
        self.path = path
        self._connection = connection
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        connection.set_progress_handler(self._is_late, _STEPS)
        sql = "SELECT name FROM sqlite_master WHERE type = 'view' OR sql LIKE 'CREATE VIRTUAL%'"
        self._run_by_reading = frozenset(str(name).lower() for (name,) in connection.execute(sql))
        connection.set_authorizer(self._may)

    def _is_late(self) -> bool:
        return time.monotonic() > self._end

    def _may(self, action: int, first: str | None, second: str | None, *_: Any) -> int:
        """Let a query read plain tables; nothing is attached, loaded, set or written."""
        fine = action in _ALLOWED and not (action == sqlite3.SQLITE_READ and str(first).lower() in self._run_by_reading)
        return sqlite3.SQLITE_OK if fine and second != "load_extension" else sqlite3.SQLITE_DENY

    def tables(self) -> list[str]:
        """Return the plain tables, sorted."""
        sql = (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
        )
        return [str(name) for (name,) in self._each(self._execute(sql, ()))]

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of one query.

        Raises:
            DataError: SQLite does not take it, it would run what the file says, or it does not come to a next row.
        """
        yield from self._each(self._run(sql, values))

    def table(self, sql: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
        """Return the names of the columns of a query, and its rows; see `rows`."""
        cursor = self._run(sql, ())
        return [str(column[0]) for column in cursor.description or ()], self._each(cursor)

    def _run(self, sql: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        named = self._run_by_reading & set(re.findall(r"\w+", sql.lower()))
        if named:
            raise self._not_run(f"{min(named)!r} is one")
        return self._execute(sql, values)

    def _execute(self, sql: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        self._end = time.monotonic() + self._seconds
        with self._translated():
            return self._connection.execute(sql, values)

    def _each(self, cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
        while True:
            self._end = time.monotonic() + self._seconds
            with self._translated():
                row = cursor.fetchone()
            if row is None:
                return
            yield row

    def _not_run(self, why: str) -> DataError:
        return DataError(
            f"{self.path} is another's file: its views, triggers and virtual tables are not run ({why})",
            hint="read its plain tables, or export what the view shows to a CSV file",
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as wrong:
            if wrong.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise DataError(
                    f"{self.path}: a query came to no next row in {self._seconds:g} s and was stopped"
                ) from wrong
            if wrong.sqlite_errorcode == sqlite3.SQLITE_AUTH:
                raise self._not_run(str(wrong)) from wrong
            raise DataError(f"{self.path} cannot be read as an SQLite file: {wrong}") from wrong
        except (sqlite3.Warning, OverflowError) as wrong:
            raise DataError(f"{self.path} cannot be read as an SQLite file: {wrong}") from wrong


@contextmanager
def opened(path: Path, seconds: float = SECONDS) -> Iterator[ForeignFile]:
    """Open a file for reading.

    Args:
        path: the file.
        seconds: how long a query may look for its next row.

    Raises:
        DataError: it is not there, or no SQLite file.
    """
    place = path.absolute().as_uri()
    try:
        try:
            connection = _connected(f"{place}?mode=ro")
        except sqlite3.OperationalError:
            # A place where the files beside it cannot be made.
            if not path.is_file():
                raise
            connection = _connected(f"{place}?immutable=1")
        with closing(connection):
            yield ForeignFile(path, connection, seconds)
    except sqlite3.Error as wrong:
        raise DataError(f"{path} is not an SQLite database that can be read: {wrong}") from wrong


def _connected(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(name, uri=True, timeout=5.0, check_same_thread=False)
    try:
        module: Any = sqlite3
        if hasattr(connection, "setconfig"):  # from Python 3.12
            for setting, value in (("DEFENSIVE", True), ("ENABLE_TRIGGER", False), ("ENABLE_VIEW", False)):
                connection.setconfig(getattr(module, f"SQLITE_DBCONFIG_{setting}"), value)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON", "mmap_size = 0"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
