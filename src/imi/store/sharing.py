"""Who else has a collection's file open, asked of the system without waiting for it.

Linux lists all locks in /proc/locks, but holds up who reads that for some ten milliseconds, while it takes none of the
processor: as long as a search. Whether anybody has a lock on one file is answered at once. The file must be opened for
that, and closing it would take away the locks that SQLite has on it in this process; so it is asked only where this
process does not have it open, and nobody here begins to open it meanwhile.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imi.atomic import Identity, identity, lock_holders, open_files
from imi.store.forking import ForkedLock

_FLOCK = "@hhqqi0q"
"""`struct flock` of 64-bit Linux: kind, whence, start, length, process."""

_turn = ForkedLock()
_opening: dict[int, int] = {}
"""How many connections each process is opening; a forked child has another number, and no such threads."""


@contextmanager
def opening() -> Iterator[None]:
    """Open a connection of SQLite in the block, which may take locks on its files."""
    me = os.getpid()
    with _turn:
        _opening[me] = _opening.get(me, 0) + 1
    try:
        yield
    finally:
        with _turn:
            _opening[me] -= 1


def all_have(kept: Identity, but_not: Identity, locked: Path) -> bool:
    """Return whether others hold locks on a file, and each of them has one file open and not another.

    Only what is certain counts: where nothing can be known it is False.
    """

    def so(number: int) -> bool:
        files = open_files(number)
        return kept in files and but_not not in files

    one = _one_holder(locked)
    if one is not None and (one == 0 or (one > 0 and not so(one))):
        return False
    held = lock_holders(locked)
    return bool(held) and all(map(so, held))


def _one_holder(path: Path) -> int | None:
    """Return a process that has a lock on a file: 0 for nobody, -1 for one without a number, None if it is unknown."""
    if sys.platform != "linux" or sys.maxsize < 1 << 32:
        return None
    import fcntl

    with _turn:
        mine = open_files("self")
        if not mine or identity(path) in mine or _opening.get(os.getpid()):
            return None
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0
        except OSError:
            return None
        try:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, number = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, asked))
        except OSError:
            return None
        finally:
            os.close(handle)
    if kind == fcntl.F_UNLCK:
        return 0
    return int(number) or -1
