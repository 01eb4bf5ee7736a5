"""Customising, profiles, zero-shot and code search on data whose answer is known."""

from itertools import pairwise

import numpy as np
import pytest
from tests.needs import needs

from imi import tasks
from imi.errors import DataError, UsageError
from imi.tasks.certainty import certainty_of
from imi.tasks.code import functions
from imi.tasks.customize import best_threshold, load_customization, roc_area
from imi.tasks.label_phrasings import known, phrasings, star_of
from imi.tasks.self_taught import sure_as
from imi.vectors import normalize

pytestmark = needs("sklearn")


def setup_module():
    global roc_auc_score
    from sklearn.metrics import roc_auc_score


@pytest.fixture(scope="module")
def paired():
    """Return rows in which only the last 8 of 32 numbers say what belongs together, and pairs that do or do not."""
    rng = np.random.default_rng(6)
    kind = rng.integers(0, 6, 400)
    z = normalize(np.hstack([rng.normal(size=(400, 24)), 0.9 * rng.normal(size=(6, 8))[kind]]))
    order = rng.permutation(400).reshape(-1, 2)
    mates = [(int(a), int(rng.choice(np.flatnonzero(kind == kind[a]))), 1) for a, _ in order[:100]]
    return z, [*mates, *((int(a), int(b), 1 if kind[a] == kind[b] else 0) for a, b in order)]


def test_a_matrix_brings_together_what_belongs_together(paired, tmp_path):
    z, pairs = paired
    result = tasks.customize(z, pairs, test=0.2, strength=0.1)
    assert result.after["auc"] > result.before["auc"] + 0.05
    assert all(after > before for before, after in result.prefixes.values())
    moved = result.apply(z)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-5)
    result.save(tmp_path / "m.npz")
    np.testing.assert_array_equal(load_customization(tmp_path / "m.npz")[0], result.matrix)
    result.figure(tmp_path / "m.png")
    (tmp_path / "bad.npz").write_bytes(b"x")
    with pytest.raises(DataError):
        load_customization(tmp_path / "bad.npz")


def test_thresholds_and_areas_are_the_textbook_ones():
    rng = np.random.default_rng(0)
    near = rng.random(200) < 0.4
    scores = np.round(near * 0.5 + rng.normal(size=200), 1)
    assert roc_area(scores, near) == pytest.approx(roc_auc_score(near, scores))
    best = max(((scores >= t) == near).mean() for t in np.linspace(-4, 4, 801))
    assert ((scores >= best_threshold(scores, near)) == near).mean() >= best - 0.02


def test_pairs_that_teach_nothing_are_refused(paired):
    z, pairs = paired
    for bad, words in (
        (pairs[:5], "5 pairs"),
        ([(0, 999, 1)] * 20, "999"),
        ([(0, 1, 1)] * 20, "all 20 pairs are near"),
        ([(0, 1)] * 20, "allowed are"),
    ):
        with pytest.raises(UsageError, match=words):
            tasks.customize(z, bad)


def test_profiles_are_means_and_foretell_without_themselves():
    rng = np.random.default_rng(8)
    users, products = rng.integers(0, 20, 300), rng.integers(0, 30, 300)
    mood = rng.normal(size=20)
    stars = mood[users] + 0.3 * rng.normal(size=300)
    z = normalize(np.hstack([stars[:, None], rng.normal(size=(300, 15)) * 0.5 + 1]))
    result = tasks.profiles(z, [users.tolist(), products.tolist()], stars.tolist())
    assert result.correlation > 0.5 and result.n > 280
    assert result.interval[0] < result.correlation < result.interval[1]
    np.testing.assert_allclose(result["0"].vectors[3], normalize(z[users == 3].mean(axis=0)), atol=1e-5)
    assert result["0"].sizes.sum() == 300
    name, cosine = result["0"].similar(3, 1)[0]
    cosines = result["0"].vectors @ result["0"].vectors[3]
    assert name == np.argsort(-cosines)[1] and cosine == pytest.approx(np.sort(cosines)[-2])
    shuffled = tasks.profiles(z, [users.tolist(), products.tolist()], rng.permutation(stars).tolist())
    assert abs(shuffled.correlation) < 0.25
    by_texts, by_mean = (
        tasks.profiles(z, [users.tolist(), products.tolist()], stars.tolist(), method=one) for one in ("texts", "mean")
    )
    assert result.texts == by_texts.correlation and result.baseline["correlation"] == by_mean.correlation
    assert result.correlation > max(by_texts.correlation, by_mean.correlation) - 0.02
    low, high = np.sort([by_texts.predicted, by_mean.predicted], axis=0)
    assert (low - 1e-9 <= result.predicted).all() and (result.predicted <= high + 1e-9).all()
    with pytest.raises(UsageError, match="'x' has no profile"):
        result["0"].similar("x")
    with pytest.raises(UsageError, match="owners"):
        tasks.profiles(z, [list(range(300))], stars.tolist())


