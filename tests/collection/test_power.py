"""Losing power, which kill -9 does not test: what was acknowledged is on disk, whatever else was lost."""

from __future__ import annotations

import contextlib
import random
import shutil
from pathlib import Path

import apsw
import pytest

import imi
from imi.collection.adding import Adder
from imi.collection.model import CollectionModel
from imi.embedders.testing import HashEmbedder
from imi.records import Document
from imi.store import database
from imi.store.store import Store
from tests.collection.power import SUPPLY, LossyVFS, PowerCut, Supply


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory):
    with imi.open(tmp_path_factory.mktemp("first") / "c.imi", HashEmbedder()) as c:
        c.add([Document("first", "there before")])
    database._checksummed()
    kept = LossyVFS()
    yield c.folder
    kept.unregister()


def write_until_dark(folder: Path, last: int) -> tuple[dict[str, str], dict[str, str] | None, Supply]:
    """Add, update and delete until the power goes; return what was acknowledged, what was under way, and the supply."""
    supply = Supply(last)
    SUPPLY.append(supply)
    have = {"first": "there before"}
    trying: dict[str, str] | None = None
    chance = random.Random(last)
    store = Store(folder, write=True, vfs="lossy")
    adder = Adder(store, CollectionModel(store, HashEmbedder()))
    try:
        for turn in range(60):
            ids = [f"d{at}" for at in chance.sample(range(30), chance.randint(1, 6))]
            if turn % 4 == 3:
                trying = {id_: text for id_, text in have.items() if id_ not in ids}
                with store.writing():
                    rows = [found.row for found in store.by_ids(ids).values()]
                    store.remove(rows)
                    store.add_to_count(-len(rows))
            else:
                trying = have | {id_: f"turn {turn} of {id_} {'x' * chance.randint(0, 3000)}" for id_ in ids}
                adder.add([Document(id_, trying[id_]) for id_ in ids], None, "raise", None)
            have, trying = trying, None
            if turn % 10 == 9:
                store.connection.wal_checkpoint()
    except Exception:
        if not supply.out:
            raise
        supply.settle(chance)
    for connection in store._open:
        with contextlib.suppress(apsw.Error, PowerCut):
            connection.connection.close()
    SUPPLY.pop()
    return have, trying, supply


def cut_at(original: Path, folder: Path, last: int) -> bool:
    """Lose power after so many writes; return whether it went before all was done."""
    shutil.copytree(original, folder, ignore=shutil.ignore_patterns("index"))
    have, trying, supply = write_until_dark(folder, last)
    with imi.open(folder, HashEmbedder()) as c:
        found = {one.id: one.text for one in c.documents()}
        assert found in ([have] if trying is None else [have, trying]), f"power lost after {last} operations"
        assert c.verify().ok
        assert len(c.search("turn", k=5, mode="meaning")) == min(5, len(found))
    shutil.rmtree(folder)
    return supply.out


def test_what_was_acknowledged_survives_a_power_cut(layer: Path, tmp_path: Path) -> None:
    chance = random.Random(7)
    cuts = [cut_at(layer, tmp_path / "cut.imi", chance.randint(1, 700)) for _ in range(12)]
    assert sum(cuts) >= 8


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_three_hundred_power_cuts(layer: Path, tmp_path: Path) -> None:
    assert sum(cut_at(layer, tmp_path / "cut.imi", 1 + 3 * at) for at in range(320)) >= 250
