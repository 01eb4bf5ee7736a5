"""Remembered vectors: nothing is spent twice, no two models meet, the file stays small."""

import threading

import apsw
import numpy as np
import pytest
from tests.llm.standin import WIDTH, StandIn, true_vectors

import imi
from imi.embedders.cache import Cached, VectorStore, cache_limit, cache_path, key_of
from imi.embedders.openai import OpenAI, RateLimits
from imi.embedders.piecewise import BadTexts
from imi.embedders.testing import HashEmbedder
from imi.errors import DataError, EndpointError, UsageError
from imi.llm import Endpoint
from imi.records import Document, ModelInfo
from imi.tasks.cost import cost


class Counting(HashEmbedder):
    """Counts what it is asked for."""

    def __init__(self, info=HashEmbedder.info):
        self.info = info
        self.asked = []

    def embed(self, texts, kind="document", dims=None, *, progress=None):
        self.asked += [(text, kind) for text in texts]
        return super().embed(texts, kind, dims, progress=progress)


@pytest.fixture
def server():
    with StandIn() as running:
        yield running


@pytest.fixture
def store(tmp_path):
    opened = VectorStore(tmp_path / "v.sqlite")
    yield opened
    opened.close()


def remote(server, store, **more):
    limits = RateLimits(texts=more.pop("texts", 10), tokens=32_000, connections=4, timeout=5)
    endpoint = Endpoint(server.url, first_wait=0.002, timeout=5, retries=more.pop("retries", 5))
    return Cached(OpenAI(f"m@{server.url}", endpoint=endpoint, limits=limits, **more), store)


def test_a_text_is_embedded_once_and_prefixes_come_from_the_same_row(store):
    inner = Counting()
    model = Cached(inner, store)
    z = model.embed(["a", "猫", "a", ""])
    assert np.array_equal(z, HashEmbedder().embed(["a", "猫", "a", ""]))
    assert np.allclose(model.embed(["猫"], "query", dims=16), HashEmbedder().embed(["猫"], dims=16), atol=1e-6)
    assert [text for text, _ in inner.asked] == ["a", "猫", ""]
    assert model.embed([]).shape == (0, WIDTH)


def test_models_and_prompts_never_meet(store):
    plain = HashEmbedder.info
    texts = ["x"]
    infos = [
        plain,
        ModelInfo(id="other", width=64, dims=(64,), weights=plain.weights),
        ModelInfo(id=plain.id, width=64, dims=plain.dims, weights="other"),
        ModelInfo(id=plain.id, width=64, dims=plain.dims, weights="w", prompts={"query": "q: ", "document": "d: "}),
    ]
    for info in infos:
        inner = Counting(info)
        Cached(inner, store).embed(texts, "document")
        assert len(inner.asked) == 1
    inner = Counting(infos[-1])
    Cached(inner, store).embed(texts, "query")
    assert len(inner.asked) == 1, "a query with a prompt of its own is another vector"


def test_keys_are_of_128_bits_and_parts_do_not_run_together():
    assert len(key_of("f", "p", "t")) == 16
    assert key_of("f", "pt", "") != key_of("f", "p", "t") != key_of("fp", "", "t")
    assert key_of("f", "", "1:a") != key_of("f", "1:", "a")


def test_an_interrupted_run_is_resumed_and_spends_nothing_twice(server, store):
    texts = [f"text {at}" for at in range(300)]
    model = remote(server, store)
    assert model.info
    for stop in (7, 11, 5):
        server.faults.clear()
        server.faults.extend([None] * stop + ["quota"] * 50)
        with pytest.raises(EndpointError):
            model.embed(texts)
    server.faults.clear()
    assert np.allclose(model.embed(texts), true_vectors(texts), atol=1e-6)
    assert {server.seen[text] for text in texts} == {1}


def test_a_bad_text_does_not_cost_the_others_again(server, store):
    texts = [f"text {at}" for at in range(40)]
    server.bad_texts = {texts[3]}
    model = remote(server, store)
    for _ in range(2):
        with pytest.raises(BadTexts) as raised:
            model.embed([*texts, texts[3]])
        assert [failure.source for failure in raised.value.failures] == ["text 4", "text 41"]
    with pytest.raises(BadTexts) as raised:
        model.embed(texts, dims=16)
    assert raised.value.good["text 1"].shape == (16,)
    assert {server.seen[text] for text in texts[:3] + texts[4:]} == {1}


def test_the_file_stays_within_its_limit_and_keeps_the_latest(tmp_path):
    store = VectorStore(tmp_path / "v.sqlite", limit=100 * 4 * WIDTH)
    model = Cached(Counting(), store)
    for first in range(0, 500, 20):
        model.embed([str(at) for at in range(first, first + 20)])
        rows = store._file.execute("SELECT count(*), sum(length(vector)) FROM vectors").get
        assert rows[1] <= store.limit
        assert store.size <= store.limit
    inner = Counting()
    Cached(inner, store).embed([str(at) for at in range(440, 500)])
    assert inner.asked == []
    store.close()


