"""The contract's checks: our server keeps all, and a server that breaks one is caught by that one."""

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from imi.bridges.conform import CHECKS, conform
from imi.errors import EndpointError, UsageError
from imi.language import local
from imi.server.http.keys import Keys


def test_our_server_keeps_every_line(served):
    rows = list(conform(served.url))
    assert [row.check for row in rows if not row.ok] == []
    assert len(rows) == len(CHECKS)


def test_our_server_keeps_every_line_with_keys(start, tmp_path):
    keys = Keys(tmp_path / "keys.json")
    secret = keys.add("a", {"*": "read"})
    served = start(keys=keys.path)
    rows = list(conform(f"{served.url}/v1/", key=secret))
    assert [(row.check, row.detail) for row in rows if not row.ok] == []
    assert rows[-1].detail.startswith("401")


@pytest.fixture
def careless():
    """Serve what the field often does: shortened vectors left short, base64 ignored, errors of another shape."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def answer(self, value, status=200):
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.answer({"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "x"}]})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            texts = body.get("input")
            if not isinstance(texts, list):
                texts = [texts]
            if not texts or not all(isinstance(text, str) and text for text in texts):
                self.answer({"detail": "no"}, 422)
                return
            drawn = [np.random.default_rng(sum(text.encode())).normal(size=64) for text in texts]
            rows = [(row / np.linalg.norm(row))[: body.get("dimensions", 64)].tolist() for row in drawn]
            data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
            self.answer(
                {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
            )

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_a_careless_server_is_caught_where_it_is_careless(careless):
    rows = {check.__name__: row for check, row in zip(CHECKS, conform(careless), strict=True)}
    kept = {name for name, row in rows.items() if row.ok}
    assert {"models_listed", "shape", "floats_by_default", "order", "unit_length", "repeatable", "user"} <= kept
    broken = {
        "base64_asked",
        "shorter",
        "token_ids",
        "usage",
        "empty_text",
        "too_many",
        "too_long",
        "unknown_parameter",
    }
    assert not broken & kept
    assert "length" in rows["shorter"].detail
    assert "'error'" in rows["empty_text"].detail
    assert "numbers came" in rows["base64_asked"].detail


def test_every_line_is_said_in_japanese_where_the_reader_is(careless, monkeypatch, served):
    monkeypatch.setenv("IMI_LANG", "ja")
    japanese = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")
    assert all(japanese.search(local(check.__doc__.strip().rstrip("."))) for check in CHECKS)
    details = {row.check: local(row.detail) for url in (careless, served.url) for row in conform(url)}
    # What an endpoint says of itself stays: its name, and why it refuses.
    plain = [said for said in details.values() if not japanese.search(said) and not re.match(r"4\d\d: |\S+$", said)]
    assert not plain


def test_numbers_sent_as_base64_are_read_little_endian():
    from imi.bridges.conform import _decoded

    assert _decoded(base64.b64encode(np.array([1.5, -2], "<f4").tobytes()).decode()) == [1.5, -2.0]


def test_nobody_there_and_no_url_are_said():
    with pytest.raises(EndpointError, match="nothing answers"):
        list(conform("http://127.0.0.1:9"))
    with pytest.raises(UsageError, match="is not a URL"):
        list(conform("localhost"))
