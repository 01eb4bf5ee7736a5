"""Which files were found whole by copies of one process, so that each is checked once and not once by every copy.

Nothing is kept unless `keep` was called: a process of a command's own checks what it reads. A file is known by what the
system says of it, which is something else after any writing, and by the checksums that it agrees with.
"""

from __future__ import annotations

from contextlib import suppress

State = tuple[int, ...]
"""Inode, device, bytes, times of writing and of change, and the checksum of the whole or of the blocks' checksums."""
_MOST = 40
"""So many, the newest, are less than a pipe takes in one step."""
_whole: dict[State, None] | None = None
_news: list[State] = []


def keep() -> None:
    """Remember from now on, in this process and its copies."""
    global _whole
    _whole = {}


def is_whole(file: State) -> bool:
    """Return whether a file was found whole as it is now."""
    return _whole is not None and file in _whole


def note(file: State) -> None:
    """Remember that a file agreed with its checksums."""
    if _whole is not None and file not in _whole:
        _news.append(file)
        _add(file)


def news() -> bytes:
    """Return what this copy found whole since the last time, for `learn` in another."""
    told = _written(_news[-_MOST:])
    _news.clear()
    return told


def known() -> bytes:
    """Return all that is remembered, for `learn` in another."""
    return _written([*(_whole or ())])


def learn(told: bytes) -> None:
    """Remember what another copy found whole."""
    for line in told.splitlines():
        with suppress(ValueError):
            if _whole is not None:
                _add(tuple(map(int, line.split())))


def _add(file: State) -> None:
    if _whole is None:
        return
    _whole.pop(file, None)
    _whole[file] = None
    while len(_whole) > _MOST:
        del _whole[next(iter(_whole))]


def _written(files: list[State]) -> bytes:
    return b"".join(b"%s\n" % " ".join(map(str, file)).encode() for file in files)
