import numpy as np
import pytest

from imi.errors import UsageError
from imi.evaluate import adaptive


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.fixture
def made():
    """Return probabilities that get better with dims, and labels."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 5, 2000)
    truth = np.eye(5)[labels]
    noise = random.normal(size=(2000, 5))
    out = {
        m: softmax(3 * truth + noise * s + random.normal(size=(2000, 5)) * 0.2)
        for m, s in ((8, 2.5), (16, 1.8), (64, 1.2))
    }
    return out, labels


def test_thresholds_are_the_smallest_best_of_the_grid(made):
    probabilities, labels = made
    found = adaptive(probabilities, labels, validation=500, seeds=1)
    rows = np.random.default_rng(0).permutation(2000)
    held, test = rows[:500], rows[500:]
    grid = np.linspace(0.1, 1, 100)
    slow = []
    for low, high in ((8, 16), (16, 64)):
        best = -1.0
        for t in grid:
            stay = probabilities[low][held].max(1) >= t
            guess = np.where(stay, probabilities[low][held].argmax(1), probabilities[high][held].argmax(1))
            if (guess == labels[held]).mean() > best + 1e-12:
                best, kept = (guess == labels[held]).mean(), t
        slow.append(kept)
    assert found.thresholds == pytest.approx(slow)
    for last, step in enumerate(found.steps):
        hits, cost = [], []
        for row in test:
            for at, m in enumerate([8, 16, 64][: last + 1]):
                if at == last or probabilities[m][row].max() >= slow[at]:
                    hits.append(probabilities[m][row].argmax() == labels[row])
                    cost.append(m)
                    break
        assert step.accuracy == pytest.approx(np.mean(hits)) and step.expected_dims == pytest.approx(np.mean(cost))


def test_the_cascade_stands_between_the_sizes_that_it_uses(made):
    probabilities, labels = made
    found = adaptive(probabilities, labels, seeds=5)
    full = found.steps[-1]
    assert [step.dims for step in found.steps] == [8, 16, 64] and found.n == 1600
    assert full.accuracy > found.steps[1].single and full.expected_dims < 50
    assert found.oracle >= max(step.single for step in found.steps)
    assert found.steps[0].accuracy == found.steps[0].single and found.steps[0].expected_dims == 8
    assert found.cheapest(within=0.1) == full and found.cheapest(within=1.0) == found.steps[0]
    assert found.cheapest(within=-1.0) is None
    assert set(found.to_dict()) == {"steps", "thresholds", "oracle", "n"} and full.accuracy_std >= 0


def test_what_are_no_probabilities_is_refused(made):
    probabilities, labels = made
    with pytest.raises(UsageError, match="softmax"):
        adaptive({8: probabilities[8] * 5}, labels)
    with pytest.raises(UsageError, match="at least one row"):
        adaptive(probabilities, labels, validation=2000)
    with pytest.raises(UsageError, match="shapes"):
        adaptive({8: probabilities[8], 16: probabilities[16][:5]}, labels)
