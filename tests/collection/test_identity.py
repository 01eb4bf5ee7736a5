"""A handle is of a file, not of a path: what was replaced, moved or deleted is noticed, and gets no rows."""

import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import imi
from imi.collection.paths import find
from imi.errors import CollectionError, Damaged, Gone, Locked, UsageError
from imi.store import database
from imi.store import store as stores
from imi.store.schema_check import check_schema


def filled(path, *texts, **more):
    with imi.open(path, model="hash", **more) as c:
        c.add([imi.Document(text, text) for text in texts])
    return Path(path)


def found(c, query="text", mode="hybrid"):
    return sorted(hit.id for hit in c.search(query, mode=mode))


def leftovers(path):
    """Return what lies in a collection's folder beside its file."""
    return [one.name for one in path.iterdir() if not one.name.startswith("collection.sqlite")]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def replace(kind, path):
    """Put a collection with the one text "new text" in the place of another."""
    new = filled(path.with_name("other.imi"), "new text")
    if kind == "removed and made again":
        shutil.rmtree(path)
        shutil.move(new, path)
    elif kind == "moved aside":
        os.rename(path, path.with_name("aside.imi"))
        os.rename(new, path)
    elif kind == "file replaced":
        os.replace(new / "collection.sqlite", path / "collection.sqlite")
    elif kind == "restored from a backup":
        with imi.open(new) as c:
            c.backup(path.with_name("backup.imi"))
        shutil.rmtree(path)
        shutil.copytree(path.with_name("backup.imi"), path)


