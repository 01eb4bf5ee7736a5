"""The helper that is kept warm answers as the command itself does, or not at all."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from imi.cli import warm, warm_helper

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a helper needs fork")


def imi(*arguments, **settings):
    return subprocess.run(
        [sys.executable, "-m", "imi", *arguments], capture_output=True, text=True, check=False, **settings
    )


def wait_for(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(scope="module")
def helper(tmp_path_factory):
    """Return a folder with a collection and a helper that listens for its questions."""
    folder = tmp_path_factory.mktemp("warm")
    patch = pytest.MonkeyPatch()
    use(patch, folder)
    (folder / "lines.txt").write_text("river bank\nmountain path\n猫が寝ている\n", "utf-8")
    assert imi("add", "lines.imi", "lines.txt").returncode == 0
    asked = socket.create_server(("127.0.0.1", 0))
    asked.setblocking(False)
    llm = f"costly@http://127.0.0.1:{asked.getsockname()[1]}/v1"
    running = subprocess.Popen([sys.executable, "-m", "imi.cli.warm_helper"], env={**os.environ, "IMI_LLM": llm})
    (folder / "number").write_text(str(running.pid))
    wait_for(lambda: os.path.exists(warm.socket_path()))
    patch.undo()
    yield folder
    running.terminate()
    running.wait()
    with pytest.raises(BlockingIOError):
        asked.accept()  # getting ready asks no language model, which may cost money
    asked.close()


def use(patch, folder):
    patch.setenv("IMI_HOME", str(folder / "home"))
    patch.setenv("IMI_MODEL", "hash")
    patch.delenv("IMI_WARM", raising=False)
    patch.chdir(folder)


@pytest.fixture
def place(helper, monkeypatch):
    use(monkeypatch, helper)
    return helper


SEARCH = ("search", "lines.imi", "river", "-k", "2")


@pytest.mark.parametrize(
    "command",
    [(*SEARCH, "--json"), ("search", "nowhere.imi", "x"), ("search", "lines.imi", "-k", "many", "x")],
)
def test_the_answer_is_the_same_as_without_it(place, command):
    alone = imi(*command, env={**os.environ, "IMI_WARM": "0"})
    warmly = imi(*command)
    assert (warmly.returncode, warmly.stdout, warmly.stderr) == (alone.returncode, alone.stdout, alone.stderr)
    assert alone.stdout or alone.stderr


def test_the_helper_is_what_answers(place, monkeypatch, capfd):
    with open(os.devnull) as nothing, os.fdopen(os.dup(1), "w") as out, os.fdopen(os.dup(2), "w") as err:
        for name, stream in (("stdin", nothing), ("stdout", out), ("stderr", err)):
            monkeypatch.setattr(sys, name, stream)
        assert warm.answered(SEARCH) == 0
    assert "river bank" in capfd.readouterr().out
    assert warm.answered(("add", "lines.imi", "lines.txt")) is None
    monkeypatch.setenv("IMI_WARM", "0")
    assert warm.answered(SEARCH) is None


def test_an_index_that_was_altered_after_it_was_found_whole_is_noticed(place):
    (place / "more.txt").write_text("river bank\n" + "".join(f"path {n}\n" for n in range(2000)), "utf-8")
    assert imi("add", "altered.imi", "more.txt").returncode == 0
    command = ("search", "altered.imi", "river bank", "--mode", "meaning", "-k", "2", "--json")
    before = [imi(*command).stdout for _ in range(3)]
    (vectors,) = place.glob("altered.imi/index/vectors0-*")
    with vectors.open("r+b") as file:
        file.write(bytes(1000))  # the river bank's own vector, or part of it
    assert {*before, imi(*command).stdout, imi(*command).stdout} == {before[0]} and "river bank" in before[0]


def test_standard_input_folder_and_environment_are_the_callers(place, tmp_path):
    asked = imi("search", str(place / "lines.imi"), "-", "-k", "1", input="mountain\n", cwd=tmp_path)
    assert "mountain path" in asked.stdout
    odd = imi(
        "search", str(place / "lines.imi"), "寝ている", "-k", "1", env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert odd.returncode == 0 and odd.stdout.isascii()


def test_several_ask_at_once(place):
    command = [sys.executable, "-m", "imi", *SEARCH]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert all("river bank" in one.communicate()[0] for one in running)


def test_a_stale_socket_is_removed_and_costs_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("IMI_HOME", str(tmp_path))
    path = warm.socket_path()
    os.makedirs(os.path.dirname(path), mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    assert imi("similar", "cat", "猫").returncode == 0
    assert not os.path.exists(path)


def test_a_long_home_has_a_socket_too(tmp_path, monkeypatch):
    monkeypatch.setenv("IMI_HOME", str(tmp_path / ("x" * 120)))
    assert len(os.fsencode(warm.socket_path())) < 108


def test_a_folder_that_others_may_enter_is_refused(tmp_path):
    open_to_all = tmp_path / "run"
    open_to_all.mkdir(mode=0o755)
    with pytest.raises(PermissionError, match="this user alone"):
        warm_helper.listen(str(open_to_all / "a.sock"))


@pytest.mark.parametrize("sent", [b"", b"x" * 40, (1 << 40).to_bytes(8, "big"), (2).to_bytes(8, "big") + b"{}"])
def test_odd_callers_do_no_harm(place, sent):
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(warm.socket_path())
        link.sendall(sent)
    assert imi(*SEARCH).returncode == 0


def test_a_helper_that_nobody_asks_ends(tmp_path):
    (tmp_path / "run").mkdir(mode=0o700)
    listener = warm_helper.listen(str(tmp_path / "run" / "a.sock"))
    warm_helper.serve(listener, lambda: True, idle=0.05)
    listener.close()


def test_what_a_killed_helper_left_is_removed_and_nothing_else(tmp_path):
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait()
    for number in (gone.pid, os.getpid(), os.getppid()):
        (tmp_path / f"ab.sock.{number}.imi").mkdir()
        (tmp_path / f"ab.sock.{number}.imi" / "rows").touch()
        (tmp_path / f"ab.sock.{number}.txt").touch()
    for name in ("ab.sock", "ab.sock.old", f"ab.sock.{'9' * 30}"):
        (tmp_path / name).touch()
    before = set(os.listdir(tmp_path))
    warm_helper._remove_leftovers(tmp_path)
    assert before - set(os.listdir(tmp_path)) == {f"ab.sock.{gone.pid}.imi", f"ab.sock.{gone.pid}.txt"}


def test_the_first_question_leaves_a_helper_and_forget_lets_it_go(tmp_path, place, monkeypatch):
    monkeypatch.setenv("IMI_HOME", str(tmp_path / "home"))
    assert imi("similar", "cat", "猫", "--keep-warm").returncode == 0
    wait_for(lambda: os.path.exists(warm.socket_path()))
    again = imi("forget", "--warm")
    assert (again.returncode, again.stdout) == (0, "1\n"), again
    assert not os.path.exists(warm.socket_path())


def test_a_second_helper_leaves_the_first_alone(place):
    assert subprocess.run([sys.executable, "-m", "imi.cli.warm_helper"], check=False, timeout=60).returncode == 0
    assert imi(*SEARCH).returncode == 0


def test_ctrl_c_ends_the_command(place):
    # Standard input that never ends: the helper reads it in the caller's place.
    command = [sys.executable, "-m", "imi", "search", "lines.imi", "-"]
    # What is started in the background of a script ignores SIGINT, and so would the command.
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        asking = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGINT, heard)
    with asking:
        time.sleep(1)
        asking.send_signal(signal.SIGINT)
        assert asking.wait(timeout=10) in (130, -signal.SIGINT)
        assert asking.stderr.read().count(b"interrupted") == 1


def test_umask_and_time_zone_are_the_callers(place):
    made = warm_helper._Asked.of(warm.message(["search", "a=b", ""], "/", [("utf-8", "strict")] * 3, 0o027))
    assert (made.arguments, made.umask, made.folder) == (["search", "a=b", ""], 0o027, "/")
    assert made.environment == dict(os.environ)
    before = os.umask(0), time.tzname
    try:
        changed = dataclasses.replace(made, environment={**os.environ, "TZ": "Asia/Tokyo"})
        streams = sys.stdin, sys.stdout, sys.stderr
        environment = dict(os.environ)
        warm_helper._take_over([os.dup(at) for at in range(3)], changed)
        assert (os.umask(0), time.tzname[0]) == (0o027, "JST")
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        os.umask(before[0])


@pytest.mark.skipif(not os.path.exists(f"/proc/self/task/{os.getpid()}/children"), reason="asks /proc for children")
def test_two_copies_wait_for_the_next_questions(place):
    number = (place / "number").read_text()

    def children():
        with open(f"/proc/{number}/task/{number}/children") as file:
            return file.read().split()

    wait_for(lambda: len(children()) == 2)
    first = children()
    time.sleep(1)  # they have asked themselves their question
    assert imi(*SEARCH).returncode == 0
    wait_for(lambda: len(children()) == 2 and len({*children()} & {*first}) == 1)


def test_no_helper_is_left_where_none_is_to_be_asked_or_none_can_start(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IMI_HOME", str(tmp_path))
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda *given, **more: started.append(given))
    monkeypatch.setenv("IMI_WARM", "0")
    warm.start_where_wanted((*SEARCH, "--keep-warm"))
    assert started == []

    def refuse(*given, **more):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.delenv("IMI_WARM")
    monkeypatch.setattr(subprocess, "Popen", refuse)
    warm.start_where_wanted((*SEARCH, "--keep-warm"))
    assert "no helper could be left behind: Resource temporarily unavailable" in capsys.readouterr().err
