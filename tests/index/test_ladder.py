import copy
import os
import signal

import numpy as np
import pytest

from imi.errors import UsageError
from imi.index.base import Index
from imi.index.exact import Exact
from imi.index.ladder import Ladder
from imi.index.native import load_rabitqlib
from imi.index.rungs import parse_ladder
from tests.index.conftest import recall

FAISS = ["64:200,128:10", "flat.int8/64:200,128", "flat.rabitq/128:300,128", "flat.binary/128:400,128"]
FAISS += ["hnsw.int8/64:100@200,128", "hnsw.binary/128:400@400,128", "ivf/64:200@20,128", "ivf.int8/64:200@20,128"]
FAISS += ["flat.float16/64:200,rerank.int8/96:60,128:10", "ivf.rabitq/64r:200@30,rerank.float16/128:40,128:10"]
FAST = ["symphonyqg/64:80@100,128", "symphonyqg.float32/128:10@80", "symphonyqg.rabitq/128:80@100,128"]
FAST += ["hnsw-rabitq/64:80@100,128"]


BUILT = {}


def built(vectors, text, metric="cosine"):
    """Return a ladder of its own over structures that tests of the same vectors share."""
    if text in FAST and load_rabitqlib() is None:
        pytest.skip("rabitqlib is not installed")
    key = (id(vectors), text, metric)
    if key not in BUILT:
        BUILT[key] = vectors, Ladder.build(vectors, parse_ladder(text, vectors.shape[1]), metric)
    return copy.copy(BUILT[key][1])


@pytest.mark.parametrize("text", FAISS + FAST)
def test_every_structure_finds_what_exact_search_finds(nested, text):
    vectors, queries = nested
    ladder = built(vectors, text)
    scores, rows = ladder.search(queries, 10)
    exact_scores, exact_rows = Exact(vectors).search(queries, 10)
    assert recall(rows, exact_rows) > 0.93
    assert isinstance(ladder, Index)
    same = rows == exact_rows
    np.testing.assert_allclose(scores[same], exact_scores[same], atol=1e-6)
    one_scores, one_rows = ladder.search(queries[3], 10)
    np.testing.assert_array_equal(one_rows[0], rows[3])
    np.testing.assert_allclose(one_scores[0], scores[3], atol=1e-6)


@pytest.mark.parametrize("metric", ["dot", "l2"])
@pytest.mark.parametrize("text", ["64:300,128:10", "hnsw/64:200@300,128", "symphonyqg/64:200@200,128"])
def test_other_metrics_are_what_they_say(nested, metric, text):
    vectors, queries = nested
    scores, rows = built(vectors, text, metric).search(queries, 10)
    exact_scores, exact_rows = Exact(vectors, metric).search(queries, 10)
    assert recall(rows, exact_rows) > 0.93
    np.testing.assert_allclose(scores[:, 0], exact_scores[:, 0], rtol=1e-5)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("text", ["hnsw.int8/64:100@150,128", "symphonyqg/64:80@100,128"])
def test_filters_keep_recall_and_give_k_hits(nested, share, text):
    vectors, queries = nested
    ladder = built(vectors, text)
    ladder.latency = 1e-6  # prefer the graph, so that its widening is what is tested
    allowed = np.random.default_rng(1).choice(len(vectors), max(3, int(share * len(vectors))), replace=False)
    rows = ladder.search(queries, 10, allowed)[1]
    exact = Exact(vectors).search(queries, 10, allowed)[1]
    assert ((rows >= 0).sum(axis=1) == min(10, len(allowed))).all()
    assert np.isin(rows[rows >= 0], allowed).all()
    assert recall(rows, exact) >= 0.95
    mask = np.zeros(len(vectors), bool)
    mask[allowed] = True
    np.testing.assert_array_equal(ladder.search(queries, 10, mask)[1], rows)


def test_rows_far_from_the_query_are_found_under_a_filter(nested):
    vectors, queries = nested
    worst = np.argsort((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)) @ queries[0])[:200]
    rows = built(vectors, "hnsw/64:100,128").search(queries[:1], 10, worst)[1]
    np.testing.assert_array_equal(rows, Exact(vectors).search(queries[:1], 10, worst)[1])


def test_a_funnel_of_six_rungs_reads_less_than_exact_search(nested):
    vectors, queries = nested
    ladder = Ladder.scan(vectors, parse_ladder("8:1500,16:800,32:400,64:100,96:50,128:10", 128))
    rows, steps = ladder.explain(queries, 10)[1:]
    assert recall(rows, Exact(vectors).search(queries, 10)[1]) > 0.95
    assert [step.candidates for step in steps] == [3000, 1500, 800, 400, 100, 50]
    assert sum(step.numbers for step in steps) < 0.35 * vectors.size


def test_more_than_planned_for_widens_the_ladder(nested):
    vectors, queries = nested
    scores, rows = built(vectors, "hnsw/64:40,128:10").search(queries, 100)
    assert recall(rows, Exact(vectors).search(queries, 100)[1]) > 0.85
    assert (np.diff(scores, axis=1) <= 0).all()
    everything = built(vectors[:100], "64:40,128:10").search(queries, 120)[1]
    assert (np.sort(everything[:, :100], axis=1) == np.arange(100)).all()
    assert (everything[:, 100:] == -1).all()


