"""A server lets the finer model read while nobody asks, lists both models, and answers embeddings by either."""

from __future__ import annotations

import time

import numpy as np
import pytest

import imi
from imi.embedders.deep import installed

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.skipif(not installed(), reason="the model's files are not in this clone")


@pytest.fixture
def filled(tmp_path):
    with imi.open(tmp_path / "notes.imi") as c:
        c.add([imi.Document(str(at), f"note {at} about tea") for at in range(40)])
        c.add([imi.Document("late", "The parcel spent three weeks on its way.")])
    return tmp_path / "notes.imi"


def test_it_reads_while_nobody_asks(start, filled, monkeypatch):
    monkeypatch.setattr("imi.server.idle.QUIET_SECONDS", 0.1)
    monkeypatch.setenv("IMI_DEEP_BUDGET", "200")
    server = start({"built-in": imi.load()}, collections=(str(filled),))
    deadline = time.monotonic() + 60
    with imi.open(filled, mode="r") as c:
        while c.info.deep < 41 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert c.info.deep == 41
    hits = server.http.post("/api/v1/collections/notes/search", json={"query": "my parcel arrived late", "k": 1}).json()
    assert hits["hits"][0]["id"] == "late"


def test_it_reads_nothing_without_a_budget(start, filled, monkeypatch):
    monkeypatch.setattr("imi.server.idle.QUIET_SECONDS", 0.05)
    start({"built-in": imi.load()}, collections=(str(filled),))
    time.sleep(1)
    with imi.open(filled, mode="r") as c:
        assert c.info.deep == 0


def test_both_models_are_listed_and_answer(start):
    server = start({"deep": imi.load("deep"), "built-in": imi.load()})
    assert {one["id"] for one in server.http.get("/v1/models").json()["data"]} >= {"deep", "built-in"}
    for name, width in (("deep", 384), ("built-in", 512)):
        reply = server.http.post("/v1/embeddings", json={"model": name, "input": ["猫", "cat"]}).json()
        z = np.array([one["embedding"] for one in reply["data"]], np.float32)
        np.testing.assert_allclose(z, imi.load(name).embed(["猫", "cat"]), atol=1e-4)
        assert z.shape == (2, width)


def test_serving_the_finer_model_serves_the_built_in_one_too():
    from imi.server.app import build_state
    from imi.server.settings import Settings

    state = build_state(Settings(model="deep", port=0, log=False))
    assert state.models.default.name == "deep" and {"deep", "built-in"} <= set(state.models.names())


def test_requests_do_not_wait_while_rows_are_read(start, filled, monkeypatch):
    monkeypatch.setattr("imi.server.idle.QUIET_SECONDS", 600)
    monkeypatch.delenv("IMI_DEEP_BUDGET")
    server = start({"built-in": imi.load()}, collections=(str(filled),))
    asked = {"query": "my parcel arrived late", "k": 3}
    assert server.http.post("/api/v1/collections/notes/search", json=asked).json()["hits"]
    with imi.open(filled, mode="r") as c:
        assert c.info.deep == 0, "what a request read would be kept"
    monkeypatch.setenv("IMI_DEEP_BUDGET", "60000")
    other = start({"built-in": imi.load()}, collections=(str(filled),))
    assert other.http.post("/api/v1/collections/notes/search", json=asked).json()["hits"]
    with imi.open(filled, mode="r") as c:
        assert c.info.deep > 0
