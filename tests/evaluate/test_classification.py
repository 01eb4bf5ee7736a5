import numpy as np
import pytest

from imi.errors import UsageError
from imi.evaluate import classification
from imi.vectors import normalize

RANDOM = np.random.default_rng(0)


def blobs(n, classes=3, width=8):
    centres = normalize(np.random.default_rng(9).normal(size=(classes, width)))
    labels = RANDOM.integers(0, classes, n)
    return normalize(centres[labels] + RANDOM.normal(size=(n, width)) * 0.25), np.array(["x", "y", "z"])[labels]


def test_the_nearest_vote_by_their_cosines():
    seen, known = blobs(60)
    asked, truth = blobs(40)
    found = classification((seen, asked), ((), known), ((), truth), dims=[4, 8])
    for dims, score in found.items():
        a, b = normalize(asked[:, :dims]), normalize(seen[:, :dims])
        guesses = []
        for row in a @ b.T:
            best = np.argsort(-row, kind="stable")[:5]
            votes = {label: sum(max(row[i], 1e-6) for i in best if known[i] == label) for label in set(known)}
            guesses.append(max(votes, key=votes.get))
        assert score.value == np.mean(np.array(guesses) == truth)
    assert found[8].metric == "accuracy" and found[8].value > 0.8


def test_macro_f1_agrees_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    from imi.evaluate.classification import accuracy

    truth, guess = RANDOM.integers(0, 4, 50), RANDOM.integers(0, 4, 50)
    score = accuracy(guess, truth)
    assert score.value == pytest.approx(sklearn.accuracy_score(truth, guess))
    assert score.also["macro_f1"] == pytest.approx(sklearn.f1_score(truth, guess, average="macro"))


def test_logistic_regression_learns_what_neighbours_do():
    pytest.importorskip("sklearn")
    seen, known = blobs(90)
    asked, truth = blobs(60)
    assert classification((seen, asked), ((), known), ((), truth), head="logistic")[8].value > 0.8


def test_bad_use_is_refused(embedder):
    with pytest.raises(UsageError, match="head is 'tree'"):
        classification(embedder, (["a"], ["x"]), (["b"], ["x"]), head="tree")
    with pytest.raises(UsageError, match="2 and 1 labels meet 1 and 1"):
        classification(embedder, (["a"], ["x", "y"]), (["b"], ["x"]))
