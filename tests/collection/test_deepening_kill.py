"""kill -9 while rows are read by the finer model: nothing is lost, no row has the vector of another text."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import imi
from imi.embedders.deep import installed
from tests.collection.test_deepening import check_second_vectors

pytestmark = pytest.mark.skipif(not installed(), reason="the model's files are not in this clone")

ROWS = 400
# Reads everything by turns of `deepen` and of searches, while rows are updated and deleted.
VICTIM = """
import random, sys, imi
chance = random.Random(int(sys.argv[2]))
print("begun", flush=True)
with imi.open(sys.argv[1]) as c:
    c.rerank = imi.Rerank("deep", 100)
    while True:
        at = chance.randrange(400)
        what = chance.random()
        if what < 0.5:
            c.deepen(budget=20)
        elif what < 0.8:
            c.search(f"row {at} 猫")
        elif what < 0.95:
            c.add([imi.Document(f"d{at}", f"row {at}, written again {chance.random()}")])
        else:
            c.delete([f"d{at}"])
            c.add([imi.Document(f"d{at}", f"row {at} came back 犬 {chance.random()}")])
"""


def fill(path: Path) -> None:
    with imi.open(path) as c:
        c.add([imi.Document(f"d{at}", f"row {at} of many, 猫 {at * 7}") for at in range(ROWS)])


def kill(path: Path, seed: int, seconds: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(path), str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        _, told = process.communicate()
        assert b"Traceback" not in told, told.decode()


def kill_often(path: Path, times: int, check_every: int) -> None:
    fill(path)
    chance = random.Random(7)
    for number in range(times):
        kill(path, number, chance.uniform(0.3, 2.0))
        with imi.open(path) as c:
            assert ROWS - 1 <= len(c) <= ROWS
            assert c._store.connection.execute("PRAGMA integrity_check").get == "ok"
            if number % check_every == 0 or number == times - 1:
                check_second_vectors(c)
    with imi.open(path) as c:
        c.deepen()
        assert len(check_second_vectors(c)) == len({one.text for one in c.documents()}) == len(c)


def test_killed_deepening_keeps_what_it_read_and_goes_on(tmp_path: Path) -> None:
    kill_often(tmp_path / "c.imi", 2, 1)


@pytest.mark.nightly
def test_a_hundred_kills(tmp_path: Path) -> None:
    kill_often(tmp_path / "c.imi", 100, 10)
