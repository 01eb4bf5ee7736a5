"""The words are held to what they promise: every verb has help with an example that runs, and so does the README."""

import ast
import io
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import imi.cli
from imi.cli.groups import GROUPS
from imi.cli.verbs import load_verb

ROOT = Path(__file__).resolve().parent.parent
VERBS = {name: module for group in GROUPS for name, module in group.verbs.items()}
# What runs until it is stopped, or for many minutes, is run by tests of its own.
LONG = {"serve", "browse", "mcp", "train", "lab"}
# What asks a server that must be running.
REMOTE = {"conform", "translate"}
# Small files that the examples name.
FILES = {
    "notes/plan.md": "# Plan\n\nThe deadline is on Friday.\n",
    "pairs.csv": "".join(f"{n},{n + 1},{n % 2}\n" for n in range(1, 40)),
    "folder/plan.md": "# Plan\n\nThe deadline is Friday.\n\n## 締め切り\n\n締め切りは金曜日です。\n",
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
    (folder / "folder").mkdir()
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    added = ["add", str(folder / "reviews.imi"), str(folder / "reviews.csv"), "--id", "Id", "--model", "hash", "-q"]
    assert imi.cli.main([*added, "--template", "Title: {Summary}; Content: {Text}"]) == 0
    return folder


@pytest.fixture
def folder(prepared, tmp_path, monkeypatch):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMI_MODEL", "hash")
    monkeypatch.setenv("IMI_HOME", str(tmp_path / "home"))
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


PAGES = [ROOT / "README.md", ROOT / "README.ja.md", *sorted((ROOT / "docs").glob("*.md"))]
# What stands before a block in a comment is run before it, or names the packages that it needs.
PART = re.compile(
    r"^```(?P<language>python|sh)\n(?P<code>.*?)^```|^<!-- setup\n(?P<setup>.*?)^-->|^<!-- needs (?P<needs>.*?) -->",
    re.MULTILINE | re.DOTALL,
)
CODE = [path for path in PAGES if re.search(r"^```(python|sh)$", path.read_text("utf-8"), re.MULTILINE)]
# What a page may import of imi: what is public, the slides' own functions, and the two modules that are named by the
# framework they serve.
PUBLIC = {"imi", "imi.tasks", "imi.rag", "imi.evaluate", "imi.train", "imi.index", "imi.cookbook"}
BRIDGES = {"imi.bridges.langchain", "imi.bridges.llamaindex"}


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_the_code_of_a_page_runs(path, folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    namespace, ran, absent = {"__name__": path.stem}, 0, False
    for part in PART.finditer(path.read_text("utf-8")):
        if part["needs"]:
            absent = not all(find_spec(name) for name in part["needs"].split())
        elif absent:
            absent = part["setup"] is not None  # until the block that follows
        elif part["language"] == "sh":
            for line in part["code"].splitlines():
                if line.startswith("imi ") and line.split()[1] not in LONG:
                    run_line(line, monkeypatch, capsys)
                    ran += 1
        else:
            exec(compile(part["code"] or part["setup"], path.name, "exec"), namespace)
            ran += part["code"] is not None
    assert ran


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_a_page_imports_only_what_is_public(path):
    found = set()
    for part in PART.finditer(path.read_text("utf-8")):
        if part["language"] == "python":
            for node in ast.walk(ast.parse(part["code"])):
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found.add(node.module)
    assert {name for name in found if name.split(".")[0] == "imi"} <= PUBLIC | BRIDGES


def test_every_environment_variable_has_a_line():
    text = (ROOT / "docs" / "environment.md").read_text("utf-8")
    listed = set(re.findall(r"`([A-Z][A-Z_]+)`", text.split("Engines' clients")[0]))
    read = set()
    for path in (ROOT / "src").rglob("*.py"):
        source = path.read_text("utf-8")
        read |= set(re.findall(r"""(?:environ(?:\.get|\.setdefault)?[(\[]|envvar=|_number\()"([A-Z_]+)\"""", source))
        read |= set(re.findall(r"\bIMI_[A-Z_]+[A-Z]\b", source))
    assert read - {"_IMI_COMPLETE", "SEEDS"} == listed, "docs/environment.md names what the source reads"
