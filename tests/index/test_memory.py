from imi.index.candidates import building_bytes, first_rungs
from imi.index.memory import free_memory
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