GOOD_OR_BAD = {"good": "good", "bad": "bad"}


class Words:
    """An embedder for which texts are near when they share words."""

    def embed(self, texts, kind="document", dims=None):
        known = ["good", "bad", "food", "movie"]
        z = np.array([[text.lower().count(word) + 0.01 for word in known] for text in texts], dtype=np.float32)
        return normalize(z)


def test_zero_shot_judges_abstains_and_calibrates(tmp_path):
    texts = ["good food", "bad food", "good movie", "bad movie", "movie"] * 20
    truth = ["good", "bad", "good", "bad", "other"] * 20
    result = tasks.zero_shot(texts, ["good", "bad"], Words(), truth=truth)
    assert result.accuracy == 1 and result.n == 80 and result.coverage == 1 and result.calibrated == 1
    result.figure(tmp_path / "z.png")
    unsure = tasks.zero_shot(texts, {"good": "good", "bad": "bad"}, Words(), abstain=0.6)
    assert unsure.predictions[4] is None and unsure.predictions[:2] == ("good", "bad")
    described = tasks.zero_shot(texts[:2], {"+": "good thing", "-": ["bad thing", "bad"]}, Words())
    assert described.predictions == ("+", "-")
    for labels, words in ((["a"], "not 1"), ("a,b", "one text"), (["a", " "], "not empty")):
        with pytest.raises(UsageError, match=words):
            tasks.zero_shot(texts, labels, Words())
    with pytest.raises(UsageError, match="need a model"):
        tasks.zero_shot(texts, ["a", "b"])


def test_surest_rows_teach_zero_shot_where_there_are_enough():
    texts = ["good food yum", "bad food yuck", "good movie", "bad movie", "movie yum", "movie yuck"] * 20
    truth = ["good", "bad"] * 60

    class Tasting(Words):
        def embed(self, texts, kind="document", dims=None):
            known = ["good", "bad", "food", "movie", "yum", "yuck"]
            z = np.array([[text.lower().split().count(word) + 0.01 for word in known] for text in texts], np.float32)
            return normalize(z)

    alone = tasks.zero_shot(texts, GOOD_OR_BAD, Tasting(), truth=truth, method="descriptions")
    taught = tasks.zero_shot(texts, GOOD_OR_BAD, Tasting(), truth=truth)
    assert (alone.method, taught.method) == ("descriptions", "rows")
    # No description says "yum"; rows that are good do.
    assert taught.accuracy == 1 > alone.accuracy
    assert {one.method for one in taught.baselines} == {"descriptions", "commonest", "shared words"}
    assert tasks.zero_shot(texts[:99], GOOD_OR_BAD, Tasting()).method == "descriptions"
    with pytest.raises(UsageError, match="method is 'best', allowed are rows, descriptions"):
        tasks.zero_shot(texts, GOOD_OR_BAD, Tasting(), method="best")


