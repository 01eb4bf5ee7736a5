import json

import numpy as np
import pytest

import imi.index
from imi.errors import Damaged, TooNew
from imi.index.exact import Exact
from imi.index.ladder import Ladder
from imi.index.manifest import MANIFEST, CheckedVectors, block_checksums, read_manifest, write_files
from imi.index.rungs import parse_ladder


@pytest.fixture
def saved(nested, tmp_path):
    vectors = np.array(nested[0][:1500])
    ladder = Ladder.build(vectors, parse_ladder("hnsw.int8/64:60@80,128:10", 128))
    ladder.save(tmp_path / "index")
    return ladder, nested[1], tmp_path / "index"


@pytest.mark.parametrize(
    "text",
    ["hnsw.int8/64:60,128", "ivf/64r:60,128", "flat.binary/64:90,128", "symphonyqg/64:60,128", "hnsw-rabitq/64:60,128"],
)
def test_what_was_saved_answers_as_before(nested, tmp_path, text):
    if "qg" in text or "rabitq" in text:
        pytest.importorskip("rabitqlib")
    ladder = Ladder.build(nested[0][:1500], parse_ladder(text, 128))
    ladder.save(tmp_path)
    loaded = imi.index.load(tmp_path)
    assert loaded.rungs == ladder.rungs
    for old, new in zip(ladder.search(nested[1], 10), loaded.search(nested[1], 10), strict=True):
        np.testing.assert_array_equal(old, new)
    loaded.save(tmp_path)  # over itself: the files it maps are replaced under it
    np.testing.assert_array_equal(imi.index.load(tmp_path).search(nested[1], 10)[1], ladder.search(nested[1], 10)[1])


def test_an_exact_index_is_saved_too(nested, tmp_path):
    exact = Exact(nested[0][:500].astype(np.float16), "l2")
    exact.save(tmp_path)
    np.testing.assert_array_equal(imi.index.load(tmp_path).search(nested[1], 5)[0], exact.search(nested[1], 5)[0])


def damages(path):
    """Yield (how, bytes) for a file: cut short, emptied, grown, or one bit changed in three places."""
    content = path.read_bytes()
    yield "cut", content[: len(content) // 2]
    yield "empty", b""
    yield "grown", content + b"\0"
    for at in (0, len(content) // 2, len(content) - 1):
        changed = bytearray(content)
        changed[at] ^= 1 << (at % 8)
        yield f"bit at {at}", bytes(changed)


def test_every_kind_of_damage_to_every_file_is_noticed(saved):
    ladder, queries, folder = saved
    before = ladder.search(queries, 10)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for how, broken in damages(path):
            path.write_bytes(broken)
            with pytest.raises(Damaged):
                loaded = imi.index.load(folder)
                _ = loaded.vectors[:]
                pytest.fail(f"{path.name}, {how}: not noticed")
        path.unlink()
        with pytest.raises(Damaged):
            imi.index.load(folder)
        path.write_bytes(content)
    np.testing.assert_array_equal(imi.index.load(folder).search(queries, 10)[1], before[1])


def test_a_search_never_answers_from_a_damaged_block(saved):
    _, queries, folder = saved
    path = next(folder.glob("vectors-*"))
    content = np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()
    content[::4096] ^= 1
    path.write_bytes(content.tobytes())
    loaded = imi.index.load(folder)
    with pytest.raises(Damaged) as caught:
        loaded.search(queries, 10)
    assert len(caught.value.rows) > 0


def test_a_newer_format_is_no_damage(saved):
    path = saved[2] / MANIFEST
    plain = json.loads(path.read_text())
    plain["body"]["format"] = 99
    from imi.index.manifest import _text_crc

    path.write_text(json.dumps({"body": plain["body"], "crc32": _text_crc(plain["body"])}))
    with pytest.raises(TooNew, match="99"):
        imi.index.load(saved[2])


def test_a_write_that_dies_leaves_the_old_index_whole(saved):
    ladder, queries, folder = saved
    before = read_manifest(folder).generation

    def dies(path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_files(folder, {}, {"structure": dies})
    assert read_manifest(folder).generation == before
    np.testing.assert_array_equal(imi.index.load(folder).search(queries, 10)[1], ladder.search(queries, 10)[1])
    ladder.save(folder)
    assert read_manifest(folder).generation > before
    names = {entry["path"] for entry in read_manifest(folder).files.values()} | {MANIFEST}
    assert {path.name for path in folder.iterdir()} == names  # nothing is left behind


def test_blocks_are_checked_when_they_are_first_read(tmp_path):
    table = np.random.default_rng(0).standard_normal((1000, 64)).astype(np.float32)
    table.tofile(tmp_path / "table")
    sums = block_checksums(table)
    assert len(sums) == 4
    content = bytearray((tmp_path / "table").read_bytes())
    content[300 * 256] ^= 4
    (tmp_path / "table").write_bytes(content)
    vectors = CheckedVectors(tmp_path / "table", (1000, 64), "<f4", sums)
    np.testing.assert_array_equal(vectors[0:256], table[:256])
    np.testing.assert_array_equal(vectors[np.array([999, 600]), :8], table[[999, 600], :8])
    vectors.ensure(np.array([[-1, 3, 999]]))  # what was read is not read again, and no row is none of a damaged block
    content[999 * 256] ^= 4
    (tmp_path / "other").write_bytes(content)
    other = CheckedVectors(tmp_path / "other", (1000, 64), "<f4", sums)
    other.ensure(np.array([[-1, 3]]))
    for rows in (np.array([[3, 999]]), np.int64(999)):
        with pytest.raises(Damaged, match="rows 768 to 999"):
            other.ensure(rows)
    for key in (300, slice(200, 700), np.array([5, 400]), np.arange(1000) == 511, slice(None, None, 300)):
        with pytest.raises(Damaged, match="rows 256 to 511"):
            _ = vectors[key]
