"""Mixed load on `imi serve` for a long time: searches, embeddings, additions, updates and deletions beside each other.

    python benchmarks/soak.py [--minutes 30] [--clients 6] [--pause 0.002] [--json]

Half of the time the server is killed with -9 and started again. Claims: no request fails except those that the kill
cut off, nothing acknowledged is lost and nothing deleted returns, and memory does not grow once it is warm.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx

PORT = 8741
API = f"http://127.0.0.1:{PORT}"
NOTES = f"{API}/api/v1/collections/notes"
WORDS = (
    "cat",
    "dog",
    "water",
    "train",
    "rain",
    "market",
    "police",
    "猫",
    "犬",
    "水",
    "電車",
    "雨",
    "市場",
    "学校",
    "本",
)
ROWS = 400  # ids of each client; most additions soon are updates


class Client(threading.Thread):
    """One client with ids of its own, which it knows the state of."""

    def __init__(self, number: int, wait: float, pause: threading.Event, stop: threading.Event):
        super().__init__(daemon=True)
        self.number, self.wait, self.pause, self.stop = number, wait, pause, stop
        self.rng = random.Random(number)
        self.there: dict[str, str] = {}
        self.unsure: set[str] = set()  # sent when the server was killed: either state is right
        self.errors: list[str] = []
        self.done = dict.fromkeys(("search", "embed", "add", "delete", "get"), 0)

    def run(self):
        """Ask at random until told to stop."""
        with httpx.Client(timeout=60) as http:
            while not self.stop.is_set():
                if self.pause.is_set():
                    time.sleep(0.05)
                    continue
                kind = self.rng.choices(list(self.done), (6, 4, 2, 1, 2))[0]
                ids = [f"{self.number}/{self.rng.randrange(ROWS)}" for _ in range(self.rng.randrange(1, 12))]
                try:
                    getattr(self, f"do_{kind}")(http, ids)
                    self.done[kind] += 1
                except (httpx.HTTPError, AssertionError) as failed:
                    if kind in ("add", "delete"):
                        self.unsure.update(ids)
                    if not self.pause.is_set():
                        self.errors.append(f"{kind}: {failed!r}"[:300])
                time.sleep(self.wait)

    def _text(self):
        return " ".join(self.rng.choices(WORDS, k=self.rng.randrange(2, 12)))

    def do_search(self, http, _):
        """Search."""
        mode = self.rng.choice(("text", "meaning", "hybrid"))
        answer = http.post(f"{NOTES}/search", json={"query": self._text(), "mode": mode, "k": 5})
        assert answer.status_code == 200, answer.text

    def do_embed(self, http, _):
        """Embed one text or many."""
        texts = [self._text() for _ in range(self.rng.choice((1, 1, 1, 32)))]
        answer = http.post(f"{API}/v1/embeddings", json={"model": "built-in", "input": texts})
        assert answer.status_code == 200 and len(answer.json()["data"]) == len(texts), answer.text

    def do_add(self, http, ids):
        """Add or update rows."""
        new = {one: self._text() for one in ids}
        answer = http.post(f"{NOTES}/documents", json={"documents": [{"id": a, "text": b} for a, b in new.items()]})
        assert answer.status_code == 200, answer.text
        self.there |= new
        self.unsure -= set(new)

    def do_delete(self, http, ids):
        """Delete rows."""
        answer = http.post(f"{NOTES}/documents/delete", json={"ids": ids})
        assert answer.status_code == 200, answer.text
        for one in ids:
            self.there.pop(one, None)
            self.unsure.discard(one)

    def do_get(self, http, _):
        """Read rows, which must be as acknowledged."""
        sure = [one for one in self.there if one not in self.unsure][:20]
        if sure:
            answer = http.post(f"{NOTES}/documents/get", json={"ids": sure})
            assert answer.status_code == 200, answer.text
            kept = {one["id"]: one["text"] for one in answer.json()["documents"]}
            assert all(kept[one] == self.there[one] for one in sure), "an acknowledged text is not there"


def serve(folder: str) -> subprocess.Popen:
    """Start the server and wait until it answers."""
    command = [sys.executable, "-m", "imi", "serve", "-q", "--port", str(PORT), "--folder", folder]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            if httpx.get(f"{API}/ready").status_code == 200:
                return process
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit("the server does not answer")


def resident(process: subprocess.Popen) -> float:
    """Return resident memory in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def load(process: subprocess.Popen, seconds: float) -> list[float]:
    """Let the clients work for some seconds; returns memory in MB, twenty times."""
    readings = []
    for _ in range(20):
        time.sleep(seconds / 20)
        readings.append(resident(process))
    return readings


def settled(clients: list[Client]) -> list[str]:
    """Return what the server does not hold as it was acknowledged."""
    wrong = []
    listed, offset = {}, 0
    while True:
        page = httpx.get(f"{NOTES}/documents", params={"limit": 1000, "offset": offset}, timeout=60).json()
        listed |= {one["id"]: one["text"] for one in page["documents"]}
        offset += 1000
        if offset >= page["count"]:
            break
    for client in clients:
        mine = {f"{client.number}/{at}" for at in range(ROWS)} - client.unsure
        wrong += [f"{one}: {listed.get(one)!r}" for one in mine if listed.get(one) != client.there.get(one)]
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--pause", type=float, default=0.002, help="seconds between two requests of a client")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    pause, stop = threading.Event(), threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        process = serve(folder)
        made = httpx.post(f"{API}/api/v1/collections", json={"name": "notes", "model": "built-in"}, timeout=60)
        made.raise_for_status()
        clients = [Client(number, options.pause, pause, stop) for number in range(options.clients)]
        for client in clients:
            client.start()
        before = load(process, 30 * options.minutes)
        pause.set()
        process.kill()
        process.wait()
        process = serve(folder)
        time.sleep(1)
        lost = settled(clients)
        pause.clear()
        after = load(process, 30 * options.minutes)
        stop.set()
        for client in clients:
            client.join(60)
        lost += settled(clients)
        process.terminate()
        process.wait(30)
    told = {
        "minutes": options.minutes,
        "requests": {kind: sum(client.done[kind] for client in clients) for kind in clients[0].done},
        "errors": [error for client in clients for error in client.errors],
        "lost": lost,
        # The first quarter of a run fills caches and the collection.
        "memory_mb": {"warm": after[5], "end": after[-1], "before the kill": [before[5], before[-1]]},
    }
    if options.json:
        print(json.dumps(told))
    else:
        print(f"{options.minutes:g} minutes: {told['requests']}")
        print(f"{len(told['errors'])} errors {told['errors'][:3]}, {len(lost)} rows not as acknowledged {lost[:3]}")
        print(f"memory when warm and in the end: {before[5]:.0f} and {before[-1]:.0f} MB before the kill,", end=" ")
        print(f"{after[5]:.0f} and {after[-1]:.0f} MB after it")
    if told["errors"] or lost:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
