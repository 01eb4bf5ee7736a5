"""Rows that a structure was built without are found all the same, once, and are strangers to it when it is measured."""

import numpy as np
import pytest

from imi.index import load
from imi.index.exact import Exact
from imi.index.heldout import LINKS, HeldOut, without
from imi.index.ladder import Ladder
from imi.index.measure import find_truth
from imi.index.native import load_rabitqlib
from imi.index.rungs import Rung

KINDS = [("flat", "float32"), ("hnsw", "int8"), ("ivf", "pq")] + ([("symphonyqg", "int8")] if load_rabitqlib() else [])


def held_from(vectors, metric="cosine", count=60):
    rows = np.random.default_rng(3).choice(len(vectors), count, replace=False)
    truth = find_truth(vectors, vectors[rows], metric, 10, rows)
    return HeldOut(truth.held, truth.rows[:, :LINKS], len(vectors)), truth


@pytest.mark.parametrize(("kind", "codec"), KINDS)
@pytest.mark.parametrize("metric", ["cosine", "l2", "dot"])
def test_a_row_held_out_is_found_through_its_nearest(nested, kind, codec, metric):
    # What a codec of products learns grows with the dimensions, and takes long.
    vectors = np.ascontiguousarray(nested[0][:, :32]) if codec == "pq" else nested[0]
    width = vectors.shape[1]
    held, truth = held_from(vectors, metric)
    ladder = Ladder.build(vectors, (Rung(width, 40, codec, kind, 80), Rung(width, 10)), metric, held_out=held)
    found = ladder.search(vectors[held.rows], 10)[1]
    best = Exact(vectors, metric).search(vectors[held.rows], 10)[1]
    same = (found[:, :, None] == best[:, None, :]).any(axis=2).mean()
    assert same > 0.85
    if metric != "dot":
        assert (found[:, 0] == held.rows).mean() > 0.95
    assert all(len(set(row)) == 10 for row in found.tolist())
    strangers = ladder.without_held_out()
    assert not np.isin(strangers.search(truth.queries, 10)[1], held.rows).any()


def test_by_a_scan_of_everything_the_answer_is_exact_and_nothing_comes_twice(nested):
    vectors, queries = nested
    held = held_from(vectors)[0]
    ladder = Ladder.build(vectors, (Rung(128, 10, "float32", "flat"), Rung(128, 10)), held_out=held)
    every = len(vectors) - 1
    scores, rows = ladder.search(queries[:5], every)
    assert np.array_equal(np.sort(rows, axis=1)[:, 1:] == np.sort(rows, axis=1)[:, :-1], np.zeros((5, every - 1), bool))
    assert np.allclose(scores, Exact(vectors).search(queries[:5], every)[0], atol=1e-5)
    allowed = held.rows[:30]
    assert set(ladder.search(queries[:3], 30, allowed)[1][0]) == set(allowed)


def test_it_is_kept_with_the_index(nested, tmp_path):
    vectors = nested[0]
    held = held_from(vectors)[0]
    ladder = Ladder.build(vectors, (Rung(64, 40, "int8", "hnsw", 80), Rung(128, 10)), held_out=held)
    ladder.save(tmp_path / "index")
    again = load(tmp_path / "index")
    mine, other = (one.search(vectors[held.rows], 5) for one in (ladder, again))
    assert np.array_equal(mine[1], other[1]) and np.array_equal(again.held_out.rows, held.rows)


def test_links_are_followed_as_a_loop_would(nested):
    count = 50
    held = HeldOut(np.array([49, 7, 20]), np.array([[1, 2, 3], [2, 4, -1], [48, 2, 1]]), count)
    lists = np.array([[5, 6, 8, -1], [2, 1, 49, 0], [-1, -1, -1, -1], [48, 7, 3, -1]])
    by_loop = {49: {1, 2, 3}, 7: {2, 4}, 20: {48, 2, 1}}
    for before, after in zip(lists, held.added_to(lists), strict=True):
        wanted = [row for row in before if row >= 0 and row not in by_loop]
        wanted += [row for row, near in by_loop.items() if near & set(before.tolist())]
        assert sorted(row for row in after if row >= 0) == sorted(wanted)
    untouched = np.array([[5, 6, -1]])
    assert held.added_to(untouched) is untouched


def test_lists_without_enough_rows_are_told():
    places, enough = without(np.array([[3, 1, 2], [1, 5, -1]]), np.array([1, 5]), 2)
    assert places[0].tolist() == [0, 2]
    assert enough.tolist() == [True, False]


def test_copies_of_a_row_held_out_leave_enough_to_measure_by(nested):
    vectors = nested[0] / np.linalg.norm(nested[0], axis=1, keepdims=True)
    vectors[100:1100] = vectors[100]
    rows = np.random.default_rng(4).choice(len(vectors), 200, replace=False)
    truth = find_truth(vectors, vectors[rows], "cosine", 10, rows)
    assert len(truth.held) == 200 and not np.isin(truth.rows, rows).any()
    others = vectors[np.setdiff1d(np.arange(len(vectors)), rows)] @ truth.queries.T
    assert np.allclose(truth.bar, np.sort(others, axis=0)[-10], atol=1e-5)
    vectors[:3000] = vectors[0]
    few = find_truth(vectors, vectors[:100], "cosine", 10, np.arange(100))
    assert len(few.queries) == len(few.held) == 0


def test_a_filter_or_a_dead_row_costs_no_recall(nested):
    vectors, queries = nested
    held = held_from(vectors, count=300)[0]
    ladder = Ladder.build(vectors, (Rung(128, 11, "float32", "flat"), Rung(128, 10)), held_out=held)
    mask = np.ones(len(vectors), dtype=bool)
    mask[17] = False
    for passing in (mask, np.arange(len(vectors)) % 2 == 0):
        best = Exact(vectors).search(queries, 10, np.flatnonzero(passing))[1]
        found = ladder.search(queries, 10, passing)[1]
        assert (found[:, :, None] == best[:, None, :]).any(axis=2).mean() > 0.98


def test_many_neighbours_leave_queries_to_measure_by(nested):
    rows = np.random.default_rng(5).choice(500, 125, replace=False)
    truth = find_truth(nested[0][:500], nested[0][rows], "cosine", 300, rows)
    assert len(truth.queries) == 125 and not np.isin(truth.rows, rows).any()


def test_one_list_gets_what_it_gets_among_many(nested):
    held = held_from(nested[0])[0]
    random = np.random.default_rng(5)
    # Rows that lead to held ones, rows that do not, held ones themselves, and places where a list had no row.
    pool = np.concatenate([held.through.ravel(), held.rows, np.arange(100), np.full(20, -1)])
    lists = np.array([random.choice(pool, 12, replace=False) for _ in range(40)])
    together = held.added_to(lists)
    for alone, shared, given in zip((held.added_to(one[None])[0] for one in lists), together, lists, strict=True):
        expected = {row for row in held.rows.tolist() if np.isin(held.through[held.rows == row], given).any()}
        assert set(alone[: -len(given)].tolist()) == expected
        assert alone[alone >= 0].tolist() == shared[shared >= 0].tolist()
        assert not np.isin(alone[-len(given) :], held.rows).any()
