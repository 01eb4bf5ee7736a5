"""A night of trouble, drawn by a seed: it ends with a table, and with an error where anything was lost or wrong.

IMI_CHAOS_MINUTES is how long it takes (a minute where it is not set), IMI_CHAOS_SEED what is drawn, IMI_CHAOS_TABLE a
file that the table is written to.
"""

from __future__ import annotations

import os
import random
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.server.settings import Limits
from tests.chaos.troubles import KINDS, Round
from tests.server.conftest import Running, start
from tests.server.test_hostile import ODD, PATHS, hostile_body
from tests.server.test_patience import CSS, SEARCH, send, unread

__all__ = ["start"]


@pytest.fixture(scope="module")
def target(start: Callable[..., Running], tmp_path_factory: pytest.TempPathFactory) -> Running:
    """Return a server that the whole night goes through."""
    folder = tmp_path_factory.mktemp("served")
    for name, text in (("pets", "text {}"), ("big", "word " * 20_000)):
        with imi.open(folder / f"{name}.imi", model=HashEmbedder()) as made:
            made.add([imi.Document(str(at), text.format(at), {"n": at}) for at in range(20)])
    limits = Limits(stall_seconds=1.0, body_seconds=2.0, body_bytes=1_000_000, line_bytes=100_000, connections=200)
    return start(collections=(str(folder),), root=folder / "made", limits=limits)


def lives(target: Running) -> None:
    """Ask the server for something; it must answer rightly."""
    reply = target.http.post("/v1/embeddings", json={"model": "hash", "input": "cat"})
    assert reply.status_code == 200 and len(reply.json()["data"]) == 1, reply.text[:300]


def of_server(target: Running) -> dict[str, Round]:
    """Return the kinds of trouble of a server."""

    def bodies(place: Path, chance: random.Random) -> str:
        for _ in range(100):
            path = chance.choice(PATHS)
            kind = "application/x-ndjson" if path.endswith("ingest") else "application/json"
            body = hostile_body(chance)
            reply = target.http.post(path, content=body, headers={"content-type": kind})
            assert reply.status_code < 500 or reply.status_code == 501, (path, body[:300], reply.text)
            assert "Traceback" not in reply.text
        lives(target)
        return "answered or refused"

    def odd(place: Path, chance: random.Random) -> str:
        for _ in range(40):
            value = chance.choice([one for one in ODD if not isinstance(one, float)])
            field = chance.choice(["query", "k", "mode", "where", "dims", "offset", "min_score", "facets"])
            asked = {"query": "text", field: value}
            try:
                reply = target.http.post("/api/v1/collections/pets/search", json=asked)
            except (ValueError, UnicodeEncodeError):
                continue  # what no JSON can say
            assert reply.status_code < 500, (asked, reply.text[:300])
        lives(target)
        return "answered or refused"

    def slow(place: Path, chance: random.Random) -> str:
        held = [unread(target) for _ in range(30)]
        for _ in range(8):
            for one in held:
                send(one, chance.choice([CSS, SEARCH, b"GET /heal", b"\r\n"]))
            lives(target)
        for one in held:
            one.close()
        return "others were answered meanwhile"

    return {"hostile bodies (100 a round)": bodies, "odd values (40 a round)": odd, "readers that do not read": slow}


def table(found: dict[str, Counter[str]], failures: list[str]) -> str:
    """Return the night as a table."""
    lines = ["| kind | rounds | what happened | failures |", "|---|---|---|---|"]
    for kind, seen in found.items():
        told = ", ".join(f"{count} {what}" for what, count in seen.most_common() if what != "FAILED")
        lines.append(f"| {kind} | {seen.total()} | {told} | {seen['FAILED']} |")
    rounds = sum(seen.total() for seen in found.values())
    return "\n".join([*lines, f"| all | {rounds} | | {len(failures)} |"])


@pytest.mark.nightly
@pytest.mark.timeout(0)
def test_a_night_of_trouble(target: Running, tmp_path: Path) -> None:
    minutes = float(os.environ.get("IMI_CHAOS_MINUTES", "1"))
    seed = int(os.environ.get("IMI_CHAOS_SEED", "0"))
    kinds = KINDS | of_server(target)
    found: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    failures: list[str] = []
    end, number = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end or number < len(kinds):
        # Every kind has its turn in each turn of all; what happens in it is drawn.
        order = random.Random(f"{seed}/{number // len(kinds)}").sample(sorted(kinds), len(kinds))
        kind, place = order[number % len(kinds)], tmp_path / str(number)
        place.mkdir()
        try:
            found[kind][kinds[kind](place, random.Random(f"{seed}/{number}"))] += 1
        except Exception:
            found[kind]["FAILED"] += 1
            failures.append(f"{kind}, round {number} of seed {seed}: {traceback.format_exc()[-1500:]}")
            print(failures[-1], flush=True)
        shutil.rmtree(place, ignore_errors=True)
        number += 1
    said = table(found, failures)
    print(f"\n{said}")
    if written := os.environ.get("IMI_CHAOS_TABLE"):
        Path(written).write_text(f"{said}\n", "utf-8")
    assert not failures, "\n\n".join(failures[:5])