def test_a_damaged_row_or_file_is_made_anew(tmp_path):
    path = tmp_path / "v.sqlite"
    store = VectorStore(path)
    Cached(Counting(), store).embed(["a", "b"])
    store._file.execute("UPDATE vectors SET vector = zeroblob(256) WHERE rowid = 1")
    inner = Counting()
    assert np.array_equal(Cached(inner, store).embed(["a", "b"]), HashEmbedder().embed(["a", "b"]))
    assert len(inner.asked) == 1
    store.close()
    path.write_bytes(b"this is no database, whatever it is called" * 100)
    for tail in ("-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)
    with pytest.warns(UserWarning, match="damaged"):
        again = VectorStore(path)
    assert len(Cached(Counting(), again).embed(["a"])) == 1
    again.close()


def test_trouble_with_the_file_costs_no_vector(store, monkeypatch):
    store._file.close()
    with pytest.warns(UserWarning, match="cannot be used"):
        store.put([b"k" * 16], np.ones((1, 4), np.float32))
    with pytest.warns(UserWarning, match="cannot be used"):
        assert store.get([b"k" * 16], 4) == {}


def test_two_processes_share_one_file(tmp_path):
    stores = [VectorStore(tmp_path / "v.sqlite") for _ in range(2)]
    models = [Cached(Counting(), store) for store in stores]
    threads = [threading.Thread(target=lambda m=model: [m.embed([f"{at}"]) for at in range(40)]) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert apsw.Connection(str(stores[0].path)).execute("SELECT count(*) FROM vectors").get == 40
    for store in stores:
        store.close()


def test_the_environment_says_place_and_size(monkeypatch, own_home):
    assert cache_path() == own_home / "vectors.sqlite"
    monkeypatch.setenv("IMI_CACHE_BYTES", "0")
    assert cache_limit() == 0
    monkeypatch.setenv("IMI_CACHE_BYTES", "1GB")
    with pytest.raises(UsageError, match="1GB"):
        cache_limit()


def test_loaded_by_name_a_remote_model_remembers(server):
    imi.load(f"openai:m@{server.url}").embed(["a", "b"])
    z = imi.load(f"openai:m@{server.url}").embed(["b", "a"])
    assert np.allclose(z, true_vectors(["b", "a"]), atol=1e-6)
    assert server.seen["a"] == server.seen["b"] == 1


def test_a_collection_skips_the_bad_text_alone(server, tmp_path):
    texts = [f"text {at}" for at in range(30)]
    server.bad_texts = {"text 7"}
    documents = [Document(str(at), text) for at, text in enumerate(texts)]
    with imi.open(tmp_path / "c.imi", model=f"openai:m@{server.url}") as collection:
        with pytest.raises(DataError, match="id 7") as raised:
            collection.add(documents)
        assert [(one.source, one.line) for one in raised.value.failures] == [("id 7", None)]
        added = collection.add(documents, on_error="skip")
        assert (added.added, len(added.failed)) == (29, 1)
        assert np.allclose(collection.vectors(["6", "8"]), true_vectors(["text 6", "text 8"]), atol=1e-6)
    assert {server.seen[text] for text in texts if text != "text 7"} == {1}


@pytest.mark.parametrize("count", [8000, pytest.param(100_000, marks=pytest.mark.nightly)])
def test_many_texts_through_every_fault(server, store, count):
    texts = [f"text {at}" for at in range(count)]
    faults = [429, (429, "0.001"), 500, "cut", "reorder", "short", "nan", "duplicate", "malformed", "empty"]
    model = remote(server, store, texts=count // 100, retries=20)
    assert model.info
    server.faults.extend([fault for at in range(5) for fault in [*faults, None, None]])
    server.faults.append("quarter")
    server.bad_texts = {"text 4711", f"text {count - 1}"}
    with pytest.raises(BadTexts) as raised:
        model.embed(texts)
    assert {failure.source for failure in raised.value.failures} == {"text 4712", f"text {count}"}
    good = raised.value.good
    assert len(good) == count - 2
    assert np.abs(np.stack(list(good.values())) - true_vectors(good)).max() < 1e-6
    before = server.asked()
    model.embed([text for text in texts[: count // 2] if text in good])
    assert server.asked() == before


def test_costs_are_told_without_sending_anything(server, store):
    model = remote(server, store)
    texts = ["one text", "二つ目", "three"]
    told = cost(texts, model)
    assert (told.texts, told.requests, told.cached, told.money) == (3, 1, 0, None)
    assert server.asked() == 0
    model.embed(texts[:2])
    before = server.asked()
    told = cost(texts, model)
    assert (told.cached, told.requests) == (2, 1)
    assert server.asked() == before


def test_costs_of_known_and_local_models(embedder, monkeypatch):
    texts = (f"text {at}" for at in range(5000))
    told = cost(texts, imi.load("openai:text-embedding-3-small"))
    assert (told.texts, told.requests) == (5000, 5)
    assert told.money == pytest.approx(told.tokens * 0.02 / 1e6)
    local = cost(["a" * 100] * 1000, embedder)
    assert (local.texts, local.tokens, local.requests, local.money) == (1000, 100_000, 0, 0.0)
    assert local.minutes > 0
    assert cost([], embedder).to_dict()["minutes"] == 0
