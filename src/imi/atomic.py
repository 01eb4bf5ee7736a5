"""Files that appear whole, locks between processes, and whether a path still leads to the file that was opened."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from imi.errors import Locked

Identity = tuple[int, int]
"""Device and inode: what a file is, whatever its path says."""
_WAIT_SECONDS = 10.0
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR)


def identity(path: Path) -> Identity | None:
    """Return which file lies at a path; None where there is none."""
    try:
        state = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (state.st_dev, state.st_ino)


def write_whole(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Put bytes into a file, which is replaced as one: a reader sees the old bytes or the new ones.

    Args:
        path: its folder is made when missing.
        data: what the file will hold.
        mode: its permissions.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = sibling(path)
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a name to write a file under that gets its own name, and the rights of what was there, when it is whole."""
    target = Path(os.path.realpath(path))
    beside = sibling(target)
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "No such folder", str(target.parent))
    try:
        yield beside
        if target.exists():
            import shutil

            shutil.copymode(target, beside)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def sibling(path: Path) -> Path:
    """Return a hidden name beside a path that nobody else uses."""
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}.new")


def rename_new(source: Path, target: Path) -> bool:
    """Give a folder its name; False, with nothing changed, where something is there already (an empty folder is not).

    Raises:
        OSError: it cannot be renamed for another reason.
    """
    try:
        os.rename(source, target)
    except OSError as wrong:
        if wrong.errno in _TAKEN or (os.name == "nt" and target.exists()):
            return False
        raise
    sync_folder(target.parent)
    return True


def link_new(source: Path, target: Path) -> bool:
    """Give a file a second name; False, with nothing changed, where something is there already.

    Raises:
        OSError: it cannot be linked for another reason.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    sync_folder(target.parent)
    return True


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to the disk, so that a file just made or renamed survives a power cut."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as wrong:
        # Some network file systems cannot; they write names at once.
        if wrong.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def holders(path: Path, *, writing: bool = False) -> list[str]:
    """Return which other processes hold a lock on a file, as "process 12 (imi serve)"; none where nobody can know.

    Args:
        path: the file.
        writing: only those whose lock keeps others from writing.
    """
    found = lock_holders(path, writing=writing) | lock_holders(path.with_name(f"{path.name}-shm"), writing=writing)
    named = {number: _command(number) for number in found if number not in (os.getpid(), -1)}
    return [f"process {number}{f' ({command})' if command else ''}" for number, command in sorted(named.items())]


def lock_holders(path: Path, *, writing: bool = False) -> set[int]:
    """Return the numbers of the processes that hold a lock on a file; none where nobody can know.

    Args:
        path: the file.
        writing: only those whose lock keeps others from writing.
    """
    place = identity(path)
    found = set[int]()
    try:
        lines = Path("/proc/locks").read_text("ascii").splitlines() if place is not None else []
    except OSError:
        lines = []
    for line in lines:
        # 1: POSIX  ADVISORY  READ 4321 08:01:123456 1073741826 1073742335
        parts = line.replace("->", "").split()
        if len(parts) < 8 or (writing and parts[3] != "WRITE"):
            continue
        # Overlays and subvolumes report another device here than in stat: compare the file number alone.
        if place is not None and int(parts[5].rpartition(":")[2]) == place[1]:
            found.add(int(parts[4]))
    return found


def open_files(number: int | Literal["self"]) -> set[Identity]:
    """Return which files a process, or this one, has open, none where that cannot be seen."""
    found = set[Identity]()
    with suppress(OSError):
        for one in os.scandir(f"/proc/{number}/fd"):
            with suppress(OSError):
                state = os.stat(one.path)
                found.add((state.st_dev, state.st_ino))
    return found


def _command(number: int) -> str:
    """Return the command of a process, without what its arguments may hold."""
    try:
        words = Path(f"/proc/{number}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    shown = [Path(word).name for word in words if word and not word.startswith("-")][:3]
    return " ".join("".join(one if one.isprintable() else "?" for one in word) for word in shown)[:80]


@contextmanager
def locked(path: Path, *, wait: float = _WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of a file that is read, changed and replaced; others wait.

    The lock is a separate file next to it, which stays: the file itself is replaced, and with it a lock on it.

    Raises:
        Locked: somebody else held it all the time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        end = time.monotonic() + wait
        while not _try(handle):
            if time.monotonic() > end:
                raise Locked(
                    f"{path} is being changed by another process, and stayed so for {wait:g} s",
                    hint="wait for it to end, then run the same command again",
                )
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)  # and with it the lock


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let nobody else who asks by this put names into a folder until the block ends; they wait."""
    if sys.platform == "win32":  # no folder can be locked there
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems know no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _try(handle: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        with suppress(OSError):
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            return True
        return False
    import fcntl

    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
