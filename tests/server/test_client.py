"""The official client, unmodified and with its defaults, against a running server; also the seminar's own snippets."""

import asyncio
import importlib.util
import json
import runpy
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from imi.embedders.testing import HashEmbedder
from imi.server.http.keys import Keys
from tests.needs import needs

pytestmark = needs("openai")


def setup_module():
    global openai
    import openai


MODEL = HashEmbedder()
ADA = "text-embedding-ada-002"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "openai_client.py"


@pytest.fixture(scope="module")
def client(served):
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none") as made:
        yield made


def test_the_clients_defaults(client):
    reply = client.embeddings.create(model=ADA, input="cat")
    assert isinstance(reply.data[0].embedding, list)
    assert np.array_equal(np.array(reply.data[0].embedding, np.float32), MODEL.embed(["cat"])[0])
    assert (reply.object, reply.model, reply.usage.prompt_tokens) == ("list", "hash", 1)


def test_the_seminars_call(client):
    reply = client.embeddings.create(model=ADA, input=["猫", "cat"], encoding_format="float")
    assert np.array_equal(np.array([one.embedding for one in reply.data], np.float32), MODEL.embed(["猫", "cat"]))
    assert reply.usage.prompt_tokens == 4


def test_base64_by_name_stays_as_it_came(client):
    reply = client.embeddings.create(model=ADA, input="cat", encoding_format="base64")
    assert isinstance(reply.data[0].embedding, str)


def test_dimensions_and_token_ids(client):
    reply = client.embeddings.create(model=ADA, input=[[15339, 1917], [15339]], dimensions=32)
    z = np.array([one.embedding for one in reply.data], np.float32)
    assert np.allclose(z, MODEL.embed(["hello world", "hello"], dims=32), atol=1e-6)


def test_models(client):
    assert [model.id for model in client.models.list()] == ["hash", "text-embedding-3-small", ADA]
    assert client.models.retrieve("hash").id == "hash"


def test_the_asynchronous_client(served):
    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none") as made:
            texts = [f"text {at}" for at in range(50)]
            replies = await asyncio.gather(*(made.embeddings.create(model=ADA, input=text) for text in texts))
            return texts, np.array([reply.data[0].embedding for reply in replies], np.float32)

    texts, z = asyncio.run(ask())
    assert np.array_equal(z, MODEL.embed(texts))


@pytest.mark.parametrize(
    ("wrong", "call"),
    [
        ("BadRequestError", lambda c: c.embeddings.create(model=ADA, input="")),
        ("BadRequestError", lambda c: c.embeddings.create(model=ADA, input="a", dimensions=65)),
        ("BadRequestError", lambda c: c.embeddings.create(model=ADA, input="AGI " * 5000)),
        ("NotFoundError", lambda c: c.embeddings.create(model="nothing", input="a")),
        ("NotFoundError", lambda c: c.models.retrieve("nothing")),
        ("NotFoundError", lambda c: c.moderations.create(input="a")),
        ("InternalServerError", lambda c: c.responses.create(model="gpt", input="a")),
    ],
)
def test_refusals_are_the_clients_own_exceptions(client, wrong, call):
    with pytest.raises(getattr(openai, wrong)) as caught:
        call(client)
    assert caught.value.request_id.startswith("req_")
    assert isinstance(caught.value.body, dict)
    assert {"message", "type", "param", "code"} <= set(caught.value.body)


def test_keys_are_asked_for_in_the_clients_words(start, tmp_path):
    keys = Keys(tmp_path / "keys.json")
    secret = keys.add("me", {"*": "read"})
    served = start(keys=keys.path)
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=secret) as made:
        assert made.embeddings.create(model="hash", input="a").data
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="wrong") as made:
        with pytest.raises(openai.AuthenticationError) as caught:
            made.embeddings.create(model="hash", input="a")
        assert caught.value.code == "invalid_api_key"


def test_without_a_language_model_responses_are_a_clear_501(served):
    for path in ("responses", "chat/completions"):
        response = served.http.post(f"/v1/{path}", json={"model": "gpt", "input": "a"})
        assert response.status_code == 501
        assert response.headers["x-should-retry"] == "false"
        assert "--llm" in response.json()["error"]["message"]


@pytest.fixture(scope="module")
def speaker():
    """Serve a language model that says back what it was asked, as a whole or as a stream."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen.append((self.path, body))
            if body.get("stream"):
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                for word in ("neko", " desu"):
                    delta = {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
                    event = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"} | delta
                    self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
                self.wfile.write(b"data: [DONE]\n\n")
                return
            if body.get("input") == "refuse":
                answer, status = {"error": {"message": "no", "type": "x", "param": None, "code": None}}, 429
            else:
                said = {"type": "output_text", "text": f"said {body['input']}", "annotations": []}
                message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [said]}
                answer = {"id": "r", "object": "response", "created_at": 1, "model": "m", "output": [message]}
                status = 200
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.seen = seen
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_responses_and_chat_are_sent_on(start, speaker):
    served = start(llm=f"local-model@http://127.0.0.1:{speaker.server_port}/v1")
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as made:
        assert made.responses.create(model="gpt-5", instructions="i", input="吾輩は猫である。").output_text == (
            "said 吾輩は猫である。"
        )
        path, body = speaker.seen[-1]
        assert (path, body["model"], body["instructions"]) == ("/v1/responses", "local-model", "i")
        with pytest.raises(openai.RateLimitError):
            made.responses.create(model="gpt-5", input="refuse")
        stream = made.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "a"}], stream=True)
        assert "".join(part.choices[0].delta.content for part in stream) == "neko desu"


def test_a_language_model_that_is_not_there_is_a_502(start):
    served = start(llm="local-model@http://127.0.0.1:9/v1")
    response = served.http.post("/v1/responses", json={"model": "gpt", "input": "a"})
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "upstream_error"


def test_the_seminars_snippets_run_with_only_the_base_url_changed(served, monkeypatch, capsys):
    assert importlib.util.find_spec("openai")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{served.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    out = capsys.readouterr().out
    assert out.count("Cosine similarity") == 4
    assert "Embedding dim (JA): 64" in out
    assert "prompt_tokens=1" in out
    assert "prompt_tokens=3" in out
