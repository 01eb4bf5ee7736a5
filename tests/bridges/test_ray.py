"""Embedding on Ray: a worker killed midway, a driver stopped midway, and each row in the output exactly once."""

import contextlib
import json
import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest

import imi
from imi.bridges.ray_embedding import MANIFEST, embed_parquet, embed_part
from imi.errors import DataError, UsageError

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'imi[tables]'")
pq = pytest.importorskip("pyarrow.parquet")
ROWS = 600


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("ray") / "in.parquet"
    texts = [f"row {at} of many 猫" for at in range(ROWS)]
    table = pa.table({"id": [f"r{at}" for at in range(ROWS)], "text": texts, "n": list(range(ROWS))})
    pq.write_table(table, path, row_group_size=200)
    return path


@pytest.fixture(scope="module")
def cluster():
    """Start a cluster of two worker processes on this machine; Ray's own warnings are not ours to mend."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setenv("RAY_raylet_start_wait_time_s", "150")
        ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'imi[ray]'")
        ray.init(
            address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000
        )
        yield ray
        ray.shutdown()


def whole(out):
    parts = [json.loads(line) for line in (out / MANIFEST).read_text().splitlines()]
    files = [line["file"] for line in parts if "file" in line]
    assert len(files) == len(set(files)) and parts[-1] == {"done": True, "rows": ROWS}
    return pa.concat_tables([pq.read_table(out / file) for file in files])


@pytest.mark.filterwarnings("ignore")
def test_a_killed_worker_loses_and_doubles_nothing(source, cluster, tmp_path):
    import psutil

    killed, started, stop = [], threading.Event(), threading.Event()

    def kill():
        """Kill a worker while it is at a part: the process is named after the task then."""
        started.wait(60)
        while not killed and not stop.is_set():
            for one in psutil.process_iter(["name"]):
                if one.info["name"] == "ray::embed_part" and not killed:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(one.pid, signal.SIGKILL)
                        killed.append(one.pid)
            time.sleep(0.005)

    def progress(done, total):
        if done == 1:
            started.set()

    killer = threading.Thread(target=kill)
    killer.start()
    done = embed_parquet(source, tmp_path / "out", "local", rows=60, dims=64, progress=progress)
    stop.set()
    killer.join()
    assert killed
    assert done.to_dict() | {"out": ""} == {"rows": ROWS, "parts": 12, "made": 12, "out": ""}
    table = whole(tmp_path / "out")
    assert sorted(table["id"].to_pylist()) == sorted(f"r{at}" for at in range(ROWS))
    z = np.array(table["embedding"].to_pylist(), np.float32)
    assert np.allclose(z, imi.load().embed(table["text"].to_pylist(), dims=64), atol=1e-5)
    assert not list((tmp_path / "out").glob(".part*"))
    again = embed_parquet(source, tmp_path / "out", "local", rows=60, dims=64)
    assert again.made == 0 and len(whole(tmp_path / "out")) == ROWS
    with imi.open(tmp_path / "c.imi") as c:
        assert sum(c.import_(part).added for part in sorted((tmp_path / "out").glob("part*.parquet"))) == ROWS
        assert c.get("r7").metadata == {"n": 7} and c.info.dims == 64
    with pytest.raises(UsageError, match="something else"):
        embed_parquet(source, tmp_path / "out", "local", rows=60, dims=32)


def test_a_stopped_driver_goes_on_where_it_stopped(source, tmp_path, monkeypatch):
    """Without Ray: its tasks are run one by one in this process, which is what the driver sees of them."""
    from imi.bridges import ray_embedding

    ran = []

    def run(tasks, address):
        for task in tasks:
            ran.append(task.part)
            if len(ran) == 3:
                raise KeyboardInterrupt
            yield embed_part(task)

    monkeypatch.setattr(ray_embedding, "_run", run)
    monkeypatch.setattr(ray_embedding, "find_spec", lambda name: object())
    with pytest.raises(KeyboardInterrupt):
        embed_parquet(source, tmp_path, "local", rows=200, dims=32)
    with (tmp_path / MANIFEST).open("a") as file:
        file.write('{"part": 2, "file": "part-0')  # a line that a crash has cut off
    (tmp_path / "part-00001.parquet").unlink()
    assert embed_parquet(source, tmp_path, "local", rows=200, dims=32).made == 2
    assert ran == [0, 1, 2, 1, 2]
    assert sorted(whole(tmp_path)["id"].to_pylist()) == sorted(f"r{at}" for at in range(ROWS))


def test_what_cannot_be_read_is_said(tmp_path, monkeypatch):
    from imi.bridges import ray_embedding

    monkeypatch.setattr(ray_embedding, "find_spec", lambda name: object())
    (tmp_path / "bad.parquet").write_text("no parquet")
    with pytest.raises(DataError, match="cannot be read"):
        embed_parquet(tmp_path / "bad.parquet", tmp_path / "out", "local")
    with pytest.raises(DataError, match="holds no"):
        (tmp_path / "empty").mkdir()
        embed_parquet(tmp_path / "empty", tmp_path / "out", "local")
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "in.parquet")
    with pytest.raises(UsageError, match="no column 'text'"):
        embed_parquet(tmp_path / "in.parquet", tmp_path / "out", "local")
