"""Ctrl-C and SIGTERM: exit codes, what was committed is said, and nothing half made is left."""

import os
import signal
import sys
import time
import weakref

import numpy as np
import pytest

import imi
from imi.embedders.testing import HashEmbedder

KINDS = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "ended by SIGTERM")}


@pytest.fixture
def stopped(monkeypatch, run):
    """Return stopped(signal, module, name, call number, *arguments): a command that is interrupted in that call."""

    # What is started in the background of a script ignores SIGINT, and so do these tests then.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def call(number, target, name, at, *arguments):
        real, calls = getattr(target, name), []

        def interrupting(*given, **more):
            calls.append(name)
            if len(calls) == at:
                os.kill(os.getpid(), number)
            return real(*given, **more)

        with monkeypatch.context() as patch:
            patch.setattr(target, name, interrupting)
            done = run(*arguments)
        code, said = KINDS[number]
        assert (done.code, "Traceback" in done.err) == (code, False), done.err
        goes_on = arguments[0] in ("add", "copy", "deepen", "embed", "migrate")
        assert done.err.startswith(f"imi: {said}") and ("\ntry: run the same command again" in done.err) == goes_on
        return done

    return call


@pytest.fixture
def many(here):
    (here / "many.txt").write_text("".join(f"row {n} of coffee\n" for n in range(3000)))
    return here


@pytest.mark.parametrize("number", KINDS)
def test_an_interrupted_add_says_what_it_wrote_and_goes_on(many, run, stopped, number):
    done = stopped(number, HashEmbedder, "embed", 3, "add", "c.imi", "many.txt", "--rows", "lines")
    assert "2,048 rows were written to c.imi before, and kept" in done.err
    with imi.open("c.imi", mode="r") as c:
        assert len(c) == 2048 and c.verify().ok
    assert run("add", "c.imi", "many.txt", "--rows", "lines").code == 0
    with imi.open("c.imi", mode="r") as c:
        assert len(c) == 3000
    with imi.open("other.imi", model="hash"):
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL  # who calls main keeps their own


@pytest.mark.parametrize("number", KINDS)
def test_an_interrupted_search_has_nothing_to_save(many, run, stopped, number):
    from imi.collection.base import Collection

    run("add", "c.imi", "many.txt", "--rows", "lines")
    done = stopped(number, Collection, "search", 1, "search", "c.imi", "coffee")
    assert done.err == f"imi: {KINDS[number][1]}\n"


@pytest.mark.parametrize("number", KINDS)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".npy", ".parquet", ".db"])
def test_an_interrupted_export_leaves_the_old_one_or_nothing(many, run, stopped, number, suffix):
    from imi.store.store import Store

    run("add", "c.imi", "many.txt", "--rows", "lines")
    run("export", "c.imi", f"old{suffix}")
    before = {one.name: one.read_bytes() for one in many.iterdir() if one.is_file()}
    for name in (f"old{suffix}", f"new{suffix}"):
        stopped(number, Store, "documents", 2, "export", "c.imi", name)
    assert {one.name: one.read_bytes() for one in many.iterdir() if one.is_file()} == before


@pytest.mark.parametrize("number", KINDS)
def test_an_interrupted_backup_and_copy(many, run, stopped, number):
    from imi.collection import maintenance
    from imi.store.store import Store

    run("add", "c.imi", "many.txt", "--rows", "lines")
    stopped(number, maintenance.database, "translated", 3, "backup", "c.imi", "b.imi")
    assert sorted(one.name for one in many.iterdir()) == ["c.imi", "many.txt", "reviews.csv"]
    done = stopped(number, Store, "insert", 2, "copy", "c.imi", "d.imi")
    assert "1,024 rows were written to d.imi before" in done.err
    assert run("copy", "c.imi", "d.imi").code == 0
    with imi.open("d.imi", mode="r") as c:
        assert len(c) == 3000


def in_a_finalizer():
    class Finalized:
        def __del__(self):
            os.kill(os.getpid(), sent[0])
            time.sleep(0.001)

    Finalized()


def in_a_callback():
    class Referred:
        pass

    one = Referred()
    watching = weakref.ref(one, lambda _: os.kill(os.getpid(), sent[0]))
    del one
    assert watching() is None


