"""A file that is set back to a copy of itself, has a second name, or changes places while work is under way."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import CollectionError, Gone
from imi.index.policy import IndexPolicy

SMALL = IndexPolicy(saved_rows=20, batch_rows=50, exact_rows=100_000, tail_rows=20, words_from=30, words_saved=20)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add(c, kind, start, end, z):
    c.add([imi.Document(f"{kind}{n}", f"text {kind} {n}") for n in range(start, end)], z[start:end])
    c.settle()
    c.wait()


def put_back(copy, path):
    """Put an earlier copy of a file in its place, as a tool that knows nothing of imi would."""
    shutil.copy(copy, "restored")
    os.replace("restored", path / "collection.sqlite")


@pytest.mark.parametrize("lost", ["added", "added and deleted", "deleted"])
@pytest.mark.parametrize("opened", [False, True])
def test_a_file_set_back_and_filled_again_has_its_own_index(here, lost, opened):
    z = np.random.default_rng(0).standard_normal((400, 8)).astype("f4")
    path = Path("c.imi")
    with imi.open(path, policy=SMALL) as c:
        add(c, "old", 0, 100, z)
    shutil.copy("c.imi/collection.sqlite", "copy")
    handle = imi.open(path, policy=SMALL)
    if "added" in lost:
        add(handle, "lost", 100, 150, z)
    if "deleted" in lost:
        handle.delete(["old7", *(["lost120"] if "added" in lost else [])])
        handle.settle()
        handle.wait()
    handle.search("lost", mode="text"), handle.search(z[120], mode="meaning")
    if not opened:
        handle.close()
    put_back("copy", path)
    if not opened:
        handle = imi.open(path, policy=SMALL)
    with handle as c:
        if "added" in lost:
            add(c, "new", 200, 250, z)
        if "deleted" in lost:
            c.delete(["old9"])
        ids = set(c.ids())
        assert "old7" in ids and not any(one.startswith("lost") for one in ids)
        for mode, query in (("text", "text"), ("meaning", z[0])):
            assert {hit.id for hit in c.search(query, 500, mode=mode)} == ids
        for at in (205, 230):
            if "added" in lost:
                assert c.search(z[at], 1, mode="meaning")[0].id == f"new{at}"
                assert c.search(f'"new {at}"', 1, mode="text")[0].id == f"new{at}"
        assert not c.search("lost", mode="text") and c.verify().ok


def test_words_of_a_state_that_was_lost_are_not_built_upon(here):
    z = np.random.default_rng(0).standard_normal((400, 8)).astype("f4")

    def fill(c, kind, start, end):
        texts = [f"some longer text of the {kind} kind about number {n}" for n in range(start, end)]
        c.add([imi.Document(f"{kind}{n}", text) for n, text in enumerate(texts, start)], z[start:end])
        c.settle()
        c.wait()

    with imi.open("c.imi", policy=SMALL) as c:
        fill(c, "old", 0, 100)
    shutil.copy("c.imi/collection.sqlite", "copy")
    with imi.open("c.imi", policy=SMALL) as c:
        fill(c, "lost", 100, 150)
    put_back("copy", Path("c.imi"))
    with imi.open("c.imi", policy=SMALL) as c:
        fill(c, "new", 200, 250)
    with imi.open("c.imi", mode="r", policy=SMALL) as c:
        assert c.info.index["words"]["kind"] == "postings"
        assert c.search("some longer text of the new kind about number 205", 1, mode="text")[0].id == "new205"
        assert c.search("the lost kind about number 120 of the lost", 1, mode="text")[0].id[:3] == "old"


def test_logs_of_files_that_were_replaced_one_after_another_are_all_kept(here):
    for name in ("one", "two"):
        with imi.open(f"{name}.imi", model="hash") as c:
            c.add([imi.Document(name, f"text of {name}")])
    handles = []
    for at, name in enumerate(("one", "two", None)):
        handle = imi.open("c.imi", model="hash")
        handles.append(handle)
        handle.add([imi.Document(f"row{at}", "written to the log")])
        if name is not None:
            os.rename("c.imi/collection.sqlite", f"moved{at}")
            os.replace(f"{name}.imi/collection.sqlite", "c.imi/collection.sqlite")
    for handle in handles:
        handle.close()
    for at, log in enumerate(("replaced", "replaced.2")):
        place = Path(f"again{at}.imi")
        place.mkdir()
        os.rename(f"moved{at}", place / "collection.sqlite")
        os.rename(f"c.imi/collection.sqlite-wal.{log}", place / "collection.sqlite-wal")
        with imi.open(place, mode="r") as c:
            assert f"row{at}" in c.ids()


@pytest.mark.parametrize("changed", [False, True])
def test_a_file_that_was_away_for_a_while_has_its_last_rows_and_another_has_them_not(here, changed):
    with imi.open("other.imi", model="hash") as c:
        c.add([imi.Document("other", "of another file")])
    handle = imi.open("c.imi", model="hash")
    handle.add([imi.Document("a", "written to the log")])
    os.rename("c.imi/collection.sqlite", "away")
    handle.close()
    if changed:
        os.replace("other.imi/collection.sqlite", "c.imi/collection.sqlite")
        with imi.open("c.imi", model="hash") as c:
            assert c.ids() == ["other"] and c.verify().ok
    os.replace("away", "c.imi/collection.sqlite")
    for mode in ("rw", "r"):
        with imi.open("c.imi", model="hash", mode=mode) as c:
            assert c.ids() == ["a"] and c.verify().ok


def test_a_file_with_a_second_name_is_read_and_not_written(here):
    with imi.open("c.imi", model="hash") as c:
        c.add([imi.Document("1", "first text")])
    Path("snapshot.imi").mkdir()
    os.link("c.imi/collection.sqlite", "snapshot.imi/collection.sqlite")
    for name in ("c.imi", "snapshot.imi"):
        with imi.open(name, model="hash") as c:
            assert c.search("text")[0].id == "1"
            for write in (lambda c=c: c.add([imi.Document("2", "lost text")]), lambda c=c: c.delete("1")):
                with pytest.raises(CollectionError, match="another name"):
                    write()
    with imi.open("c.imi") as c:
        c.backup("own.imi")
    with imi.open("own.imi", model="hash") as c:
        assert c.add([imi.Document("2", "more text")]).added == 1
    shutil.rmtree("snapshot.imi")
    with imi.open("c.imi", model="hash") as c:
        assert c.add([imi.Document("2", "more text")]).added == 1


@pytest.mark.parametrize("left", [".imi-0123456789ab", "damaged", "damaged-2"])
def test_a_second_name_that_a_killed_maker_or_repair_left_is_taken_away(here, left, monkeypatch):
    monkeypatch.setattr("imi.store.names._WAIT_SECONDS", 0.05)
    with imi.open("c.imi", model="hash") as c:
        Path("c.imi", left).mkdir()
        os.link("c.imi/collection.sqlite", f"c.imi/{left}/collection.sqlite")
        assert c.add([imi.Document("2", "more text")]).added == 1


def other(path="other.imi"):
    with imi.open(path, model="hash") as c:
        c.add([imi.Document("theirs", "their text")])
    return Path(path)


def swap(path):
    os.rename(path, "aside.imi")
    os.rename("other.imi", path)


WORK = {
    "add": lambda c: c.add([imi.Document(f"{n}", f"text {n}") for n in range(3000)]),
    "migrate": lambda c: c.migrate(dims=16),
    "import": lambda c: c.import_("export.jsonl"),
    "documents": lambda c: [*c.documents()],
    "add_files": lambda c: c.add_files("many.txt"),
}


@pytest.mark.parametrize("kind", WORK)
def test_what_is_under_way_does_not_go_on_in_another_file(here, kind, monkeypatch):
    with imi.open("c.imi", model="hash") as c:
        c.add([imi.Document(f"first {n}", f"first text {n}") for n in range(2500)])
        c.export("export.jsonl")
    Path("many.txt").write_text("".join(f"line {n}\n" for n in range(3000)))
    other()
    real, calls = imi.store.store.Store.reading, []

    def reading(self):
        calls.append(1)
        if len(calls) == 9:
            swap(Path("c.imi"))
        return real(self)

    with imi.open("c.imi", model=HashEmbedder()) as c:
        if kind == "import":
            c.delete([f"first {n}" for n in range(1000, 2500)])
        monkeypatch.setattr(imi.store.store.Store, "reading", reading)
        calls[:] = [1] * {"documents": 7, "add": 3, "import": 3, "migrate": 4}.get(kind, 0)
        with pytest.raises(Gone, match="replaced while"):
            WORK[kind](c)
    monkeypatch.undo()
    with imi.open(here / "c.imi", mode="r") as c:
        assert c.ids() == ["theirs"] and c.verify().ok
    with imi.open(here / "aside.imi", mode="r") as c:
        assert c.verify().ok and len(c) >= 1000


@pytest.mark.parametrize("who", ["the same handle", "another handle", "another process", "later"])
def test_the_log_of_a_file_that_was_replaced_is_not_read_as_the_other_ones(here, who):
    writer = imi.open("c.imi", model="hash")
    writer.add([imi.Document(f"old {n}", f"old text {n} " * 20) for n in range(300)])
    assert os.stat("c.imi/collection.sqlite-wal").st_size > 100_000
    other()
    os.replace("other.imi/collection.sqlite", "c.imi/collection.sqlite")
    if who == "the same handle":
        assert writer.ids() == ["theirs"]
    elif who == "another process":
        code = "import imi\nwith imi.open('c.imi', model='hash') as c: c.add([imi.Document('mine', 'my text')])"
        subprocess.run([sys.executable, "-c", code], check=True)
    elif who == "later":
        writer.close()
    with imi.open("c.imi", model="hash") as c:
        c.add([imi.Document("more", "more text")])
        assert set(c.ids()) == {"theirs", "more"} | ({"mine"} if who == "another process" else set())
        assert c.verify().ok and len(c.search("text", 10)) == len(c)
    writer.close()
    with imi.open("c.imi", mode="r") as c:
        assert "more" in c.ids() and c.verify().ok


def test_a_full_disk_is_searched_and_said(here):
    Path("disk").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", "disk"], capture_output=True).returncode:
        pytest.skip("no right to mount")
    try:
        with imi.open("disk/c.imi", model="hash") as c:
            c.add([imi.Document("1", "first text")])
        with open("disk/ballast", "wb", buffering=0) as ballast, pytest.raises(OSError, match="No space"):
            while True:
                ballast.write(bytes(4096))
        with imi.open("disk/c.imi", mode="r") as c:
            assert c.verify().ok
            for mode in ("text", "meaning", "hybrid"):
                assert c.search("text", mode=mode)[0].id == "1"
        with pytest.raises(CollectionError, match="no room left"), imi.open("disk/c.imi") as c:
            c.add([imi.Document("2", "more text")])
        os.unlink("disk/ballast")
        with imi.open("disk/c.imi") as c:
            assert c.ids() == ["1"] and c.add([imi.Document("2", "more text")]).added == 1
    finally:
        subprocess.run(["umount", "-l", "disk"], check=True)
