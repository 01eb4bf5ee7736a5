"""The words are held to what they promise: every verb has help with an example that runs, and so does the README."""

import io
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import imi.cli
from imi.cli.verbs import load_verb

ROOT = Path(__file__).resolve().parent.parent
VERBS = {name: module for group in imi.cli.GROUPS for name, module in group.verbs.items()}
# What runs until it is stopped, or for many minutes, is run by tests of its own.
LONG = {"serve", "browse", "mcp", "train", "lab"}
# What asks a server that must be running.
REMOTE = {"conform", "translate"}
# Small files that the examples name.
FILES = {
    "pairs.csv": "".join(f"{n},{n + 1},{n % 2}\n" for n in range(1, 40)),
    "lines.py": 'def lines(path):\n    """Read a file line by line."""\n    yield from open(path)\n',
}


def example_of(name):
    _, _, lines = (load_verb(name, VERBS[name]).epilog or "").partition("Example:\n")
    return [line.strip() for line in lines.splitlines() if line.strip()]


def run_line(line, monkeypatch, capsys):
    words = shlex.split(line, comments=True)
    if words[0] != "imi":
        return subprocess.run(["bash", "-c", line], check=True, capture_output=True, text=True).stdout
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    code = imi.cli.main(words[1:])
    captured = capsys.readouterr()
    assert code == 0, f"{line}\n{captured.err}"
    return captured.out


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Return a folder with reviews.csv and reviews.imi, made by the test embedder."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copy(ROOT / "tests" / "data" / "reviews.csv", folder)
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
    added = ["add", str(folder / "reviews.imi"), str(folder / "reviews.csv"), "--id", "Id", "--model", "hash", "-q"]
    assert imi.cli.main([*added, "--template", "Title: {Summary}; Content: {Text}"]) == 0
    return folder


@pytest.fixture
def folder(prepared, tmp_path, monkeypatch):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMI_MODEL", "hash")
    return tmp_path


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_explains_itself(name, capsys):
    command = load_verb(name, VERBS[name])
    assert command.help and len(command.help) > 20
    assert example_of(name), "the help ends with an example"
    assert any(line.startswith(f"imi {name}") for line in example_of(name))
    undocumented = [p.name for p in getattr(command, "params", []) if not getattr(p, "help", None) and p.name != "help"]
    assert not undocumented
    assert imi.cli.main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert all(line in out for line in example_of(name)), "the example is printed on lines of its own"


@pytest.mark.parametrize("name", [name for name in VERBS if name not in LONG | REMOTE])
def test_every_example_runs_as_printed(name, folder, monkeypatch, capsys):
    for line in example_of(name):
        run_line(line, monkeypatch, capsys)


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_the_code_of_the_readme_runs(name, folder, monkeypatch, capsys):
    path = ROOT / name
    python, shell = blocks(path, "python"), blocks(path, "sh")
    assert python and shell
    for block in shell:
        for line in block.splitlines():
            if line.startswith("imi ") and line.split()[1] not in LONG:
                run_line(line, monkeypatch, capsys)
    namespace = {}
    for block in python:
        exec(compile(block, name, "exec"), namespace)
