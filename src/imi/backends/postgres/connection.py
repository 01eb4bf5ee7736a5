"""Connections to PostgreSQL: one a thread, made again where one was lost, and errors that say what to do.

A transaction that was cut off is sent again: what imi writes in one can be written twice without harm, because rows
are replaced by id.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, TypeVar

import psycopg

from imi.backends.address import Address
from imi.errors import CollectionError, DataError, EndpointError, ImiError, UsageError

Result = TypeVar("Result")
PATIENCE = 20
"""Seconds that a lost server is waited for, by default: as long as a crash recovery may take."""
_LOST = frozenset({"", "08000", "08001", "08003", "08004", "08006", "53300", "57P01", "57P02", "57P03"})
"""SQLSTATEs of a connection that has ended or cannot be made yet: the last are shutdown, crash and recovery."""
_RACES = frozenset({"23505", "40001", "40P01", "42P07", "42710"})
"""What a writer gets that came at the same moment as another: the next attempt sees the other's work."""
SETTINGS: Mapping[str, str] = {"enable_seqscan": "on"}
"""What everything but the climbing of a ladder is done under."""


class Connections:
    """One server's connections, one for each thread that asks."""

    def __init__(self, address: Address) -> None:
        """Set up; nothing is connected yet."""
        self._address = address
        self._patience = address.number("patience", PATIENCE)
        self._local = threading.local()
        self._open: list[Any] = []
        self._met = False

    def close(self) -> None:
        """Close all connections."""
        for connection in self._open:
            connection.close()
        self._open.clear()
        self._local = threading.local()

    def run(
        self, work: Callable[[Any], Result], *, write: bool = False, settings: Mapping[str, str] = SETTINGS
    ) -> Result:
        """Do something on a connection, again while the server is lost, and return its result.

        Args:
            work: takes a connection; it may be called several times.
            write: does it inside a transaction; what only reads is one statement, which sees one state by itself.
            settings: of the server under which it is done.

        Raises:
            EndpointError: the server did not come back in time.
            CollectionError, DataError, UsageError: it refused, in its own words.
        """
        stop, pause = time.monotonic() + self._patience, 0.05
        while True:
            try:
                connection = self._connection()
                self._set(connection, settings)
                with connection.transaction() if write else nullcontext():
                    return work(connection)
            except psycopg.Error as failed:
                lost = isinstance(failed, psycopg.InterfaceError) or _number(failed) in _LOST
                if lost:
                    self._drop()
                elif _number(failed) not in _RACES:
                    raise self._refused(failed) from None
                if not self._met or time.monotonic() + pause > stop or _hopeless(failed):
                    raise self._gone(failed, lost) from None
                time.sleep(pause)
                pause = min(2 * pause, 1.0)

    def _set(self, connection: Any, settings: Mapping[str, str]) -> None:
        """Change the settings that differ from those that this connection has; most calls change none."""
        current: dict[str, str] = self._local.settings
        other = {name: value for name, value in settings.items() if current.get(name) != value}
        for name, value in other.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        current.update(other)

    def _connection(self) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = psycopg.connect(
                self._address.url, autocommit=True, application_name="imi", connect_timeout=max(2, self._patience)
            )
            self._local.connection, self._local.settings = connection, {}
            self._open.append(connection)
            self._met = True
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._open.remove(connection)
        self._local.connection = None

    def _gone(self, error: Exception, lost: bool) -> ImiError:
        said = self._address.scrub(error)
        if not lost:
            return CollectionError(f"{self._address.shown}: {said}", hint="another writer is at the same rows: again")
        return EndpointError(
            f"{self._address.shown} cannot be reached: {said}",
            hint="start the server and run the same again: what was committed is there, and is not written twice",
        )

    def _refused(self, error: Exception) -> ImiError:
        said = self._address.scrub(error)
        errors = psycopg.errors
        if isinstance(error, errors.InsufficientPrivilege):
            return CollectionError(f"{self._address.shown}: {said}", hint="connect as a role that may do this")
        if isinstance(error, errors.FeatureNotSupported) and "extension" in said:
            return UsageError(f"{self._address.shown} has no pgvector: {said}", hint="install pgvector 0.8 there")
        if isinstance(error, psycopg.DataError | errors.ProgramLimitExceeded):
            return DataError(f"{self._address.shown} does not take this: {said}")
        return CollectionError(f"{self._address.shown}: {said}", hint="the server's log says more")


def _number(error: psycopg.Error) -> str:
    """Return PostgreSQL's number of an error; "" where the connection broke before one came."""
    found: str | None = error.sqlstate
    if found is None and isinstance(error, psycopg.OperationalError):
        return ""
    return found or "none"


def _hopeless(error: Exception) -> bool:
    """Say whether waiting cannot help: the server is there and does not let us in."""
    said = str(error)
    return "FATAL" in said and any(word in said for word in ("password", "authentication", "does not exist", "pg_hba"))
