"""Connections to the SQLite file: opening, pragmas, transactions, and SQLite's errors in imi's words."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from imi.atomic import Identity, holders, identity
from imi.errors import CollectionError, Damaged, ImiError, Locked, TooNew, UsageError
from imi.store.filters import AS_DATE
from imi.store.rows import damaged_file
from imi.store.schema import APPLICATION_ID, FORMAT, MIGRATIONS, PAGE_SIZE
from imi.store.schema_check import check_schema, defend
from imi.store.sharing import all_have, opening

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

VFS = "cksmvfs"
WAIT_MS = 10_000
"""How long a second writer waits for the first one before it fails."""
ALONE_SECONDS = 5.0
"""How long who must be alone waits for others to close the file."""
_REPLACED = 5
_REPLACING_SECONDS = 0.02
_SHARED = 1 << 16
Frozen = tuple[int, int, int]


def _checksummed() -> None:
    """Register SQLite's page-checksum layer once a process; apsw's wheels carry it."""
    if VFS in apsw.vfs_names():
        return
    try:
        memory = apsw.Connection(":memory:")
        _load_checksums(memory)
        memory.close()
    except Exception as missing:
        raise CollectionError(
            f"this build of apsw ({apsw.apsw_version()}) has no page checksums (cksumvfs)",
            hint="pip install --force-reinstall --only-binary=:all: apsw",
        ) from missing


def _load_checksums(memory: apsw.Connection) -> None:
    """Load the layer from where wheels have it, else by apsw's own module, which takes longer than a search to ask."""
    suffix = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    path = Path(apsw.__file__).parent / "sqlite_extra_binaries" / f"cksumvfs{suffix}"
    if not path.is_file():
        from apsw.sqlite_extra import load

        load(memory, "cksumvfs")
        return
    memory.config(apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1)
    memory.load_extension(str(path))


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into imi's, naming the file and what to do."""
    try:
        yield
    except ImiError:
        raise
    except apsw.BusyError as busy:
        who = ", ".join(holders(path, writing=True)) or "another process or thread"
        raise Locked(
            f"{path.parent} is being written by {who}, and stayed so for {WAIT_MS // 1000} s",
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
        raise _no_room(path) from full
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
        if _is_full(path):
            raise _no_room(path) from fault
        raise CollectionError(f"reading or writing {path} failed: {fault}", hint="check the disk") from fault


def _no_room(path: Path) -> CollectionError:
    return CollectionError(
        f"no room left while writing {path}; what was acknowledged before is safe",
        hint="free disk space and run the same command again: it goes on where it stopped",
    )


def _is_full(path: Path) -> bool:
    """Whether the disk has not even the room of the file that readers and writers of one collection share."""
    with suppress(OSError):
        from shutil import disk_usage

        return disk_usage(path.parent).free < _SHARED
    return False


@dataclass(frozen=True)
class Opened:
    """One connection, and what it was opened on: which file, and where it is read as it lies there, in which state.

    `copy` holds a copy that is read instead, for as long as the connection lives. `log` is the file beside it that
    holds its last transactions.
    """

    connection: apsw.Connection
    identity: Identity | None
    frozen: Frozen | None = None
    copy: TemporaryDirectory[str] | None = None
    log: Identity | None = None

    def is_at(self, path: Path) -> bool:
        """Whether the path still stands for the file, and that for what was read of it."""
        return identity(path) == self.identity and (self.frozen is None or _frozen(path) == self.frozen)

    def close(self, path: Path) -> None:
        """Close the connection to what was at a path, and delete the copy where there is one."""
        moved = self.log is not None and identity(path) != self.identity
        if moved:
            # While it is open: the numbers of files that were deleted are given to new ones once they are closed, and
            # the log of what took the place would be taken for this one's.
            state = _state(self.identity)
            _leave_log(path, self.log, None if state is None else _kept_log(path, state))
        self.connection.close()
        if self.copy is not None:
            self.copy.cleanup()


def _state(file: Identity | None) -> os.stat_result | None:
    """Return the state of a file that this process has open, wherever it lies now; None where that cannot be seen."""
    with suppress(OSError):
        for name in os.listdir("/dev/fd"):
            with suppress(OSError):
                state = os.fstat(int(name))
                if (state.st_dev, state.st_ino) == file:
                    return state
    return None


def _kept_log(path: Path, state: os.stat_result) -> Path:
    """Return the name of a log that belongs to a file in just this state."""
    return path.with_name(f"{path.name}-wal.{state.st_ino}-{state.st_mtime_ns}-{state.st_size}")


def _take_log_back(path: Path) -> None:
    """Give a file that was moved away, and is back as it was, the log that was put aside meanwhile."""
    with suppress(OSError):
        kept = _kept_log(path, os.stat(path))
        if kept.exists():
            os.link(kept, path.with_name(f"{path.name}-wal"))  # refuses where there is a log
            kept.unlink()


def _leave_log(path: Path, log: Identity | None, name: Path | None = None) -> None:
    """Take the log of a file whose place another has taken out of its way: SQLite would read it as the other's own.

    It stays under another name, for who moved the file that it belongs to.
    """
    here = path.with_name(f"{path.name}-wal")
    with suppress(OSError):  # where nothing can be written, nothing can be put out of the way
        if log is None or identity(here) != log:
            return
        if os.stat(here).st_size:
            os.replace(here, _unused(name or path.with_name(f"{path.name}-wal.replaced")))
        else:
            here.unlink()
        path.with_name(f"{path.name}-shm").unlink()


def _unused(path: Path) -> Path:
    """Return the name, or the next one with a number: an earlier log may lie there, with the only copy of rows."""
    numbers = (path.with_name(f"{path.name}.{number}") for number in count(2))
    return next(one for one in chain([path], numbers) if not one.exists())


def _leave_log_of_others(path: Path) -> None:
    """Do so as well where it is in use by others who have another file open than the one that is here."""
    file, log = identity(path), identity(path.with_name(f"{path.name}-wal"))
    if file is None or log is None:
        return
    if all_have(log, file, path.with_name(f"{path.name}-shm")):
        _leave_log(path, log)


def connect(path: Path, *, write: bool, durable: bool = True, vfs: str = VFS) -> Opened:
    """Open the SQLite file, which must exist, with this project's pragmas.

    A place where nothing can be written, such as a CD or another user's folder, is read as it lies there.

    Args:
        path: the file.
        write: whether this connection may write.
        durable: `synchronous=FULL`; False is NORMAL, which may lose the last commits at a power cut (never at a crash).
        vfs: SQLite's file layer; tests put one that loses power here.

    Raises:
        CollectionError: cannot be opened; TooNew: its format is of a later imi; Damaged: no SQLite file, or another
            schema than imi makes.
    """
    _checksummed()
    with translated(path):
        for left in reversed(range(_REPLACED)):
            before = identity(path)
            try:
                if vfs == VFS:
                    _leave_log_of_others(path)
                    _take_log_back(path)
                with opening():
                    connection = _configured(str(path), path, write=write, durable=durable, vfs=vfs)
                opened = Opened(connection, before, log=identity(path.with_name(f"{path.name}-wal")))
            except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.IOError) as refused:
                # A full disk is, for who reads, as a place where nothing can be written.
                if isinstance(refused, apsw.IOError) and (write or not _is_full(path)):
                    raise
                now = identity(path)  # looked at once: it may appear between two looks
                if vfs == VFS and left and _is_being_replaced(path, before, now, write=write):
                    time.sleep(_REPLACING_SECONDS)
                    continue
                if now is not None and write:
                    raise CollectionError(
                        f"{path} cannot be written", hint='check the permissions, or open with mode="r"'
                    ) from None
                if now is None or vfs != VFS:
                    raise
                opened = _as_it_lies(path, before)
            if vfs != VFS or identity(path) == before:
                return opened
            opened.close(path)  # it was replaced between the two looks at it
    raise CollectionError(f"{path} is being replaced again and again", hint="wait until whoever does it is done")


