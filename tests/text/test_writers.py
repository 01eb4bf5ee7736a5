import numpy as np
import pytest

from imi.errors import DataError, UsageError
from imi.text.readers import ReadOptions, read
from imi.text.writers import literal, write_vectors

TEXTS = ["猫, cat", 'two "quotes"', "line\nbreak"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_what_is_written_reads_back_exactly(tmp_path, suffix, embedder):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    z = embedder.embed(TEXTS)
    write_vectors(tmp_path / f"v{suffix}", TEXTS, z)
    rows = list(read(tmp_path / f"v{suffix}", ReadOptions(vectors="embedding", template="{text}")))
    assert [row.document.text for row in rows] == TEXTS
    np.testing.assert_array_equal(np.stack([row.vector for row in rows]), z)


def test_numbers_alone_and_files_that_cannot_be(tmp_path, embedder):
    z = embedder.embed(TEXTS)
    write_vectors(tmp_path / "v.npy", TEXTS, z)
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), z)
    with pytest.raises(UsageError, match="allowed are"):
        write_vectors(tmp_path / "v.xls", TEXTS, z)
    with pytest.raises(DataError, match="cannot be written"):
        write_vectors(tmp_path / "no" / "v.csv", TEXTS, z)


def test_literal_lists_have_the_shortest_digits():
    assert literal(np.float32([0.1, -2e-5, 1])) == "[0.1, -2e-05, 1.0]"


def test_a_file_that_cannot_be_written_to_its_end_leaves_what_was_there(tmp_path, monkeypatch):
    import numpy as np

    from imi.text import writers

    path = tmp_path / "v.npy"
    writers.write_vectors(path, ["a"], np.ones((1, 2), np.float32))
    path.chmod(0o600)
    before = path.read_bytes()

    def full(file, z):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writers.np, "save", full)
    with pytest.raises(DataError, match="no space left"):
        writers.write_vectors(path, ["b"], np.ones((1, 2), np.float32))
    monkeypatch.undo()
    assert [path.read_bytes()] == [before] and [one.name for one in tmp_path.iterdir()] == ["v.npy"]
    writers.write_vectors(path, ["b", "c"], np.ones((2, 2), np.float32))
    assert path.stat().st_mode & 0o777 == 0o600 and len(np.load(path)) == 2
