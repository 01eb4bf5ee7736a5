"""A fork beside threads that use a collection: the child works, whatever they were in."""

import os
import threading
import time

import pytest

import imi
from imi.store.forking import Inside

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


@pytest.mark.parametrize("rounds", [6, pytest.param(100, marks=pytest.mark.nightly)])
def test_children_of_a_process_whose_threads_read_and_write_do_not_hang(tmp_path, rounds):
    with imi.open(tmp_path / "c.imi", model="hash") as c:
        c.add([imi.Document(f"f{n}", f"text of {n}") for n in range(50)])
        ends = threading.Event()

        def work(number):
            n = 0
            while not ends.is_set():
                n += 1
                if number == 0:
                    c.add([imi.Document(f"t{n % 50}", f"text of thread {n}")])
                c.search("text", 5)
                c.get(["f1"])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for one in threads:
            one.start()
        ended = []
        for at in range(rounds):
            time.sleep(0.02)
            pid = os.fork()
            if not pid:
                code = 1
                try:
                    c.search("text", 5)
                    c.add([imi.Document(f"child{at}", "of a child")])
                    code = 0
                finally:
                    os._exit(code)
            ended.append(code_of(pid))
        ends.set()
        for one in threads:
            one.join()
        assert ended == [0] * rounds
        assert {f"child{at}" for at in range(rounds)} <= set(c.ids()) and c.verify().ok


def code_of(pid):
    """Return the exit code of a child, None where it hangs."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return None


def test_a_fork_waits_for_blocks_and_lets_none_begin():
    inside, order, held = Inside(), [], threading.Event()

    def hold():
        with inside:
            with inside:
                held.set()
                time.sleep(0.1)
            order.append("held")

    first = threading.Thread(target=hold)
    first.start()
    held.wait()
    inside.before()
    order.append("forked")
    second = threading.Thread(target=lambda: inside.__enter__() or order.append("began"))
    second.start()
    time.sleep(0.05)
    with inside:  # who forks may go on
        order.append("own")
    inside.after_in_parent()
    first.join()
    second.join()
    assert order == ["held", "forked", "own", "began"]
