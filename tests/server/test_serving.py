"""`imi serve`, `imi keys` and `imi conform` as processes: start, stop, kill, and what is left on disk."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

import imi
import imi.cli

API = "/api/v1/collections"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "imi", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | environment,
    )


@contextmanager
def serving(*arguments: str, log: Path):
    """Start `imi serve` on a free port and yield the process and a client."""
    with log.open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "imi", "serve", "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=err
        )
    try:
        deadline = time.monotonic() + 60
        while "listens on" not in (told := log.read_text()) and time.monotonic() < deadline:
            assert process.poll() is None, told
            time.sleep(0.05)
        url = told.partition("listens on ")[2].split()[0]
        with httpx.Client(base_url=url, timeout=30) as client:
            yield process, client
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def rows(first: int, count: int) -> bytes:
    made = [{"id": str(at), "text": f"row {at}", "vector": [1, at + 1]} for at in range(first, first + count)]
    return b"".join(json.dumps(row).encode() + b"\n" for row in made)


def test_a_server_answers_and_stops_in_order(tmp_path):
    log = tmp_path / "log"
    with serving("--alias", "text-embedding-3-small=built-in", "--folder", str(tmp_path / "made"), log=log) as (
        process,
        http,
    ):
        body = {"model": "text-embedding-3-small", "input": ["猫", "cat", "car"], "dimensions": 128}
        data = http.post("/v1/embeddings", json=body).json()["data"]
        z = np.array([one["embedding"] for one in data], np.float32)
        assert np.allclose(z, imi.load().embed(["猫", "cat", "car"], dims=128), atol=1e-6)
        assert z[0] @ z[1] > z[0] @ z[2]
        assert http.post(API, json={"name": "notes"}).status_code == 201
        texts = [{"id": "1", "text": "うちの猫はよく眠る"}, {"id": "2", "text": "the car is red"}]
        assert http.post(f"{API}/notes/documents", json={"documents": texts}).json()["added"] == 2
        hits = http.post(f"{API}/notes/search", json={"query": "a cat", "mode": "meaning"}).json()["hits"]
        assert hits[0]["id"] == "1"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
    assert '"event":"stopped"' in log.read_text()
    assert log.read_text().endswith("\nimi: stopped\n")
    assert "Traceback" not in log.read_text()
    with imi.open(tmp_path / "made" / "notes.imi") as notes:
        assert len(notes) == 2


def test_killed_in_the_middle_nothing_acknowledged_is_lost(tmp_path):
    with serving("--folder", str(tmp_path / "made"), log=tmp_path / "log") as (process, http):
        assert http.post(API, json={"name": "n"}).status_code == 201
        acknowledged = 0
        headers = {"content-type": "application/x-ndjson"}
        place = f"{API}/n/documents/ingest"
        try:
            killer = threading.Timer(1.0, process.kill)
            killer.start()
            with http.stream("POST", place, content=rows(0, 60_000), params={"acks": True}, headers=headers) as reply:
                for line in reply.iter_lines():
                    acknowledged = json.loads(line)["lines"]
        except httpx.HTTPError:
            pass
        killer.join()
        process.wait(10)
    with imi.open(tmp_path / "made" / "n.imi") as left:
        assert len(left) >= acknowledged
        assert len(left) % 500 == 0
        assert left.verify().ok


def test_keys_are_made_listed_used_and_removed(tmp_path):
    file = str(tmp_path / "keys.json")
    made = run("keys", "add", "alice", "--read", "notes", "--keys", file, "--json")
    assert made.returncode == 0, made.stderr
    secret = json.loads(made.stdout)["key"]
    listed = run("keys", "ls", "--keys", file, "--json")
    assert json.loads(listed.stdout)[0]["name"] == "alice"
    assert secret not in listed.stdout
    assert run("keys", "rm", "alice", "--keys", file).returncode == 0
    again = run("keys", "rm", "alice", "--keys", file)
    assert again.returncode == 2
    assert "no key named 'alice'" in again.stderr


def test_without_a_key_only_this_machine_is_served(tmp_path):
    done = run("serve", "--host", "0.0.0.0", "--port", "0", IMI_HOME=str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert "there is no key" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serve", "--alias", "x", "--port", "0"), "is not NAME=MODEL"),
        (("serve", "nothing.imi", "--port", "0"), "no collection nothing.imi"),
        (("keys", "add"), "needs a name"),
        (("keys", "lend", "x"), "cannot 'lend'"),
        (("conform", "localhost"), "is not a URL"),
    ],
)
def test_wrong_use_is_said_and_ends_with_2(arguments, said, capsys):
    assert imi.cli.main(list(arguments)) == 2
    told = capsys.readouterr().err
    assert said in told and "Traceback" not in told


def test_conform_prints_a_table_and_fails_where_nothing_answers(served):
    done = run("conform", served.url, "--json")
    assert done.returncode == 0, done.stdout
    assert all(set(row) == {"check", "ok", "detail"} and row["ok"] for row in json.loads(done.stdout))
    assert run("conform", "http://127.0.0.1:9").returncode == 1
