"""Who else has a collection open is found without waiting for the list of all locks, and no lock is lost by asking."""

import os
import subprocess
import sys
import threading

import pytest

from imi.atomic import identity, lock_holders, open_files
from imi.store import database, sharing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the lists of locks and of open files are Linux's")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "collection.sqlite"
    database.create(path)
    return path


def beside(path, what):
    return path.with_name(f"{path.name}-{what}")


def asked(path):
    """What is asked before a file is opened; a file that has no log is as one whose log nobody has."""
    log, file = identity(beside(path, "wal")) or (0, 0), identity(path)
    return sharing.all_have(log, file, beside(path, "shm"))


def elsewhere(path):
    """Another process that has the file open, until its standard input ends."""
    code = "import sys; from pathlib import Path; from imi.store import database\n"
    code += "opened = database.connect(Path(sys.argv[1]), write=True)\nprint('ready', flush=True)\nsys.stdin.read()"
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def listed(monkeypatch):
    """How often the list of all locks was read."""
    calls = []
    monkeypatch.setattr(sharing, "lock_holders", lambda path: calls.append(path) or lock_holders(path))
    return calls


def test_a_file_that_nobody_else_has_open_or_that_others_have_too_is_opened_without_the_list(file, listed):
    assert not asked(file) and not listed
    with elsewhere(file) as other:
        assert other.stdout.readline() == "ready\n"
        assert not asked(file) and not listed
        database.connect(file, write=False).close(file)
        assert not listed
        other.stdin.close()


def test_others_who_have_another_file_at_the_path_are_found(file, tmp_path, listed):
    with elsewhere(file) as other:
        assert other.stdout.readline() == "ready\n"
        database.create(tmp_path / "new")
        os.replace(tmp_path / "new", file)
        assert asked(file) and len(listed) == 1
        other.stdin.close()
    assert not asked(file)


def test_locks_of_this_process_stay_where_others_are_asked_about(file):
    shared = beside(file, "shm")
    opened = database.connect(file, write=True)
    assert identity(shared) in open_files("self") and lock_holders(shared) == {os.getpid()}
    before = len(open_files("self"))
    threads = [
        threading.Thread(target=lambda: [database.connect(file, write=False).close(file) for _ in range(20)])
        for _ in range(3)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not asked(file)
    assert lock_holders(shared) == {os.getpid()} and len(open_files("self")) == before
    opened.close(file)
    assert os.getpid() not in lock_holders(shared)


def test_while_a_thread_opens_a_file_nothing_is_asked_by_opening_it(file, listed):
    with sharing.opening():
        assert not asked(file)
    assert len(listed) == 1
    assert not asked(file) and len(listed) == 1


def test_a_fork_of_a_process_that_opens_one_may_ask(file):
    with sharing.opening():
        child = os.fork()
        if not child:
            os._exit(0 if sharing._one_holder(file) == 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
