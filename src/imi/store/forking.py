"""A fork waits until no other thread is inside SQLite: in the child, the locks of that thread would stay taken.

Every use of SQLite is a block of `inside`. Who forks keeps others from beginning one, and waits for those that have.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from threading import get_ident
from typing import ClassVar

_PATIENCE = 2.0
"""Seconds that a fork waits: a block may be held for long between two calls, and then the fork is safe as well."""


class Inside:
    """Counts the blocks of each thread, by operations of which each is one step of Python's own lock."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._depths: dict[int, int] = {}
        self._forker: int | None = None
        self._open = threading.Event()
        self._turn = threading.Lock()

    def __enter__(self) -> None:
        me = get_ident()
        depth = self._depths.get(me, 0)
        self._depths[me] = depth + 1
        while self._forker is not None and not depth and self._forker != me:
            self._depths[me] = 0
            self._open.wait(_PATIENCE)
            self._depths[me] = 1

    def __exit__(self, *_: object) -> None:
        me = get_ident()
        left = self._depths[me] - 1
        if left:
            self._depths[me] = left
        else:
            del self._depths[me]

    def before(self) -> None:
        """Let nobody begin, and wait for those who have."""
        self._turn.acquire()
        me = get_ident()
        self._open.clear()
        self._forker = me
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end and any(depth and one != me for one, depth in [*self._depths.items()]):
            time.sleep(0.0005)

    def after_in_parent(self) -> None:
        """Let all go on."""
        self._forker = None
        self._open.set()
        self._turn.release()

    def after_in_child(self) -> None:
        """Begin afresh, with the one thread that there is."""
        me = get_ident()
        depth = self._depths.get(me, 0)
        self._depths = {me: depth} if depth else {}
        self._forker, self._open, self._turn = None, threading.Event(), threading.Lock()


class ForkedLock:
    """A lock that is free in a forked child, whichever thread of the parent held it."""

    _all: ClassVar[weakref.WeakSet[ForkedLock]] = weakref.WeakSet()

    def __init__(self) -> None:
        """Make it free."""
        self._lock = threading.Lock()
        self._all.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        if self._lock.locked():  # not where its holder forked
            self._lock.release()

    @classmethod
    def free_all(cls) -> None:
        """Make all free."""
        for one in [*cls._all]:
            one._lock = threading.Lock()


inside = Inside()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=inside.before, after_in_parent=inside.after_in_parent, after_in_child=inside.after_in_child
    )
    os.register_at_fork(after_in_child=ForkedLock.free_all)
