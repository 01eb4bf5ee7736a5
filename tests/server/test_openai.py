"""The embeddings contract over HTTP: every value compared with the embedder's own, every refusal in OpenAI's shape."""

import base64

import numpy as np
import pytest

from imi.embedders.testing import HashEmbedder
from imi.records import ModelInfo
from imi.server.settings import Limits
from imi.vectors import truncate
from tests.needs import needs
from tests.server.conftest import error_of

MODEL = HashEmbedder()
pytestmark = needs("bpe_openai")


def vectors_of(response) -> np.ndarray:
    assert response.status_code == 200, response.text
    return np.array([one["embedding"] for one in response.json()["data"]], np.float32)


def post(served, **body):
    return served.http.post("/v1/embeddings", json={"model": "hash"} | body)


def test_the_reply_has_the_shape_of_the_contract(served):
    response = post(served, input=["cat", "猫"])
    body = response.json()
    assert set(body) == {"object", "data", "model", "usage"}
    assert body["object"] == "list"
    assert [set(one) for one in body["data"]] == [{"object", "index", "embedding"}] * 2
    assert [one["object"] for one in body["data"]] == ["embedding"] * 2
    assert [one["index"] for one in body["data"]] == [0, 1]
    assert body["usage"] == {"prompt_tokens": 4, "total_tokens": 4}  # as the seminar saw: cat is 1, 猫 is 3
    assert response.headers["x-imi-fingerprint"] == MODEL.info.fingerprint


@pytest.mark.parametrize("text", ["cat", "猫", "🐱", " ", "\x00", "a\nb", "x" * 5000])
def test_one_text_gives_exactly_the_vector_of_the_model(served, text):
    assert np.array_equal(vectors_of(post(served, input=text)), MODEL.embed([text]))


def test_many_texts_keep_their_order(served):
    texts = [f"text {at} 番" for at in range(300)]
    assert np.array_equal(vectors_of(post(served, input=texts)), MODEL.embed(texts))


def test_base64_holds_the_same_little_endian_floats(served):
    texts = ["cat", "猫", "dog"]
    data = post(served, input=texts, encoding_format="base64").json()["data"]
    raw = np.stack([np.frombuffer(base64.b64decode(one["embedding"], validate=True), "<f4") for one in data])
    assert np.array_equal(raw, MODEL.embed(texts))


def test_dimensions_shorten_and_renormalise(served):
    for dims in (1, 16, 17, 64):
        z = vectors_of(post(served, input=["cat", "猫"], dimensions=dims))
        assert np.allclose(z, truncate(MODEL.embed(["cat", "猫"]), dims), atol=1e-7)
        assert np.allclose(np.linalg.norm(z, axis=1), 1, atol=1e-6)


def test_token_ids_are_the_text_they_stand_for(served):
    import bpe_openai

    table = bpe_openai.get_encoding("cl100k_base")
    ids = [table.encode_ordinary(text) for text in ("cats and dogs", "猫と犬", "<|endoftext|> is text")]
    z = vectors_of(post(served, input=ids))
    assert np.array_equal(z, MODEL.embed(["cats and dogs", "猫と犬", "<|endoftext|> is text"]))
    one = post(served, input=ids[1])
    assert np.array_equal(vectors_of(one), MODEL.embed(["猫と犬"]))
    assert one.json()["usage"]["prompt_tokens"] == len(ids[1])


def test_token_ids_of_newer_models_are_read_by_their_own_table(start):
    import bpe_openai

    newer = bpe_openai.get_encoding("o200k_base").encode("猫と犬")
    served = start(encoding="o200k_base")
    assert np.array_equal(vectors_of(post(served, input=newer)), MODEL.embed(["猫と犬"]))


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "input", "missing_required_parameter"),
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": "a", "model": None}, "model", "missing_required_parameter"),
        ({"input": "a", "model": 3}, "model", "invalid_type"),
        ({"input": ""}, "input", "empty_string"),
        ({"input": ["a", ""]}, "input", "empty_string"),
        ({"input": []}, "input", "empty_array"),
        ({"input": [[]]}, "input", "empty_array"),
        ({"input": [[1], []]}, "input", "empty_array"),
        ({"input": 3}, "input", "invalid_type"),
        ({"input": {"a": 1}}, "input", "invalid_type"),
        ({"input": True}, "input", "invalid_type"),
        ({"input": ["a", 1]}, "input", "invalid_type"),
        ({"input": [1, "a"]}, "input", "invalid_type"),
        ({"input": [1, True]}, "input", "invalid_type"),
        ({"input": [1.5]}, "input", "invalid_type"),
        ({"input": [None]}, "input", "invalid_type"),
        ({"input": [[1], [1.5]]}, "input", "invalid_type"),
        ({"input": [[[1]]]}, "input", "invalid_type"),
        ({"input": ["a"] * 2049}, "input", "array_above_max_length"),
        ({"input": [-1]}, "input", "invalid_token"),
        ({"input": [100_277]}, "input", "invalid_token"),
        ({"input": [2**63]}, "input", "invalid_token"),
        ({"input": "a", "encoding_format": "ubinary"}, "encoding_format", "invalid_value"),
        ({"input": "a", "encoding_format": 1}, "encoding_format", "invalid_type"),
        ({"input": "a", "dimensions": 0}, "dimensions", "integer_below_min_value"),
        ({"input": "a", "dimensions": -5}, "dimensions", "integer_below_min_value"),
        ({"input": "a", "dimensions": 65}, "dimensions", "integer_above_max_value"),
        ({"input": "a", "dimensions": "8"}, "dimensions", "invalid_type"),
        ({"input": "a", "dimensions": True}, "dimensions", "invalid_type"),
        ({"input": "a", "user": 5}, "user", "invalid_type"),
        ({"input": "a", "truncate": True}, None, "unknown_parameter"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(served, body, param, code):
    response = post(served, **body)
    assert response.status_code == 400
    error = error_of(response)
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b'"a"', b'{"model":"hash","input":NaN}', b"\xff\xfe{}"])
def test_what_is_no_json_object_is_refused(served, body):
    response = served.http.post("/v1/embeddings", content=body)
    assert response.status_code == 400
    assert error_of(response)["code"] in ("invalid_json", "invalid_type")


