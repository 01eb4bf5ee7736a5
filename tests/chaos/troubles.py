"""The kinds of trouble of the chaos night; each round does one thing and says in a word or two what happened.

A round raises AssertionError where something that was acknowledged is missing, an answer is wrong, a process died of
what it read, a command showed a traceback, or something half made was left behind. The oracle of the rounds that write
is what the writers printed: each row after it was acknowledged.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import ImiError
from tests.collection.test_kill import kill_writer
from tests.collection.test_maintenance import TEXTS, answers, mutate

Round = Callable[[Path, random.Random], str]
IMI = [sys.executable, "-m", "imi"]

WRITER = """
import sys, imi
name, start = sys.argv[2], int(sys.argv[3])
print("begun", flush=True)
for n in range(start, start + 100_000):
    try:
        with imi.open(sys.argv[1], model="hash") as c:
            while True:
                c.add([imi.Document(f"{name}{n}", f"text of {name} {n} " * 3)])
                print(f"{name}{n}", flush=True)
                n += 1
                if n % 7 == 0:
                    c.search("text", 3)
    except imi.errors.CollectionError as gone:
        print("!" + type(gone).__name__, flush=True)
"""


def said_by(process: subprocess.Popen[str]) -> list[str]:
    """Return the lines of a process that has ended, of which the last may be cut off."""
    try:
        out, told = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError("it hangs") from None
    assert "Traceback" not in told, told[-1500:]
    return [line for line in out.split("\n")[:-1] if line]


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process that prints a line when it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def command(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    """Run a command of imi to its end."""
    done = subprocess.run([*IMI, *map(str, arguments)], capture_output=True, text=True, **more)  # type: ignore[call-overload]
    assert "Traceback" not in done.stderr, done.stderr[-1500:]
    return done  # type: ignore[no-any-return]


def ids_of(*folders: Path) -> set[str]:
    """Return the ids in collections, each of which must be sound."""
    found = set[str]()
    for folder in folders:
        with imi.open(folder, mode="r") as c:
            checked = c.verify()
            assert checked.ok, (folder.name, checked.problems[:3])
            found |= set(c.ids())
    return found


def filled(folder: Path, name: str, count: int) -> Path:
    """Make a collection of some rows."""
    with imi.open(folder, model="hash") as c:
        c.add([imi.Document(f"{name}{n}", f"text of {name} {n}", {"n": n}) for n in range(count)])
    return folder


# --- writers ---


def killed(place: Path, chance: random.Random) -> str:
    """kill -9 of a writer that adds, deletes, builds indexes, backs up and migrates."""
    job = chance.choice(["churn", "upkeep"])
    for _ in range(3):
        kill_writer(place / "k.imi", job, chance.randrange(10**6), chance.uniform(0, 1.0))
    return f"3 kills ({job})"


def killed_deepening(place: Path, chance: random.Random) -> str:
    """kill -9 while the finer model reads."""
    from imi.embedders.deep import installed
    from tests.collection.test_deepening import check_second_vectors
    from tests.collection.test_deepening_kill import fill, kill

    if not installed():
        return "no model here"
    fill(place / "d.imi")
    for _ in range(2):
        kill(place / "d.imi", chance.randrange(10**6), chance.uniform(0.3, 1.5))
    with imi.open(place / "d.imi") as c:
        check_second_vectors(c)
    return "2 kills"


def makers(place: Path, chance: random.Random) -> str:
    """Several make one collection at once, some of which are killed or fail."""
    target = place / "m.imi"
    if chance.random() < 0.4:
        target.mkdir()
    processes = [start(WRITER, target, name, 0) for name in "abcd"]
    time.sleep(chance.uniform(0.0, 0.6))
    victim = chance.choice(processes)
    victim.kill()
    time.sleep(1.5)
    acknowledged = set[str]()
    for one in processes:
        one.kill()
        acknowledged |= {line for line in said_by(one) if not line.startswith("!")}
    if acknowledged:
        missing = acknowledged - ids_of(target)
        assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged rows are missing"
    return "all rows there" if acknowledged else "killed before the first row"


def swapped(place: Path, chance: random.Random) -> str:
    """The file or folder under an open writer is moved, replaced, set back, repaired or deleted and made again."""
    path, aside = filled(place / "s.imi", "first", 20), [place / "s.imi"]
    filled(place / "other.imi", "other", 5)
    processes = [start(WRITER, path, name, 0) for name in "ab"]
    kind = chance.choice(["moved", "file moved", "set back", "repaired", "moved and empty"])
    shutil.copy(path / "collection.sqlite", place / "copy")
    for at in range(3):
        time.sleep(chance.uniform(0.05, 0.4))
        away = place / f"away{at}.imi"
        if kind == "repaired":
            command("repair", path)  # which waits for some seconds, and says who is in its way
            break
        if kind in ("moved", "moved and empty"):
            if not path.exists():  # nobody made it again yet
                continue
            os.rename(path, away)
            if kind == "moved":
                shutil.copytree(place / "other.imi", place / f"new{at}")
                os.rename(place / f"new{at}", path)
        else:
            away.mkdir()
            # With its log, which a tool that moves a file under a writer would forget: then its rows would be lost.
            with imi.open(path, mode="r") as c:
                c.backup(place / f"state{at}.imi")
            aside.append(place / f"state{at}.imi")
            source = place / "copy" if kind == "set back" else place / "other.imi" / "collection.sqlite"
            shutil.copy(source, place / "in")
            os.replace(place / "in", path / "collection.sqlite")
            shutil.rmtree(away)
            continue
        aside.append(away)
    time.sleep(0.2)
    acknowledged, refused = set[str](), 0
    for one in processes:
        one.kill()
        lines = said_by(one)
        acknowledged |= {line for line in lines if not line.startswith("!")}
        refused += sum(line.startswith("!") for line in lines)
    there = ids_of(*(one for one in aside if (one / "collection.sqlite").exists()))
    if kind in ("file moved", "set back"):
        # What was written between the copy that was kept and the replacing went with the file.
        return f"{kind}: sound"
    missing = acknowledged - there
    assert not missing, f"{kind}: {len(missing)} of {len(acknowledged)} acknowledged rows are nowhere: {[*missing][:3]}"
    return f"{kind}: {'some refused, ' if refused else ''}all rows there"


def shared(place: Path, chance: random.Random) -> str:
    """Threads and forked processes use one open collection."""
    # Forked before there are threads, as a server does it: a fork beside running threads is safe in no Python program.
    code = """
