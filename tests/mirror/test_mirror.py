"""A plain folder as a collection: up to date with its files, outside of them, and whole whatever happens."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import openpyxl
import pytest

from imi.collection.paths import is_plain_folder
from imi.errors import Damaged, Locked, UsageError
from imi.mirror import Follower, Mirror, following, forget, open_mirror, refresh, update


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Return a folder of notes whose index lies beside it, made by the test embedder."""
    monkeypatch.setenv("IMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IMI_MODEL", "hash")
    folder = tmp_path / "notes"
    write(folder, {"plan.md": "# Plan\n\nthe deadline is on Friday\n", "deep/cat.txt": "うちの猫\nthe cat sleeps\n"})
    return folder


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        # not just now, so that the time tells
        old = time.time() - 10 + random.random()
        os.utime(path, (old, old))


def rows(mirror):
    collection, done = open_mirror(mirror)
    with collection:
        return {document.id: document.text for document in collection.documents()}, done


def test_a_folder_is_searched_and_nothing_is_put_into_it(root):
    before = sorted(path.relative_to(root) for path in root.rglob("*"))
    collection, done = open_mirror(Mirror.of(root))
    with collection:
        hit = collection.search("猫", k=1)[0]
    assert hit.id == "deep/cat.txt:1" and hit.metadata["source"] == "deep/cat.txt"
    assert (done.read, done.pending, done.files) == (2, 0, 2)
    assert sorted(path.relative_to(root) for path in root.rglob("*")) == before


def test_it_follows_what_is_new_changed_moved_and_gone(root):
    mirror = Mirror.of(root)
    rows(mirror)
    write(root, {"new.txt": "a new line\n", "deep/cat.txt": "the cat wakes\n"})
    (root / "plan.md").rename(root / "moved.md")
    held, done = rows(mirror)
    assert sorted(held) == ["deep/cat.txt:1", "moved.md:3", "new.txt:1"] and held["deep/cat.txt:1"] == "the cat wakes"
    assert (done.read, done.removed) == (3, 2)  # the second line of the cat, and the plan by its old name
    held, done = rows(mirror)
    assert (done.read, done.removed, len(held)) == (0, 0, 3)
    (root / "new.txt").unlink()
    assert sorted(rows(mirror)[0]) == ["deep/cat.txt:1", "moved.md:3"]


@pytest.mark.parametrize("name", [b"bad\xff.txt", b"b\xffd/in.txt", b"bad\xff.min.js"])
@pytest.mark.parametrize("later", [False, True])
def test_a_name_that_is_not_utf8_stops_no_other_file(root, name, later):
    mirror = Mirror.of(root)
    if later:
        rows(mirror)
    bad = os.path.join(os.fsencode(root), name)
    try:
        os.makedirs(os.path.dirname(bad), exist_ok=True)
        with open(bad, "wb") as file:
            file.write(b"a text\n")
    except OSError:
        pytest.skip("no such names on this disk")
    write(root, {"new.txt": "a new line\n"})
    held, done = rows(mirror)
    assert sorted(held) == ["deep/cat.txt:1", "deep/cat.txt:2", "new.txt:1", "plan.md:3"]
    assert [path.encode() for path in done.left_out["names that are not UTF-8"]] and done.pending == 0


def test_a_file_of_the_same_size_and_time_but_another_one_is_read(root):
    mirror = Mirror.of(root)
    rows(mirror)
    path = root / "plan.md"
    stamp = path.stat().st_mtime_ns
    other = root / "other"
    other.write_bytes(path.read_bytes().replace(b"Friday", b"Monday"))
    os.replace(other, path)
    os.utime(path, ns=(stamp, stamp))
    assert any("Monday" in text for text in rows(mirror)[0].values())


def test_a_file_that_was_written_this_moment_is_read_again(root):
    mirror = Mirror.of(root)
    (root / "now.txt").write_text("first\n")
    rows(mirror)
    stamp = (root / "now.txt").stat()
    (root / "now.txt").write_text("other\n")
    os.utime(root / "now.txt", ns=(stamp.st_mtime_ns, stamp.st_mtime_ns))
    assert rows(mirror)[0]["now.txt:1"] == "other"


def test_what_git_ignores_and_what_nobody_wrote_stays_out_and_is_named(root):
    write(
        root, {".gitignore": "secret*\n", "secret.txt": "the plan\n", "a.bin": b"\0\1", "uv.lock": "x", "p.png": b"x"}
    )
    write(
        root, {".env": "KEY=1\n", "app.js": "x=1;" * 5000, "settings.toml": "[a]\nb = 1\n", "broken.txt": b"\xff\xfea"}
    )
    mirror = Mirror.of(root)
    held, done = rows(mirror)
    assert {id_.partition(":")[0].partition("#")[0] for id_ in held} >= {"plan.md", "deep/cat.txt", "settings.toml"}
    assert not any("secret" in id_ or ".env" in id_ for id_ in held)
    assert done.left_out["binary files"] == ["a.bin"] and done.left_out["minified code"] == ["app.js"]
    assert done.left_out["lock files"] == ["uv.lock"] and "p.png" in done.left_out["pictures (imi add keeps them)"]
    # A file that becomes ignored goes, and others come by asking for them.
    (root / ".gitignore").write_text("deep/\n")
    held, _ = rows(mirror)
    assert "secret.txt:1" in held and not any(id_.startswith("deep/") for id_ in held)
    assert any(id_.startswith(".env") for id_ in rows(Mirror.of(root, hidden=True))[0])
    assert "deep/cat.txt:1" in rows(Mirror.of(root, no_ignore=True))[0]


