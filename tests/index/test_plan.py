import json
from functools import partial

import numpy as np
import pytest

import imi
import imi.index.candidates as candidates
import imi.index.planner as search_plan
from imi.errors import UsageError
from imi.index.exact import Exact
from imi.index.ladder import Ladder
from imi.index.measure import latency
from imi.index.plan import Plan


@pytest.fixture
def small(monkeypatch):
    """Let the planner take a few thousand rows for many."""
    monkeypatch.setattr(search_plan, "EXACT_NUMBERS", 10_000)
    monkeypatch.setattr(search_plan, "_SAMPLE_SECONDS", 1.0)
    monkeypatch.setattr("imi.index.measure.latency", partial(latency, seconds=0.002))


def held_out(index, vectors, queries, metric="cosine"):
    bar = Exact(vectors, metric).search(queries, 10)[0][:, 9:]
    return float(np.mean(index.search(queries, 10)[0] >= bar - 1e-5))


@pytest.mark.parametrize("fast", [True, False])
def test_the_target_is_met_by_queries_it_never_saw(nested, small, monkeypatch, tmp_path, fast):
    vectors, queries = nested
    if not fast:
        monkeypatch.setattr(candidates, "load_rabitqlib", lambda: None)
    seen = []
    plan = imi.plan(vectors, target_recall=0.95, seed=1, progress=lambda done, total: seen.append((done, total)))
    assert plan.matryoshka
    assert plan.chosen.where == "all rows"
    assert plan.recall >= 0.94
    assert plan.chosen.low <= plan.recall <= plan.chosen.high
    index = plan.build(vectors)
    assert isinstance(index, Ladder)
    assert index is plan.built
    assert held_out(index, vectors, queries) >= 0.93
    assert seen[-1] == (5, 5)
    plain = plan.to_dict()
    assert {"target", "chosen", "tried", "matryoshka"} <= set(plain)
    assert {"rungs", "recall", "qps", "bytes"} <= set(plain["chosen"])
    assert Plan.from_dict(json.loads(json.dumps(plain))).to_dict() == plain
    assert "→" in plan.table
    shown = [one for one in plan.tried if one in plan.front]
    assert 0 < len(shown) == len(plan.front) <= len(plan.tried)
    for one in plan.front:
        assert one.recall >= 0.92
        assert not any(
            other.where == one.where and other.recall > one.recall and other.qps > one.qps and other.bytes < one.bytes
            for other in plan.tried
        )
    assert len(plan.table.splitlines()) == len(plan.front) + 4
    for suffix in ("png", "svg", "html") if fast else ():
        assert plan.figure(tmp_path / f"plan.{suffix}").stat().st_size > 1000
    with pytest.raises(UsageError, match=r"\.txt"):
        plan.figure(tmp_path / "plan.txt")


def test_few_rows_are_searched_exactly(nested):
    plan = imi.plan(nested[0])
    assert plan.chosen.rungs == ()
    assert plan.recall == 1.0
    assert "simply best" in plan.note
    assert isinstance(plan.build(nested[0]), Exact)


@pytest.mark.parametrize(
    ("rows", "k"), [(2, 10), (12, 10), (99, 10), (100, 10), (130, 10), (500, 10), (500, 300), (120, 95), (100, 80)]
)
def test_a_plan_for_hardly_any_rows_has_numbers_all_the_same(nested, rows, k):
    plan = imi.plan(nested[0][:rows], k=k)
    assert plan.chosen.rungs == () and plan.recall == 1.0
    assert all(np.isfinite([prefix.top, prefix.chance]).all() for prefix in plan.prefixes)


def test_vectors_that_are_no_matryoshka_are_noticed(nested, small):
    vectors, queries = nested
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((128, 128)))[0].astype(np.float32)
    plan = imi.plan(vectors @ turn, target_recall=0.9)
    assert not plan.matryoshka
    assert "not Matryoshka" in plan.note
    mixed = plan.build(vectors @ turn)
    assert held_out(mixed, vectors @ turn, queries @ turn) >= 0.87


def test_a_memory_limit_is_kept(nested, small):
    vectors = np.ascontiguousarray(nested[0][:, :32])
    plan = imi.plan(vectors, target_recall=0.9, memory=100 * 3000)
    assert plan.chosen.bytes <= 100 * 3000
    with pytest.raises(UsageError, match="memory=1000"):
        imi.plan(vectors, memory=1000)


def test_real_queries_are_used_and_l2_works(nested, small):
    vectors, queries = nested
    plan = imi.plan(vectors, 0.9, queries=queries, metric="l2")
    assert plan.chosen.outside is None and "unlike" not in plan.note  # the user's own alone are measured by
    assert held_out(plan.build(vectors), vectors, queries, "l2") >= 0.89


@pytest.mark.parametrize(
    ("keyword", "value", "named"), [("target_recall", 1.5, "1.5"), ("queries", np.ones((3, 128)), "3 queries")]
)
def test_what_cannot_be_is_named(nested, keyword, value, named):
    with pytest.raises(UsageError, match=named):
        imi.plan(nested[0], **{keyword: value})