import os, sys, threading, imi
c = imi.open(sys.argv[1], model="hash")
c.search("text")
print("begun", flush=True)
bad = []
def work(name):
    try:
        for n in range(15):
            c.add([imi.Document(f"{name}-{n}", f"text of {name} {n}")])
            assert any(hit.id == f"{name}-{n}" for hit in c.search(f'"of {name} {n}"', 50, mode="text"))
            c.search("text", 5); c.get([f"{name}-{n}"]); len(c)
    except BaseException as wrong:
        bad.append(repr(wrong))
threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
children = []
for n in range(2):
    pid = os.fork()
    if not pid:
        work(f"f{n}")
        print(bad[:1], file=sys.stderr) if bad else None
        os._exit(len(bad))
    children.append(pid)
for one in threads: one.start()
for one in threads: one.join()
codes = [os.waitpid(pid, 0)[1] for pid in children]
c.close()
print(bad[:2], codes, flush=True)
"""
    with imi.open(filled(place / "t.imi", "first", chance.randrange(1, 2000)), mode="r") as c:
        before = len(c)
    lines = said_by(start(code, place / "t.imi"))
    assert lines == ["[] [0, 0]"], lines
    assert len(ids_of(place / "t.imi")) == before + 150
    return "8 threads and 2 forks"


# --- files ---


def mutated(place: Path, chance: random.Random) -> str:
    """Bytes of the file are flipped, cut and swapped."""
    original = place / "o.imi"
    with imi.open(original, HashEmbedder()) as c:
        c.add([imi.Document(id_, text, {"n": at}) for at, (id_, text) in enumerate(TEXTS.items())])
        c.delete(["d5", "d7"])
    content = (original / "collection.sqlite").read_bytes()
    told = 0
    for _ in range(30):
        what = mutate(original, content, chance)
        try:
            with imi.open(original, HashEmbedder(), "r") as c:
                answers(c)
        except ImiError as error:
            assert str(error), what
            told += 1
    return "told or answered rightly"


CUT = """
import sys, warnings, imi, numpy as np
from imi.index.policy import IndexPolicy
warnings.simplefilter("ignore")
z = np.random.default_rng(0).standard_normal((3000, 32)).astype("f4")
with imi.open(sys.argv[1], mode=sys.argv[2], policy=IndexPolicy(saved_rows=100, exact_rows=10**6)) as c:
    c.search(z[0], 1, mode="meaning"); c.search("row")
    print("begun", flush=True)
    for line in sys.stdin:
        for row in (2999, 0, 1500, 7):
            assert c.search(z[row], 1, mode="meaning")[0].id == str(row), row
            assert c.search(f'"row {row}"', 1, mode="text")[0].id == str(row), row
        print("right", flush=True)
