"""What nobody should send: no 500, no traceback, no memory kept, and the server goes on."""

import json
import random
import socket
import time

import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.server.http.metrics import resident_bytes
from imi.server.settings import Limits
from tests.server.conftest import Running

API = "/api/v1/collections"
PATHS = (
    "/v1/embeddings",
    "/v1/engines/hash/embeddings",
    "/v1/responses",
    API,
    f"{API}/pets/search",
    f"{API}/pets/similar",
    f"{API}/pets/documents",
    f"{API}/pets/documents/get",
    f"{API}/pets/documents/delete",
    f"{API}/pets/documents/ingest",
)


@pytest.fixture(scope="module")
def target(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    with imi.open(folder / "pets.imi", model=HashEmbedder()) as made:
        made.add([imi.Document(str(at), f"text {at}", {"n": at}) for at in range(20)])
    limits = Limits(stall_seconds=1.0, body_seconds=2.0, body_bytes=1_000_000, line_bytes=100_000)
    return start(collections=(str(folder / "pets.imi"),), root=folder / "made", limits=limits)


ODD = [
    None, True, 0, -1, 1.5, 1e308, -0.0, 2**31, 2**63, 2**64, 10**400, "", " ", "a", "猫" * 1000, "\x00", "\ufeff",
    "💥", "../../etc/passwd", "'; DROP TABLE documents; --", '"', "NEAR(a b)", "*", "a" * 20_000, [], [[]], {},
    {"": {}}, ["a", 1], [None], [[1, "a"]], {"=": 1}, {"n": {">=": {}}}, {"and": []}, {"or": [{}]}, [1e400],
    {"not": {"not": {"n": 1}}}, ["a"] * 3000,
]  # fmt: skip
KEYS = [
    "model", "input", "encoding_format", "dimensions", "user", "query", "vector", "k", "mode", "where", "dims",
    "offset", "min_score", "facets", "id", "ids", "documents", "name", "text", "metadata", "on_error", "__proto__", "",
]  # fmt: skip


def hostile_value(rng: random.Random, depth: int = 0):
    roll = rng.random()
    if depth < 3 and roll < 0.2:
        return {rng.choice(KEYS): hostile_value(rng, depth + 1) for _ in range(rng.randrange(5))}
    if depth < 3 and roll < 0.35:
        return [hostile_value(rng, depth + 1) for _ in range(rng.randrange(5))]
    return rng.choice(ODD)


def hostile_body(rng: random.Random) -> bytes:
    kind = rng.randrange(9)
    if kind == 0:
        return b"[" * rng.choice([10, 500, 1100, 100_000])
    if kind == 1:
        depth = rng.choice([70, 900, 1010])
        return b'{"where":' * depth + b"1" + b"}" * depth
    if kind == 2:
        return rng.choice(
            [
                b"NaN",
                b"Infinity",
                b'{"input":NaN,"model":"hash"}',
                b'{"query":"a","k":1e999}',
                b'{"k":' + b"9" * 5000 + b"}",
            ]
        )
    if kind == 3:
        return rng.randbytes(rng.randrange(300))
    if kind == 4:
        return rng.choice(
            [
                b'{"model":"hash","input":"\\ud800"}',
                b'{"model":"hash","input":"\xff\xfe"}',
                b'"\xed\xa0\x80"',
                b"\xef\xbb\xbf{}",
            ]
        )
    plausible = (
        {"model": "hash", "input": "a"}
        if rng.random() < 0.5
        else {"query": "a", "id": "1", "documents": [{"id": "x", "text": "y"}]}
    )
    body = {key: hostile_value(rng) for key in rng.sample(KEYS, rng.randrange(1, 6))}
    text = json.dumps((plausible if rng.random() < 0.7 else {}) | body, ensure_ascii=rng.random() < 0.5).encode()
    return text[: rng.randrange(len(text))] if kind == 5 else text


def bombard(target: Running, count: int, seed: int) -> dict[int, int]:
    rng = random.Random(seed)
    statuses: dict[int, int] = {}
    for _ in range(count):
        path = rng.choice(PATHS)
        kind = "application/x-ndjson" if path.endswith("ingest") else "application/json"
        body = hostile_body(rng)
        response = target.http.post(path, content=body, headers={"content-type": kind})
        statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
        assert response.status_code < 500 or response.status_code == 501, (path, body[:300], response.text)
        assert "Traceback" not in response.text
        if response.status_code >= 400:
            assert {"message", "type", "param", "code"} <= set(response.json()["error"])
    return statuses


def test_hostile_bodies_are_refused_in_shape(target):
    statuses = bombard(target, 600, seed=1)
    assert statuses[400] > 100
    assert target.http.post("/v1/embeddings", json={"model": "hash", "input": "cat"}).status_code == 200


@pytest.mark.nightly
def test_ten_thousand_hostile_bodies_leave_memory_flat(target):
    bombard(target, 2000, seed=2)
    before = resident_bytes()
    bombard(target, 10_000, seed=3)
    assert resident_bytes() - before < 30e6


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: 127.0.0.1", *lines, "", ""]).encode()


def test_a_silent_sender_is_told_and_hung_up_on(target):
    begin = time.monotonic()
    reply = target.raw(head("/v1/embeddings", "content-length: 100") + b'{"model":')
    assert reply.startswith(b"HTTP/1.1 408")
    assert b'"request_timeout"' in reply
    assert time.monotonic() - begin > 0.5


def test_a_head_that_never_ends_is_given_up(target):
    reply = target.raw(b"POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ")
    assert reply.startswith(b"HTTP/1.1 408")
    assert target.raw(b"") == b""


def test_a_sender_of_single_bytes_is_given_up(target):
    with socket.create_connection(("127.0.0.1", target.port), timeout=10) as connection:
        connection.sendall(head("/v1/embeddings", "content-length: 100000"))
        begin = time.monotonic()
        connection.settimeout(0.2)
        reply = b""
        while not reply and time.monotonic() - begin < 60:
            try:
                connection.sendall(b" ")
                reply = connection.recv(65536)
            except TimeoutError:
                continue
    assert reply.startswith(b"HTTP/1.1 408")


def test_a_head_that_is_too_long_is_refused(target):
    reply = target.raw(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n")
    assert reply == b"" or reply.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(target, data):
    reply = target.raw(data)
    assert reply == b"" or reply.startswith(b"HTTP/1.1 4")
    assert b"Traceback" not in reply
    assert target.http.get("/health").status_code == 200


def test_an_announced_or_streamed_body_that_is_too_large_is_refused_early(target):
    reply = target.raw(head("/v1/embeddings", "content-length: 99999999999"))
    assert reply.startswith(b"HTTP/1.1 413")

    def endless():
        for _ in range(100):
            yield b" " * 65536

    try:
        response = target.http.post("/v1/embeddings", content=endless())
    except Exception as cut:  # the server hangs up while the client still sends
        assert "Write" in type(cut).__name__ or "Read" in type(cut).__name__ or "Remote" in type(cut).__name__
    else:
        assert response.status_code == 413


def test_a_line_that_never_ends_is_refused(target):
    place = f"{API}/pets/documents/ingest"
    announced = head(place, "content-type: application/x-ndjson", "content-length: 200000")
    reply = target.raw(announced + b"x" * 100_500)
    assert reply.startswith(b"HTTP/1.1 413")
    assert b"line_too_large" in reply


def test_a_cut_upload_keeps_whole_batches_and_nothing_else(target):
    assert target.http.post(API, json={"name": "cut"}).status_code == 201
    rows = b"".join(b'{"id":"%d","text":"row %d","vector":[1,%d]}\n' % (at, at, at) for at in range(1200))
    with socket.create_connection(("127.0.0.1", target.port), timeout=10) as connection:
        place = f"{API}/cut/documents/ingest"
        connection.sendall(head(place, "content-type: application/x-ndjson", "content-length: 999999") + rows)
    deadline = time.monotonic() + 10
    count = -1
    while count != 1000 and time.monotonic() < deadline:
        time.sleep(0.05)
        count = target.http.get(f"{API}/cut").json()["count"]
    assert count == 1000


def test_a_client_that_does_not_read_is_hung_up_on(target):
    body = json.dumps({"model": "hash", "input": ["text"] * 2048}).encode()
    request = head("/v1/embeddings", f"content-length: {len(body)}") + body
    connections = []
    for _ in range(3):
        connection = socket.create_connection(("127.0.0.1", target.port), timeout=10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request * 3)
        connections.append(connection)
    deadline = time.monotonic() + 15
    while target.state.metrics.in_flight and time.monotonic() < deadline:
        time.sleep(0.1)
    assert target.state.metrics.in_flight == 0
    for connection in connections:
        connection.close()
    assert target.http.get("/health").status_code == 200


def test_connections_beyond_the_limit_are_closed_and_room_comes_back(start):
    served = start(limits=Limits(connections=5, stall_seconds=1.0))
    held = [socket.create_connection(("127.0.0.1", served.port), timeout=10) for _ in range(20)]
    time.sleep(0.3)
    for connection in held:
        connection.close()
    time.sleep(0.2)
    assert served.http.get("/health").status_code == 200
