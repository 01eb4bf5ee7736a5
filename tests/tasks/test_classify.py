"""Classification and regression: compared with counting and with scikit-learn; bad input is refused."""

import numpy as np
import pytest
from tests.needs import needs

from imi import tasks
from imi.errors import DataError, UsageError
from imi.tasks.classifier_heads import load_head, train_head
from imi.tasks.classify import macro_f1, split_rows
from imi.tasks.intervals import bootstrap, wilson
from imi.vectors import normalize

pytestmark = needs("sklearn")


def setup_module():
    global f1_score
    from sklearn.metrics import f1_score


@pytest.mark.parametrize("head", ["kernel", "logistic", "knn"])
def test_groups_are_learned_and_the_head_survives_saving(groups, head, tmp_path):
    z, labels = groups
    names = np.array(["猫", "dog", "鳥"])[labels]
    result = tasks.classify(z, names, head=head)
    assert result.accuracy > 0.95
    assert result.n == 60 and result.confusion.sum() == 60
    assert result.accuracy == np.trace(result.confusion) / 60
    assert result.interval[0] < result.accuracy <= result.interval[1]
    assert (result.predict(z) == names).mean() > 0.97
    result.head.save(tmp_path / "head.npz")
    assert (load_head(tmp_path / "head.npz").predict(z) == result.predict(z)).all()
    assert tasks.classify(z, names, head=head).to_dict() == result.to_dict()


def test_labels_keep_their_kind_and_missing_ones_are_left_out(groups):
    z, labels = groups
    given = [None if row % 10 == 0 else int(label) for row, label in enumerate(labels)]
    result = tasks.classify(z, given, dims=16)
    assert result.labels == (0, 1, 2)
    assert result.head.dims == 16
    assert isinstance(result.predict(z)[0], int)


def test_macro_f1_is_the_textbook_one():
    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    confusion = np.zeros((4, 4), np.int64)
    np.add.at(confusion, (truth, said), 1)
    assert macro_f1(confusion) == pytest.approx(f1_score(truth, said, average="macro"))


def test_the_split_holds_out_each_label_in_proportion():
    codes = np.repeat([0, 1, 2], [100, 50, 1])
    train, held = split_rows(codes, 0.2, 0)
    assert sorted([*train, *held]) == list(range(151))
    assert (codes[held] == 0).sum() == 20 and (codes[held] == 1).sum() == 10
    assert (codes[held] == 2).sum() == 0


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["a"] * 300, "only 'a'"),
        ([None] * 300, "none"),
        (list(range(300)), "300 different labels"),
        (["a", "b"], "2 labels for 300"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(groups, labels, words):
    with pytest.raises(UsageError, match=words):
        tasks.classify(groups[0], labels)


def test_other_bad_input_is_refused(groups, tmp_path):
    z, labels = groups
    with pytest.raises(UsageError, match="all 300 vectors are the same"):
        tasks.classify(np.ones((300, 8)), labels)
    with pytest.raises(UsageError, match="head is 'tree'"):
        tasks.classify(z, labels, head="tree")
    with pytest.raises(UsageError, match=r"test is 1\.5"):
        tasks.classify(z, labels, test=1.5)
    with pytest.raises(UsageError, match="column 'x' was asked of a bare array"):
        tasks.classify(z, "x")
    with pytest.raises(UsageError, match="no head"):
        load_head(tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"no zip")
    with pytest.raises(DataError, match="not a head"):
        load_head(tmp_path / "bad.npz")
    with pytest.raises(UsageError, match="the head reads 32"):
        train_head(z, labels, [0, 1, 2], "knn").predict(z[:, :8])


def test_regression_reports_what_it_predicts(groups):
    z, _ = groups
    rng = np.random.default_rng(1)
    y = z @ rng.normal(size=32) + 0.1 * rng.normal(size=300)
    result = tasks.regress(z, y)
    assert result.mse < 0.2 * result.dummy["mse"]
    assert result.mse == pytest.approx(((result.predicted - result.truth) ** 2).mean())
    assert result.interval[0] < result.mse < result.interval[1]
    assert y.min() <= result.predict(z).min() and result.predict(z).max() <= y.max()


def test_confidences_of_the_kernel_head_are_honest():
    rng = np.random.default_rng(5)
    z = normalize(rng.normal(size=(900, 4)))
    right = (rng.random(900) < 1 / (1 + np.exp(-3 * z[:, 0]))).astype(np.int64)
    head = train_head(z[:600], right[:600], ["no", "yes"], "kernel")
    sure = head.confidences(z[600:])[:, 1]
    np.testing.assert_allclose(head.confidences(z).sum(axis=1), 1, atol=1e-5)
    assert abs(sure.mean() - right[600:].mean()) < 0.06
    assert abs(sure[sure > 0.7].mean() - right[600:][sure > 0.7].mean()) < 0.1


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([1.0] * 300, "nothing to predict"),
        (["x"] * 300, "not a number"),
        ([None] * 300, "0 rows"),
        ([1.0], "1 numbers for"),
    ],
)
def test_numbers_that_cannot_be_learned_are_refused(groups, y, words):
    with pytest.raises(UsageError, match=words):
        tasks.regress(groups[0], y)


def test_intervals():
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    values = np.random.default_rng(0).normal(3, 1, 400)
    low, high = bootstrap(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.2)
    assert bootstrap(values) == (low, high)


def test_figures_are_drawn_without_a_warning(groups, tmp_path):
    z, labels = groups
    result = tasks.classify(z, np.array(["chat", "dog $x$", "Größe"])[labels], head="knn")
    for name in ("a.png", "a.svg", "a.html"):
        result.figure(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    assert "Content-Security-Policy" in (tmp_path / "a.html").read_text("utf-8")
    with pytest.raises(UsageError, match=r"\.gif"):
        result.figure(tmp_path / "a.gif")
    tasks.regress(z, labels).figure(tmp_path / "b.png")
