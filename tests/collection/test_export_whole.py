"""An export is replaced as one, whenever its process is killed and however many write it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import imi

SUFFIXES = [".csv", ".jsonl", ".npy", ".parquet", ".db"]
KILLED = """
import os, signal, sys
import imi.collection.exporting as exporting
name = sys.argv[3]; real, calls = getattr(os, name), []
def dying(*given, **more):
    calls.append(given)
    if len(calls) == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given, **more)
setattr(os, sys.argv[3], dying)
import imi
with imi.open(sys.argv[1], mode="r") as c:
    c.export(sys.argv[2])
"""


def filled(path, count, width=4):
    rng = np.random.default_rng(count)
    with imi.open(path) as c:
        z = rng.standard_normal((count, width)).astype("f4")
        c.add([imi.Document(f"{n}", f"of {count}: {n}") for n in range(count)], z)
    return Path(path)


def read_back(file):
    target = file.parent / f"back-{file.name}.imi"
    with imi.open(target) as c:
        c.import_(file)
        found = {one.id: one.text for one in c.documents()}, len(c.vectors())
    shutil.rmtree(target)
    return found


@pytest.mark.parametrize(("what", "times"), [("replace", 3), ("fsync", 2)])
def test_a_killed_export_leaves_the_old_one_or_the_new_one(tmp_path, what, times):
    old, new = filled(tmp_path / "old.imi", 5), filled(tmp_path / "new.imi", 3)
    for at in range(1, times + 1):
        file = tmp_path / f"{what}{at}.npy"
        with imi.open(old, mode="r") as c:
            c.export(file)
        done = subprocess.run([sys.executable, "-c", KILLED, new, file, what, str(at)], env=os.environ)
        assert done.returncode == -signal.SIGKILL
        texts, vectors = read_back(file)
        assert len(texts) == vectors and vectors in (3, 5), (what, at)
        assert set(texts.values()) == {f"of {vectors}: {n}" for n in range(vectors)}
        with imi.open(new, mode="r") as c:
            c.export(file)
        assert read_back(file)[1] == 3


def test_a_table_of_vectors_and_another_listing_do_not_meet(tmp_path):
    for count in (3, 5):
        with imi.open(filled(tmp_path / f"{count}.imi", count), mode="r") as c:
            c.export(tmp_path / f"{count}.npy")
    os.replace(tmp_path / "3.npy", tmp_path / "5.npy")
    with imi.open(tmp_path / "c.imi") as c, pytest.raises(imi.ImiError, match="of other vectors"):
        c.import_(tmp_path / "5.npy")
    listing = tmp_path / "5.npy.jsonl"
    first, *rest = listing.read_text().splitlines()
    row = json.loads(first)
    del row["imi_model"]["vectors"]  # as an earlier imi wrote it
    listing.write_text("\n".join([json.dumps(row), *rest[:2]]) + "\n")
    with imi.open(tmp_path / "d.imi") as c:
        assert c.import_(tmp_path / "5.npy").added == 3


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_exports_to_one_place_at_once_are_each_whole(tmp_path, suffix):
    file = tmp_path / f"out{suffix}"
    for count in (3, 5, 7):
        filled(tmp_path / f"{count}.imi", count)
    code = "import imi, sys\nfor n in range(8):\n    with imi.open(sys.argv[1], mode='r') as c: c.export(sys.argv[2])\n"
    others = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path / f"{count}.imi", file], stderr=subprocess.PIPE)
        for count in (3, 5, 7)
    ]
    said = [one.communicate()[1] for one in others]
    assert [one.returncode for one in others] == [0] * 3, said
    assert read_back(file)[1] in (3, 5, 7)
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_export_keeps_the_rights_of_what_was_there(tmp_path, suffix):
    file = tmp_path / f"out{suffix}"
    with imi.open(filled(tmp_path / "c.imi", 3), mode="r") as c:
        c.export(file)
        file.chmod(0o600)
        c.export(file)
    assert file.stat().st_mode & 0o777 == 0o600