KINDS = ["removed and made again", "moved aside", "file replaced", "restored from a backup"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("opened", ["r", "rw"])
@pytest.mark.parametrize("mode", ["hybrid", "meaning", "text"])
def test_an_open_handle_sees_what_took_the_place(here, kind, opened, mode):
    path = filled("z.imi", "old text", "older text")
    with imi.open(path, model="hash", mode=opened) as c:
        assert found(c, mode=mode) == ["old text", "older text"]
        replace(kind, path)
        assert found(c, mode=mode) == ["new text"]
        assert len(c) == 1 and c.ids() == ["new text"]
        if opened == "rw":
            assert c.add([imi.Document("added text", "added text")]).added == 1
            assert found(c, mode=mode) == ["added text", "new text"]
    with imi.open(path, mode="r") as c:
        assert c.verify().ok and ("added text" in c.ids()) is (opened == "rw")


@pytest.mark.parametrize("kind", ["moved", "deleted", "file deleted"])
def test_a_handle_of_what_is_gone_refuses(here, kind):
    path = filled("z.imi", "old text")
    with imi.open(path, model="hash") as c:
        found(c)
        if kind == "moved":
            os.rename(path, "elsewhere.imi")
        elif kind == "deleted":
            shutil.rmtree(path)
        else:
            for one in path.glob("collection.sqlite*"):
                one.unlink()
        for call in (lambda: found(c), lambda: c.add([imi.Document("1", "lost text")]), lambda: c.delete("old text")):
            with pytest.raises(CollectionError, match="moved or deleted") as refused:
                call()
            assert not isinstance(refused.value, Damaged)
    if kind == "moved":
        with imi.open("elsewhere.imi", mode="r") as c:
            assert c.ids() == ["old text"]


def test_what_is_replaced_during_a_write_is_not_acknowledged(here):
    path = filled("z.imi", "old text")
    with imi.open(path, model="hash") as c:
        with pytest.raises(CollectionError, match="replaced while"), c._store.writing():
            replace("moved aside", path)
            c._store.set_meta("note", "lost")
        assert c.add([imi.Document("1", "text")]).added == 1
        assert found(c) == ["1", "new text"]


def test_another_folder_of_the_program_is_no_other_collection(here, monkeypatch):
    filled("z.imi", "old text")
    with imi.open("z.imi", model="hash") as c:
        found(c)
        monkeypatch.chdir("/")
        assert c.add([imi.Document("1", "more text")]).added == 1
        assert found(c) == ["1", "old text"]


def test_every_thread_notices(here):
    path = filled("z.imi", "old text")
    seen, go, done = [], threading.Barrier(4), threading.Barrier(4)

    def look():
        found(c)
        go.wait()
        done.wait()
        seen.append(found(c))

    with imi.open(path, model="hash") as c:
        threads = [threading.Thread(target=look) for _ in range(3)]
        for one in threads:
            one.start()
        go.wait()
        replace("removed and made again", path)
        done.wait()
        for one in threads:
            one.join()
    assert seen == [["new text"]] * 3


# --- repair ---


def _holding(path):
    """Return another process that has a collection open, and reads and writes when it is asked for."""
    script = (
        f"import imi, sys\nc = imi.open({str(path)!r}, model='hash'); len(c)\nprint('open', flush=True)\n"
        "for n, line in enumerate(sys.stdin):\n"
        "    print(c.add([imi.Document(f'by another {n}', 'text')]).added, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout.readline() == "open\n"
    return process


def test_repair_refuses_while_others_have_it_open_and_says_who(here, monkeypatch):
    monkeypatch.setattr("imi.store.database.ALONE_SECONDS", 0.3)
    monkeypatch.setattr("imi.store.database.WAIT_MS", 300)
    path = filled("z.imi", "old text")
    other = _holding(path)
    with imi.open(path, model="hash") as c:
        with pytest.raises(Locked, match="in use") as refused:
            c.repair()
        if Path("/proc/locks").exists():
            assert f"process {other.pid}" in str(refused.value)
        other.stdin.write("\n")
        assert other.stdout.readline() == "1\n"
        other.communicate()
        assert found(c) == ["by another 0", "old text"]
        assert c.repair().kept == 2  # and now nobody has it
        assert found(c) == ["by another 0", "old text"]
    assert not list(path.glob(".imi-*")) and not list(path.glob(".*.new"))


def test_repair_refuses_beside_another_handle_of_the_same_process(here, monkeypatch):
    monkeypatch.setattr("imi.store.database.ALONE_SECONDS", 0.3)
    monkeypatch.setattr("imi.store.database.WAIT_MS", 300)
    path = filled("z.imi", "old text")
    with imi.open(path, model="hash") as c, imi.open(path, model="hash", mode="r") as other:
        found(other)
        with pytest.raises(Locked, match="in use"):
            c.repair()
        assert found(c) == found(other) == ["old text"]
        c.add([imi.Document("1", "text")])
        assert found(other) == ["1", "old text"]


def test_what_each_repair_set_aside_stays(here):
    path = filled("z.imi", "old text")
    with imi.open(path, model="hash") as c:
        assert [Path(c.repair().old).name for _ in range(3)] == ["damaged", "damaged-2", "damaged-3"]
        assert c.verify().ok and found(c) == ["old text"]
    with imi.open("z.imi/damaged-2", mode="r") as c:
        assert c.ids() == ["old text"]


def test_a_repair_that_fails_leaves_everything_as_it_was(here, monkeypatch):
    path = filled("z.imi", "old text")
    with imi.open(path, model="hash") as c:
        monkeypatch.setattr("imi.collection.maintenance._set_aside", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            c.repair()
        assert c.add([imi.Document("1", "text")]).added == 1 and found(c) == ["1", "old text"]
        assert c._store.connection.pragma("journal_mode") == "wal"
    assert sorted(one.name for one in path.iterdir() if one.name != "index") == ["collection.sqlite"]


# --- making ---


def _others(code, count, *arguments):
    return [
        subprocess.Popen([sys.executable, "-c", code, *map(str, arguments), str(n)], stderr=subprocess.PIPE, text=True)
        for n in range(count)
    ]


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.nightly)])
def test_many_makers_at_once_lose_nothing(here, rounds):
    code = (
        "import imi, sys, time\nimi.load('hash')\ntime.sleep(max(0, float(sys.argv[2]) - time.time() - 0.02))\n"
        "while time.time() < float(sys.argv[2]): pass\n"
        "with imi.open(sys.argv[1], model='hash') as c: c.add([imi.Document(sys.argv[3], 'text ' + sys.argv[3])])\n"
    )
    import time

    for round_ in range(rounds):
        path = here / f"{round_}.imi"
        if round_ % 2:
            path.mkdir()
        makers = _others(code, 4, path, time.time() + 1.5)
        said = [one.communicate()[1] for one in makers]
        assert [one.returncode for one in makers] == [0] * 4, said
        with imi.open(path, mode="r") as c:
            assert sorted(c.ids()) == ["0", "1", "2", "3"] and c.verify().ok
        assert leftovers(path) == []
    assert {one.name for one in here.iterdir()} == {f"{round_}.imi" for round_ in range(rounds)}


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device"), MemoryError])
def test_a_maker_that_fails_removes_nothing_of_another(here, monkeypatch, existing, failure):
    if existing:
        Path("p.imi").mkdir()
    real = stores.database.create

    def create(path, **more):
        with monkeypatch.context() as plain:
            plain.setattr(stores.database, "create", real)
            filled("p.imi", "acknowledged text")
        raise failure

    monkeypatch.setattr(stores.database, "create", create)
    with pytest.raises((KeyboardInterrupt, CollectionError, MemoryError)):
        imi.open("p.imi")
    monkeypatch.setattr(stores.database, "create", real)
    with imi.open("p.imi", mode="r") as c:
        assert c.ids() == ["acknowledged text"]
    assert sorted(one.name for one in here.iterdir()) == ["p.imi"]
    assert leftovers(Path("p.imi")) == []


