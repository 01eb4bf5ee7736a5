"""kill -9 at random moments: what was acknowledged is there, what was not is absent whole, and the next run goes on."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import imi
from imi.collection.adding import BATCH
from imi.embedders.testing import HashEmbedder
from imi.text.bm25 import BM25
from imi.text.lexical import index_tokens, ranking_terms
from tests.collection.victim import document, model_of

VICTIM = Path(__file__).with_name("victim.py")


def run_and_kill(folder: Path, job: str, number: int, seconds: float | None) -> list[dict[str, object]]:
    """Start the victim, kill it after it has worked for some seconds (None: let it end), return what it said."""
    command = [sys.executable, str(VICTIM), str(folder), job, str(number)]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None
        first = process.stdout.readline()  # the clock starts when it works, not when Python starts
        if seconds is not None:
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
        said = first + process.stdout.read()
        process.wait()
        errors.seek(0)
        assert b"Traceback" not in (told := errors.read()), told.decode()
    return [json.loads(line) for line in said.splitlines() if line.endswith(b"}")]


def check_whole(folder: Path) -> None:
    """The file is sound, and a search agrees with brute force over what the rows say."""
    model = model_of(folder)
    with imi.open(folder, model) as c:
        connection = c._store.connection
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM documents").get == len(c)
        assert connection.execute("SELECT count(*) FROM vectors").get == len(c)
        rows = list(c.documents())
        if not rows:
            return
        z = model.embed([row.text or "" for row in rows])
        np.testing.assert_allclose(c.vectors(), z, atol=1e-6)
        asked = model.embed(["row 17 猫"])[0]
        hits = c.search(asked, k=5)
        assert [hit.score for hit in hits] == pytest.approx(sorted(z @ asked, reverse=True)[:5], abs=1e-5)
        assert {hit.id for hit in c.search("猫", k=len(rows), mode="text")} == {row.id for row in rows}
        if c.info.index["words"]["kind"] == "postings":
            oracle = BM25([index_tokens(row.text or "") for row in rows])
            scores = oracle.scores([ranking_terms("which row is 17 in version 3 of 猫")])[0]
            ranked = c.search("which row is 17 in version 3 of 猫", k=5, mode="text")
            assert [hit.score for hit in ranked] == pytest.approx(sorted(scores, reverse=True)[:5], rel=1e-4)


def kill_adds(folder: Path, rows: int, moments: list[float]) -> None:
    acknowledged = 0
    for seconds in moments:
        said = run_and_kill(folder, "add", rows, seconds)
        acknowledged = max([acknowledged] + [int(str(line["added"])) for line in said if "added" in line])
        with imi.open(folder, HashEmbedder(), "r") as c:
            assert len(c) >= acknowledged
            assert len(c) % BATCH == 0 or len(c) == rows, "only whole batches"
            assert c.ids() == [f"d{at}" for at in range(len(c))]
        check_whole(folder)
    assert run_and_kill(folder, "add", rows, None)[-1] == {"done": True}
    with imi.open(folder, HashEmbedder(), "r") as c:
        assert list(c.documents()) == [document(at) for at in range(rows)]


def kill_writer(folder: Path, job: str, seed: int, seconds: float) -> None:
    """After a kill the rows are what the acknowledged turns say, the turn under way done whole or not at all."""
    have = {}
    if (folder / "collection.sqlite").exists():
        with imi.open(folder, mode="r") as c:
            have = {one.id: one.metadata["version"] for one in c.documents()}
    said = run_and_kill(folder, job, seed, seconds)
    states = [have]
    for line in said:
        if "trying" not in line:
            continue
        after = dict(states[-1])
        for at in line.get("write", []):  # type: ignore[attr-defined]
            after[f"d{at}"] = line["trying"]
        for at in line.get("delete", []):  # type: ignore[attr-defined]
            after.pop(f"d{at}", None)
        states.append(after)
    done = sum("acknowledged" in line for line in said)
    with imi.open(folder) as c:
        found = {one.id: one.metadata["version"] for one in c.documents()}
    assert found in states[done : done + 2], f"{done} turns were acknowledged"
    check_whole(folder)
    for backup in folder.parent.glob("backup-*.imi"):
        with imi.open(backup, mode="r") as c:
            assert c.verify().ok and {one.id: one.metadata["version"] for one in c.documents()} in states
        shutil.rmtree(backup)


def test_killed_adds_keep_whole_batches_and_go_on(tmp_path: Path) -> None:
    chance = random.Random(1)
    kill_adds(tmp_path / "c.imi", 5000, [chance.uniform(0.0, 0.6) for _ in range(2)])


def test_killed_writers_lose_nothing_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(2)
    for seed in range(2):
        kill_writer(tmp_path / "c.imi", "churn", seed, chance.uniform(0.0, 0.3))
        kill_writer(tmp_path / "u.imi", "upkeep", seed, chance.uniform(0.0, 1.0))


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_twenty_kills_of_an_add_of_twenty_thousand_rows(tmp_path: Path) -> None:
    chance = random.Random(3)
    for at in range(20):
        kill_adds(tmp_path / f"{at}.imi", 20_000, [chance.uniform(0.0, 4.0)])


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_three_hundred_kills(tmp_path: Path) -> None:
    chance = random.Random(4)
    for at in range(300):
        job = "churn" if at % 2 else "upkeep"
        kill_writer(tmp_path / f"{job}{at // 20}.imi", job, at, chance.uniform(0.0, 0.4 if at % 2 else 1.2))
