"""Remote embeddings against a server that misbehaves: no vector is lost, misplaced, or taken from a false reply."""

import threading
import time

import numpy as np
import pytest
from tests.llm.standin import WIDTH, StandIn, true_vectors

import imi.embedders.openai as module
from imi.embedders.cache import Cached, VectorStore
from imi.embedders.openai import OpenAI, RateLimits
from imi.embedders.piecewise import BadTexts
from imi.embedders.tokens import count_remote_tokens, estimate_tokens
from imi.errors import EndpointError, UsageError
from imi.llm import Budget, Endpoint


@pytest.fixture
def server():
    with StandIn() as running:
        yield running


def model_of(server, **more):
    more.setdefault("limits", RateLimits(texts=10, tokens=32_000, connections=3, timeout=5))
    return OpenAI(f"m@{server.url}", endpoint=Endpoint(server.url, first_wait=0.01, retries=5, timeout=5), **more)


def texts_of(count):
    kinds = ("text {} of many", "文書の{}番目です", "🐱 {}", "{}")
    return [kinds[at % 4].format(at) for at in range(count)]


def test_vectors_are_those_of_their_texts(server):
    texts = texts_of(95)
    model = model_of(server)
    z = model.embed(texts)
    assert z.dtype == np.float32
    assert np.allclose(z, true_vectors(texts), atol=1e-6)
    assert model.info.dims == (WIDTH,), "what was not said to be Matryoshka is not taken for it"
    assert all("dimensions" not in body for body in server.requests)


@pytest.mark.parametrize("encoding", ["base64", "floats"])
def test_both_encodings(server, encoding):
    server.always |= {encoding}
    assert np.allclose(model_of(server).embed(["a", "b"]), true_vectors(["a", "b"]), atol=1e-6)


@pytest.mark.parametrize(
    "fault", [429, (429, "0.01"), 500, 503, "cut", "malformed", "short", "nan", "duplicate", "empty", "reorder"]
)
def test_a_false_or_missing_reply_is_asked_for_again(server, fault):
    model = model_of(server)
    assert model.info.width == WIDTH
    server.faults.extend([fault] * 3)
    texts = texts_of(60)
    assert np.allclose(model.embed(texts), true_vectors(texts), atol=1e-6)


def test_a_reply_without_indexes_is_taken_in_order(server):
    server.always |= {"no-index"}
    assert np.allclose(model_of(server).embed(["a", "b"]), true_vectors(["a", "b"]), atol=1e-6)


def test_a_gateway_that_takes_floats_for_base64_is_seen_through(server):
    server.always |= {"quarter"}
    texts = texts_of(40)
    model = model_of(server)
    assert np.allclose(model.embed(texts), true_vectors(texts), atol=1e-6)
    assert server.requests[-1]["encoding_format"] == "float"


def test_another_width_in_the_middle_of_a_run_is_an_error(server):
    model = model_of(server)
    assert model.info.width == WIDTH
    server.faults.append(
        lambda handler, body: handler.send_vectors(body, ["a"], np.ones((1, 32), np.float32), 1, set())
    )
    with pytest.raises(EndpointError, match="vectors of 32 dimensions, the model's have 64"):
        model.embed(["a"])


@pytest.mark.parametrize("errors", ["", "flat-errors", "detail-errors"])
def test_one_bad_text_is_named_and_the_others_are_there(server, errors):
    server.always |= {errors}
    texts = texts_of(50)
    server.bad_texts = {texts[17], texts[33]}
    with pytest.raises(BadTexts, match="2 of 50 texts were refused") as raised:
        model_of(server).embed(texts)
    assert sorted(failure.source for failure in raised.value.failures) == ["text 18", "text 34"]
    good = raised.value.good
    assert set(good) == set(texts) - server.bad_texts
    assert np.allclose(np.stack(list(good.values())), true_vectors(good), atol=1e-6)


def test_a_text_that_is_too_long_is_named(server):
    server.max_tokens = 100
    with pytest.raises(BadTexts, match="longer than the model reads") as raised:
        model_of(server).embed(["short", "猫" * 500, "also short"])
    assert raised.value.failures[0].source == "text 2"


def test_a_server_of_small_requests_is_learnt_from(server):
    server.max_inputs = 4
    texts = texts_of(400)
    model = model_of(server, limits=RateLimits(texts=64, tokens=10**6, connections=1, timeout=5))
    assert np.allclose(model.embed(texts), true_vectors(texts), atol=1e-6)
    assert server.asked() < 400 / 4 + 20