"""


def cut(place: Path, chance: random.Random) -> str:
    """Files of the index are cut, filled with nothing, replaced or deleted under a reader."""
    import numpy as np

    from imi.index.policy import IndexPolicy

    z = np.random.default_rng(0).standard_normal((3000, 32)).astype("f4")
    with imi.open(place / "c.imi", policy=IndexPolicy(saved_rows=100, exact_rows=10**6, words_from=100)) as c:
        c.add([imi.Document(str(n), f"row {n}") for n in range(len(z))], z)
        c.settle()
        c.wait()
    process = subprocess.Popen(
        [sys.executable, "-c", CUT, place / "c.imi", chance.choice(["r", "rw"])],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    assert process.stdout is not None and process.stdin is not None
    process.stdout.readline()
    files = [one for one in (place / "c.imi" / "index").rglob("*") if one.is_file() and one.name != "lock"]
    for _ in range(3):
        one, what = chance.choice(files), chance.choice(["cut", "zeros", "noise", "gone", "empty"])
        size = one.stat().st_size if one.exists() else 0
        if what == "cut" and size:
            os.truncate(one, chance.randrange(size))
        elif what == "empty" and size:
            os.truncate(one, 0)
        elif what in ("zeros", "noise") and size:
            with one.open("r+b") as file:
                file.seek(chance.randrange(size))
                file.write(bytes(2000) if what == "zeros" else chance.randbytes(2000))
        else:
            one.unlink(missing_ok=True)
        process.stdin.write("\n")
        assert process.stdout.readline() == "right\n", (one.name, what, process.wait(), process.stderr.read()[-1500:])  # type: ignore[union-attr]
    process.stdin.close()
    process.stdin = None
    said_by(process)
    assert process.returncode == 0
    return "searched rightly"


@contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[Path | None]:
    """Mount a small file system where that is allowed."""
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", place], capture_output=True, check=False
    )
    try:
        yield place if mounted.returncode == 0 else None
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", place], check=True)


def full(place: Path, chance: random.Random) -> str:
    """The disk is full when a verb writes."""
    (place / "rows.txt").write_text("".join(f"row {n} {'word ' * 30}\n" for n in range(4000)))
    environment = {**os.environ, "IMI_MODEL": "hash", "TMPDIR": str(place)}
    filled(place / "big.imi", "big", 3000)
    with small_disk(place / "disk", chance.randrange(900, 4000)) as disk:
        if disk is None:
            return "no right to mount"
        filled(disk / "c.imi", "first", 50)
        verb = chance.choice(["add", "backup", "export", "copy", "map", "repair", "migrate", "plan"])
        target = place / "big.imi"
        arguments = {
            "add": (disk / "c.imi", place / "rows.txt", "--rows", "lines"),
            "backup": (target, disk / "b.imi"),
            "export": (target, disk / f"e{chance.choice(['.csv', '.jsonl', '.npy', '.parquet', '.db'])}"),
            "copy": (target, disk / "copy.imi"),
            "map": (target, "--out", disk / "map.html"),
            "repair": (disk / "c.imi",),
            "migrate": (disk / "c.imi", "--dims", "16"),
            "plan": (disk / "c.imi",),
        }[verb]
        if verb in ("repair", "migrate", "plan"):
            room = shutil.disk_usage(disk).free
            (disk / "ballast").write_bytes(bytes(max(0, room - 50_000)))
        done = command(verb, *arguments, env=environment)
        assert done.returncode in (0, 1), (verb, done.stderr)
        if done.returncode:
            assert done.stderr.count("imi: ") == 1 and "unexpected" not in done.stderr, done.stderr
        (disk / "ballast").unlink(missing_ok=True)
        left = [one.name for one in disk.rglob("*") if one.name.startswith(".")]
        assert not left, (verb, left)
        assert {f"first{n}" for n in range(50)} <= ids_of(disk / "c.imi")
        return f"{verb}: {'refused' if done.returncode else 'fitted'}"


def exported(place: Path, chance: random.Random) -> str:
    """An export over an older one is killed."""
    name = f"e{chance.choice(['.npy', '.npy', '.csv', '.jsonl', '.parquet', '.db'])}"
    for count in (40, 4000):
        filled(place / f"{count}.imi", f"of{count}-", count)
    with imi.open(place / "40.imi", mode="r") as c:
        c.export(place / name)
    code = "import imi, sys\nc = imi.open(sys.argv[1], mode='r')\nprint('begun', flush=True)\nc.export(sys.argv[2])\n"
    process = start(code, place / "4000.imi", place / name)
    time.sleep(chance.uniform(0, 0.6))
    process.kill()
    said_by(process)
    with imi.open(place / "back.imi") as c:
        c.import_(place / name)
        found = set(c.ids())
    assert found in ({f"of{count}-{n}" for n in range(count)} for count in (40, 4000)), len(found)
    return "the old one" if len(found) == 40 else "the new one"


# --- commands ---


def signalled(place: Path, chance: random.Random) -> str:
    """Ctrl-C and SIGTERM at any moment of a command."""
    environment = {**os.environ, "IMI_MODEL": "hash", "TMPDIR": str(place / "tmp"), "IMI_HOME": str(place / "home")}
    (place / "tmp").mkdir()
    (place / "rows.txt").write_text("".join(f"row {n} {chance.random()}\n" for n in range(20_000)))
    filled(place / "c.imi", "first", 3000)
    verb, *arguments = chance.choice(
        [
            ("add", "new.imi", "rows.txt", "--rows", "lines"), ("export", "c.imi", "e.csv"),
            ("backup", "c.imi", "b.imi"),
            ("export", "c.imi", "e.npy"), ("copy", "c.imi", "d.imi"), ("migrate", "c.imi", "--dims", "16"),
            ("map", "c.imi", "--out", "m.html"), ("dedupe", "c.imi"), ("verify", "c.imi"), ("repair", "c.imi"),
            ("serve", "c.imi", "--port", "0"), ("cluster", "c.imi"), ("plan", "c.imi"),
        ]
    )  # fmt: skip
    number = chance.choice([signal.SIGINT, signal.SIGTERM])
    # The moment in which Python itself starts is not imi's.
    code = "import sys, imi.cli.command\nprint('begun', flush=True)\nsys.exit(imi.cli.main(sys.argv[1:]))\n"
    process = subprocess.Popen(
        [sys.executable, "-c", code, verb, *arguments],
        cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.02 + chance.uniform(0, 3.0))
    process.send_signal(number)
    said_by(process)
    expected = 128 + number
    # One that had done, and was on its way out, ends as Python ends then.
    assert process.returncode in (0, expected, -number), (verb, process.returncode)
    left = [one.name for one in (place / "tmp").iterdir() if one.name != ".ses"]
    left += [one.name for one in place.iterdir() if one.name.startswith(".")]
    assert not left, (verb, left)
    for one in ("new.imi", "c.imi", "d.imi", "b.imi"):
        if (place / one / "collection.sqlite").exists():
            ids_of(place / one)
            assert not [file.name for file in (place / one).iterdir() if file.name.startswith(".")], verb
    return "ended as asked" if process.returncode == expected else "had done"


def synced(place: Path, chance: random.Random) -> str:
    """A folder of files changes, goes and comes back while it is synced by a command that is killed."""
    environment = {**os.environ, "IMI_MODEL": "hash"}
    folder = place / "files"
    (folder / "sub").mkdir(parents=True)
    wanted = {}
    for n in range(12):
        file = folder / ("sub" if n % 3 == 0 else ".") / f"{n}.txt"
        file.write_text(f"first line of {n}\nsecond line of {n}\n")
        wanted[file] = 2
    sync = ("add", place / "y.imi", folder, "--sync", "--rows", "lines")
    assert command(*sync, env=environment).returncode == 0
    for file in chance.sample(sorted(wanted), 3):
        file.unlink()
        del wanted[file]
    os.symlink(place / "nowhere", folder / "dangling.txt")
    process = subprocess.Popen([*IMI, *map(str, sync)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(chance.uniform(0.3, 1.5))
    process.kill()
    process.communicate()
    os.rename(folder, place / "unmounted")
    assert command(*sync, env=environment).returncode != 0
    assert len(ids_of(place / "y.imi")) >= 2 * len(wanted)
    os.rename(place / "unmounted", folder)
    assert command(*sync, env=environment).returncode == 0
    assert len(ids_of(place / "y.imi")) == 2 * len(wanted)
    return "in step"


def keyed(place: Path, chance: random.Random) -> str:
    """Keys are added and removed at once, by commands of which some are killed."""
    code = """