def test_labels_of_a_known_scale_are_described_by_what_their_texts_say():
    for labels in (["good", "bad"], ["ポジティブ", "ネガティブ", "中立"], ["👍", "👎"], ["spam", "ham"], list("12345")):
        assert known(labels) and all(len(phrasings(label, labels)) >= 6 for label in labels), labels
    for labels in (["good", "movie"], ["good", "neutral"], ["1", "2"], ["weather", "recipe"], ["spam", "good"]):
        assert not known(labels) and len(phrasings(labels[0], labels)) == 4, labels
    stars = ["★", "星2つ", "3 stars", "4", "5つ星"]
    assert [star_of(one) for one in stars] == [1, 2, 3, 4, 5] and known(stars)
    assert [star_of(one) for one in (4.0, "6 stars", "good", True, None, 2.5)] == [4, None, None, None, None, None]


def test_confidence_is_told_from_what_is_right():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 5000).astype(np.float32)
    honest = certainty_of(sure, rng.uniform(size=5000) < sure)
    boastful = certainty_of(sure, rng.uniform(size=5000) < 0.5)
    assert honest.error < 0.03 < 0.2 < boastful.error
    assert [one[0] for one in honest.limits] == [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    assert all(later[1] < first[1] and later[2] > first[2] for first, later in pairwise(honest.limits))
    assert certainty_of(sure[:9], sure[:9] > 0) is None
    scores = rng.normal(size=(200, 3))
    for goal in (0.5, 0.9):
        assert sure_as(scores, goal).max(axis=1).mean() == pytest.approx(goal, abs=0.01)
    assert 0.9 < sure_as(scores, 2.0).max(axis=1).mean() < 0.995
    assert (sure_as(np.zeros((4, 2)), 0.9) == 0.5).all()


SOURCES = {
    "a.py": "class Reader:\n    def read_csv(self, path):\n        return path\n\n\nasync def sendMail(): ...\n",
    "b.js": "// adds two numbers\nfunction addNumbers(a, b) { return a + b; }\nconst twice = (x) => 2 * x;\n",
    "c.go": "package main\n\nfunc Sort(xs []int) {}\n",
    "d.c": "int *find_first(char *s) { return 0; }\n",
    "broken.py": "def (",
    "node_modules/e.js": "function hidden() {}",
}


def test_functions_are_found_with_path_and_line(tmp_path, embedder):
    for name, source in SOURCES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    found = {(function.path.rpartition("/")[2], function.line, function.name) for function in functions(tmp_path)}
    assert found == {
        ("a.py", 2, "Reader.read_csv"),
        ("a.py", 6, "sendMail"),
        ("b.js", 2, "addNumbers"),
        ("b.js", 3, "twice"),
        ("c.go", 3, "Sort"),
        ("d.c", 1, "find_first"),
    }
    hits = tasks.code(tmp_path, "read csv", embedder, k=2)
    assert len(hits) == 2 and hits[0].score >= hits[1].score
    assert set(hits[0].to_dict()) == {"id", "score", "text", "metadata", "path", "line"}
    (tmp_path / "empty").mkdir()
    for folder, question, words in (
        (tmp_path / "none", "x", "no folder"),
        (tmp_path / "empty", "x", "no functions"),
        (tmp_path, " ", "empty"),
    ):
        with pytest.raises(UsageError, match=words):
            tasks.code(folder, question, embedder)


def test_copies_that_differ_by_rounding_are_copies_to_profiles():
    rng = np.random.default_rng(4)
    z = normalize(rng.normal(size=(200, 16)).astype(np.float32))
    numbers = rng.normal(size=200)  # which vectors know nothing of
    both = np.vstack([z, z + rng.uniform(-2e-7, 2e-7, z.shape).astype(np.float32)])
    owners = [[f"u{row % 40}" for row in range(400)], [f"p{row % 50}" for row in range(400)]]
    found = tasks.profiles(both, owners, [*numbers, *numbers], copies=False)
    exact = tasks.profiles(np.vstack([z, z]), owners, [*numbers, *numbers], copies=False)
    assert found.n == exact.n and found.correlation == pytest.approx(exact.correlation, abs=0.01)