def under_a_bare_except():
    try:
        os.kill(os.getpid(), sent[0])
        time.sleep(0.001)
    except:  # noqa: E722  the very thing
        pass


def in_another_error():
    try:
        os.kill(os.getpid(), sent[0])
        time.sleep(0.001)
    except BaseException:
        raise ValueError("made of what interrupted it") from None


sent = [signal.SIGINT]


@pytest.mark.parametrize("number", KINDS)
@pytest.mark.parametrize("lose", [in_a_finalizer, in_a_callback, under_a_bare_except, in_another_error])
def test_a_signal_that_other_code_drops_ends_the_command_all_the_same(monkeypatch, run, here, lose, number):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(sys.modules[__name__], "sent", [number])

    def lost(arguments):
        for _ in range(3):  # it may be lost more than once
            lose()
        for _ in range(1000):
            time.sleep(0.01)
        return 0

    with monkeypatch.context() as patch:
        patch.setattr("imi.cli.command._invoke", lost)
        before = signal.getsignal(number)
        done = run("ls")
    code, said = KINDS[number]
    assert done.code == code and done.err == f"imi: {said}\n"
    assert signal.getsignal(number) == before


def test_an_interrupted_build_of_the_index_ends_at_its_next_step(here):
    from imi.index.policy import IndexPolicy

    signal.signal(signal.SIGINT, signal.default_int_handler)
    z = np.random.default_rng(0).standard_normal((6000, 256)).astype("f4")
    policy = IndexPolicy(saved_rows=100, exact_rows=1000)
    reached, went_on = [], []

    def slowly(*given):
        reached.append(given)
        time.sleep(0.2)
        return real(*given)

    from imi.index import planner

    real = planner.find_truth
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(planner, "find_truth", slowly)
        patch.setattr(planner, "front", lambda *given: went_on.append(given))
        with imi.open("c.imi", policy=policy) as c:
            c.add([imi.Document(str(n), f"row {n}") for n in range(len(z))], z)
            c.settle()
            while not reached:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
    assert not went_on
    with imi.open("c.imi", policy=policy) as c:
        assert c.verify().ok and c.search(z[7], 1, mode="meaning")[0].id == "7"


@pytest.mark.parametrize(
    ("arguments", "module", "name"),
    [
        (("dedupe", "c.imi"), "imi.tasks.dedupe", "_possible"),
        (("cluster", "c.imi", "-k", "3"), "imi.tasks.cluster", "spherical_kmeans"),
        (("map", "c.imi", "--out", "m.html"), "imi.tasks.layout", "tsne_gradient"),
    ],
)
def test_a_task_that_is_interrupted_shows_what_is_done(here, run, monkeypatch, arguments, module, name):
    import importlib

    signal.signal(signal.SIGINT, signal.default_int_handler)
    with imi.open("c.imi", model=HashEmbedder()) as made:
        made.add([imi.Document(str(n), f"row {n % 40} of coffee {n % 7}") for n in range(80)])
    calls, where = [], importlib.import_module(module)
    real = getattr(where, name)

    def interrupting(*given, **more):
        calls.append(name)
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return real(*given, **more)

    monkeypatch.setattr(where, name, interrupting)
    done = run(*arguments)
    assert done.code == 130 and done.out and len(calls) <= 2, done.err
    assert "ending with what is done" in done.err and "interrupted; what was done until then is shown" in done.err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if arguments[0] == "map":
        assert (here / "m.html").stat().st_size > 1000


def test_a_second_ctrl_c_ends_a_task_at_once(here, run, monkeypatch):
    from imi.tasks import layout

    signal.signal(signal.SIGINT, signal.default_int_handler)
    with imi.open("c.imi", model=HashEmbedder()) as made:
        made.add([imi.Document(str(n), f"row {n} of coffee") for n in range(40)])

    def interrupting(*given, **more):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

    monkeypatch.setattr(layout, "tsne_gradient", interrupting)
    done = run("map", "c.imi", "--out", "m.html")
    assert done.code == 130 and not (here / "m.html").exists() and "what is done" in done.err
