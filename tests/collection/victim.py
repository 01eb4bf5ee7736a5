"""A process to be killed: works on a collection and prints a line for each thing that was acknowledged to it.

Run as `python victim.py FOLDER JOB SEED`; the test reads the lines, kills it, and holds it to every one.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import imi
from imi.embedders.testing import HashEmbedder
from imi.records import Document

ROWS = 3000


def document(at: int, version: int = 0) -> Document:
    return Document(f"d{at}", f"row {at} version {version} 猫 {at % 7}", {"n": at, "version": version})


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def add(folder: Path, rows: int) -> None:
    """Add documents; `progress` speaks after each commit."""
    with imi.open(folder, HashEmbedder()) as c:
        c.add((document(at) for at in range(rows)), progress=lambda done, total: say(added=done))
    say(done=True)


def churn(folder: Path, seed: int) -> None:
    """Add, update and delete at random, a transaction each, saying what became true."""
    chance = random.Random(seed)
    with imi.open(folder, HashEmbedder()) as c:
        say(started=True)
        for turn in range(1, 10_000):
            some = chance.sample(range(60), chance.randint(1, 8))
            if chance.random() < 0.3:
                say(trying=turn, delete=some)
                c.delete([f"d{at}" for at in some])
            else:
                say(trying=turn, write=some)
                c.add([document(at, turn) for at in some])
            say(acknowledged=turn)


if __name__ == "__main__":
    target, job, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    if job == "add":
        add(target, number)
    else:
        churn(target, number)
