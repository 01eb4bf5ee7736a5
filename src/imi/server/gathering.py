"""Searches that wait together are answered together, on one thread.

A search is many short calls of SQLite and numpy, each of which gives the interpreter away. Two threads that search,
and an event loop that is woken for every answer, spend more time waiting for the interpreter than searching. So one
thread answers all that wait, one after another, and wakes the loop once for all of them. Each is answered by the same
call as alone, so the answers are the same.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

Result = TypeVar("Result")
Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]
Answer = tuple["asyncio.Future[Any]", Any, "BaseException | None"]

HOLD_SECONDS = 0.006
"""The longest that an answer waits for those after it."""
PATIENCE_SECONDS = 0.05
"""After so long behind a slow search, the others are answered on another thread."""


class Gatherer:
    """Runs short calls on a pool, many in one turn; used on the event loop's thread."""

    def __init__(self, pool: Executor, turns: int) -> None:
        """Set up.

        Args:
            pool: where the calls run.
            turns: threads that may answer at once; all but one wait until a call is slow.
        """
        self._pool = pool
        self._turns = turns
        self._waiting: deque[Job] = deque()
        self._running = 0
        self._planned = False

    async def run(self, call: Callable[[], Result]) -> Result:
        """Return what the call returns, or raise what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((call, future))
        if self._running == 0 and not self._planned:
            self._planned = True
            # Requests that are ready now are read before this, and join the turn.
            loop.call_soon(self._begin)
        elif 0 < self._running < self._turns:
            loop.call_later(PATIENCE_SECONDS, self._relieve, future)
        return await future

    def _begin(self) -> None:
        self._planned = False
        self._running += 1
        asyncio.get_running_loop().run_in_executor(self._pool, self._turn, asyncio.get_running_loop())

    def _relieve(self, future: asyncio.Future[Any]) -> None:
        """Begin another turn for a call that is still waiting."""
        if self._running < self._turns and any(waits is future for _, waits in self._waiting):
            self._begin()

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer until nothing waits; runs on a thread of the pool."""
        answers: list[Answer] = []
        since = time.perf_counter()
        while True:
            try:
                # Taking one out of a deque is one step for all threads.
                call, future = self._waiting.popleft()
            except IndexError:
                break
            if future.cancelled():
                continue  # its client has gone
            try:
                answers.append((future, call(), None))
            except BaseException as error:
                answers.append((future, None, error))
            if time.perf_counter() - since > HOLD_SECONDS:
                loop.call_soon_threadsafe(_settle, answers)
                answers, since = [], time.perf_counter()
        loop.call_soon_threadsafe(self._end, answers)

    def _end(self, answers: list[Answer]) -> None:
        self._running -= 1
        _settle(answers)
        if self._waiting and self._running == 0 and not self._planned:
            self._begin()  # what came between the last look and now


def _settle(answers: list[Answer]) -> None:
    for future, result, error in answers:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
