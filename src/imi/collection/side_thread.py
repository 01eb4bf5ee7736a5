"""A thread beside the searching one, so that two native searches of one question run at the same time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from imi.store.forking import ForkedLock

T = TypeVar("T")


class _Job(Generic[T]):
    """A call that is made once: by the thread, or, where that has not begun it yet, by who waits for its result."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._begun, self._ended = threading.Lock(), threading.Lock()
        self._ended.acquire()
        self._found: list[T] = []
        self._failed: BaseException | None = None

    def run(self) -> None:
        """Make the call, where nobody has begun it."""
        if not self._begun.acquire(blocking=False):
            return
        try:
            self._found.append(self._call())
        except BaseException as failed:  # it is raised where the result is asked for
            self._failed = failed
        finally:
            self._ended.release()

    def result(self) -> T:
        """Return what the call returns, or raise what it raises."""
        self.run()
        self._ended.acquire()
        if self._failed is not None:
            raise self._failed
        return self._found[0]


class SideThread:
    """Runs one call at a time beside the callers; who asks while it is busy makes the call without it."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._pid = 0
        self._starting = ForkedLock()

    def begin(self, call: Callable[[], T]) -> Callable[[], T]:
        """Begin a call in the thread where it is idle; return what gives its result, and makes it where need be."""
        with self._starting:
            if self._pid != os.getpid():
                try:
                    self._start()
                except RuntimeError:  # no more threads are to be had, or the interpreter is ending
                    return call
        if not self._idle.acquire(blocking=False):
            return call
        job = _Job(call)
        self._jobs.put(job)
        return job.result

    def _start(self) -> None:
        self._idle, self._jobs = threading.Lock(), SimpleQueue[_Job[Any]]()
        threading.Thread(target=self._work, args=(self._idle, self._jobs), name="imi search", daemon=True).start()
        self._pid = os.getpid()

    @staticmethod
    def _work(idle: threading.Lock, jobs: SimpleQueue[_Job[Any]]) -> None:
        while True:
            jobs.get().run()
            idle.release()


side_thread = SideThread()
