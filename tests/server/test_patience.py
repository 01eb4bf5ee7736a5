"""Clients that do not read, do not end or do not go: each costs a connection for some seconds, and nobody else."""

import json
import random
import socket
import threading
import time

import httpx
import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.server.running import within_files
from imi.server.settings import Limits
from tests.server.conftest import Running

STALL = 2.0
# Far more than any machine takes that has other work, and less than the time limit of a test.
ANY_TIME = 100.0
CSS = b"GET /web/page.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(scope="module")
def served(start, tmp_path_factory) -> Running:
    folder = tmp_path_factory.mktemp("patience")
    with imi.open(folder / "big.imi", model=HashEmbedder()) as made:
        made.add([imi.Document(str(at), "word " * 40_000) for at in range(20)])
    limits = Limits(
        stall_seconds=STALL, idle_seconds=STALL, in_flight=12, receiving=8, body_seconds=20, connections=200
    )
    return start(collections=(str(folder / "big.imi"),), limits=limits)


def unread(served: Running) -> socket.socket:
    """Return a connection whose owner takes next to nothing."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.connect(("127.0.0.1", served.port))
    one.setblocking(False)
    return one


def send(one: socket.socket, data: bytes) -> bool:
    """Send what goes; False where the connection is gone."""
    try:
        one.send(data)
    except BlockingIOError:
        pass
    except OSError:
        return False
    return True


def connections(served: Running) -> int:
    """Return how many connections the server holds, as it counts them."""
    return served.connections()


LOOK = json.dumps({"query": "word", "k": 20}).encode()
SEARCH = (
    b"POST /api/v1/collections/big/search HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(LOOK), LOOK)
)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (CSS, CSS),  # the next request, whole
        (SEARCH, b""),  # nothing
        (CSS, b"GET /web/page"),  # the beginning of a head
        (SEARCH, b"\r\n"),  # empty lines
        (HEALTH, HEALTH),  # small replies, so many that they fill whatever holds them
        (CSS.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), b""),
        (SEARCH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1), b""),
    ],
)
def test_a_reader_that_does_not_read_is_hung_up_on_whatever_else_it_sends(served, first, again):
    before = connections(served)
    held = []
    for at in range(20):  # more than may be worked on at once, a few at a time
        held.append(unread(served))
        for _ in range(400 if again == first else 1):
            send(held[-1], first)
        if at % 8 == 7:
            time.sleep(0.1)
            while served.state.busy:
                time.sleep(0.01)
    # A few seconds where the machine has nothing else to do; for ever where a server is patient with whoever sends.
    deadline = time.monotonic() + ANY_TIME
    while connections(served) > before and time.monotonic() < deadline:
        for one in held:
            if again:
                send(one, again)
        with httpx.Client(base_url=served.url, timeout=ANY_TIME, verify=False) as client:
            assert client.get("/v1/models").status_code == 200
        time.sleep(0.1)
    gone = connections(served) <= before
    for one in held:
        one.close()
    assert gone
    assert served.state.busy == 0


def test_a_slow_reader_that_reads_is_served_whole(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=ANY_TIME) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        one.sendall(SEARCH.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
        size, begin = 0, time.monotonic()
        while part := one.recv(65536):
            size += len(part)
            time.sleep(0.05 if time.monotonic() - begin < 2 * STALL else 0)
    assert size > 4_000_000
    assert time.monotonic() - begin > 1.2 * STALL


def test_empty_lines_do_not_keep_a_connection(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=ANY_TIME) as one:
        deadline, hung_up = time.monotonic() + ANY_TIME, False
        one.settimeout(0.2)
        while not hung_up and time.monotonic() < deadline:
            try:
                one.sendall(b"\r\n")
                hung_up = one.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                hung_up = True
        assert hung_up


def test_a_body_that_goes_on_after_its_answer_is_not_read_for_ever(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=ANY_TIME) as one:
        one.sendall(b"POST /v1/nothing HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 999999999\r\n\r\n")
        sent = 0
        with pytest.raises(OSError):
            while sent < 300_000_000:
                one.sendall(b"x" * 65536)
                sent += 65536
        assert sent < 30_000_000


def test_idle_connections_make_room_for_new_ones(start):
    served = start(limits=Limits(connections=5, stall_seconds=20))
    held = [socket.create_connection(("127.0.0.1", served.port), timeout=ANY_TIME) for _ in range(40)]
    for _ in range(5):
        with httpx.Client(base_url=served.url, timeout=ANY_TIME, verify=False) as client:
            assert client.get("/health").status_code == 200
    assert served.connections() <= 6
    # A head that is half there is no better.
    half = [socket.create_connection(("127.0.0.1", served.port), timeout=ANY_TIME) for _ in range(40)]
    for one in half:
        send(one, b"POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1\r\n")
    with httpx.Client(base_url=served.url, timeout=ANY_TIME, verify=False) as client:
        assert client.get("/health").status_code == 200
    for one in (*held, *half):
        one.close()


def test_slow_bodies_make_room_for_new_ones(served):
    head = b"POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    held = []
    for _ in range(30):
        one = socket.create_connection(("127.0.0.1", served.port), timeout=ANY_TIME)
        one.sendall(head + b'content-length: 100000\r\n\r\n{"model":')
        held.append(one)
    going = threading.Event()

    def drip():
        while not going.wait(0.1):
            for one in held:
                send(one, b" ")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        begin = time.monotonic()
        statuses = set()
        while time.monotonic() - begin < 3:
            with httpx.Client(base_url=served.url, timeout=ANY_TIME, verify=False) as client:
                statuses.add(client.get("/v1/models").status_code)
                status = client.post("/v1/embeddings", json={"model": "hash", "input": "x"}).status_code
                statuses.add(status if time.monotonic() - begin > 1.5 else 200)
            time.sleep(0.1)
        assert statuses == {200}
        assert len(served.state.bodies) <= 8
    finally:
        going.set()
        thread.join()
        for one in held:
            one.close()


def test_bodies_in_memory_are_bounded(start):
    served = start(limits=Limits(held_bytes=3_000_000, stall_seconds=5))
    head = b"POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    held = []
    for _ in range(4):
        one = socket.create_connection(("127.0.0.1", served.port), timeout=ANY_TIME)
        one.sendall(head + b"content-length: 1500000\r\n\r\n" + b" " * 900_000)
        held.append(one)
    time.sleep(0.5)
    assert served.state.bodies.held <= 3_100_000
    for one in held:
        one.close()
    time.sleep(0.5)
    assert served.state.bodies.held == 0
    assert served.http.post("/v1/embeddings", json={"model": "hash", "input": "x"}).status_code == 200


@pytest.mark.parametrize("files", [128, 256, 1024, 4096, 1_000_000])
def test_connections_and_collections_fit_the_files_that_a_process_may_open(files):
    limits = within_files(Limits(), files)
    assert 8 <= limits.connections <= 2048
    assert limits.collections >= 1
    assert limits.connections + limits.collections * limits.files_each < files


def test_a_reply_to_nobody_is_no_error(served, monkeypatch):
    errors = []
    monkeypatch.setattr("imi.server.http.logs.Log.error", lambda _, kind, where: errors.append((kind, where)))
    chance = random.Random(1)
    for _ in range(2):
        held = [unread(served) for _ in range(30)]
        for _ in range(8):
            for one in held:
                send(one, chance.choice([CSS, SEARCH, b"GET /heal", b"\r\n"]))
            time.sleep(0.05)
        for one in held:
            one.close()
    limit = time.monotonic() + ANY_TIME
    while connections(served) > 1 and time.monotonic() < limit:
        time.sleep(0.05)
    assert served.http.get("/health").status_code == 200
    assert not errors
