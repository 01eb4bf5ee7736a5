"""The public face is typed as documented: mypy and pyright agree on every line of `public.py`."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FILE = Path(__file__).parent / "public.py"
# Lines that must be refused say so in a comment, with mypy's word for it.
WRONG = {at for at, line in enumerate(FILE.read_text("utf-8").splitlines(), 1) if "# error: " in line}


def test_mypy_agrees(tmp_path):
    pytest.importorskip("mypy")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(ROOT / ".mypy_cache"),
        "--hide-error-context",
    ]
    done = subprocess.run([*command, str(FILE)], cwd=ROOT, capture_output=True, text=True)
    found = re.findall(r"public\.py:(\d+): error: (.*)", done.stdout)
    assert {int(line) for line, _ in found} == WRONG, done.stdout + done.stderr


@pytest.mark.skipif(not find_spec("pyright"), reason="pyright is not installed")
def test_pyright_agrees(tmp_path):
    settings = {
        "include": ["public.py"],
        "extraPaths": [str(ROOT / "src")],
        "pythonVersion": "3.11",
        "reportMissingImports": False,
    }
    shutil.copy(FILE, tmp_path)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [
        sys.executable,
        "-m",
        "pyright",
        "--outputjson",
        "--project",
        str(tmp_path),
        "--pythonpath",
        sys.executable,
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ)
    if not done.stdout.lstrip().startswith("{"):  # its first run fetches the checker itself
        pytest.skip(f"pyright cannot start here: {done.stderr[-200:]}")
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] >= 1
    found = {one["range"]["start"]["line"] + 1 for one in report["generalDiagnostics"] if one["severity"] == "error"}
    assert found == WRONG, done.stdout
