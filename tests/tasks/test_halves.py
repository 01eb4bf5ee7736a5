"""Half of the work is done by a copy of the process; whatever becomes of it, all of it is done, in order."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from imi.tasks import halves
from imi.tasks.code import definitions
from imi.tasks.halves import _shared, in_halves

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is copied")


@pytest.fixture
def alone(monkeypatch):
    """Let the threads by which a worker of pytest talks to its parent count for none: a copy has no use for them."""
    monkeypatch.setattr(halves, "_may_fork", lambda: True)


def copies():
    """Return the processes that this one has started and not seen the end of; a worker of pytest may have a browser."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def who(item):
    return item, os.getpid()


def test_two_processes_share_the_work_and_the_order_stays(alone):
    done = in_halves(who, list(range(50)), 2, lambda item: 1.0)
    assert [item for item, _ in done] == list(range(50))
    assert sorted([by == os.getpid() for _, by in done]) == [False] * 25 + [True] * 25


def test_the_heaviest_is_half():
    assert _shared([1, 1, 10, 1, 1, 1, 1, 1, 1, 1]) == ([2], [0, 1, 3, 4, 5, 6, 7, 8, 9])
    assert _shared([]) == ([], [])


@pytest.mark.parametrize("threads", [0, 1])
def test_one_thread_is_this_one(threads):
    assert {by for _, by in in_halves(who, list(range(9)), threads, lambda item: 1.0)} == {os.getpid()}


def test_beside_other_threads_nothing_is_copied():
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    try:
        assert {by for _, by in in_halves(who, list(range(9)), 2, lambda item: 1.0)} == {os.getpid()}
    finally:
        stop.set()
        other.join()


@pytest.mark.parametrize("end", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: os._exit(3), lambda: 1 / 0])
def test_what_a_copy_that_fails_leaves_is_done_here(end, alone):
    here, before = os.getpid(), copies()

    def work(item):
        if os.getpid() != here:
            end()
        return who(item)

    assert in_halves(work, list(range(9)), 2, lambda item: 1.0) == [(item, here) for item in range(9)]
    assert copies() == before


@pytest.mark.parametrize("bad", range(4))
def test_an_error_is_raised_here_and_no_copy_is_left(bad, alone):
    before = copies()

    def work(item):
        if item == bad:
            raise ValueError(f"item {item}")
        return "x" * 100_000

    with pytest.raises(ValueError, match=f"item {bad}"):
        in_halves(work, list(range(4)), 2, lambda item: 1.0)
    assert copies() == before


@pytest.mark.usefixtures("alone")
def test_definitions_are_the_same_by_one_process_and_by_two(tmp_path, monkeypatch):
    for n in range(70):
        source = f'"""File {n}."""\n\n\nclass Box{n}:\n    def openIt(self):\n        """Open {n}."""\n' + "#\n" * n
        (tmp_path / f"f{n}.py").write_text(source, encoding="utf-8")
    (tmp_path / "broken.py").write_text("def (", encoding="utf-8")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = definitions(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    both = definitions(tmp_path)
    assert alone == both and len(both) == 210
    assert [(one.described, one.terms) for one in alone] == [(one.described, one.terms) for one in both]
