"""A server lets the finer model read while nobody asks, lists both models, and answers embeddings by either."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import imi
from imi.embedders.deep import installed
from imi.embedders.testing import HashEmbedder
from imi.errors import DataError

pytest.importorskip("fastapi", reason="the extra `server` is not installed")

from imi.server.batching import Batcher
from imi.server.http.responses import ApiError
from imi.server.models import Models

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


def test_the_finer_model_is_listed_beside_the_built_in_one_and_loaded_when_it_is_asked_for(start, monkeypatch):
    from imi.embedders import load as loading
    from imi.server.app import build_state
    from imi.server.settings import Settings

    monkeypatch.setattr(loading, "_kept", {})
    state = build_state(Settings(port=0, log=False))
    assert state.models.default.name == "built-in"
    assert state.models.names() == ["built-in", "deep", imi.load("deep").info.id]
    with pytest.raises(ApiError):
        state.models.get("deep")

    async def twice():
        await asyncio.gather(*(state.models.ready(name) for name in ("deep", imi.load("deep").info.id, "deep", 7)))

    asyncio.run(twice())
    assert state.models.get("deep") is state.models.get(imi.load("deep").info.id)
    assert state.models.get("deep").embedder is imi.load("deep"), "collections would load a second one"
    assert sorted(state.models.names()) == ["built-in", "deep", "imi-deep-2"]


def test_a_model_that_cannot_be_loaded_is_tried_again_by_the_next_request():
    tried = []

    def make():
        tried.append(1)
        if len(tried) == 1:
            raise DataError("cut")
        return HashEmbedder()

    models = Models({"built-in": imi.load()}, {}, ThreadPoolExecutor(1), lambda *_: None, {"late": make})

    async def ask():
        with pytest.raises(DataError):
            await models.ready("late")
        await models.ready("late")
        await models.ready("late")

    asyncio.run(ask())
    assert len(tried) == 2 and models.get("late").embedder.info.id == "hash"


def test_an_alias_of_the_name_of_a_model_that_is_loaded_later_stays_an_alias():
    made = {"hash": HashEmbedder()}
    models = Models(made, {"late": "hash"}, ThreadPoolExecutor(1), lambda *_: None, {"late": imi.load})
    asyncio.run(models.ready("late"))
    assert models.get("late").embedder is made["hash"] and models.names() == ["hash", "late"]


def test_what_is_asked_and_what_is_kept_are_embedded_as_such(start):
    server = start({"deep": imi.load("deep")})
    deep = imi.load("deep")
    for asked, kind in (
        ({}, "document"),
        ({"input_type": None}, "document"),
        ({"input_type": "document"}, "document"),
        ({"input_type": "search_query"}, "query"),
        ({"input_type": "query"}, "query"),
    ):
        reply = server.http.post("/v1/embeddings", json={"model": "deep", "input": "a red bicycle", **asked}).json()
        np.testing.assert_allclose(
            reply["data"][0]["embedding"], deep.embed(["a red bicycle"], kind)[0], atol=1e-4, err_msg=str(asked)
        )
    for odd in ("question", "Query", 1, ["query"]):
        reply = server.http.post("/v1/embeddings", json={"model": "deep", "input": "a", "input_type": odd})
        assert reply.status_code == 400 and reply.json()["error"]["param"] == "input_type"


def test_kinds_that_arrive_together_stay_apart():
    deep = imi.load("deep")
    batcher = Batcher(deep, ThreadPoolExecutor(1), lambda *_: None)

    kinds = ("query", "document", "query", "document", "document")

    async def together():
        return await asyncio.gather(*(batcher.embed([f"a bicycle {at}"], kind) for at, kind in enumerate(kinds)))

    for at, (kind, z) in enumerate(zip(kinds, asyncio.run(together()), strict=True)):
        np.testing.assert_allclose(z, deep.embed([f"a bicycle {at}"], kind), atol=1e-4)
