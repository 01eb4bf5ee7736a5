"""A plan's promise to questions that are unlike the rows."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import imi
import imi.index.planner as search_plan
from imi.errors import UsageError
from imi.index.goal import Goal
from imi.index.ladder import Ladder
from imi.index.live import Live
from imi.index.measure import Point, Truth, find_truth, front, latency
from imi.index.plan import VERSION, Plan
from imi.index.policy import IndexPolicy
from imi.index.questions import STEP, unlike
from imi.index.rungs import Rung


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(search_plan, "EXACT_NUMBERS", 10_000)
    monkeypatch.setattr(search_plan, "_SAMPLE_SECONDS", 1.0)
    monkeypatch.setattr("imi.index.measure.latency", partial(latency, seconds=0.002))


@pytest.fixture(scope="module")
def planned(nested):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_plan, "EXACT_NUMBERS", 10_000)
        patch.setattr(search_plan, "_SAMPLE_SECONDS", 1.0)
        patch.setattr("imi.index.measure.latency", partial(latency, seconds=0.002))
        return imi.plan(nested[0], 0.95)


def test_stand_ins_lie_as_far_off_their_rows_in_any_size(nested):
    for scale in (1.0, 100.0):
        rows = nested[0] * np.float32(scale)
        asked = unlike(rows[:200], rows, np.random.default_rng(0))
        off = np.linalg.norm(asked - rows[:200], axis=1) / np.linalg.norm(rows[:200], axis=1)
        assert off == pytest.approx(np.full(200, STEP), rel=1e-4)
        bar = find_truth(rows, asked, "cosine", 10).bar
        assert np.median(bar) < np.median(find_truth(rows, rows[:200], "cosine", 10).bar)
    same = np.ones((30, 8), dtype=np.float32)
    assert unlike(same, same, np.random.default_rng(0)) == pytest.approx(
        same
    )  # no two rows differ: nothing to go along


def test_a_plan_keeps_its_promise_to_questions_it_never_saw(nested, planned):
    rows = nested[0]
    assert planned.chosen.outside is not None and planned.chosen.outside >= 0.94
    assert "questions unlike the rows it finds" in planned.note
    random = np.random.default_rng(9)
    index = planned.build(rows)
    for asked in (
        unlike(nested[1], rows, random),
        nested[1] + nested[1][random.permutation(60)] * np.float32(0.3),
        nested[1] * np.float32(1) + 0.2 * rows.std(axis=0) * random.standard_normal((60, 128)).astype(np.float32),
    ):
        truth = find_truth(rows, asked, "cosine", 10)
        assert truth.recalls(*index.search(truth.queries, 10)).mean() >= 0.92


def test_the_table_and_the_json_say_what_is_found_of_them(planned):
    assert "unlike" in planned.table.splitlines()[0]
    plain = json.loads(json.dumps(planned.to_dict()))
    assert plain["chosen"]["outside"] == planned.chosen.outside
    assert plain["version"] == VERSION and plain["share"] is None
    assert Plan.from_dict(plain).to_dict() == plain


@pytest.mark.nightly
def test_a_share_of_the_queries_can_be_asked_for(nested, small):
    queries = nested[1]
    plan = imi.plan(nested[0], Goal(0.9, share=0.95))
    assert plan.share == 0.95 and plan.chosen.share is not None
    assert plan.chosen.share >= 0.94
    truth = find_truth(nested[0], queries, "cosine", 10)
    assert (truth.recalls(*plan.build(nested[0]).search(queries, 10)) >= 0.9 - 1e-9).mean() >= 0.9
    assert "of the queries reach 0.9" in plan.note
    assert Plan.from_dict(plan.to_dict()).goal == Goal(0.9, 0.95)


def test_a_goal_compares_with_the_worst_group():
    even, uneven = np.array([0.9, 0.9, 0.9, 0.9]), np.array([1.0, 1.0, 1.0, 0.5])
    assert Goal(0.9).value(even) == pytest.approx(0.9)
    assert Goal(0.9, 0.95).value(even) == 1.0 and Goal(0.9, 0.95).value(uneven) == 0.75
    assert Goal(0.9).worst([even, uneven]) == pytest.approx(0.875)
    assert Goal(0.9).chance(100) == 0.004 and Goal(0.9, 0.95).chance(100) == pytest.approx(0.0218, abs=1e-4)
    for wrong in (Goal(1.2), Goal(0.9, 0.0), Goal(0.9, 1.5)):
        with pytest.raises(UsageError, match="share"):
            Goal.of(wrong)


def test_a_ladder_is_set_by_the_share_of_queries_that_reach_the_recall(nested, monkeypatch):
    monkeypatch.setattr("imi.index.measure.latency", lambda *_, **__: 1e-4)
    ladder = Ladder.build(nested[0], (Rung(16, 100, "float32", "flat"), Rung(128, 10)))
    truth = find_truth(nested[0], nested[1], "cosine", 10)
    mean = next(one for one in front(ladder, [truth], Goal(0.9)) if one.value >= 0.9)
    each = next(one for one in front(ladder, [truth], Goal(0.9, 0.95)) if one.value >= 0.95)
    assert each.rungs[0].keep > mean.rungs[0].keep
    recalls = truth.recalls(*ladder.with_rungs(each.rungs).search(truth.queries, 10))
    assert (recalls >= 0.9 - 1e-9).mean() == pytest.approx(each.value) and each.value >= 0.95


def test_where_questions_cannot_be_answered_so_well_the_plan_says_what_it_finds(nested, monkeypatch):
    monkeypatch.setattr("imi.index.measure.latency", lambda *_, **__: 1e-4)
    rows, queries = nested
    ladder = Ladder.build(rows, (Rung(16, 100, "float32", "flat"), Rung(128, 10)))
    easy = find_truth(rows, queries, "cosine", 10)
    impossible = Truth(queries, easy.rows, np.full(len(queries), np.inf, dtype=np.float32), 10)
    points = front(ladder, [easy, impossible], Goal(0.9))
    assert all(point.value == 0 and point.outside == 0 for point in points)
    planner = search_plan.Planner(rows, "cosine", 10, Goal(0.9), None, None, 0, None)
    reaching = planner._reaching(points)
    assert reaching and all(point.recall >= 0.9 for point in reaching)
    weak = Point(ladder.rungs, 0.95, 0.94, 0.96, 1e-4, 0.6, 0.6)
    assert "less than was asked for" in planner._promise(planner._tried(weak, 1, "all rows", ""))


def test_an_index_of_an_earlier_imi_is_measured_again_in_the_background(nested, planned, tmp_path, monkeypatch):
    rows = nested[0][:2500]
    measured = []
    monkeypatch.setattr(search_plan, "plan", lambda *_, **how: measured.append(how) or replace(planned, built=None))
    live = Live.create(tmp_path, 128, policy=IndexPolicy(exact_rows=1000))
    live.add(np.arange(2500), rows)
    live.build()
    assert live.plan is not None and live.due is None
    live.plan = replace(live.plan, version=1)
    live.save()
    old = Live.open(tmp_path, 128, policy=IndexPolicy(exact_rows=1000))
    assert old.plan is not None and old.plan.outdated
    assert "earlier imi" in (old.due or "")
    assert (old.search(rows[:5], 1)[1][:, 0] == np.arange(5)).all()  # it answers meanwhile
    old.build()
    assert old.due is None and old.plan.version == VERSION
    assert [how["target_recall"] for how in measured] == [0.95, 0.95]
    exact = Plan.from_dict({**planned.to_dict(), "version": 1, "chosen": {**planned.chosen.to_dict(), "rungs": []}})
    assert not exact.outdated  # exact search needs no measuring
