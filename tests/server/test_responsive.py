"""No request holds the event loop or the interpreter for long: a probe in the server's own process measures it."""

import gc
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import imi
from tests.server.conftest import Running

API = "/api/v1/collections/pets"
ALLOWED = 0.1
MB = 1_000_000


class Probe:
    """Looks again and again how long it had to wait: for the interpreter, and for the event loop.

    The wait is counted in wall time or in the time that this process worked, whichever is less: a busy machine makes
    everybody wait, but only who holds the interpreter works meanwhile.
    """

    def __init__(self, served: Running) -> None:
        self._served = served
        self._going = True
        self.worst = {"interpreter": 0.0, "loop": 0.0}

    def reset(self) -> None:
        self.worst = dict.fromkeys(self.worst, 0.0)

    def _note(self, name: str, before: tuple[float, float], pause: float) -> tuple[float, float]:
        now = (time.monotonic(), time.process_time())
        held = min(now[0] - before[0] - pause, now[1] - before[1])
        self.worst[name] = max(self.worst[name], held)
        return time.monotonic(), time.process_time()

    def watch_interpreter(self) -> None:
        before = (time.monotonic(), time.process_time())
        while self._going:
            time.sleep(0.002)
            before = self._note("interpreter", before, 0.002)

    def watch_loop(self) -> None:
        loop = self._served.server.loop

        def look(before: tuple[float, float]) -> None:
            before = self._note("loop", before, 0.002)
            if self._going:
                loop.call_later(0.002, look, before)

        loop.call_soon_threadsafe(look, (time.monotonic(), time.process_time()))

    def stop(self) -> None:
        self._going = False


@contextmanager
def probing(served: Running) -> Iterator[Probe]:
    probe = Probe(served)
    thread = threading.Thread(target=probe.watch_interpreter)
    thread.start()
    probe.watch_loop()
    try:
        yield probe
    finally:
        probe.stop()
        thread.join()


@pytest.fixture(scope="module")
def served(start, tmp_path_factory) -> Running:
    folder = tmp_path_factory.mktemp("responsive")
    with imi.open(folder / "pets.imi") as made:
        made.add([imi.Document(str(at), f"text {at} about cats", {"n": at}) for at in range(300)])
    started = start(collections=(str(folder / "pets.imi"),), embedders={"built-in": imi.load()})
    gc.collect()
    gc.freeze()  # as `imi serve` does: the garbage of what is loaded once is nobody's wait
    return started


def embedding(value: bytes) -> bytes:
    return b'{"model":"built-in","input":' + value + b"}"


def search(**values: object) -> bytes:
    return json.dumps({"query": "x"} | values, ensure_ascii=False).encode()