import sys
from pathlib import Path
from imi.server.http.keys import Keys
held = Keys(Path(sys.argv[1]))
print("begun", flush=True)
for n in range(1000):
    held.add(f"{sys.argv[2]}{n}", {"*": "read"})
    print(f"{sys.argv[2]}{n}", flush=True)
    if n % 3 == 2:
        print(f"-{sys.argv[2]}{n - 1}", flush=True)
        held.remove(f"{sys.argv[2]}{n - 1}")
"""
    file = place / "keys.json"
    processes = [start(code, file, name) for name in "abc"]
    time.sleep(chance.uniform(0.1, 1.0))
    wanted, either = set[str](), set[str]()
    for one in processes:
        one.kill()
        for line in said_by(one):
            either |= {line[1:]} if line.startswith("-") else set()
            wanted |= set() if line.startswith("-") else {line}
    if not file.exists():
        assert not wanted
        return "killed before the first key"
    from imi.server.http.keys import Keys

    held = {key.name for key in Keys(file).all()}
    assert wanted - either <= held, f"{len(wanted - either - held)} keys are missing"
    assert json.loads(file.read_text())
    return "all keys there"


KINDS: dict[str, Round] = {
    "kill -9 of writers": killed,
    "kill -9 while the finer model reads": killed_deepening,
    "makers at once": makers,
    "files and folders swapped under writers": swapped,
    "threads and forks": shared,
    "bytes flipped, cut and swapped (30 a round)": mutated,
    "index files cut under a reader": cut,
    "full disk": full,
    "exports killed": exported,
    "Ctrl-C and SIGTERM": signalled,
    "sync of a folder that goes and comes back": synced,
    "keys file": keyed,
}
