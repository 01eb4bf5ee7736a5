"""A collection's own plan: measured, kept with the index, and measured again when it has grown fourfold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imi
from imi.errors import CollectionError, UsageError
from imi.index import planner
from imi.index.plan import Plan, Tried
from imi.index.policy import IndexPolicy
from imi.index.rungs import parse_ladder
from imi.records import Document

WIDTH = 64
SMALL = IndexPolicy(saved_rows=100, exact_rows=200, tail_rows=50)


calls: list[dict[str, Any]] = []


@pytest.fixture(autouse=True)
def quick_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let planning be quick: it has its own tests."""
    calls.clear()
    thorough = planner.plan

    def planned(z: np.ndarray, target_recall: float, memory: int | None, latency: float | None, **rest: Any) -> Plan:
        if len(z) <= 100:  # too few to build for: nothing is measured
            return thorough(z, target_recall, memory, latency, **rest)
        calls.append({"rows": len(z), "target": target_recall, "memory": memory, "latency": latency, **rest})
        rungs = parse_ladder("32:100,64:20", WIDTH)
        chosen = Tried(rungs, 0.9, 0.9, 0.9, 1000.0, 1, "all")
        return Plan(target_recall, 10, "cosine", len(z), WIDTH, chosen, (), True, (), "", None, memory, latency)

    monkeypatch.setattr("imi.index.planner.plan", planned)


def vectors(number: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    spectrum = np.geomspace(2, 0.1, WIDTH)
    return (random.standard_normal((number, WIDTH)) * spectrum).astype(np.float32)


def rows(ids: range) -> list[Document]:
    return [Document(f"r{at}") for at in ids]


def test_the_plan_is_kept_and_measured_again_at_fourfold_growth(tmp_path: Path) -> None:
    z = vectors(1700)
    with imi.open(tmp_path / "c.imi", policy=SMALL) as c:
        c.add(rows(range(300)), z[:300])
        c._index.wait()
        assert calls[-1]["target"] == 0.95 and calls[-1]["memory"] == 1 << 30, "what collections plan by themselves"
        made = c.plan(0.8, memory=10**6, latency=0.5, seed=7, queries=vectors(25, seed=3))
        assert made.target == 0.8 and made.rows == 300
        assert calls[-1]["seed"] == 7 and calls[-1]["queries"].shape == (25, WIDTH)
    with imi.open(tmp_path / "c.imi", policy=SMALL) as c:
        assert c.info.index["recall"] == 0.9 and c.info.index["ladder"] == made.to_dict()["chosen"]["ladder"]
        c.add(rows(range(300, 500)), z[300:500])
        c._index.wait()
        assert len(calls) == 2 and c.info.index["built"] == 500, "the same ladder, built over more rows"
        c.add(rows(range(500, 1700)), z[500:])
        c._index.wait()
        assert len(calls) == 3, "measured again, by the same wishes"
        assert (calls[-1]["rows"], calls[-1]["target"], calls[-1]["memory"], calls[-1]["latency"]) == (
            1700, 0.8, 10**6, 0.5,
        )  # fmt: skip
        assert c._index.current_plan().rows == 1700
        found = c.search(z[5], k=3)
        assert found[0].id == "r5" and len(found) == 3


def test_where_exact_search_was_found_best_nothing_is_built_again_and_again(tmp_path: Path, monkeypatch) -> None:
    best = Plan(0.95, 10, "cosine", 300, WIDTH, Tried((), 1.0, 1.0, 1.0, 1.0, 1, "all"), (), True, (), "")
    monkeypatch.setattr("imi.index.planner.plan", lambda z, **rest: calls.append(rest) or best)
    with imi.open(tmp_path / "c.imi", policy=SMALL) as c:
        for start in (0, 300, 600):
            c.add(rows(range(start, start + 300)), vectors(300, seed=start))
            c._index.wait()
        assert len(calls) == 1 and c.info.index["due"] is None


def test_few_rows_real_queries_and_what_cannot_be(tmp_path: Path) -> None:
    with imi.open(tmp_path / "c.imi", policy=SMALL) as c:
        with pytest.raises(UsageError, match="has 0"):
            c.plan()
        c.add(rows(range(100)), vectors(100))
        assert c.plan(queries=vectors(30, seed=3)).chosen.rungs == ()
        with pytest.raises(UsageError, match="width"):
            c.plan(queries=np.ones((30, 3)))
    with imi.open(tmp_path / "c.imi", mode="r") as c, pytest.raises(CollectionError, match="reading only"):
        c.plan()


@pytest.mark.parametrize("count", [0, 1])
def test_what_is_too_little_to_plan_for_is_counted(tmp_path: Path, count: int) -> None:
    with imi.open(tmp_path / "c.imi") as c:
        c.add(rows(range(count)), vectors(count))
        with pytest.raises(UsageError, match=f"at least two vectors, and .*c.imi has {count}\n"):
            c.plan(0.9)
