"""Searches that are answered together: each gets its own answer, a slow one holds nobody up for long."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from imi.server.gathering import PATIENCE_SECONDS, Gatherer


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as made:
        yield made


def test_each_caller_gets_its_own_answer_or_its_own_error(pool):
    def call(at):
        if at % 7 == 3:
            raise ValueError(at)
        return at * at

    async def main():
        gatherer = Gatherer(pool, 2)
        return await asyncio.gather(
            *(gatherer.run(lambda at=at: call(at)) for at in range(500)), return_exceptions=True
        )

    for at, found in enumerate(asyncio.run(main())):
        assert found.args == (at,) if at % 7 == 3 else found == at * at


def test_what_waits_together_is_answered_on_one_thread(pool):
    async def main():
        gatherer = Gatherer(pool, 2)
        return await asyncio.gather(*(gatherer.run(threading.get_ident) for _ in range(50)))

    assert len(set(asyncio.run(main()))) == 1


def test_a_slow_call_holds_the_others_up_for_a_moment_only(pool):
    go_on = threading.Event()

    async def main():
        gatherer = Gatherer(pool, 2)
        slow = asyncio.create_task(gatherer.run(lambda: go_on.wait(20)))
        await asyncio.sleep(0.01)
        begun = time.monotonic()
        assert await asyncio.gather(*(gatherer.run(lambda at=at: at) for at in range(5))) == list(range(5))
        waited = time.monotonic() - begun
        assert not slow.done()
        go_on.set()
        assert await slow
        return waited

    assert PATIENCE_SECONDS * 0.9 <= asyncio.run(main()) < 5


def test_a_client_that_has_gone_is_not_answered(pool):
    asked = []
    go_on = threading.Event()

    async def main():
        gatherer = Gatherer(pool, 1)
        first = asyncio.create_task(gatherer.run(lambda: go_on.wait(20)))
        await asyncio.sleep(0.01)
        gone = asyncio.create_task(gatherer.run(lambda: asked.append("gone")))
        stays = asyncio.create_task(gatherer.run(lambda: asked.append("stays")))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(first, stays)

    asyncio.run(main())
    assert asked == ["stays"]