@pytest.mark.parametrize("text", ["ivf/64:40@60,128:10", "ivf.pq/64:40@60,128:10"])
def test_lists_that_few_rows_taught_are_no_warning_on_the_terminal(nested, text, capfd):
    vectors, queries = nested
    built(vectors[:400], text).search(queries, 10)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", ["hnsw.int8/64:40@60,128:10", "64:40,128:10"])
def test_rows_beyond_the_promised_ones_come_from_the_same_shortlist(nested, text):
    vectors, queries = nested
    ladder, exact = built(vectors, text), Exact(vectors)
    scores, rows, steps = ladder.explain(queries, 100, promised=10)
    assert (rows >= 0).all() and (np.diff(scores, axis=1) <= 0).all()
    assert recall(rows[:, :10], exact.search(queries, 10)[1]) >= recall(
        ladder.search(queries, 10)[1], exact.search(queries, 10)[1]
    )
    assert recall(rows, exact.search(queries, 100)[1]) > 0.5
    assert steps[-1].candidates == 100 < ladder.explain(queries, 100)[2][-1].candidates
    np.testing.assert_array_equal(ladder.search(queries, 100, promised=100)[1], ladder.search(queries, 100)[1])
    np.testing.assert_array_equal(ladder.search(queries, 5, promised=10)[1], ladder.search(queries, 5)[1])


@pytest.mark.parametrize("text", ["hnsw.int8/128:11@300,128:10", "hnsw.int8/128:11@33,128:10"])
def test_effort_grows_with_the_neighbours_less_where_it_is_high(nested, text):
    vectors, queries = nested
    ladder, exact = built(vectors, text), Exact(vectors)
    first = ladder.rungs[0]
    high = first.effort > 200
    assert (0.55 <= ladder._growth < 0.62) if high else (0.95 < ladder._growth <= 1)
    for k in (40, 100):
        rows, steps = ladder.explain(queries, k)[1:]
        assert recall(rows, exact.search(queries, k)[1]) >= 0.97
        most = ladder.structure.work(len(vectors), round(first.effort * k / 10))
        assert steps[0].numbers <= (0.6 if high else 1.0) * most / 2
    mask = np.arange(len(vectors)) % 2 == 0
    bars = exact.search(queries, 10, np.flatnonzero(mask))[0][:, -1:]
    assert (ladder.search(queries, 10, mask)[0] >= bars - 1e-5).mean() >= 0.97


def test_zero_rows_and_duplicates_do_not_crowd_out_neighbours(nested):
    vectors, queries = nested
    mixed = np.concatenate([np.zeros((500, 128), np.float32), vectors, np.repeat(vectors[:5], 100, axis=0)])
    scores = built(mixed, "symphonyqg/64:100@200,128").search(queries[10:], 10)[0]
    assert np.mean(scores[:, 9] >= Exact(mixed).search(queries[10:], 10)[0][:, 9] - 1e-5) > 0.85


def test_another_first_rung_needs_another_build(nested):
    ladder = Ladder.scan(nested[0], parse_ladder("64:50,128:10", 128))
    assert ladder.with_rungs(parse_ladder("64:90,96:20,128:10", 128)).search(nested[1], 5)[1].shape == (60, 5)
    with pytest.raises(UsageError, match="another build"):
        ladder.with_rungs(parse_ladder("32:50,128:10", 128))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("text", ["hnsw/64:50,128", "symphonyqg/64:80@100,128"])
def test_a_forked_child_searches(nested, text):
    vectors, queries = nested
    ladder = built(vectors, text)
    ladder.search(queries, 10)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if (ladder.search(queries, 10)[1] >= 0).all() else 3)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("text", ["symphonyqg.int8/64:11@15,64", "hnsw.int8/64:11@15,64", "ivf/64:11@1,64"])
@pytest.mark.parametrize("kind", ["equal", "two", "line", "few"])
def test_as_many_hits_come_among_equal_rows_as_among_others(text, kind):
    if text.startswith("symphonyqg") and load_rabitqlib() is None:
        pytest.skip("rabitqlib is not installed")
    random = np.random.default_rng(0)
    one = random.standard_normal(64)
    rows = {
        "equal": np.tile(one, (600, 1)),
        "two": np.where(random.random((600, 1)) < 0.5, one, -one),
        "line": np.outer(random.random(600), one),
        "few": random.standard_normal((7, 64))[random.integers(0, 7, 600)],
    }[kind].astype(np.float32)
    ladder = Ladder.build(rows, parse_ladder(text, 64))
    queries = np.concatenate([rows[:2], random.standard_normal((2, 64)).astype(np.float32)])
    for k in (10, 300):
        for asked in (queries, queries[:1]):
            scores, found = ladder.search(asked, k)
            assert (found >= 0).all()
            assert [len(set(row)) for row in found.tolist()] == [k] * len(asked)
            best = Exact(rows).search(asked, k)[0][:, 0]
            np.testing.assert_allclose(scores[:2, 0][:1], best[:1], atol=1e-5)


def test_no_row_has_no_score_also_where_the_last_row_is_zero():
    rows = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    rows[-1] = 0
    rows[:30] *= 3
    ladder = Ladder.build(rows, parse_ladder("flat.int8/8:40,8", 8))
    scores = ladder._later[-1].score(rows[:1], np.array([[3, -1, 39]]))
    assert scores[0, 1] == -np.inf and scores[0, 2] == 0