def _is_being_replaced(path: Path, before: Identity | None, now: Identity | None, *, write: bool) -> bool:
    """Whether a file was refused because another takes its place: it is another by now, or nothing forbids to write."""
    if now != before:
        return True
    return write and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _configured(
    name: str, path: Path, *, write: bool, durable: bool = True, vfs: str = VFS, exclusive: bool = False
) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READWRITE if write else apsw.SQLITE_OPEN_READONLY
    connection = apsw.Connection(name, flags=flags | apsw.SQLITE_OPEN_URI, vfs=vfs)
    try:
        connection.set_busy_timeout(WAIT_MS)
        if vfs != VFS or exclusive:
            # Another file layer has no memory to share with other processes: it keeps the file to itself.
            connection.pragma("locking_mode", "EXCLUSIVE")
        defend(connection)
        _add_functions(connection)
        _check_format(connection, path)
        check_schema(connection, path)
        if write:
            migrate(connection)
            if not exclusive and connection.pragma("journal_mode") != "wal":
                connection.pragma("journal_mode", "WAL")  # a repair that was cut off left it without
        connection.pragma("synchronous", "FULL" if durable else "NORMAL")
        connection.pragma("cache_size", -65536)
        connection.pragma("temp_store", "MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def _as_it_lies(path: Path, before: Identity | None) -> Opened:
    """Open a file in a place where SQLite cannot make the files beside it that it reads a database with."""
    frozen = _frozen(path)
    if not frozen[2]:
        return Opened(_configured(f"{path.as_uri()}?immutable=1", path, write=False), before, frozen)
    # Its last transactions stand beside it and can only be read where they can be put in order.
    from shutil import copyfile
    from tempfile import TemporaryDirectory

    copy = TemporaryDirectory(prefix="imi-")
    try:
        for one in (path, path.with_name(f"{path.name}-wal")):
            copyfile(one, Path(copy.name) / one.name)
        connection = _configured(str(Path(copy.name) / path.name), path, write=True)
    except BaseException:
        copy.cleanup()
        raise
    return Opened(connection, before, frozen, copy)


def _frozen(path: Path) -> Frozen:
    """Return the time and size of a file, and the bytes of transactions beside it."""
    state = os.stat(path)
    try:
        beside = os.stat(path.with_name(f"{path.name}-wal")).st_size
    except FileNotFoundError:
        beside = 0
    return (state.st_mtime_ns, state.st_size, beside)


@contextmanager
def alone(path: Path, wait: float | None = None) -> Iterator[apsw.Connection]:
    """Hold a file so that nobody else can have it open, with everything in the one file, until the block ends.

    Raises:
        Locked: others have it open, and still had after `wait` seconds; it says who, where that can be known.
    """
    _checksummed()
    wait = ALONE_SECONDS if wait is None else wait
    end = time.monotonic() + wait
    with translated(path):
        while True:
            before = identity(path)
            try:
                with opening():
                    connection = _configured(str(path), path, write=True, exclusive=True)
                connection.set_busy_timeout(100)
                break
            except apsw.BusyError:
                pass
            if time.monotonic() > end:
                raise _held(path)
            time.sleep(0.05)
        try:
            while connection.pragma("journal_mode", "DELETE") != "delete":
                if time.monotonic() > end:
                    raise _held(path)
                time.sleep(0.05)
            connection.execute("BEGIN EXCLUSIVE")
            yield connection
        except apsw.BusyError:
            raise _held(path) from None
        finally:
            if not connection.get_autocommit():
                connection.execute("ROLLBACK")
            with suppress(apsw.Error):
                # Once another file has its place, what is written beside it is that one's.
                if identity(path) == before:
                    connection.pragma("journal_mode", "WAL")
            connection.close()


def _held(path: Path) -> Locked:
    who = ", ".join(holders(path)) or "another process, or another handle of this one,"
    return Locked(
        f"{path.parent} is in use: {who} has it open", hint="close or stop it, then run the same command again"
    )


def _add_functions(connection: apsw.Connection) -> None:
    """Let filters ask which date a text says."""
    connection.create_scalar_function(AS_DATE, _date_of, 1, deterministic=True)


def _date_of(*given: Any) -> str | None:
    from imi.values import as_date

    (text,) = given
    found = as_date(text) if isinstance(text, str) else None
    return None if found is None else found[0]


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
    with translated(path), opening():
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
def transaction(connection: apsw.Connection, *, write: bool = True, begun: bool = False) -> Iterator[None]:
    """Run a block in one transaction: a writer takes the lock at once, a reader sees one state throughout.

    Args:
        connection: whose.
        write: whether the block writes.
        begun: whether it has begun already.
    """
    if not begun:
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