def test_a_text_that_is_too_long_is_refused_in_openais_words(served):
    error = error_of(post(served, input="AGI " * 5000))
    assert error["message"].startswith(
        "This model's maximum context length is 8192 tokens, however you requested 10001 tokens"
    )
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, None)


def test_a_request_that_is_too_long_is_refused_in_openais_words(served):
    response = post(served, input=[[100] * 8192] * 37)
    assert response.status_code == 400
    error = error_of(response)
    assert error["message"] == f"Requested {8192 * 37} tokens, max 300000 tokens per request"
    assert error["type"] == error["code"] == "max_tokens_per_request"


def test_the_most_that_is_allowed_is_answered(served):
    assert vectors_of(post(served, input=["a"] * 2048)).shape == (2048, 64)
    assert vectors_of(post(served, input=[[100] * 8192])).shape == (1, 64)


def test_an_unknown_model_says_what_is_served(served):
    response = post(served, input="a", model="text-embedding-3-large")
    assert response.status_code == 404
    error = error_of(response)
    assert error["code"] == "model_not_found"
    assert "hash" in error["message"]
    assert "--alias" in error["message"]


def test_an_alias_answers_and_says_which_model_did(served):
    response = post(served, input="a", model="text-embedding-3-small")
    assert response.json()["model"] == "hash"
    assert response.headers["x-imi-model"] == "hash"


def test_the_old_engines_route_says_the_model_in_its_path(served):
    response = served.http.post("/v1/engines/text-embedding-ada-002/embeddings", json={"input": ["cat"]})
    assert np.array_equal(vectors_of(response), MODEL.embed(["cat"]))
    assert served.http.post("/v1/engines/nothing/embeddings", json={"input": ["cat"]}).status_code == 404


def test_models_are_listed_and_described(served):
    listed = served.http.get("/v1/models").json()
    assert listed["object"] == "list"
    assert [one["id"] for one in listed["data"]] == ["hash", "text-embedding-3-small", "text-embedding-ada-002"]
    for one in listed["data"]:
        assert set(one) == {"id", "object", "created", "owned_by"}
        assert one["object"] == "model"
        assert isinstance(one["created"], int)
        assert served.http.get(f"/v1/models/{one['id']}").json() == one
    missing = served.http.get("/v1/models/gpt-9")
    assert missing.status_code == 404
    assert error_of(missing)["code"] == "model_not_found"


def test_wrong_methods_and_paths_are_refused_in_shape(served):
    wrong = served.http.get("/v1/embeddings")
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "POST"
    assert error_of(wrong)["code"] == "method_not_allowed"
    for path in ("/v1/nothing", "/nothing", "/v1/", "/v1//embeddings"):
        response = served.http.get(path)
        assert response.status_code == 404
        assert error_of(response)["code"] == "unknown_url"


class Short(HashEmbedder):
    """A model that is not Matryoshka and reads ten letters."""

    info = ModelInfo(id="short", width=64, dims=(64,), weights="1", max_tokens=10)


def test_a_model_that_is_no_matryoshka_refuses_dimensions(start):
    served = start({"short": Short()})
    assert vectors_of(post(served, model="short", input="a", dimensions=64)).shape == (1, 64)
    response = post(served, model="short", input="a", dimensions=32)
    assert response.status_code == 400
    assert error_of(response)["message"].startswith("This model does not support specifying dimensions")


def test_a_text_beyond_what_the_model_reads_is_refused_not_cut(start):
    served = start({"short": Short()})
    error = error_of(post(served, model="short", input="eleven letters"))
    assert error["message"].startswith("This model's maximum context length is 10 tokens")


def test_without_the_tables_token_ids_are_refused_and_texts_are_not(start, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "bpe_openai", None)
    served = start()
    response = post(served, input=[1, 2])
    assert response.status_code == 400
    assert "imi[tokens]" in error_of(response)["message"]
    assert post(served, input="cat").json()["usage"]["prompt_tokens"] == 3  # the model's own count


class Broken(HashEmbedder):
    """A model that fails on one word."""

    def embed(self, texts, kind="document", dims=None, *, progress=None):
        if any("boom" in text for text in texts):
            raise RuntimeError("secret words of a user: boom")
        return super().embed(texts, kind, dims)


def test_a_fault_of_ours_is_a_500_that_tells_nothing(start):
    served = start({"broken": Broken()})
    response = post(served, model="broken", input="boom")
    assert response.status_code == 500
    error = error_of(response)
    assert error["type"] == "server_error"
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert vectors_of(post(served, model="broken", input="fine")).shape == (1, 64)


def test_small_limits_are_said(start):
    served = start(limits=Limits(body_bytes=1000))
    response = post(served, input="x" * 1000)
    assert response.status_code == 413
    assert error_of(response)["code"] == "request_too_large"
    assert response.headers["connection"] == "close"
