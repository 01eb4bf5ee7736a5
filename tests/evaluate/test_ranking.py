import math

import numpy as np
import pytest

from imi.errors import UsageError
from imi.evaluate.ranking import (
    average_precision,
    gains_of_labels,
    gains_of_lists,
    metrics,
    ndcg,
    nearest,
    precision,
    recall,
    reciprocal_rank,
)


def test_a_ranking_worked_out_by_hand():
    gains = gains_of_lists([[5, 2, 9, 1]], [{2: 1.0, 1: 1.0, 7: 1.0, 8: 0.0}])
    assert reciprocal_rank(gains) == pytest.approx([1 / 2])
    assert recall(gains, 3) == pytest.approx([1 / 3]) and recall(gains, 4) == pytest.approx([2 / 3])
    assert precision(gains, 4) == pytest.approx([2 / 4])
    assert average_precision(gains, 4) == pytest.approx([(1 / 2 + 2 / 4) / 4])
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(gains, 10) == pytest.approx([(1 / math.log2(3) + 1 / math.log2(5)) / ideal])


def test_gains_weigh_in_ndcg():
    gains = gains_of_lists([[0, 1], [1, 0]], [{0: 3.0, 1: 1.0}] * 2)
    low = (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3))
    assert ndcg(gains) == pytest.approx([1.0, low])


def test_ndcg_agrees_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    for _ in range(20):
        truth, scores = random.integers(0, 3, 30), random.normal(size=30)
        rows = np.argsort(-scores)[None, :]
        gains = gains_of_lists(rows, [{i: float(g) for i, g in enumerate(truth)}])
        assert ndcg(gains, 10)[0] == pytest.approx(sklearn.ndcg_score([truth], [scores], k=10), abs=1e-6)


def test_labels_and_lists_say_the_same():
    random = np.random.default_rng(1)
    labels, asked = random.integers(0, 4, 50), random.integers(0, 4, 12)
    rows = np.stack([random.permutation(50)[:30] for _ in asked])
    listed = [{i: 1.0 for i in np.flatnonzero(labels == label)} for label in asked]
    by_label, by_list = metrics(gains_of_labels(rows, asked, labels)), metrics(gains_of_lists(rows, listed))
    assert set(by_label) == {"ndcg@10", "mrr", "top1"} | {f"{m}@{k}" for m in ("recall", "map", "p") for k in (10, 25)}
    for name in by_label:
        assert np.allclose(by_label[name], by_list[name]), name


def test_missing_rows_are_no_hits():
    gains = gains_of_lists([[-1, -1, 3], [-1, -1, -1]], [{3: 1.0}, {}])
    assert reciprocal_rank(gains) == pytest.approx([1 / 3, 0]) and ndcg(gains).tolist()[1] == 0
    assert gains_of_labels([[-1, 0]], ["a"], ["b", "a"]).found.tolist() == [[0, 0]]


def test_rankings_that_cannot_be_are_refused():
    with pytest.raises(UsageError, match="twice"):
        gains_of_lists([[1, 1]], [{}])
    with pytest.raises(UsageError, match="1 rankings meet 2"):
        gains_of_lists([[1]], [{}, {}])
    with pytest.raises(UsageError, match="shape"):
        gains_of_lists([1, 2], [{}])


def test_nearest_is_the_full_sort():
    random = np.random.default_rng(0)
    queries, documents = random.normal(size=(7, 5)).astype(np.float32), random.normal(size=(40, 5)).astype(np.float32)
    scores, rows = nearest(queries, documents, 10)
    full = queries @ documents.T
    assert (rows == np.argsort(-full, axis=1)[:, :10]).all()
    assert np.allclose(scores, np.take_along_axis(full, rows, axis=1))
    assert nearest(queries, documents[:3], 10)[1].shape == (7, 3)
