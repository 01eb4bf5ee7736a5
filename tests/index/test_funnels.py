import numpy as np
import pytest

from imi.index.goal import Goal
from imi.index.ladder import Ladder
from imi.index.measure import Point, find_truth, front, funnels
from imi.index.rungs import Rung


@pytest.fixture
def measured(nested, monkeypatch):
    monkeypatch.setattr("imi.index.measure.latency", lambda *_, **__: 1e-4)
    vectors, queries = nested
    ladder = Ladder.build(vectors, (Rung(16, 100, "float32", "flat"), Rung(128, 10)))
    return ladder, find_truth(vectors, queries, "cosine", 10)


def test_rungs_between_double_the_dims_cut_the_list_and_are_measured(measured):
    ladder, truth = measured
    point = next(one for one in front(ladder, [truth], Goal(0.9)) if one.recall >= 0.9)
    found = funnels(ladder, [truth], Goal(0.9), point)
    assert {len(one.rungs) for one in found} == {3, 4}
    for one in found:
        dims = [rung.dims for rung in one.rungs]
        keeps = [rung.keep for rung in one.rungs]
        assert dims[0] == 16 and dims[-1] == 128 and dims == sorted(set(dims))
        assert keeps == sorted(keeps, reverse=True) and keeps[1] < keeps[0]
        recall = truth.recalls(*ladder.with_rungs(one.rungs).search(truth.queries, 10)).mean()
        assert one.recall == pytest.approx(float(recall))
        assert one.low <= one.recall <= one.high
    assert max(one.recall for one in found) > point.recall - 0.1


def test_where_the_first_rung_reads_half_there_is_no_room(nested, measured):
    truth = measured[1]
    ladder = Ladder.build(nested[0], (Rung(64, 50, "float32", "flat"), Rung(128, 10)))
    assert funnels(ladder, [truth], Goal(0.9), Point(ladder.rungs, 1.0, 1.0, 1.0, 1e-4, 1.0)) == []
    assert np.isfinite(truth.bar).all()