def test_a_request_of_too_many_tokens_is_halved(server):
    server.max_total = 300
    texts = [f"{at} " + "word " * 40 for at in range(40)]
    assert np.allclose(model_of(server).embed(texts), true_vectors(texts), atol=1e-6)


def test_requests_keep_to_their_number_of_tokens_and_texts(server):
    texts = [f"{at} " + "x" * 300 for at in range(30)]
    model = model_of(server, limits=RateLimits(texts=7, tokens=250, connections=2, timeout=5))
    model.embed(texts)
    sizes = [len(body["input"]) for body in server.requests[1:]]
    assert max(sizes) == 2
    assert len(sizes) == model.request_count(texts) == 15


def test_requests_run_side_by_side_and_no_more_than_allowed(server):
    server.faults.extend([("slow", 0.1)] * 7)
    model_of(server, limits=RateLimits(texts=1, tokens=1000, connections=3, timeout=5)).embed(texts_of(6))
    assert server.most_in_flight == 3


def test_a_wrong_key_ends_the_run_at_once(server):
    model = model_of(server, limits=RateLimits(texts=1, tokens=1000, connections=2, timeout=5))
    assert model.info
    server.key = "right"
    with pytest.raises(EndpointError, match="401") as raised:
        model.embed(texts_of(50))
    assert raised.value.status == 401
    assert server.asked() <= 4


def test_a_request_that_no_text_passes_is_not_repeated_for_every_text(server):
    model = model_of(server)
    assert model.info
    texts = texts_of(200)
    server.bad_texts = set(texts)
    with pytest.raises(EndpointError, match="invalid input"):
        model.embed(texts)
    assert server.asked() < 60


def test_an_exhausted_quota_ends_the_run(server):
    model = model_of(server)
    assert model.info
    server.faults.extend(["quota"] * 50)
    with pytest.raises(EndpointError, match="quota"):
        model.embed(texts_of(100))
    assert server.asked() <= 4


def test_the_budget_is_never_exceeded(server):
    budget = Budget(tokens=500)
    kept = []
    with pytest.raises(UsageError, match="budget is 500 tokens"):
        model_of(server, budget=budget).embed_each(texts_of(1000), "document", lambda rows, z: kept.extend(rows))
    assert 0 < budget.spent.tokens <= 500
    assert len(kept) == sum(server.seen.values()) - 1  # the width was asked for once


def test_dimensions_are_sent_only_when_asked_for(server):
    model = model_of(server)
    z = model.embed(["a", "b"], dims=16)
    assert z.shape == (2, 16)
    assert np.allclose(z, true_vectors(["a", "b"], 16), atol=1e-6)
    assert server.requests[-1]["dimensions"] == 16
    model.embed(["a"], dims=WIDTH)
    assert "dimensions" not in server.requests[-1]
    server.matryoshka = False
    with pytest.raises(UsageError, match="does not make shorter vectors"):
        model.embed(["a"], dims=16)
    with pytest.raises(UsageError, match="dims is 65"):
        model.embed(["a"], dims=65)


def test_questions_are_said_to_be_some_and_documents_are_not(server):
    server.always |= {"asymmetric"}
    model = model_of(server)
    assert np.allclose(model.embed(["a", "b"], kind="query"), true_vectors(["query: a", "query: b"]), atol=1e-6)
    assert np.allclose(model.embed(["a", "b"]), true_vectors(["a", "b"]), atol=1e-6)
    assert [body.get("input_type") for body in server.requests[1:]] == ["query", None]


@pytest.mark.parametrize("bad", [[], ["bad"]])
@pytest.mark.parametrize("how", [{"strict"}, {"strict", "terse"}])
def test_an_endpoint_that_refuses_to_hear_of_kinds_is_asked_without_from_then_on(server, bad, how):
    server.always |= how
    model = model_of(server)
    for _ in range(2):
        assert np.allclose(model.embed(["a"], kind="query"), true_vectors(["a"]), atol=1e-6)
    assert [body.get("input_type") for body in server.requests[1:]] == ["query", None, None]
    server.bad_texts |= set(bad)
    if bad:
        with pytest.raises(BadTexts, match="bad"):
            model.embed(["a", *bad], kind="query")


