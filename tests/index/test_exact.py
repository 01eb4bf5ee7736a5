import numpy as np
import pytest

from imi.errors import UsageError
from imi.index.base import Index
from imi.index.exact import Exact


def oracle(vectors, queries, k, metric, dims=None, allowed=None):
    """Slow and plain: every score in float64, one pair at a time; ties by row."""
    dims = dims or vectors.shape[1]
    x, q = vectors[:, :dims].astype(np.float64), queries[:, :dims].astype(np.float64)
    rows = range(len(x)) if allowed is None else sorted(set(allowed))
    scores = np.full((len(q), k), -np.inf, np.float32)
    found = np.full((len(q), k), -1)
    for i, one in enumerate(q):
        pairs = []
        for row in rows:
            if metric == "l2":
                score = -np.sqrt(((one - x[row]) ** 2).sum())
            else:
                score = (one * x[row]).sum()
                lengths = np.linalg.norm(one) * np.linalg.norm(x[row])
                if metric == "cosine":
                    score = score / lengths if lengths > 0 else 0.0
            pairs.append((-np.float32(score), row))
        for at, (negative, row) in enumerate(sorted(pairs)[:k]):
            scores[i, at], found[i, at] = -negative, row
    return scores, found


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    return random.standard_normal((6000, 24)).astype(np.float32) * random.uniform(0.5, 2, (6000, 1)).astype(np.float32)


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@pytest.mark.parametrize("dims", [None, 5])
def test_agrees_with_the_slow_oracle(table, metric, dims):
    queries = np.random.default_rng(1).standard_normal((4, 24)).astype(np.float32)
    scores, rows = Exact(table, metric, dims).search(queries, 12)
    expected_scores, expected_rows = oracle(table, queries, 12, metric, dims)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-6)
    assert scores.dtype == np.float32
    assert rows.dtype == np.int64


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_equal_vectors_come_in_the_order_of_their_rows(metric):
    random = np.random.default_rng(2)
    table = np.repeat(random.standard_normal((3, 40)).astype(np.float32), [3000, 4001, 2000], axis=0)
    table = table[random.permutation(len(table))]
    scores, rows = Exact(table, metric).search(random.standard_normal((3, 40)), 50)
    for one_scores, one_rows in zip(scores, rows, strict=True):
        assert len(set(one_scores.tolist())) == 1
        same = np.flatnonzero((table == table[one_rows[0]]).all(axis=1))
        np.testing.assert_array_equal(one_rows, same[:50])


def test_allowed_is_exact_over_those_rows_and_pads_when_they_are_few(table):
    allowed = np.array([5999, 17, 4000, 3, 17])
    queries = table[[17, 100]]
    scores, rows = Exact(table).search(queries, 6, allowed)
    expected_scores, expected_rows = oracle(table, queries, 6, "cosine", allowed=allowed.tolist())
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-6)
    assert rows[0, 0] == 17
    assert (rows[:, 4:] == -1).all()
    assert np.isneginf(scores[:, 4:]).all()
    assert (Exact(table).search(queries, 3, np.array([], np.int64))[1] == -1).all()


def test_zero_and_nan_rows_do_no_harm(table):
    table[10], table[20, 3] = 0, np.nan
    for metric in ("cosine", "dot", "l2"):
        rows = Exact(table, metric).search(table[[30]], len(table))[1][0]
        assert 20 not in rows
        assert sorted(rows.tolist()) == [-1, *[row for row in range(len(table)) if row != 20]]


def test_works_on_a_memory_map_of_float16_and_for_one_query(table, tmp_path):
    half = table.astype(np.float16)
    half.tofile(tmp_path / "half.bin")
    mapped = np.memmap(tmp_path / "half.bin", np.float16, "r", shape=half.shape)
    index = Exact(mapped)
    scores, rows = index.search(table[7], 5)
    expected_scores, expected_rows = oracle(half, table[[7]], 5, "cosine")
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-6)
    assert isinstance(index, Index)
    assert len(index) == 6000


def test_an_empty_table_gives_padding():
    scores, rows = Exact(np.empty((0, 4), np.float32)).search(np.ones((2, 4)), 3)
    assert (rows == -1).all()
    assert np.isneginf(scores).all()


def test_errors_name_the_value_and_what_is_allowed(table):
    with pytest.raises(UsageError, match="manhattan"):
        Exact(table, "manhattan")
    with pytest.raises(UsageError, match="25"):
        Exact(table, dims=25)
    with pytest.raises(UsageError, match="width 24"):
        Exact(table).search(np.ones((1, 23)))
    with pytest.raises(UsageError, match="k=0"):
        Exact(table).search(table[:1], 0)
    with pytest.raises(UsageError, match="6000"):
        Exact(table).search(table[:1], 1, np.array([6000]))
