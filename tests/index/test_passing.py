"""Filtered searches beside the exact oracle, whichever way they take."""

import numpy as np
import pytest

import imi.index.passing as passing_rows
from imi.errors import UsageError
from imi.index.exact import Exact
from imi.index.ladder import Ladder
from imi.index.live import Live
from imi.index.native import load_rabitqlib
from imi.index.passing import Filtering, Passing
from imi.index.policy import IndexPolicy
from imi.index.rungs import Rung
from imi.index.saved import load_index

PREFIX = Filtering(Rung(64, 200), 1e-8)
KIND = ("symphonyqg", "int8") if load_rabitqlib() else ("hnsw", "float32")


def ladder_of(rows, metric="cosine"):
    first = Rung(128, 15, KIND[1], KIND[0], 60)
    return Ladder.build(rows, (first, Rung(128, 10)), metric).with_filtering(PREFIX)


@pytest.fixture(scope="module")
def unit(nested):
    return [part / np.linalg.norm(part, axis=1, keepdims=True) for part in nested]


@pytest.fixture(scope="module")
def built(unit):
    return ladder_of(unit[0])


def masks(rows, query, random):
    """Filters at random, conjunctions, ranges, and ones tied to the query: with it, against it, all but the nearest."""
    count, near = len(rows), np.argsort(-(rows @ query))
    draw = random.random(count)
    yield from (draw < share for share in (0.7, 0.5, 0.1, 0.04, 0.01))
    yield (draw < 0.4) & (random.random(count) < 0.4)
    yield (np.arange(count) >= 700) & (np.arange(count) < 1900)
    for chosen in (near[:300], near[-count // 2 :], near[40:], near[-30:]):
        mask = np.zeros(count, dtype=bool)
        mask[chosen] = True
        yield mask


@pytest.mark.parametrize("quick", ["graph", "scan", "either"])
def test_k_hits_that_pass_and_nearly_all_true_ones_come_whatever_the_filter(unit, built, monkeypatch, quick):
    monkeypatch.setattr(passing_rows, "_WHOLE", 64)  # so that prefixes are read here, too
    seconds = {"graph": 1.0, "scan": 0.0, "either": 3e-8}[quick]
    index = built.with_filtering(Filtering(PREFIX.prefix, seconds))
    exact, random, found = Exact(unit[0]), np.random.default_rng(0), []
    for query in unit[1][:12]:
        for mask in masks(unit[0], query, random):
            scores, rows = index.search(query[None], 10, mask)
            wanted = min(10, int(mask.sum()))
            assert (rows[0, :wanted] >= 0).all() and (rows[0, wanted:] == -1).all()
            assert mask[rows[0, :wanted]].all() and len(set(rows[0, :wanted])) == wanted
            assert (np.diff(scores[0, :wanted]) <= 0).all()
            bar = exact.search(query[None], 10, np.flatnonzero(mask))[0][0, wanted - 1]
            found.append((scores[0, :wanted] >= bar - 1e-5).mean())
    assert np.mean(found) >= 0.95


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 500])
def test_few_passing_rows_are_compared_exactly_by_every_metric(nested, metric, count):
    rows, queries = nested
    index = Ladder.build(rows, (Rung(64, 40, "float32", "flat"), Rung(128, 10)), metric)
    allowed = np.sort(np.random.default_rng(count).choice(len(rows), count, replace=False))
    scores, found = index.search(queries[:5], 10, allowed)
    true_scores, true = Exact(rows, metric).search(queries[:5], 10, allowed)
    np.testing.assert_array_equal(found, true)
    np.testing.assert_allclose(scores, true_scores, rtol=2e-4, atol=2e-4)


def test_equal_rows_come_in_their_order_and_those_with_nan_never(unit):
    rows = unit[0].copy()
    rows[100:140] = rows[100]
    rows[200] = np.nan
    index = Ladder.build(np.nan_to_num(rows), (Rung(64, 40, "float32", "flat"), Rung(128, 10)))
    index = Ladder(rows, index.rungs, index.structure, index.space, index.scales)
    assert index.search(rows[100:101], 10, np.arange(90, 210))[1][0].tolist() == list(range(100, 110))
    assert 200 not in index.search(rows[100:101], 10, np.arange(195, 206))[1]


def test_a_filter_is_given_as_rows_as_a_mask_or_shared(unit, built):
    rows = np.arange(0, 3000, 7)
    mask = np.isin(np.arange(3000), rows)
    expected = built.search(unit[1][:4], 10, rows)
    for way in (mask, Passing(mask), Passing.of(rows, 3000)):
        np.testing.assert_array_equal(built.search(unit[1][:4], 10, way)[1], expected[1])
    assert len(Passing(mask)) == len(rows) and Passing(mask).widening == pytest.approx(7, rel=0.01)
    for wrong, named in ((np.ones(5, bool), "(5,)"), (np.array([-1, 3]), "-1"), (np.array([3000]), "3000")):
        with pytest.raises(UsageError, match=named.replace("(", r"\(").replace(")", r"\)")):
            built.search(unit[1][:1], 10, wrong)


def test_the_way_of_filtering_is_kept_with_the_ladder(built, tmp_path, unit):
    built.save(tmp_path / "ladder")
    again = load_index(tmp_path / "ladder")
    assert isinstance(again, Ladder) and again.filtering == PREFIX
    mask = np.arange(3000) % 2 == 0
    np.testing.assert_array_equal(again.search(unit[1], 10, mask)[1], built.search(unit[1], 10, mask)[1])
    assert Filtering.from_dict(None) == Filtering()  # a ladder of an earlier imi says nothing of it


def test_the_steps_say_what_was_scanned(unit, built):
    steps = built.with_filtering(Filtering(PREFIX.prefix, 0.0)).explain(unit[1][:1], 10, np.arange(2000))[2]
    assert [step.rung for step in steps] == ["scan/64"] and steps[0].candidates == 2000


def test_what_was_made_of_a_filter_is_known_until_a_row_dies(unit):
    live = Live.create(None, 128, policy=IndexPolicy(exact_rows=10**6))
    live.add(np.arange(3000), unit[0])
    allowed = np.arange(0, 3000, 3)
    allowed.setflags(write=False)
    first = live.search(unit[1][:1], 5, allowed)[1][0]
    part = live._parts[0]
    assert part.passing(allowed) is part.passing(allowed)
    again = allowed.copy()  # as it comes after a write elsewhere
    assert part.passing(again) is part.passing(allowed)
    again[:50] = 1 + 3 * np.arange(50)
    assert set(live.search(unit[1][:1], 900, again)[1][0]) <= {-1, *again.tolist()}
    live.remove(first[:1])
    assert first[0] not in live.search(unit[1][:1], 5, allowed)[1]
