"""Connections to the SQLite file: opening, pragmas, transactions, and SQLite's errors in imi's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import apsw.sqlite_extra

from imi.errors import CollectionError, Damaged, ImiError, Locked, TooNew, UsageError
from imi.store.rows import damaged_file
from imi.store.schema import APPLICATION_ID, FORMAT, MIGRATIONS, PAGE_SIZE

VFS = "cksmvfs"
WAIT_MS = 10_000
"""How long a second writer waits for the first one before it is told."""


def _checksummed() -> None:
    """Register SQLite's page-checksum layer once a process; apsw's wheels carry it."""
    if VFS in apsw.vfs_names():
        return
    try:
        memory = apsw.Connection(":memory:")
        apsw.sqlite_extra.load(memory, "cksumvfs")
        memory.close()
    except Exception as missing:
        raise CollectionError(
            f"this build of apsw ({apsw.apsw_version()}) has no page checksums (cksumvfs)",
            hint="pip install --force-reinstall --only-binary=:all: apsw",
        ) from missing


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into imi's, naming the file and what to do."""
    try:
        yield
    except ImiError:
        raise
    except apsw.BusyError as busy:
        raise Locked(
            f"{path.parent} is being written by another process or thread, and stayed so for {WAIT_MS // 1000} s",
            hint="wait for the other `imi add` to end, or stop it; reading goes on meanwhile",
        ) from busy
    except apsw.NotADBError as no_database:
        raise Damaged(
            f"{path} is not a collection of imi, or its first page is damaged: {no_database}",
            hint=f"imi verify {path.parent}, or restore a backup",
        ) from no_database
    except apsw.CorruptError as corrupt:
        raise damaged_file(path, str(corrupt)) from corrupt
    except apsw.FullError as full:
        raise CollectionError(
            f"no room left while writing {path}; what was acknowledged before is safe",
            hint="free disk space and run the same command again: it goes on where it stopped",
        ) from full
    except apsw.ReadOnlyError as read_only:
        raise CollectionError(
            f"{path} cannot be written: {read_only}", hint="check the permissions of the folder"
        ) from read_only
    except apsw.CantOpenError as cannot:
        raise CollectionError(
            f"{path} cannot be opened: {cannot}", hint="check the path and the permissions of its folder"
        ) from cannot
    except apsw.NoMemError as memory:
        raise CollectionError(f"out of memory while reading {path}", hint="free memory, then run it again") from memory
    except apsw.SQLError as wrong:
        # What FTS5 says of its own table when another page stands in the place of one of its.
        if "fts5 file format" not in str(wrong):
            raise
        raise damaged_file(path, str(wrong)) from wrong
    except apsw.IOError as fault:
        # The checksum layer reports a page that does not agree as an I/O error of the DATA kind.
        if getattr(fault, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA:
            raise Damaged(
                f"a page of {path} does not agree with its checksum",
                hint=f"imi verify {path.parent}, then imi repair {path.parent}",
            ) from fault
        raise CollectionError(f"reading or writing {path} failed: {fault}", hint="check the disk") from fault


def connect(path: Path, *, write: bool, durable: bool = True, vfs: str = VFS) -> apsw.Connection:
    """Open the SQLite file, which must exist, with this project's pragmas.

    Args:
        path: the file.
        write: whether this connection may write.
        durable: `synchronous=FULL`; False is NORMAL, which may lose the last commits at a power cut (never at a crash).
        vfs: SQLite's file layer; tests put one that loses power here.

    Raises:
        CollectionError: cannot be opened; TooNew: its format is of a later imi; Damaged: no SQLite file.
    """
    _checksummed()
    with translated(path):
        flags = apsw.SQLITE_OPEN_READWRITE if write else apsw.SQLITE_OPEN_READONLY
        try:
            connection = apsw.Connection(str(path), flags=flags, vfs=vfs)
        except apsw.CantOpenError:
            if path.exists() and write:
                raise CollectionError(
                    f"{path} cannot be written", hint='check the permissions, or open with mode="r"'
                ) from None
            raise
        connection.set_busy_timeout(WAIT_MS)
        if vfs != VFS:
            # Another file layer has no memory to share with other processes: it keeps the file to itself.
            connection.pragma("locking_mode", "EXCLUSIVE")
        _check_format(connection, path)
        if write:
            migrate(connection)
        connection.pragma("synchronous", "FULL" if durable else "NORMAL")
        connection.pragma("cache_size", -65536)
        connection.pragma("temp_store", "MEMORY")
    return connection


def _check_format(connection: apsw.Connection, path: Path) -> None:
    found = connection.pragma("application_id")
    if found != APPLICATION_ID:
        raise UsageError(
            f"{path} is an SQLite file, but no collection of imi", hint="give the folder that `imi add` made"
        )
    version = int(connection.pragma("user_version"))
    if version > FORMAT:
        raise TooNew(
            f"{path} has format {version}, this imi understands up to {FORMAT}", hint="pip install --upgrade imi"
        )


def create(path: Path, *, vfs: str = VFS) -> None:
    """Make an empty file of the newest format; it appears whole or not at all, under a lock of SQLite's own.

    Raises:
        CollectionError: the folder cannot be written.
    """
    _checksummed()
    with translated(path):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE, vfs=vfs)
        try:
            connection.set_busy_timeout(WAIT_MS)
            connection.reserve_bytes("main", 8)
            connection.pragma("page_size", PAGE_SIZE)
            connection.pragma("journal_mode", "WAL")
            migrate(connection)
        finally:
            connection.close()


def migrate(connection: apsw.Connection) -> None:
    """Bring the file to the newest format, one transaction a step; does nothing where it is there already."""
    while int(connection.pragma("user_version")) < FORMAT:
        with transaction(connection):
            version = int(connection.pragma("user_version"))
            if version >= FORMAT:
                return
            connection.execute(MIGRATIONS[version])
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", version + 1)


@contextmanager
def transaction(connection: apsw.Connection, *, write: bool = True) -> Iterator[None]:
    """Run a block in one transaction: a writer takes the lock at once, a reader sees one state throughout."""
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN DEFERRED")
    try:
        yield
    except BaseException:
        if not connection.get_autocommit():
            connection.execute("ROLLBACK")
        raise
    # A reader that met an unreadable page and went on has no transaction any more: SQLite ended it.
    if write or not connection.get_autocommit():
        connection.execute("COMMIT")
