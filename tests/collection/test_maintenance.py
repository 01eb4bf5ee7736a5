"""Verify, repair and back up; and thousands of flipped and missing bytes, none of which may lie or crash."""

from __future__ import annotations

import random
import shutil
import threading
from pathlib import Path

import apsw
import numpy as np
import pytest

import imi
from imi.collection import Collection
from imi.embedders.testing import HashEmbedder
from imi.errors import CollectionError, ImiError, UsageError
from imi.records import Document

TEXTS = {f"d{at}": f"row {at} 猫 {'long ' * (at % 50)}" for at in range(600)}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original") / "c.imi"
    with imi.open(path, HashEmbedder()) as c:
        c.add([Document(id_, text, {"n": at}) for at, (id_, text) in enumerate(TEXTS.items())])
        c.delete(["d5", "d7"])
    return path


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "c.imi")
    return tmp_path / "c.imi"


def forge(folder: Path, sql: str) -> None:
    connection = apsw.Connection(str(folder / "collection.sqlite"), vfs="cksmvfs")
    connection.execute(sql)
    connection.close()


def test_a_sound_collection_verifies(folder: Path, embedder: HashEmbedder) -> None:
    with imi.open(folder, embedder) as c:
        seen: list[tuple[int, int]] = []
        found = c.verify(progress=lambda done, total: seen.append((done, total)))
        assert found.to_dict() == {"ok": True, "rows": 598, "problems": []}


def test_every_kind_of_damage_is_found(folder: Path, embedder: HashEmbedder) -> None:
    forge(folder, "UPDATE documents SET text = 'forged' WHERE id = 'd3'")
    forge(folder, "UPDATE vectors SET vector = zeroblob(256) WHERE row = 2")
    forge(folder, "INSERT INTO vectors VALUES (9999, zeroblob(256), 1)")
    forge(folder, "UPDATE meta SET value = '600' WHERE key = 'count'")
    with imi.open(folder, embedder) as c:
        found = c.verify()
        assert not found.ok
        assert {(p.check, p.where) for p in found.problems} == {
            ("documents", "row 4"),
            ("vectors", "row 2"),
            ("vectors", "row 9999"),
            ("vectors", "vectors"),
            ("count", "meta"),
        }


def test_repair_keeps_all_that_agrees_and_embeds_lost_vectors_again(folder: Path, embedder: HashEmbedder) -> None:
    forge(folder, "UPDATE documents SET text = 'forged' WHERE id = 'd3'")
    forge(folder, "UPDATE vectors SET vector = zeroblob(256) WHERE row = 2")
    with imi.open(folder, embedder) as c:
        done = c.repair()
        assert (done.kept, done.embedded_again, len(done.lost)) == (597, 1, 1) and "'d3'" in done.lost[0]
        assert c.verify().ok and (folder / "damaged" / "collection.sqlite").exists()
        np.testing.assert_allclose(c.vectors(["d1"]), embedder.embed([TEXTS["d1"]]), atol=1e-6)
        assert {one.id: one.text for one in c.documents()} == {
            id_: text for id_, text in TEXTS.items() if id_ not in ("d3", "d5", "d7")
        }
        assert [hit.id for hit in c.search('"row 17"', mode="text")] == ["d17"]
        assert c.search(TEXTS["d17"], mode="meaning", k=1)[0].id == "d17"
        c.add([Document("d3", TEXTS["d3"])])
        assert len(c) == 598


def test_a_damaged_page_costs_only_its_rows(folder: Path, embedder: HashEmbedder) -> None:
    file = folder / "collection.sqlite"
    content = bytearray(file.read_bytes())
    at = content.find("row 300 猫".encode())
    content[at] ^= 1
    file.write_bytes(content)
    with imi.open(folder, embedder) as c:
        found = c.verify()
        assert not found.ok and any(p.where == "row 301" for p in found.problems)
        done = c.repair()
        assert 300 < done.kept < 598 and c.verify().ok
        for one in c.documents():
            assert one.text == TEXTS[one.id]


