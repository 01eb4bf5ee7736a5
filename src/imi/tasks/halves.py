"""Work that Python does on many items, half of it in a copy of the process: threads would wait for each other."""

from __future__ import annotations

import gc
import os
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_halves(work: Callable[[T], R], items: Sequence[T], threads: int, weight: Callable[[T], float]) -> list[R]:
    """Return what a function makes of each item, in their order; all is done here where a copy could not be trusted.

    Args:
        work: writes nothing and uses no threads; what it returns is sent as a pickle.
        items: what there is to do.
        threads: how many the caller may use.
        weight: how long an item takes, in any unit, so that both have as much to do.
    """
    if threads < 2 or len(items) < 2 or not _may_fork():
        return [work(item) for item in items]
    mine, theirs = _shared([weight(item) for item in items])
    reading, writing = os.pipe()
    with warnings.catch_warnings():  # later Pythons count the threads of numpy's library too, which sees to forks
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        os.close(reading)  # or it would wait for itself to read, where this process stops doing so
        _tell(writing, work, [items[at] for at in theirs])
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as told:
            done = {at: work(items[at]) for at in mine}
            sent = told.read()
    finally:
        _, status = os.waitpid(child, 0)
    # Where the copy failed or was killed, it is done here, or fails here.
    other = pickle.loads(sent) if status == 0 else [work(items[at]) for at in theirs]  # noqa: S301 — from this very code
    done.update(zip(theirs, other, strict=True))
    return [done[at] for at in range(len(items))]


def _shared(weights: Sequence[float]) -> tuple[list[int], list[int]]:
    """Return the places of items for two to work on, each given to who has less to do, the heaviest first."""
    mine, theirs = list[int](), list[int]()
    ahead = 0.0
    for at in sorted(range(len(weights)), key=lambda at: -weights[at]):
        if ahead > 0:
            theirs.append(at)
            ahead -= weights[at]
        else:
            mine.append(at)
            ahead += weights[at]
    return mine, theirs


def _may_fork() -> bool:
    """Whether a copy is safe: on Linux, without other threads, whose locks it would have for ever."""
    return sys.platform == "linux" and threading.active_count() == 1


def _tell(writing: int, work: Callable[[T], R], items: Sequence[T]) -> NoReturn:
    gc.disable()  # nothing that is made here is in a circle, and soon all of it is gone
    code = 1
    with suppress(BaseException):
        with os.fdopen(writing, "wb") as out:
            out.write(pickle.dumps([work(item) for item in items], pickle.HIGHEST_PROTOCOL))
        code = 0
    os._exit(code)
