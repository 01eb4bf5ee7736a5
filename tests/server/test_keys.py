"""The file of keys: changes at once, a right of its own for the language model, and a file that breaks."""

import os
import subprocess
import sys
import threading
import time

import pytest

from imi.errors import DataError, UsageError
from imi.server.http.keys import Keys
from tests.server.conftest import error_of

CHAT = {"messages": [{"role": "user", "content": "x"}]}


def test_of_changes_at_once_none_is_lost(tmp_path):
    path = tmp_path / "keys.json"
    for at in range(20):
        Keys(path).add(f"old{at}", {"*": "read"})
    calls = [lambda at=at: Keys(path).remove(f"old{at}") for at in range(20)]
    calls += [lambda at=at: Keys(path).add(f"new{at}", {"*": "read"}) for at in range(20)]
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {key.name for key in Keys(path).all()} == {f"new{at}" for at in range(20)}


def test_of_two_commands_at_once_none_is_lost(tmp_path):
    path = tmp_path / "keys.json"
    base = [sys.executable, "-m", "imi", "keys"]
    Keys(path).add("stolen", {"*": "read"})
    commands = [["rm", "stolen"], *(["add", f"new{at}"] for at in range(3))]
    running = [
        subprocess.Popen([*base, *one, "--keys", str(path), "-q"], stdout=subprocess.DEVNULL) for one in commands
    ]
    assert [one.wait(60) for one in running] == [0] * 4
    assert {key.name for key in Keys(path).all()} == {"new0", "new1", "new2"}


def test_a_handle_from_before_writes_nothing_back(tmp_path):
    first, second = Keys(tmp_path / "k.json"), Keys(tmp_path / "k.json")
    first.add("a", {"*": "read"})
    second.add("b", {"*": "read"})
    first.remove("a")
    second.add("c", {"*": "read"})
    assert {key.name for key in Keys(tmp_path / "k.json").all()} == {"b", "c"}


def test_the_language_model_is_a_right_of_its_own(start, tmp_path):
    keys = Keys(tmp_path / "keys.json")
    secrets = {"writer": keys.add("writer", {"*": "write"}), "chat": keys.add("chat", {"x": "read"}, llm=True)}
    served = start(keys=keys.path)
    for path in ("/v1/chat/completions", "/v1/responses"):
        for name, status in (("writer", 403), ("chat", 501)):
            headers = {"authorization": f"Bearer {secrets[name]}"}
            assert served.http.post(path, json=CHAT, headers=headers).status_code == status
        assert served.http.post(path, json=CHAT).status_code == 401


def test_keys_of_before_may_not_use_the_language_model(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    secret = keys.add("old", {"*": "write"})
    text = keys.path.read_text().replace('"llm": false,', "")
    assert "llm" not in text
    keys.path.write_text(text)
    found = Keys(keys.path).find(secret)
    assert found is not None
    assert not found.llm


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"keys": 1}', '{"keys": [{"name": 1}]}', '{"keys": ' + "[" * 100_000, b"\xff\xfe",
     '{"keys": [{"name": "a", "digest": "é", "grants": {}, "created": 0}]}',
     '{"keys": [{"name": "a", "digest": "' + "0" * 64 + '", "grants": {"*": "own"}, "created": 0}]}',
     '{"keys": [{"name": "a", "digest": "' + "0" * 64 + '", "grants": {}, "created": 0, "llm": "yes"}]}'],
)  # fmt: skip
def test_a_file_that_breaks_meanwhile_shuts_the_server_and_one_that_is_mended_opens_it(
    start, tmp_path, text, monkeypatch
):
    monkeypatch.setattr("imi.server.http.keys.LOOK_SECONDS", 0.05)
    keys = Keys(tmp_path / "keys.json")
    secret = keys.add("a", {"*": "read"})
    served = start(keys=keys.path, headers={"authorization": f"Bearer {secret}"})
    assert served.http.get("/v1/models").status_code == 200
    sound = keys.path.read_bytes()
    keys.path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match="no keys that can be read"):
        Keys(keys.path)
    time.sleep(0.06)
    for _ in range(3):
        refused = served.http.get("/v1/models")
        assert refused.status_code == 503
        assert error_of(refused)["code"] == "keys_unreadable"
        assert str(keys.path) not in refused.text
    assert served.http.get("/health").status_code == 200
    keys.path.write_bytes(sound)
    time.sleep(0.06)
    assert served.http.get("/v1/models").status_code == 200


def test_an_unknown_permission_is_said_with_what_is_allowed(tmp_path):
    with pytest.raises(UsageError, match="unknown permission 'own' for 'notes'; allowed: read, write"):
        Keys(tmp_path / "k.json").add("a", {"notes": "own"})
    assert not (tmp_path / "k.json").exists()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / "keys.json")
    with pytest.raises(DataError, match="not a regular file"):
        Keys(tmp_path / "keys.json")