def test_a_backup_is_a_collection_though_writing_goes_on(folder: Path, embedder: HashEmbedder, tmp_path: Path) -> None:
    with imi.open(folder, embedder) as c:
        stop = threading.Event()

        def write() -> None:
            at = 0
            while not stop.is_set():
                c.add([Document(f"new{at}", f"new {at}"), Document(f"too{at}", f"new too {at}")])
                at += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            c.backup(tmp_path / "copy.imi")
        finally:
            stop.set()
            writer.join()
        with pytest.raises(UsageError, match="is there already"):
            c.backup(tmp_path / "copy.imi")
    with imi.open(tmp_path / "copy.imi", embedder) as copy:
        assert copy.verify().ok
        kept = set(copy.ids())
        assert {id_ for id_ in TEXTS if id_ not in ("d5", "d7")} <= kept
        assert all(f"too{id_[3:]}" in kept for id_ in kept if id_.startswith("new")), "only whole transactions"


def test_repair_needs_the_right_to_write(folder: Path, embedder: HashEmbedder) -> None:
    with imi.open(folder, embedder, "r") as c, pytest.raises(CollectionError, match="reading only"):
        c.repair()


def answers(c: Collection) -> None:
    """Ask everything; whatever comes back must be right."""
    for one in c.documents():
        assert one.text == TEXTS[one.id], "a wrong text"
    for hit in c.search("row 17 猫", k=20, mode="meaning"):
        assert hit.text == TEXTS[hit.id]
    for hit in c.search("猫", k=600, mode="text"):
        assert hit.text == TEXTS[hit.id]
    ids = [id_ for id_ in TEXTS if id_ not in ("d5", "d7")][::97]
    np.testing.assert_allclose(c.vectors(ids), HashEmbedder().embed([TEXTS[id_] for id_ in ids]), atol=1e-6)


def mutate(folder: Path, content: bytes, chance: random.Random) -> str:
    """Flip or cut at a random place of the file; return what was done."""
    file = folder / "collection.sqlite"
    for name in ("collection.sqlite-wal", "collection.sqlite-shm"):
        (folder / name).unlink(missing_ok=True)
    changed = bytearray(content)
    kind = chance.choice(["bit", "bit", "bit", "run", "cut", "swap"])
    at = chance.randrange(len(changed))
    if kind == "bit":
        changed[at] ^= 1 << chance.randrange(8)
    elif kind == "run":
        length = chance.randint(1, 5000)
        changed[at : at + length] = bytes(len(changed[at : at + length]))
    elif kind == "cut":
        del changed[at:]
    else:
        pages = len(changed) // 16384
        a, b = chance.randrange(pages) * 16384, chance.randrange(pages) * 16384
        changed[a : a + 16384], changed[b : b + 16384] = changed[b : b + 16384], changed[a : a + 16384]
    file.write_bytes(changed)
    return f"{kind} at {at}"


def run_mutations(original: Path, tmp_path: Path, number: int, seed: int) -> tuple[int, int]:
    shutil.copytree(original, tmp_path / "m.imi")
    content = (original / "collection.sqlite").read_bytes()
    chance = random.Random(seed)
    told = answered = 0
    for _ in range(number):
        what = mutate(tmp_path / "m.imi", content, chance)
        try:
            with imi.open(tmp_path / "m.imi", HashEmbedder(), "r") as c:
                answers(c)
            answered += 1
        except ImiError as error:
            assert str(error), what
            told += 1
        except AssertionError as wrong:
            raise AssertionError(f"{what}: {wrong}") from wrong
    return told, answered


def test_no_flipped_or_missing_byte_lies_or_crashes(original: Path, tmp_path: Path) -> None:
    told, _ = run_mutations(original, tmp_path, 60, seed=1)
    assert told > 30, "most places hold something"


def test_pages_that_changed_places_neither_lie_nor_hang(original: Path, tmp_path: Path) -> None:
    # Every page agrees with its checksum then, and SQLite believes what it reads.
    content = (original / "collection.sqlite").read_bytes()
    size, folder = 16384, tmp_path / "s.imi"
    shutil.copytree(original, folder)
    pages = [content[at : at + size] for at in range(0, len(content), size)]
    for a, b in zip(range(1, len(pages) - 1), range(len(pages) - 1, 1, -1), strict=False):
        swapped = [*pages]
        swapped[a], swapped[b] = pages[b], pages[a]
        (folder / "collection.sqlite").write_bytes(b"".join(swapped))
        try:
            with imi.open(folder, HashEmbedder(), "r") as c:
                answers(c)
        except ImiError as error:
            assert str(error)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_thousands_of_flipped_or_missing_bytes(original: Path, tmp_path: Path) -> None:
    told, answered = run_mutations(original, tmp_path, 2500, seed=2)
    print(f"{told} told, {answered} answered rightly")
