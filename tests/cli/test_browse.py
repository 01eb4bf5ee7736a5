"""`imi browse` says its address, serves the page with the collection there, and ends when it is told to."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

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
        address = urlsplit(told["out"])
        server, token = f"http://{address.netloc}", parse_qs(address.query)["token"][0]
        assert told["points"] == 2 and address.fragment == "my%20pets" and len(token) >= 32
        with urllib.request.urlopen(told["out"], timeout=30) as reply:
            assert "imi" in reply.read().decode() and "default-src 'none'" in reply.headers["content-security-policy"]
        collections = f"{server}/api/v1/collections"
        bearer = {"Authorization": f"Bearer {token}"}
        with urllib.request.urlopen(urllib.request.Request(collections, headers=bearer), timeout=30) as reply:
            listed = json.load(reply)
        # Whoever has only the port gets nothing, nor does who guesses, nor a page that a name was made to point here.
        for url, headers, status in (
            (collections, {}, 401),
            (f"{collections}?token={token[:-1]}", {}, 401),
            (f"{server}/v1/models", {}, 401),
            (f"{server}/metrics", {"Authorization": "Bearer "}, 401),
            (told["out"], {"Host": "evil.example"}, 403),
        ):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30)
            assert refused.value.code == status
            refused.value.close()
        assert [one["name"] for one in listed["collections"]] == ["my pets"] and listed["creates"]
    finally:
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert running.returncode == 130 and said.endswith("\nimi: stopped\n")


def test_what_is_not_there_is_not_browsed(tmp_path, capsys):
    assert imi.cli.main(["browse", str(tmp_path / "nothing"), "--no-open"]) == 2
    assert "nothing" in capsys.readouterr().err
