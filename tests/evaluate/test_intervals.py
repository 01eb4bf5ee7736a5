import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.needs import needs

from imi.errors import UsageError
from imi.evaluate.intervals import mean_difference, mean_interval, spearman, spearman_difference, spearman_interval

pytestmark = needs("scipy")


def setup_module():
    global spearmanr
    from scipy.stats import spearmanr


values = st.lists(st.integers(-3, 3), min_size=3, max_size=30)


@given(values, st.integers(0, 99))
def test_spearman_is_that_of_scipy_with_ties(a, seed):
    b = np.random.default_rng(seed).integers(0, 4, len(a))
    expected = spearmanr(a, b).statistic if len(set(a)) > 1 and len(set(b.tolist())) > 1 else 0.0
    assert spearman(a, b) == pytest.approx(expected, abs=1e-9)


def test_resampled_spearman_is_that_of_ranking_the_drawn_rows_anew():
    random = np.random.default_rng(3)
    a, b = random.normal(size=40).round(1), random.normal(size=40).round(1)
    again = np.random.default_rng(0)
    drawn = [again.integers(0, 40, 40) for _ in range(50)]
    slow = np.quantile([spearmanr(a[rows], b[rows]).statistic for rows in drawn], [0.025, 0.975])
    assert spearman_interval(a, b, resamples=50) == pytest.approx(tuple(slow))


def test_an_interval_holds_the_mean_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    inside = 0
    for _ in range(100):
        low, high = mean_interval(random.normal(size=60), resamples=300)
        inside += low <= 0 <= high
    assert 86 <= inside <= 100


def test_differences_are_paired():
    random = np.random.default_rng(0)
    base = random.normal(size=200)
    better = base + 0.1 + random.normal(size=200) * 0.05
    found = mean_difference(better, base)
    assert found.value == pytest.approx(0.1, abs=0.02) and found.interval[0] > 0.08
    gold = random.normal(size=200)
    close, far = gold + random.normal(size=200) * 0.3, gold + random.normal(size=200)
    gap = spearman_difference(close, far, gold)
    assert gap.value == pytest.approx(spearman(close, gold) - spearman(far, gold)) and gap.interval[0] > 0
    assert gap.to_dict() == {"value": gap.value, "interval": list(gap.interval)}


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="3 values meet 2"):
        spearman([1, 2, 3], [1, 2])
    with pytest.raises(UsageError, match="NaN"):
        mean_interval([1, np.nan])
    assert mean_interval([]) == (0.0, 0.0) and mean_difference([], []).value == 0.0
