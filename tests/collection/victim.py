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
from imi.index import planner
from imi.index.plan import Plan, Tried
from imi.index.policy import IndexPolicy
from imi.index.rungs import parse_ladder
from imi.records import Document, ModelInfo

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


class Mirror(HashEmbedder):
    """Another model, to migrate to: the same numbers backwards."""

    info = ModelInfo(id="mirror", width=64, dims=(64,), weights="blake2b-1")

    def embed(self, texts, kind="document", dims=None, *, progress=None):
        return super().embed(texts, kind, dims)[:, ::-1]


SMALL = IndexPolicy(
    saved_rows=20, batch_rows=100, exact_rows=60, tail_rows=20,
    words_from=30, words_saved=20, words_tail=50, words_batch=40,
)  # fmt: skip
MODELS: dict[str, HashEmbedder] = {"hash": HashEmbedder(), "mirror": Mirror()}


def model_of(folder: Path) -> HashEmbedder:
    """Return the model that the collection has just now."""
    with imi.open(folder, mode="r") as c:
        bound = c.bound
    return MODELS["hash" if bound is None else bound.info.id]


def upkeep(folder: Path, seed: int) -> None:
    """Add and delete with an index that is built all the time, back up, and migrate from one model to the other."""
    # The first rung keeps every row, so that the ladder answers as the oracle does and a lost row shows.
    chosen = Tried(parse_ladder("16:200,64:20", 64), 1.0, 1.0, 1.0, 1000.0, 1, "all")
    fixed = Plan(0.95, 10, "cosine", 100, 64, chosen, (), True, (), "")
    planner.plan = lambda *_, **__: fixed
    chance = random.Random(seed)
    with imi.open(folder, model_of(folder) if folder.exists() else MODELS["hash"], policy=SMALL) as c:
        say(started=True)
        for turn in range(1, 10_000):
            kind = chance.choice(["write", "write", "write", "delete", "backup", "migrate"])
            some = chance.sample(range(200), chance.randint(1, 60))
            say(trying=turn, **({kind: some} if kind in ("write", "delete") else {}))
            if kind == "write":
                c.add([document(at, turn) for at in some])
            elif kind == "delete":
                c.delete([f"d{at}" for at in some])
            elif kind == "backup":
                c.backup(folder.with_name(f"backup-{seed}-{turn}.imi"))
            elif len(c):
                other = "mirror" if c.model.info.id == "hash" else "hash"
                c.migrate(model=MODELS[other])
            say(acknowledged=turn)


if __name__ == "__main__":
    target, job, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    {"add": add, "churn": churn, "upkeep": upkeep}[job](target, number)
