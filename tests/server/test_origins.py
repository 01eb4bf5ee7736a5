"""What a page of another origin can do: nothing, unless its origin is allowed by name."""

import http.server
import json
import threading

import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import UsageError
from imi.server.http.keys import Keys
from imi.server.settings import parse_origins
from tests.server.conftest import error_of

API = "/api/v1/collections"
CHAT = {"messages": [{"role": "user", "content": "x"}]}


class Llm(http.server.BaseHTTPRequestHandler):
    """A language model that writes down what it was asked, and by which path."""

    def do_POST(self):
        self.server.seen.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def llm():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Llm)
    server.seen = []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def open_server(start, llm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("origins")
    with imi.open(folder / "pets.imi", model=HashEmbedder()) as made:
        made.add([imi.Document(str(at), f"text {at}") for at in range(8)])
    return start(collections=(str(folder / "pets.imi"),), llm=f"m@http://127.0.0.1:{llm.server_port}/v1")


@pytest.fixture(scope="module")
def sharing(start, tmp_path_factory):
    keys = Keys(tmp_path_factory.mktemp("cors") / "keys.json")
    secret = keys.add("page", {"*": "read"})
    served = start(keys=keys.path, cors=parse_origins(["http://localhost:3000", "https://App.example:443/"]))
    served.bearer = {"authorization": f"Bearer {secret}"}
    return served


def other_port(served) -> str:
    return f"http://127.0.0.1:{served.port + 1}"


FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost.evil.example"},
    {"origin": "http://127.0.0.1"},
    {"origin": "chrome-extension://abc"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    {"sec-fetch-site": "cross-site", "origin": "SELF"},
    {"sec-fetch-site": "nonsense"},
]
COSTING = [
    ("POST", "/v1/embeddings", {"model": "hash", "input": "x"}),
    ("POST", "/v1/chat/completions", CHAT),
    ("GET", "/v1/models", None),
    ("GET", f"{API}/pets/map", None),
    ("HEAD", f"{API}/pets/map", None),
    ("GET", f"{API}/pets/columns", None),
    ("POST", f"{API}/pets/search", {"query": "x"}),
    ("DELETE", f"{API}/pets/documents/1", None),
    ("OPTIONS", "/v1/embeddings", None),
    ("GET", "/metrics", None),
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(("method", "path", "body"), COSTING)
def test_a_page_of_another_origin_is_refused(open_server, llm, headers, method, path, body):
    own = f"http://127.0.0.1:{open_server.port}"
    headers = {name: value.replace("SELF", own) for name, value in headers.items()}
    before = len(llm.seen)
    response = open_server.http.request(method, path, json=body, headers=headers)
    assert response.status_code == 403
    if method != "HEAD":
        assert error_of(response)["code"] == "forbidden_origin"
    assert len(llm.seen) == before
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_another_port_of_this_machine_is_another_origin(open_server):
    body = {"model": "hash", "input": "x"}
    for origin in (other_port(open_server), f"http://localhost:{open_server.port}"):
        assert open_server.http.post("/v1/embeddings", json=body, headers={"origin": origin}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "SELF"},
        {"origin": "SELF", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-origin"},
    ],
)
def test_the_own_page_and_programs_are_answered(open_server, headers):
    own = f"http://127.0.0.1:{open_server.port}"
    headers = {name: value.replace("SELF", own) for name, value in headers.items()}
    assert open_server.http.get("/v1/models", headers=headers).status_code == 200
    assert open_server.http.post(f"{API}/pets/search", json={"query": "x"}, headers=headers).status_code == 200


def test_a_link_from_elsewhere_shows_the_page_and_its_pictures_do_not_load_alone(open_server):
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    frame = link | {"sec-fetch-dest": "iframe"}
    assert open_server.http.get("/", headers=link).status_code == 200
    assert open_server.http.get("/docs", headers=link).status_code == 200
    assert open_server.http.get("/", headers=frame).status_code == 403
    assert open_server.http.get("/web/icon.svg", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert open_server.http.get("/health", headers={"sec-fetch-site": "cross-site"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/v1/embeddings", "/v1/engines/hash/embeddings", "/v1/chat/completions", "/v1/responses"]
)
@pytest.mark.parametrize(
    "kind", [None, "text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data",
             "text/plain; application/json", "application/x-ndjson"]
)  # fmt: skip
def test_only_json_is_read(open_server, llm, path, kind):
    before = len(llm.seen)
    content = json.dumps({"model": "hash", "input": "x"} if "embeddings" in path else CHAT).encode()
    response = open_server.http.post(path, content=content, headers={"content-type": kind} if kind else {})
    assert response.status_code == 415
    assert error_of(response)["code"] == "unsupported_media_type"
    assert len(llm.seen) == before


def test_json_with_a_character_set_is_json(open_server):
    content = json.dumps({"model": "hash", "input": "x"}).encode()
    for kind in ("application/json; charset=utf-8", "Application/JSON"):
        assert (
            open_server.http.post("/v1/embeddings", content=content, headers={"content-type": kind}).status_code == 200
        )


@pytest.mark.parametrize(
    "host", ["127.0.0.1:1/v1/secret?x=", "127.0.0.1/../admin", "127.0.0.1:80#", "localhost:x/y", "["]
)
def test_the_name_of_the_host_chooses_no_path(start, llm, tmp_path, host):
    keys = Keys(tmp_path / "keys.json")
    secret = keys.add("chat", {"*": "read"}, llm=True)
    served = start(keys=keys.path, llm=f"m@http://127.0.0.1:{llm.server_port}/v1")
    headers = {"authorization": f"Bearer {secret}", "host": host}
    llm.seen.clear()
    for path in ("/v1/chat/completions", "/v1/responses"):
        assert served.http.post(path, json=CHAT, headers=headers).status_code == 200
    assert [path for path, _ in llm.seen] == ["/v1/chat/completions", "/v1/responses"]
    answer = served.http.get("/v1/nothing", headers=headers)
    assert answer.status_code == 404
    assert "/v1/nothing" in error_of(answer)["message"]
    slash = served.http.get(f"{API}/", headers=headers, follow_redirects=False)
    assert "location" not in slash.headers


@pytest.mark.parametrize(
    "lines",
    [
        ["host: 127.0.0.1", "host: evil.example"],
        ["host: 127.0.0.1", "origin: https://evil.example", "origin: http://127.0.0.1"],
        ["host: 127.0.0.1", "sec-fetch-site: cross-site", "Sec-Fetch-Site: same-origin"],
    ],
)
def test_a_header_that_came_twice_is_refused(open_server, lines):
    head = "\r\n".join(["GET /v1/models HTTP/1.1", *lines, "connection: close", "", ""]).encode()
    assert open_server.raw(head).startswith(b"HTTP/1.1 400")


def test_an_allowed_origin_may_ask_and_read(sharing):
    for origin in ("http://localhost:3000", "https://app.example"):
        asked = {"origin": origin, "access-control-request-method": "POST",
                 "access-control-request-headers": "authorization,content-type,x-stainless-os"}  # fmt: skip
        preflight = sharing.http.options("/v1/embeddings", headers=asked)
        assert preflight.status_code in (200, 204)
        assert preflight.headers["access-control-allow-origin"] == origin
        allowed = preflight.headers["access-control-allow-headers"].lower()
        assert "authorization" in allowed
        assert "x-stainless-os" in allowed
        sent = sharing.bearer | {"origin": origin, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
        answer = sharing.http.post("/v1/embeddings", json={"model": "hash", "input": "x"}, headers=sent)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == origin
        assert "origin" in answer.headers["vary"].lower()
        assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()
        refused = sharing.http.post("/v1/embeddings", json={}, headers={"origin": origin})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:3001", "https://localhost:3000", "http://localhost", "http://localhost:3000.evil.example",
     "null", "http://localhost:3000/", "https://sub.app.example"],
)  # fmt: skip
def test_an_origin_that_is_nearly_allowed_is_not(sharing, origin):
    asked = {"origin": origin, "access-control-request-method": "POST"}
    for answer in (
        sharing.http.options("/v1/embeddings", headers=asked),
        sharing.http.get("/v1/models", headers=sharing.bearer | {"origin": origin}),
    ):
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


def test_a_proxy_that_renames_the_host_keeps_the_own_page_working_with_a_key(sharing):
    sent = sharing.bearer | {"origin": "https://imi.example.org", "sec-fetch-site": "same-origin"}
    assert sharing.http.get("/v1/models", headers=sent).status_code == 200


@pytest.mark.parametrize(
    "text", ["*", "null", "", "localhost:3000", "http://", "http://a b", "http://x/path", "http://u:p@x", "http://x?y", "http://*.x",
             "http://x:99999", "HTTP//x", "http://[::1"]
)  # fmt: skip
def test_an_origin_is_exact(text):
    with pytest.raises(UsageError, match=r"is not SCHEME://HOST"):
        parse_origins([text])


def test_origins_are_written_as_browsers_do():
    given = [
        "HTTPS://App.Example:443/",
        "http://localhost:3000",
        "chrome-extension://abcdef",
        "http://[::1]:8080",
        "http://x:80",
    ]
    wanted = (
        "https://app.example",
        "http://localhost:3000",
        "chrome-extension://abcdef",
        "http://[::1]:8080",
        "http://x",
    )
    assert parse_origins(given) == wanted
