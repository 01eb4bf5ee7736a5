"""Embedding for many clients at once: texts that arrive together are embedded together.

A static model reads sixty-four short texts in little more than the time of one, so requests that wait for the same
moment share one call. Short work runs on the event loop itself, where a hand-over to a thread would cost more than the
work; long work, and every work of a slow model, goes to a thread and leaves the loop free.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import numpy as np

from imi.embedders.base import Embedder
from imi.records import Kind
from imi.types import Floats

Job = tuple[list[str], Kind, "asyncio.Future[Floats]"]

LOOP_SECONDS = 0.004
"""The longest that embedding may hold the event loop."""
_LANE_TEXTS = 256
_WARM = ["a short text about cats and dogs", "猫は夜になると外へ出かけます"] * 32


class Batcher:
    """Embeds for one model; made and used on the event loop's thread, but for `measure`."""

    def __init__(self, embedder: Embedder, pool: Executor, on_batch: Callable[[int, float], None]) -> None:
        """Set up.

        Args:
            embedder: the model.
            pool: where long work runs.
            on_batch: called with the number of texts and the seconds of each call.
        """
        self._embedder = embedder
        self._pool = pool
        self._on_batch = on_batch
        self._rate = 0.0  # seconds a character
        self._short: deque[Job] = deque()
        self._long: deque[Job] = deque()
        self._planned = False
        self._runner: asyncio.Task[None] | None = None

    def measure(self) -> None:
        """Load what the model loads lazily, and learn how fast it is."""
        self._embedder.embed(_WARM[:2])
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            self._embedder.embed(_WARM)
            seconds.append(time.perf_counter() - start)
        self._rate = min(seconds) / _characters(_WARM)

    async def embed(self, texts: list[str], kind: Kind = "document") -> Floats:
        """Return (n, width) float32 unit rows."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Floats] = loop.create_future()
        if _characters(texts) * self._rate <= LOOP_SECONDS:
            self._short.append((texts, kind, future))
            if not self._planned:
                self._planned = True
                # Tasks that are ready now run before this call, and their texts join the batch.
                loop.call_soon(self._run_short)
        else:
            self._long.append((texts, kind, future))
            if self._runner is None or self._runner.done():
                self._runner = loop.create_task(self._run_long())
        return await future

    def _run_short(self) -> None:
        self._planned = False
        jobs: list[Job] = []
        seconds = 0.0
        while self._short and (not jobs or seconds <= LOOP_SECONDS):
            job = self._short.popleft()
            jobs.append(job)
            seconds += _characters(job[0]) * self._rate
        if self._short:
            self._planned = True
            asyncio.get_running_loop().call_soon(self._run_short)
        _settle(jobs, self._embed_jobs(jobs))

    async def _run_long(self) -> None:
        loop = asyncio.get_running_loop()
        while self._long:
            jobs = [self._long.popleft()]
            while self._long and sum(len(job[0]) for job in jobs) < _LANE_TEXTS:
                jobs.append(self._long.popleft())
            _settle(jobs, await loop.run_in_executor(self._pool, self._embed_jobs, jobs))

    def _embed_jobs(self, jobs: Sequence[Job]) -> list[Floats | Exception]:
        """Embed all texts, a call for each kind; job by job where one fails, so that a bad text spoils only its own."""
        if len(jobs) == 1:
            return self._embed_texts([jobs[0][0]], jobs[0][1])
        out: list[Floats | Exception | None] = [None] * len(jobs)
        for kind in dict.fromkeys(job[1] for job in jobs):
            rows = [at for at, job in enumerate(jobs) if job[1] == kind]
            for at, made in zip(rows, self._embed_texts([jobs[at][0] for at in rows], kind), strict=True):
                out[at] = made
        return [made for made in out if made is not None]

    def _embed_texts(self, lists: Sequence[list[str]], kind: Kind) -> list[Floats | Exception]:
        texts = [text for one in lists for text in one]
        start = time.perf_counter()
        try:
            z = self._embedder.embed(texts, kind)
        except Exception as error:
            if len(lists) == 1:
                return [error]
            return [result for one in lists for result in self._embed_texts([one], kind)]
        seconds = time.perf_counter() - start
        size = _characters(texts)
        if size > 1000:
            self._rate += 0.1 * (seconds / size - self._rate)
        self._on_batch(len(texts), seconds)
        if len(lists) == 1:
            return [z]
        cuts = np.cumsum([len(one) for one in lists])[:-1]
        return list(np.split(z, cuts))


def _settle(jobs: Sequence[Job], results: Sequence[Floats | Exception]) -> None:
    for (_, _, future), result in zip(jobs, results, strict=True):
        if future.done():
            continue  # its client has gone
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)


def _characters(texts: Sequence[str]) -> int:
    return sum(map(len, texts))
