"""The thread beside a search: what it runs gives the same, whether it is idle, busy, slow to begin or a child's."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

import imi
from imi.collection import folder_search
from imi.collection.side_thread import SideThread
from imi.index import native
from imi.records import Document

WORDS = ["red", "wine", "sea", "cat", "sofa", "rows", "table", "file", "park", "walk", "old", "book"]


def test_a_call_gives_what_it_returns_or_raises() -> None:
    side = SideThread()
    for at in range(50):
        assert side.begin(lambda at=at: at * 2)() == at * 2

    def fails() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        side.begin(fails)()
    assert side.begin(lambda: threading.current_thread().name)() in ("imi search", threading.current_thread().name)


def test_it_runs_beside_the_caller() -> None:
    side, begun = SideThread(), threading.Event()
    result = side.begin(lambda: begun.set() or threading.get_ident())
    assert begun.wait(10)
    assert result() != threading.get_ident()


def test_a_busy_thread_is_not_waited_for() -> None:
    side, go, begun = SideThread(), threading.Event(), threading.Event()
    first = side.begin(lambda: begun.set() or go.wait(10))
    assert begun.wait(10)
    assert side.begin(threading.get_ident)() == threading.get_ident()
    go.set()
    assert first() is True


def test_a_result_that_nobody_asked_for_blocks_nothing() -> None:
    side = SideThread()
    side.begin(lambda: 1)
    end = time.monotonic() + 10
    while time.monotonic() < end and not side._idle.acquire(blocking=False):
        time.sleep(0.001)
    side._idle.release()
    assert side.begin(lambda: 2)() == 2


def test_where_no_thread_can_be_started_the_caller_makes_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    side = SideThread()
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", start)
        assert side.begin(threading.get_ident)() == threading.get_ident()
        assert side.begin(threading.get_ident)() == threading.get_ident()
    assert side.begin(lambda: 3)() == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_a_thread_of_its_own() -> None:
    side = SideThread()
    assert side.begin(lambda: 1)() == 1
    child = os.fork()
    if child == 0:
        os._exit(0 if side.begin(lambda: 3)() == 3 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(("many", "load", "spare"), [(1, 0.0, False), (2, 0.7, True), (2, 2.5, False), (8, 3.0, True)])
def test_a_busy_machine_is_asked_for_no_second_thread(
    monkeypatch: pytest.MonkeyPatch, many: int, load: float, spare: bool
) -> None:
    monkeypatch.setattr(native, "processors", lambda: many)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 9.0, 9.0), raising=False)
    assert native.processor_to_spare() is spare


def test_searches_find_the_same_beside_each_other_and_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"{a} {b} {c}" for a in WORDS for b in WORDS for c in WORDS[:3]]
    questions = [
        "an old book on the sofa of the cat",
        "how do I read rows of a table from a file",
        "red wine by the sea",
    ]
    where = {"n": {"<": 200}}
    with imi.open(tmp_path / "c.imi") as c:
        c.rerank = "none"
        c.add(Document(str(at), text, {"n": at}) for at, text in enumerate(texts))

        def found() -> list[list[tuple[str, float]]]:
            asked = [(q, w, k) for q in questions for w in (None, where) for k in (5, 150)]
            return [[(hit.id, hit.score) for hit in c.search(q, k=k, where=w)] for q, w, k in asked]

        monkeypatch.setattr(folder_search, "processor_to_spare", lambda: False)
        plain = found()
        monkeypatch.setattr(folder_search, "processor_to_spare", lambda: True)
        monkeypatch.setattr(folder_search, "_WORTH", 0.0)
        begun: list[int] = []
        begin = folder_search.side_thread.begin
        monkeypatch.setattr(folder_search.side_thread, "begin", lambda call: begun.append(1) or begin(call))
        assert found() == plain
        assert len(begun) >= 12
