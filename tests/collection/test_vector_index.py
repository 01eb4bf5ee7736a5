"""The derived index: the same answers as the exact oracle whatever was written, built, deleted, cut or forked."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

import imi
from imi.collection import Collection
from imi.index.exact import Exact
from imi.index.plan import Plan, Tried
from imi.index.policy import IndexPolicy
from imi.index.rungs import parse_ladder
from imi.records import Document

WIDTH = 24
# Files and ladders begin at sizes that a test can afford.
SMALL = IndexPolicy(saved_rows=200, batch_rows=500, exact_rows=1500)


@pytest.fixture(autouse=True)
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan a ladder for few rows, which are best searched exactly, as a plan would find out."""
    rungs = parse_ladder("16:200,24:50", WIDTH)
    chosen = Tried(rungs, 1.0, 1.0, 1.0, 1000.0, 1, "all")
    fixed = Plan(0.95, 10, "cosine", 2000, WIDTH, chosen, (), True, (), "")
    monkeypatch.setattr("imi.index.planner.plan", lambda *_, **__: fixed)


def vectors(number: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(number, WIDTH)) * np.linspace(3, 0.3, WIDTH)).astype(np.float32)


def rows(ids: range) -> list[Document]:
    return [Document(f"r{at}", metadata={"n": at}) for at in ids]


def check_exact(c: Collection, z: dict[str, np.ndarray], least: float = 1.0) -> None:
    """Searches find what brute force finds: all of it where `least` is 1, that share where a ladder may miss some."""
    ids = list(z)
    oracle = Exact(np.array([z[id_] for id_ in ids]))
    queries = vectors(20, seed=99)
    found = 0
    for query in queries:
        expected = oracle.search(query, 10)[1][0]
        hits = c.search(query, k=10)
        assert len(hits) == min(10, len(ids))
        for hit in hits:
            assert hit.score == pytest.approx(float(imi.similarity(z[hit.id], query, c._model)), abs=1e-4)  # type: ignore[arg-type]
        found += len({hit.id for hit in hits} & {ids[at] for at in expected})
    assert found >= least * 10 * len(queries)


@pytest.fixture
def big(tmp_path: Path):
    z = vectors(2000)
    with imi.open(tmp_path / "c.imi", policy=SMALL) as c:
        c.add(rows(range(2000)), z)
        c._index.wait()
        yield c, {f"r{at}": vector for at, vector in enumerate(z)}


def test_a_ladder_is_built_behind_the_writes_and_answers(big, tmp_path: Path) -> None:
    c, z = big
    assert c.info.index["kind"] == "ladder" and c.info.index["built"] == 2000
    check_exact(c, z, least=0.9)
    with imi.open(tmp_path / "c.imi", mode="r", policy=SMALL) as reader:
        assert reader.info.index["kind"] == "ladder"
        check_exact(reader, z, least=0.9)
    hits = c.explain(vectors(1, 5)[0], k=5)
    assert hits.search["steps"] and hits.search["mflops"] > 0
    exact = c.explain(vectors(1, 5)[0], k=5, exact=True)
    assert exact.search["steps"][0]["rung"].startswith("exact") and exact.search["steps"][0]["candidates"] == 2000


def test_new_rows_are_found_at_once_and_deleted_ones_never(big) -> None:
    c, z = big
    fresh = vectors(100, seed=3)
    c.add([Document(f"new{at}") for at in range(100)], fresh)
    z |= {f"new{at}": vector for at, vector in enumerate(fresh)}
    assert c.search(fresh[7], k=1)[0].id == "new7"
    gone = [f"r{at}" for at in range(0, 2000, 3)]
    c.delete(gone)
    for id_ in gone:
        del z[id_]
    check_exact(c, z, least=0.9)
    for query in vectors(30, seed=4):
        assert not {hit.id for hit in c.search(query, k=50)} & set(gone)
    c.add([Document("r1")], vectors(1, seed=8))
    z["r1"] = vectors(1, seed=8)[0]
    assert c.search(z["r1"], k=1)[0].id == "r1"
    c._index.wait()
    check_exact(c, z, least=0.9)


def test_filters_keep_recall_and_k(big) -> None:
    c, z = big
    for least in (1000, 1900, 1995):
        allowed = {id_: vector for id_, vector in z.items() if int(id_[1:]) >= least}
        oracle = Exact(np.array(list(allowed.values())))
        found = 0
        for query in vectors(20, seed=11):
            hits = c.search(query, k=5, where={"n": {">=": least}})
            assert len(hits) == 5 and all(hit.metadata["n"] >= least for hit in hits)
            expected = oracle.search(query, 5)[1][0]
            found += len({hit.id for hit in hits} & {list(allowed)[at] for at in expected})
        assert found >= 0.95 * 100


@pytest.mark.parametrize("damage", ["missing", "manifest", "flip", "cut", "foreign"])
def test_a_damaged_index_heals_by_itself(big, tmp_path: Path, damage: str) -> None:
    c, z = big
    c.close()
    index = tmp_path / "c.imi" / "index"
    chance = random.Random(5)
    if damage == "missing":
        shutil.rmtree(index)
    elif damage == "manifest":
        (index / "manifest.json").write_text("{}")
    elif damage == "foreign":
        with imi.open(tmp_path / "other.imi", policy=SMALL) as other:
            other.add(rows(range(2000)), vectors(2000, seed=77))
        shutil.rmtree(index)
        shutil.copytree(tmp_path / "other.imi" / "index", index)
    else:
        for part in index.iterdir():
            if part.name in ("manifest.json", "lock") or part.stat().st_size == 0:
                continue
            content = bytearray(part.read_bytes())
            at = chance.randrange(len(content))
            if damage == "flip":
                content[at] ^= 0x10
            else:
                del content[at:]
            part.write_bytes(content)
    for mode in ("r", "rw"):
        with imi.open(tmp_path / "c.imi", mode=mode, policy=SMALL) as again:
            check_exact(again, z, least=0.9)


@pytest.mark.parametrize("number", [25, pytest.param(500, marks=pytest.mark.nightly)])
def test_every_file_of_the_index_flipped_at_random(big, tmp_path: Path, number: int) -> None:
    c, z = big
    c.close()
    index = tmp_path / "c.imi" / "index"
    shutil.copytree(index, tmp_path / "sound")
    chance = random.Random(number)
    for _ in range(number):
        part = chance.choice([path for path in (tmp_path / "sound").iterdir() if path.stat().st_size])
        content = bytearray(part.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        (index / part.name).write_bytes(content)
        with imi.open(tmp_path / "c.imi", mode="r", policy=SMALL) as again:
            check_exact(again, z, least=0.9)
        shutil.copy(part, index / part.name)


def _child(folder: Path, query: np.ndarray, expected: list[str]) -> None:
    with imi.open(folder, mode="r", policy=SMALL) as c:
        os._exit(0 if [hit.id for hit in c.search(query, k=5)] == expected else 3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_starts_afresh_and_never_hangs(big, tmp_path: Path) -> None:
    c, _ = big
    query = vectors(1, seed=12)[0]
    expected = [hit.id for hit in c.search(query, k=5)]
    pid = os.fork()
    if pid == 0:  # the child uses what it inherited
        try:
            ok = [hit.id for hit in c.search(query, k=5)] == expected and len(c.search("x", mode="text")) == 0
        except BaseException:
            ok = False
        os._exit(0 if ok else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_child, args=(tmp_path / "c.imi", query, expected))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert [hit.id for hit in c.search(query, k=5)] == expected