def repeated(part: bytes, size: int = 7_900_000) -> bytes:
    return b",".join([part] * (size // (len(part) + 1)))


def documents(count: int, text: str = "text about a cat", **metadata: object) -> bytes:
    rows = [{"id": str(at), "text": f"{text} {at}", "metadata": metadata} for at in range(count)]
    return json.dumps({"documents": rows}).encode()


TEXT = b'"%s"' % (b"a word about cats and dogs, " * 22)
# Made when they are sent: together they take 200 MB.
HEAVY: dict[str, Callable[[], tuple[str, bytes]]] = {
    "2048 texts": lambda: ("/v1/embeddings", embedding(b"[" + b",".join([TEXT] * 2048) + b"]")),
    "2048 short texts": lambda: ("/v1/embeddings", embedding(b"[" + b",".join([b'"a cat"'] * 2048) + b"]")),
    "one endless text": lambda: ("/v1/embeddings", embedding(b'"' + b"word " * 1_500_000 + b'"')),
    "one endless word": lambda: ("/v1/embeddings", embedding(b'"' + b"a" * 7_900_000 + b'"')),
    "one endless line of Japanese": lambda: ("/v1/embeddings", embedding('"{}"'.format("猫" * 2_600_000).encode())),
    "escapes": lambda: ("/v1/embeddings", embedding(b'"' + b"\\u732b" * 1_300_000 + b'"')),
    "token ids": lambda: (
        "/v1/embeddings",
        embedding(b"[" + b",".join([b"[" + repeated(b"100", 500) + b"]"] * 2000) + b"]"),
    ),
    "a million ids": lambda: ("/v1/embeddings", embedding(b"[" + repeated(b"1") + b"]")),
    "empty lists": lambda: ("/v1/embeddings", embedding(b"[" + repeated(b"[]") + b"]")),
    "empty objects": lambda: ("/v1/embeddings", embedding(b"[" + repeated(b"{}") + b"]")),
    "unknown names": lambda: (f"{API}/search", b"{" + b",".join(b'"k%d":1' % at for at in range(600_000)) + b"}"),
    "unknown names of documents": lambda: (
        f"{API}/documents",
        b'{"documents":[' + b",".join(b'{"id":"%d",%b}' % (at, repeated(b'"u":1', 700)) for at in range(9000)) + b"]}",
    ),
    "wrong ids": lambda: (f"{API}/documents/delete", b'{"ids":[' + repeated(b"1", 190_000) + b"]}"),
    "wrong vectors": lambda: (
        f"{API}/documents",
        b'{"documents":[{"id":"a","vector":[' + repeated(b'"x"', 2 * MB) + b"]}]}",
    ),
    "numbers": lambda: (f"{API}/search", b'{"vector":[' + repeated(b"1e-300") + b"]}"),
    "one long number": lambda: (f"{API}/search", b'{"query":"x","min_score":' + b"9" * 7_900_000 + b"}"),
    "deep lists": lambda: (f"{API}/search", b'{"where":' + b"[" * 7_000_000 + b"}"),
    "white space": lambda: (f"{API}/search", b" " * 7_900_000 + b"{}"),
    "opening quotes": lambda: (f"{API}/search", search(query="“" * 100_000)),
    "many quoted": lambda: (f"{API}/search", search(query='"a" ' * 25_000)),
    "a quoted page": lambda: (f"{API}/search", search(query='"' + "word " * 19_000 + '"')),
    "many words": lambda: (f"{API}/search", search(query=" ".join(f"w{at}" for at in range(15_000)))),
    "kanji": lambda: (f"{API}/search", search(query="漢字" * 50_000)),
    "ligatures": lambda: (f"{API}/search", search(query="\ufdfa" * 100_000)),
    "marks": lambda: (f"{API}/search", search(query="a" + "\u0301" * 99_000)),
    "mixed marks": lambda: (f"{API}/search", search(query="a" + "\u0301\u0323" * 49_000)),
    "a wide filter": lambda: (f"{API}/search", search(where={"or": [{"n": at} for at in range(100_000)]})),
    "a long list in a filter": lambda: (f"{API}/search", search(where={"n": {"in": list(range(500_000))}})),
    "a long name in a filter": lambda: (f"{API}/search", search(where={"a" * 7_000_000: 1})),
    "a look for quotes": lambda: (f"{API}/look", search(query="“" * 100_000, k=100)),
    "a look for many words": lambda: (f"{API}/look", search(query=" ".join(f"w{at}" for at in range(15_000)), k=100)),
    "a look for kanji": lambda: (f"{API}/look", search(query="猫" * 90_000, k=100)),
    "a look for figures": lambda: (f"{API}/look", search(query="1," * 45_000, k=100)),
    "why": lambda: (f"{API}/why", search(id="1", query="猫" * 100_000)),
    "ten thousand documents": lambda: (f"{API}/documents", documents(10_000)),
    "documents with names": lambda: (f"{API}/documents", documents(600, **{f"k{at}": at for at in range(1000)})),
    "a long document": lambda: (f"{API}/documents", documents(1, "a word " * 1_000_000)),
    "a document of one word": lambda: (f"{API}/documents", documents(1, "a" * 7_000_000)),
    "a document of Japanese": lambda: (f"{API}/documents", documents(1, "猫と犬" * 400_000)),
    "lines": lambda: (f"{API}/documents/ingest", b"".join(b'{"id":"%d","text":"a cat"}\n' % at for at in range(5000))),
    "empty lines": lambda: (f"{API}/documents/ingest", b"\n" * 5_000_000),
    "a line of lists": lambda: (
        f"{API}/documents/ingest",
        b'{"id":"1","text":"a","metadata":{"a":[' + repeated(b"[]", 3 * MB) + b"]}}",
    ),
    "lines of unknown names": lambda: (
        f"{API}/documents/ingest",
        b"".join(b'{"id":"%d",%b}\n' % (at, b",".join(b'"u%d":1' % one for one in range(2000))) for at in range(100)),
    ),
}


@pytest.mark.parametrize("name", HEAVY)
def test_no_request_holds_up_the_others(served, name):
    path, body = HEAVY[name]()
    kind = "application/x-ndjson" if path.endswith("ingest") else "application/json"
    held = []
    for _ in range(3):  # further chances, for what is loaded once and for a machine that is busy
        with probing(served) as probe:
            time.sleep(0.02)
            begin = time.monotonic()
            reply = served.http.post(path, content=body, headers={"content-type": kind}, timeout=120)
            took = time.monotonic() - begin
            time.sleep(0.02)
        assert reply.status_code in (200, 400, 413, 422), reply.text[:300]
        assert len(reply.content) < 60_000_000
        held.append(max(probe.worst.values()))
        if held[-1] < ALLOWED:
            break
    print(name, reply.status_code, f"{took:.2f} s", {key: round(value, 3) for key, value in probe.worst.items()})
    assert min(held) < ALLOWED, (held, probe.worst, reply.status_code, took)