def test_links_bring_nothing_from_outside_and_the_folder_may_be_reached_by_one(root, tmp_path):
    write(tmp_path, {"outside.txt": "outside\n"})
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    (root / "up").symlink_to(tmp_path)
    (tmp_path / "door").symlink_to(root)
    held, _ = rows(Mirror.of(tmp_path / "door"))
    assert Mirror.of(tmp_path / "door") == Mirror.of(root) and not any("outside" in text for text in held.values())


def test_reading_stops_when_the_time_is_up_and_says_what_is_left(root, monkeypatch):
    started = []
    monkeypatch.setattr(update, "read_on", started.append)
    monkeypatch.setattr(update, "_ROWS", 5)
    write(root, {f"{n}.txt": f"line {n}\n" for n in range(40)})
    mirror = Mirror.of(root)
    collection, done = open_mirror(mirror, seconds=0)
    with collection:
        assert len(collection) == done.rows >= 5 and done.pending == 42 - done.read > 0
    assert started == [mirror]
    assert len(rows(mirror)[0]) == 43


def test_another_process_reads_what_is_left(root):
    mirror = Mirror.of(root)
    write(root, {f"{n}.txt": f"line {n}\n" for n in range(40)})
    update.read_on(mirror)
    until = time.monotonic() + 60
    while not (mirror.exists and refresh_is_done(mirror)) and time.monotonic() < until:
        time.sleep(0.1)
    assert len(rows(mirror)[0]) == 43


def refresh_is_done(mirror):
    with mirror.writing() as mine:
        return mine and update._compare(update._walked(mirror), known(mirror)) == ([], [])


def known(mirror):
    with update.FolderCollection(mirror.collection, mirror.model, "r") as c, c._store.reading():
        return update.digests(c._store)


def test_who_comes_while_the_first_rows_are_read_gets_them(root, monkeypatch):
    mirror, found = Mirror.of(root), []
    taken = update._Reader.take

    def slowly(self, *given):
        time.sleep(0.3)
        taken(self, *given)
        time.sleep(0.3)

    monkeypatch.setattr(update._Reader, "take", slowly)
    reader = threading.Thread(target=lambda: found.append(rows(mirror)))
    reader.start()
    while mirror.holder() is None:
        time.sleep(0.01)
    held, done = rows(mirror)
    reader.join()
    assert held == found[0][0] and held and done.holder is not None


def test_a_folder_of_nothing_is_opened_where_files_may_come(root, tmp_path):
    (tmp_path / "empty").mkdir()
    mirror = Mirror.of(tmp_path / "empty")
    with open_mirror(mirror, empty=True)[0] as collection:
        assert not collection.search("cat")
        write(mirror.root, {"cat.txt": "a cat\n"})
        refresh(mirror)
        assert [hit.id for hit in collection.search("cat")] == ["cat.txt:1"]


def test_a_model_that_is_missing_is_said_once(root):
    with pytest.raises(UsageError, match="unknown model 'nowhere/model'"):
        open_mirror(Mirror.of(root, model="nowhere/model"))


def test_two_at_once_do_not_wait_and_the_holder_is_named(root, monkeypatch):
    monkeypatch.setattr(update, "_PATIENCE", 0.05)
    mirror = Mirror.of(root)
    with mirror.writing() as mine:
        assert mine
        with pytest.raises(Locked, match=f"process {os.getpid()} "):
            open_mirror(mirror)
        with pytest.raises(Locked, match="being read by process"):
            forget(root)
    rows(mirror)
    write(root, {"new.txt": "new\n"})
    with mirror.writing():
        held, done = rows(mirror)
        assert "new.txt:1" not in held and done.pending == 1 and done.holder is not None
        assert str(os.getpid()) in str(done.holder)
    assert "new.txt:1" in rows(mirror)[0]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "gone", "alone"])
def test_a_damaged_index_heals(root, damage):
    mirror = Mirror.of(root)
    held, _ = rows(mirror)
    file = mirror.collection / "collection.sqlite"
    content = bytearray(file.read_bytes())
    if damage == "flip":
        content[20000] ^= 255
    file.write_bytes({"cut": content[:-9000], "flip": content}.get(damage, b""))
    if damage in ("gone", "alone"):
        file.unlink()
    for name in ("-wal", "-shm"):
        (mirror.collection / f"collection.sqlite{name}").unlink(missing_ok=True)
    if damage == "alone":
        (mirror.collection / "collection.sqlite-wal").touch()
    write(root, {"new.txt": "new\n"})
    again, _ = rows(mirror)
    assert again == {**held, "new.txt:1": "new"}


