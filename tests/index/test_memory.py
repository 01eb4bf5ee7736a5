import ctypes
import mmap
import sys
from pathlib import Path

import numpy as np
import pytest

from imi.index import exact, manifest
from imi.index.candidates import building_bytes, first_rungs
from imi.index.exact import Exact
from imi.index.manifest import CheckedVectors, block_checksums, blocks_of, gathered
from imi.index.memory import free_memory, let_go
from imi.index.rungs import Rung


def test_the_lower_of_machine_and_container_counts(tmp_path):
    proc, group = tmp_path / "meminfo", tmp_path / "group"
    group.mkdir()
    proc.write_text("MemTotal:       24000000 kB\nMemAvailable:   20000000 kB\n")
    assert free_memory(proc, group) == 20_000_000 * 1024
    (group / "memory.max").write_text("3000000000\n")
    (group / "memory.current").write_text("1500000000\n")
    (group / "memory.stat").write_text("anon 1000000000\ninactive_file 500000000\n")
    assert free_memory(proc, group) == 2_000_000_000
    (group / "memory.max").write_text("max\n")
    assert free_memory(proc, group) == 20_000_000 * 1024
    (group / "memory.max").write_text("1000\n")
    (group / "memory.stat").write_text("anon 5\n")
    assert free_memory(proc, group) == 0


def test_where_linux_does_not_say_the_machine_s_memory_counts(tmp_path):
    assert free_memory(tmp_path / "none", tmp_path) is None or free_memory(tmp_path / "none", tmp_path) > 1 << 28


def test_what_cannot_be_built_here_is_not_tried():
    rows, width = 1_000_000, 2048
    every = first_rungs(rows, width, [], True, None)
    few = first_rungs(rows, width, [], True, None, 16 << 30)
    assert Rung(width, 10, "pq", "ivf") in few and set(few) < set(every)
    assert all(building_bytes(rung, rows) < 0.8 * (16 << 30) for rung in few)
    assert first_rungs(rows, width, [], True, None, 1000) == []


def mapped_megabytes():
    return int(Path("/proc/self/status").read_text().split("RssFile:")[1].split()[0]) / 1000


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_mapped_table_is_read_whole_without_its_size_of_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "HELD_BYTES", 1 << 20)
    rows = np.random.default_rng(0).standard_normal((32_768, 256)).astype(np.float32)  # 32 MB
    rows.tofile(tmp_path / "rows")
    sums = block_checksums(rows)
    before, most = mapped_megabytes(), 0.0
    table = CheckedVectors(tmp_path / "rows", rows.shape, "<f4", sums)
    for start, block in blocks_of(table, 1000):
        np.testing.assert_array_equal(block, rows[start : start + 1000])
        most = max(most, mapped_megabytes())
    assert most - before < 12
    np.testing.assert_array_equal(block_checksums(table.array), sums)
    assert mapped_megabytes() - before < 12
    np.testing.assert_array_equal(table[100:200], rows[100:200])  # they come back
    assert [len(block) for _, block in blocks_of(rows, 30_000)] == [30_000, 2768]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_many_queries_and_rows_anywhere_take_little_of_a_mapped_table(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "HELD_BYTES", 1 << 20)
    monkeypatch.setattr(exact, "HELD_BYTES", 1 << 20)
    rows = np.random.default_rng(0).standard_normal((32_768, 256)).astype(np.float32)  # 32 MB
    np.save(tmp_path / "rows.npy", rows)
    table = np.load(tmp_path / "rows.npy", mmap_mode="r")
    let_go(table)
    before, most = mapped_megabytes(), 0.0

    def watched(block):
        nonlocal most
        most = max(most, mapped_megabytes() - before)
        return squares(block)

    squares = exact._squares
    monkeypatch.setattr(exact, "_squares", watched)
    found = Exact(table, "l2").search(rows[:100] + 0.01, 1)[1]
    monkeypatch.undo()
    assert found[:, 0].tolist() == list(range(100))
    assert most < 20 and mapped_megabytes() - before < 20
    some = np.array([5, 32_767, 5, *range(0, 32_768, 16)])
    assert np.array_equal(gathered(table, some), rows[some])
    assert mapped_megabytes() - before < 20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="locks pages by Linux's call")
def test_pages_that_are_locked_in_memory_stay_there(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(4096.0))
    table = np.load(tmp_path / "a.npy", mmap_mode="r")
    libc = ctypes.CDLL(None, use_errno=True)
    page = ctypes.c_void_p(table.ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE)
    if libc.mlock(page, mmap.PAGESIZE):
        pytest.skip("no page may be locked here")
    try:
        base = table
        while isinstance(base, np.ndarray):
            base = base.base
        with pytest.raises(OSError, match="Invalid argument"):
            base.madvise(mmap.MADV_DONTNEED)
        let_go(table[5:])
        assert table[7] == 7
    finally:
        libc.munlock(page, mmap.PAGESIZE)
