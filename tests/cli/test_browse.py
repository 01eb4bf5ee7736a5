"""`imi browse` says its address, serves the page with the collection there, and ends when it is told to."""

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest

import imi
import imi.cli

pytest.importorskip("fastapi", reason="the extra `server` is not installed")


def test_a_collection_is_browsed_until_interrupted(tmp_path):
    with imi.open(tmp_path / "my pets.imi", model="hash") as made:
        made.add([imi.Document("1", "猫"), imi.Document("2", "cat")])
    command = [sys.executable, "-m", "imi", "browse", str(tmp_path / "my pets.imi"), "--no-open", "--json"]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"IMI_MODEL": "hash"}
    )
    try:
        told = json.loads(running.stdout.readline())
        assert told["points"] == 2 and told["out"].endswith("/#my%20pets")
        server = told["out"].partition("/#")[0]
        with urllib.request.urlopen(server, timeout=30) as reply:
            assert "imi" in reply.read().decode() and "default-src 'none'" in reply.headers["content-security-policy"]
        with urllib.request.urlopen(f"{server}/api/v1/collections", timeout=30) as reply:
            listed = json.load(reply)
        assert [one["name"] for one in listed["collections"]] == ["my pets"] and listed["creates"]
    finally:
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert running.returncode in (0, 130) and "Traceback" not in said


def test_what_is_not_there_is_not_browsed(tmp_path, capsys):
    assert imi.cli.main(["browse", str(tmp_path / "nothing"), "--no-open"]) == 2
    assert "nothing" in capsys.readouterr().err
