"""Standard input and output that are not as one would wish."""

import json
import os
import subprocess
import sys

import pytest

import imi


@pytest.fixture
def cats(tmp_path):
    with imi.open(tmp_path / "n.imi", model="built-in") as collection:
        collection.add([imi.Document("1", "うちの猫です 🐈"), imi.Document("2", "コーヒー豆")])
    return tmp_path


def call(folder, *arguments, stdin=b"", **environment):
    return subprocess.run(
        [sys.executable, "-m", "imi", *arguments], cwd=folder, input=stdin, capture_output=True,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_an_empty_line_costs_nothing_and_other_encodings_are_said(cats):
    done = call(cats, "search", "n.imi", "-", "-k", "1", "--json", stdin="猫\n\n \nコーヒー\n".encode())
    assert [one["query"] for one in json.loads(done.stdout)] == ["猫", "コーヒー"]
    done = call(cats, "search", "n.imi", "-", stdin="猫\n日本語の質問です\n".encode("cp932"))
    assert done.returncode == 2 and b"standard input is not UTF-8" in done.stderr and b"cp932" in done.stderr
    done = call(cats, "search", "n.imi", "-", stdin=b"\n\n")
    assert done.returncode == 2 and b"there is no question" in done.stderr


@pytest.mark.parametrize("encoding", ["cp932", "ascii", "latin-1"])
def test_output_of_another_encoding_does_not_break_off(cats, encoding):
    there = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = call(cats, "search", "n.imi", "猫", "-k", "1", **there)
    assert done.returncode == 0 and b"\\U0001f408" in done.stdout
    done = call(cats, "search", "n.imi", "猫", "-k", "1", "--json", **there)
    assert json.loads(done.stdout.decode(encoding))[0]["text"] == "うちの猫です 🐈"


@pytest.mark.skipif(sys.platform == "win32", reason="written for a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_as_good_as_the_null_device(cats, closed):
    line = f"{sys.executable} -m imi search n.imi 猫 -k 1 --json {closed}"
    done = subprocess.run(line, shell=True, cwd=cats, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (b"\xe3\x81\x86" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))
    done = subprocess.run(line.replace("--json", ""), shell=True, cwd=cats, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