def test_openai_itself_is_not_told_of_kinds():
    key = Endpoint("http://127.0.0.1:9/v1", key="k")
    assert not OpenAI("text-embedding-3-small@https://api.openai.com/v1", endpoint=key).sends_kinds
    assert OpenAI("deep@http://127.0.0.1:9/v1", endpoint=key).sends_kinds


def test_a_question_and_a_document_of_the_same_words_are_kept_apart(server, tmp_path):
    server.always |= {"asymmetric"}
    model = Cached(model_of(server), VectorStore(tmp_path / "v.sqlite"))
    for _ in range(2):
        assert np.allclose(model.embed(["a"]), true_vectors(["a"]), atol=1e-6)
        assert np.allclose(model.embed(["a"], kind="query"), true_vectors(["query: a"]), atol=1e-6)
    assert len(server.requests) == 3, "the width, and each once"


def test_rows_are_unit_rows_also_where_the_server_does_not_normalise(server):
    server.normalised = False
    for dims in (None, 8):
        assert np.allclose(np.linalg.norm(model_of(server).embed(["a", "猫"], dims=dims), axis=1), 1, atol=1e-6)


def test_what_json_or_the_contract_cannot_carry(server):
    z = model_of(server).embed(["", "\ud83d", "a\x00b"])
    assert np.allclose(z, true_vectors([" ", "\ufffd", "a\x00b"]), atol=1e-6)
    assert model_of(server).embed([]).shape == (0, WIDTH)


def test_progress_reaches_the_end(server):
    told = []
    model_of(server).embed(texts_of(35), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (35, 35)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_an_interrupted_run_keeps_what_was_under_way(server, monkeypatch):
    model = model_of(server, limits=RateLimits(texts=1, tokens=1000, connections=4, timeout=5))
    assert model.info
    server.faults.extend([None] * 8 + [("slow", 0.3)] * 100)
    kept = []
    interrupt = threading.Event()

    class Pool(module.ThreadPoolExecutor):
        def submit(self, work):
            future = super().submit(work)
            future.result = lambda: self.broken()
            return future

        def broken(self):
            interrupt.wait(5)
            time.sleep(0.05)
            raise KeyboardInterrupt

    def keep(rows, z):
        kept.extend(rows)
        if len(kept) == 8:
            interrupt.set()

    monkeypatch.setattr(module, "ThreadPoolExecutor", Pool)
    with pytest.raises(KeyboardInterrupt):
        model.embed_each(texts_of(100), "document", keep)
    assert len(kept) == len(set(kept)) == sum(server.seen.values()) - 1 < 20


def test_identity_tells_models_and_places_apart(server, monkeypatch):
    ids = {OpenAI(name).id for name in ("m@http://a/v1", "m@http://b/v1", "n@http://a/v1", "text-embedding-3-small")}
    assert len(ids) == 4
    small = OpenAI("text-embedding-3-small")
    assert (small.info.width, small.info.dims, small.info.id) == (1536, (512, 1536), "openai:text-embedding-3-small")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    assert OpenAI("m").info.id == f"openai:m@{server.url}"
    assert OpenAI("m").info.fingerprint == OpenAI(f"m@{server.url}").info.fingerprint


def test_the_official_endpoint_without_a_key_says_so():
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        OpenAI("text-embedding-3-small").embed(["a"])


def test_tokens_are_counted_where_the_vocabulary_is_here():
    pytest.importorskip("bpe_openai")
    assert count_remote_tokens("text-embedding-3-small", ["AGI " * 5000]).tolist() == [10001]


def test_estimates_are_on_the_safe_side():
    pytest.importorskip("bpe_openai")
    texts = [
        "The quick brown fox jumps over the lazy dog.",
        "吾輩は猫である。名前はまだ無い。",
        "🐱🇯🇵👍🏽",
        "안녕하세요",
    ]
    for text in texts:
        real = count_remote_tokens("text-embedding-3-small", [text])[0]
        assert real <= estimate_tokens(text) <= 2.5 * real + 2


def test_a_question_that_is_refused_for_itself_changes_nothing_for_others(server):
    server.always |= {"asymmetric"}
    server.bad_texts |= {"bad"}
    model = model_of(server)
    with pytest.raises(BadTexts, match="bad"):
        model.embed(["bad"], kind="query")
    assert np.allclose(model.embed(["a"], kind="query"), true_vectors(["query: a"]), atol=1e-6)
