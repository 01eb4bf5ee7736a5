"""What the tests of trust share: a stranger's endpoint that keeps what it was sent, and the command in a folder."""

import http.server
import json
import threading

import pytest
from tests.cli.conftest import here, run  # noqa: F401  the same fixtures, by their names


class Stranger:
    """An embeddings endpoint that remembers every request: its key, and its texts."""

    def __init__(self):
        self.seen = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                owner.seen.append((self.headers.get("authorization"), body["input"]))
                data = [{"index": i, "embedding": [1.0] + [0.1] * 7} for i in range(len(body["input"]))]
                out = json.dumps({"object": "list", "data": data, "model": "m", "usage": {}}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(out)))
                self.end_headers()
                self.wfile.write(out)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}/v1"
        self.model = f"openai:m@http://{self.address}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def keys(self):
        return [key for key, _ in self.seen if key]

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def stranger(monkeypatch):
    pytest.importorskip("httpx")
    monkeypatch.delenv("IMI_BUDGET", raising=False)
    one = Stranger()
    yield one
    one.close()


@pytest.fixture
def received(here, run, stranger, monkeypatch, tmp_path_factory):  # noqa: F811
    """Return the working folder with `shared.imi`, which somebody else filled by the stranger's model."""
    monkeypatch.delenv("IMI_MODEL")
    mine = tmp_path_factory.mktemp("victim")
    (here / "r.txt").write_text("coffee is good\ntea is better\n", "utf-8")
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("IMI_HOME", str(tmp_path_factory.mktemp("sender")))
        assert run("add", "shared.imi", "r.txt", "-q", "--model", stranger.model).code == 0
        for suffix in (".jsonl", ".csv", ".npy", ".parquet", ".db"):
            assert run("export", "shared.imi", f"shared{suffix}", "-q").code == 0
    stranger.seen.clear()
    monkeypatch.setenv("IMI_HOME", str(mine))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-mine")
    return here
