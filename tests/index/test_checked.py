"""What a copy of a process found whole is not checked again by the next one, until it is written to."""

import numpy as np
import pytest

from imi.errors import Damaged
from imi.index import checked
from imi.index.manifest import CheckedVectors, block_checksums, read_manifest, verified, write_files


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr(checked, "_whole", None)
    monkeypatch.setattr(checked, "_news", [])
    checked.keep()


@pytest.fixture
def table(tmp_path):
    vectors = np.arange(40_000, dtype="<f4").reshape(-1, 8)
    vectors.tofile(tmp_path / "vectors")

    def opened():
        return CheckedVectors(tmp_path / "vectors", vectors.shape, "<f4", block_checksums(vectors))

    opened.path = tmp_path / "vectors"
    return opened


def flip(path):
    with path.open("r+b") as file:
        file.seek(4000)
        file.write(b"\xff\xff")


def test_a_table_that_was_checked_whole_is_not_again_and_one_in_part_is(kept, table):
    first = table()
    first[:10]
    assert table()._left == len(first.checksums) and not checked.news()
    first[:]
    assert table()._left == 0


def test_another_copy_learns_it(kept, table):
    table()[:]
    told, known = checked.news(), checked.known()
    assert told == known and not checked.news()
    checked.keep()
    assert table()._left
    checked.learn(told + b"odd\n")
    assert table()._left == 0


def test_what_was_written_to_is_checked_again(kept, table):
    table()[:]
    flip(table.path)
    with pytest.raises(Damaged):
        table()[:]


def test_files_read_whole_too(kept, tmp_path):
    write_files(tmp_path, {}, {"words": lambda path: path.write_bytes(bytes(10_000))})
    manifest = read_manifest(tmp_path)
    path = verified(tmp_path, manifest, "words")
    assert len(checked.known().splitlines()) == 1
    assert verified(tmp_path, manifest, "words") == path
    flip(path)
    with pytest.raises(Damaged):
        verified(tmp_path, manifest, "words")


def test_without_a_helper_nothing_is_remembered(monkeypatch, table):
    monkeypatch.setattr(checked, "_whole", None)
    table()[:]
    assert table()._left and not checked.known()


def test_a_message_fits_a_pipe_and_the_newest_stay(kept):
    for n in range(100):
        checked.note((1 << 40, 1 << 16, 1 << 40, 1 << 61, 1 << 61, (1 << 32) - n))
    assert checked.is_whole((1 << 40, 1 << 16, 1 << 40, 1 << 61, 1 << 61, (1 << 32) - 99))
    assert not checked.is_whole((1 << 40, 1 << 16, 1 << 40, 1 << 61, 1 << 61, 1 << 32))
    assert checked.known() == checked.news() and len(checked.known()) < 4096
