"""Full disks, folders that may not be written, memory that runs out: a clear sentence, and the store as it was."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import CollectionError
from imi.index.policy import IndexPolicy
from imi.records import Document

FILL = """
import resource, signal, sys
import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import CollectionError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
with imi.open(sys.argv[1], HashEmbedder()) as c:
    try:
        c.add(imi.Document(f"d{at}", f"row {at} " + "long " * 40) for at in range(20000))
    except CollectionError as error:
        print(error)
        print(len(c), c.search("row 7", k=3, mode="meaning")[0].text is not None)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="this system cannot limit file sizes")
def test_a_full_disk_is_said_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: SQLite sees a write that does not fit."""
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path / "c.imi"), str(3 * 2**20)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "collection.sqlite" in lines[0] and lines[1].startswith("try: "), lines
    kept, searched = lines[2].split()
    assert int(kept) % 1024 == 0 and searched == "True"
    with imi.open(tmp_path / "c.imi", HashEmbedder()) as c:
        assert len(c) == int(kept) and c.verify().ok
        added = c.add(Document(f"d{at}", f"row {at} " + "long " * 40) for at in range(3000))
        assert added.unchanged == min(3000, int(kept)) and len(c) == max(3000, int(kept))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no users")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    with imi.open(tmp_path / "c.imi", HashEmbedder()) as c:
        c.add([Document("a", "cat"), Document("b", "dog")])
    (tmp_path / "c.imi" / "collection.sqlite").chmod(0o444)
    (tmp_path / "c.imi").chmod(0o555)
    code = (
        "import os, sys, tempfile\n"
        "import imi\n"
        "from imi.embedders.testing import HashEmbedder\n"
        "from imi.errors import ImiError\n"
        "with tempfile.TemporaryDirectory() as warm, imi.open(warm + '/w', HashEmbedder()) as c:\n"
        "    c.add([imi.Document('a', 'x')]); c.search('x')\n"
        "if os.geteuid() == 0: os.setegid(65534); os.seteuid(65534)\n"
        "try:\n"
        "    c = imi.open(sys.argv[1], HashEmbedder()); c.add([imi.Document('c', 'x')])\n"
        "except ImiError as error:\n"
        "    print(error)\n"
        "try:\n"
        "    print(imi.open(sys.argv[1], HashEmbedder(), 'r').search('cat', k=1)[0].id)\n"
        "except ImiError as error:\n"
        "    print(error)\n"
    )
    if os.geteuid() == 0:
        # Nobody, who the process becomes, must come as far as the collection.
        for part in (tmp_path, *tmp_path.parents):
            if part.stat().st_mode & 0o055 != 0o055:
                part.chmod(part.stat().st_mode | 0o055)
    try:
        command = [sys.executable, "-c", code, str(tmp_path / "c.imi")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        (tmp_path / "c.imi").chmod(0o755)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert "written" in said[0] and said[1].startswith("try: "), done.stdout
    assert said[2] == "a" or said[3].startswith("try: "), done.stdout
    with imi.open(tmp_path / "c.imi", HashEmbedder(), "r") as c:
        assert len(c) == 2 and c.verify().ok


def test_memory_that_runs_out_in_a_build_leaves_searches_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*_: object, **__: object) -> None:
        raise MemoryError("not enough memory for the index")

    monkeypatch.setattr("imi.index.planner.plan", out_of_memory)
    with imi.open(tmp_path / "c.imi", HashEmbedder(), policy=IndexPolicy(exact_rows=100)) as c:
        with pytest.warns(RuntimeWarning, match="searches stay exact"):
            c.add([Document(f"d{at}", f"row {at}") for at in range(300)])
            c._index.wait()
        assert c.info.index["kind"] == "exact" and c.search("row 17", k=1, mode="meaning")[0].text == "row 17"
        assert c.verify().ok


def test_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CollectionError, match="cannot be made"):
        imi.open(tmp_path / "file" / "c.imi", HashEmbedder())