@pytest.mark.parametrize("existing", [False, True])
def test_a_maker_that_loses_takes_what_is_there(here, monkeypatch, existing):
    if existing:
        Path("p.imi").mkdir()
    real = stores.database.create

    def create(path, **more):
        monkeypatch.setattr(stores.database, "create", real)
        filled("p.imi", "acknowledged text")
        return real(path, **more)

    monkeypatch.setattr(stores.database, "create", create)
    with imi.open("p.imi", model="hash") as c:
        assert c.ids() == ["acknowledged text"]
        c.add([imi.Document("1", "text")])
    assert leftovers(Path("p.imi")) == []


def test_a_folder_of_something_else_is_left_alone(here):
    Path("p.imi").mkdir()
    Path("p.imi/letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="no collection"):
        imi.open("p.imi")
    assert Path("p.imi/letter.txt").read_text() == "mine"


def test_a_new_collection_has_its_type_from_the_first_moment(here):
    find(Path("p.imi"), create=True, dtype="float16")
    with imi.open("p.imi") as c:
        assert c.info.dtype == "float16"


# --- a stranger's file ---


EVIL = {
    "a view for a table": "ALTER TABLE meta RENAME TO meta2; CREATE VIEW meta AS "
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT 'k' || x AS key, 'v' AS value FROM n",
    "a view more": "CREATE VIEW more AS SELECT * FROM documents",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON documents BEGIN DELETE FROM documents WHERE row < new.row; END",
    "a trigger of a name of ours": "DROP TRIGGER documents_pictures; CREATE TRIGGER documents_pictures AFTER INSERT ON "
    "documents BEGIN DELETE FROM pictures WHERE row = old.row; END",
    "a table more": "CREATE TABLE more (x)",
    "a virtual table": "CREATE VIRTUAL TABLE more USING fts5(x)",
    "an index over a function": "CREATE INDEX more ON documents (length(text))",
    "another default": "DROP TABLE parents; CREATE TABLE parents (id TEXT DEFAULT (abs(-9223372036854775808)))",
}


@pytest.mark.parametrize("kind", EVIL)
def test_another_schema_than_ours_is_damage(here, kind):
    path = filled("z.imi", "old text")
    with imi.open(path) as c:
        script = EVIL[kind].replace("old.row", "new.row")
        for statement in script.split("; ") if "BEGIN" not in script else [script]:
            c._store.connection.execute(statement)
    for mode in ("r", "rw"):
        with pytest.raises(Damaged, match="does not make so"):
            imi.open(path, mode=mode)


def test_every_schema_that_imi_makes_is_its_own(here):
    path = filled("z.imi", "old text")
    with imi.open(path) as c:
        c.migrate(dims=16)  # which renames a table
        c._store.connection.execute("ANALYZE")
        check_schema(c._store.connection, path)
        c.repair()
    with imi.open(path, mode="r") as c:
        assert found(c) == ["old text"]


# --- backup, and places where nothing can be written ---


def test_a_backup_beside_a_writer_is_one_sound_state(here):
    rng = np.random.default_rng(0)
    with imi.open("z.imi") as c:
        c.add([imi.Document(str(n), f"row {n}") for n in range(3000)], rng.standard_normal((3000, 256)).astype("f4"))
        stop = threading.Event()

        def write():
            n = 0
            with imi.open("z.imi") as mine:
                while not stop.is_set():
                    pair = [imi.Document(f"{n}{side}", "text") for side in "ab"]
                    mine.add(pair, rng.standard_normal((2, 256)).astype("f4"))
                    n += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for n in range(4):
                c.backup(f"b{n}.imi")
        finally:
            stop.set()
            writer.join()
    for n in range(4):
        with imi.open(f"b{n}.imi", mode="r") as copy:
            assert copy.verify().ok and len(copy) % 2 == 0 and len(copy) == copy._store.vector_count
            assert len(copy.ids()) == len(copy)
    assert not list(here.glob(".*"))


@pytest.fixture
def read_only(here):
    """Return a function that makes a place read-only, by the file system where root would write all the same."""
    undo = []

    def make(folder):
        if os.getuid() == 0:
            where = Path(f"{folder}-mount")
            where.mkdir()
            done = subprocess.run(["mount", "--bind", folder, where], capture_output=True)
            if done.returncode:
                pytest.skip("no right to mount")
            undo.append(["umount", where])
            subprocess.run(["mount", "-o", "remount,ro,bind", where], check=True)
            return where
        undo.append(["chmod", "-R", "u+w", folder])
        subprocess.run(["chmod", "-R", "a-w", folder], check=True)
        return Path(folder)

    yield make
    for command in undo:
        subprocess.run(command, check=True)


@pytest.mark.parametrize("left", ["closed cleanly", "with its log", "with an empty log"])
def test_a_read_only_place_is_searchable(here, read_only, left):
    Path("w").mkdir()
    path = filled("w/z.imi", "cats are lovely")
    if left != "closed cleanly":
        shutil.copytree(path, "w/y.imi")
        with imi.open(path, model="hash") as c:
            c.add([imi.Document("later", "dogs bark")])
            for one in path.glob("collection.sqlite*"):
                if not one.name.endswith("-shm"):
                    shutil.copy(one, "w/y.imi")
        path = Path("w/y.imi")
        if left == "with an empty log":
            (path / "collection.sqlite-wal").write_bytes(b"")
    place = read_only("w") / path.name
    with imi.open(place, mode="r") as c:
        for mode in ("text", "meaning", "hybrid"):
            assert found(c, "cats", mode)[0] == "cats are lovely" or found(c, "cats", mode)
        assert ("later" in c.ids()) is (left == "with its log")
        assert c.verify().ok and c.info.count == len(c.ids())
        c.export("out.jsonl")
        c.backup("copy.imi")
    with pytest.raises(CollectionError, match="cannot be written"):
        imi.open(place).add([imi.Document("x", "x")])


def test_what_is_frozen_is_read_again_once_it_changes(here, monkeypatch):
    """As another user's folder is, where only they can write."""
    path = filled("z.imi", "old text")
    real, refused = stores.database._configured, []

    def configured(name, place, **more):
        if not more["write"] and "immutable" not in name and not refused:
            refused.append(name)
            raise stores.apsw.CantOpenError("unable to open database file")
        return real(name, place, **more)

    monkeypatch.setattr(stores.database, "_configured", configured)
    with imi.open(path, mode="r") as c:
        assert found(c) == ["old text"] and refused
        filled(path, "new text")
        assert found(c) == ["new text", "old text"]


@pytest.mark.parametrize("comes", [False, True], ids=["nothing", "another"])
def test_a_thread_that_asks_first_while_the_folder_is_moved_hears_so_or_reads_the_other(here, monkeypatch, comes):
    """Each thread has a connection of its own, opened when it first asks: the folder may be gone at that moment."""
    filled("c.imi", "mine")
    filled("other.imi", "theirs")
    real = database.connect

    def moved(path, **options):
        monkeypatch.setattr(database, "connect", real)
        os.rename("c.imi", "aside.imi")
        try:
            return real(path, **options)
        finally:
            if comes:
                os.rename("other.imi", "c.imi")

    with imi.open("c.imi", mode="r") as c, ThreadPoolExecutor(1) as other:
        assert c.ids() == ["mine"]
        monkeypatch.setattr(database, "connect", moved)
        asked = other.submit(c.ids)
        if comes:
            assert asked.result() == ["theirs"]
        else:
            with pytest.raises(Gone, match="moved or deleted"):
                asked.result()
        other.submit(c.close).result()


def test_closing_what_was_deleted_leaves_the_log_of_what_took_its_place(here):
    """File systems give the numbers of deleted files to the next ones, as soon as nobody has them open any more."""
    folder = filled("z.imi", "old text")
    path = folder / "collection.sqlite"
    log = path.with_name("collection.sqlite-wal")
    found_again = []

    class Raced:
        """A connection to a deleted file; once it is closed, another thread opens what took its place."""

        def __init__(self, connection):
            self.connection = connection

        def close(self):
            self.connection.close()
            for number in range(100):  # lower numbers are taken first
                filler = here / f"filler{number}"
                filler.touch()
                if database.identity(filler) == old.log:
                    filler.unlink()
                    break
            found_again.append(database.connect(path, write=True))

    opened = database.connect(path, write=True)
    old = database.Opened(Raced(opened.connection), opened.identity, log=opened.log)
    shutil.rmtree(folder)
    filled("z.imi", "new text")
    old.close(path)
    (new,) = found_again
    if new.log != old.log:
        pytest.skip("this file system gives the number of a deleted file to no other soon")
    assert database.identity(log) == new.log
    with imi.open("z.imi", model="hash") as c:
        assert c.add([imi.Document("added text", "added text")]).added == 1
        assert new.connection.execute("SELECT count(*) FROM documents").get == 2
        assert found(c) == ["added text", "new text"] and c.verify().ok
    new.close(path)
