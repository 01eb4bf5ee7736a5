"""Many readers and one writer, across processes: nobody fails, nobody sees the past, and reading stays quick."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import imi
from imi.embedders.testing import HashEmbedder
from tests.collection.victim import document

READER = Path(__file__).with_name("reader.py")


def readers(folder: Path, number: int, seconds: float) -> list[subprocess.Popen[bytes]]:
    command = [sys.executable, str(READER), str(folder), str(seconds)]
    return [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(number)]


def results(started: list[subprocess.Popen[bytes]]) -> list[dict[str, object]]:
    found = []
    for process in started:
        out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
        found.append(json.loads(out))
    return found


def read_while_writing(folder: Path, number: int, seconds: float, start: int = 500) -> tuple[float, float]:
    """Return the readers' median search time beside a writer at full speed, and idle, over all that it wrote."""
    with imi.open(folder, HashEmbedder()) as c:
        c.add([document(at) for at in range(start)])
        started = readers(folder, number, seconds)
        rows, end = start, time.monotonic() + seconds
        while time.monotonic() < end:
            c.add([document(at) for at in range(rows, rows + 100)])
            rows += 100
        busy = results(started)
    idle = results(readers(folder, number, seconds / 4))
    for one in idle + busy:
        assert one["problems"] == [] and int(str(one["searches"])) > 0
    assert any(int(str(one["newest"])) >= start for one in busy), "the readers saw what was committed meanwhile"
    middle = [sorted(float(str(one["median"])) for one in many)[number // 2] for many in (idle, busy)]
    return middle[0], middle[1]


def test_readers_beside_a_writer(tmp_path: Path) -> None:
    read_while_writing(tmp_path / "c.imi", number=2, seconds=1)


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_eight_readers_beside_a_writer_for_a_minute(tmp_path: Path) -> None:
    idle, busy = read_while_writing(tmp_path / "c.imi", number=8, seconds=60)
    print(f"median search {1000 * idle:.2f} ms idle, {1000 * busy:.2f} ms beside a writer: {busy / idle:.2f}×")
    assert busy <= 3 * idle