def test_spreadsheets_are_read_a_row_each(root):
    book = openpyxl.Workbook()
    for row in (["item", "price"], ["coffee beans", 1200], ["tea", 800]):
        book.active.append(row)
    book.save(root / "shopping.xlsx")
    held, done = rows(Mirror.of(root))
    assert "coffee beans" in held["shopping.xlsx#Sheet:2"] and "binary files" not in done.left_out


def test_damage_that_a_search_meets_is_mended_by_the_next(root):
    write(root, {f"{n}.md": f"# Note {n}\n\nrivers and windows {n}\n" for n in range(80)})
    mirror = Mirror.of(root)
    held, _ = rows(mirror)
    file = mirror.collection / "collection.sqlite"
    whole = file.read_bytes()
    met = 0
    for page in range(8, len(whole) // 4096, 5):
        damaged = bytearray(whole)
        damaged[page * 4096 + 100 : page * 4096 + 140] = bytes(40)
        file.write_bytes(damaged)
        try:
            with open_mirror(mirror)[0] as collection:
                collection.search("rivers", k=100)
                [collection.get(id_) for id_ in held]
        except Damaged as damage:
            met += 1
            assert "made again from its files" in damage.hint
            assert rows(mirror)[0] == held
            file = mirror.collection / "collection.sqlite"
            whole = file.read_bytes()
    assert met


@pytest.mark.parametrize("damage", ["a page", "cut", "gone"])
def test_a_follower_mends_a_damaged_index(root, damage):
    mirror = Mirror.of(root)
    held, _ = rows(mirror)
    file = mirror.collection / "collection.sqlite"
    before = file.stat().st_ctime_ns
    if damage == "a page":
        mirror.suspect(Damaged("a page does not agree"))
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:3000])
        before = file.stat().st_ctime_ns
    else:
        file.unlink()
    for name in ("-wal", "-shm"):
        (mirror.collection / f"collection.sqlite{name}").unlink(missing_ok=True)
    follower = Follower([mirror], every=0.02)
    follower.start()
    try:
        until = time.monotonic() + 20
        while not file.exists() or file.stat().st_ctime_ns == before or mirror.suspected or mirror.holder():
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        follower.stop()
    assert rows(mirror)[0] == held


def test_killed_at_any_time_it_heals(root):
    write(root, {f"d{n % 7}/{n}.txt": "".join(f"line {n} {m}\n" for m in range(5)) for n in range(300)})
    mirror = Mirror.of(root)
    chance = random.Random(4)
    code = "import sys; from imi.mirror import *; refresh(Mirror.of(sys.argv[1]))"
    for _ in range(int(os.environ.get("IMI_KILLS", "4"))):
        process = subprocess.Popen([sys.executable, "-c", code, str(root)])
        time.sleep(chance.uniform(0.2, 0.9))
        process.send_signal(signal.SIGKILL)
        process.wait()
        write(root, {f"d1/{chance.randrange(300)}.txt": "changed\n"})
    held, done = rows(mirror)
    expected = {}
    for path in root.rglob("*.txt"):
        name = path.relative_to(root).as_posix()
        expected |= {f"{name}:{at}": line for at, line in enumerate(path.read_text().splitlines(), 1) if line}
    assert {id_: text for id_, text in held.items() if ".md:" not in id_} == expected
    assert done.pending == 0


def test_forgetting_removes_every_index_of_the_folder_also_when_it_is_gone(root):
    rows(Mirror.of(root))
    rows(Mirror.of(root, hidden=True))
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    root.rmdir()
    gone = forget(root)
    assert gone.indexes == 2 and gone.bytes > 1000 and not Mirror.of(root).home.exists()
    with pytest.raises(UsageError, match="no index"):
        forget(root)


def test_what_is_no_folder_or_holds_nothing_is_refused(root, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no file that can be read"):
        open_mirror(Mirror.of(tmp_path / "empty"))
    with pytest.raises(UsageError, match="no such file"):
        refresh(Mirror.of(tmp_path / "nowhere"))
    assert is_plain_folder(str(root)) and not is_plain_folder(str(tmp_path / "nowhere"))
    assert not is_plain_folder(str(Mirror.of(root).collection))


def test_a_follower_outlives_what_nobody_foresaw(root, monkeypatch):
    looked, told = threading.Semaphore(0), []

    def fail(mirror, *, seconds):
        looked.release()
        raise RuntimeError("no room")

    monkeypatch.setattr(following, "refresh", fail)
    follower = Follower([Mirror.of(root)], every=0.001, tell=told.append)
    follower.start()
    assert all(looked.acquire(timeout=10) for _ in range(3))
    follower.stop()
    assert [str(error) for error in told] == ["no room"]


def test_an_index_made_by_other_readers_is_brought_up_to_date_in_its_place(root, monkeypatch):
    mirror = Mirror.of(root)
    before, _ = rows(mirror)
    home, reading = mirror.home, f"{update._READING}, but later"
    monkeypatch.setattr(update, "_READING", reading)
    after, done = rows(mirror)
    assert (done.read, done.removed, after) == (2, 0, before) and Mirror.of(root).home == home
    assert rows(mirror)[1].read == 0
