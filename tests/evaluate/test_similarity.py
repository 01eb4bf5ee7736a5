import numpy as np
import pytest
from tests.needs import needs

import imi
from imi.errors import UsageError
from imi.evaluate import bitext, sts
from imi.evaluate.baselines import CharNgrams, bitext_floor, sts_floor

pytestmark = needs("scipy")


def setup_module():
    global spearmanr
    from scipy.stats import spearmanr


PAIRS = [
    ("a cat sat", "the cat sits"),
    ("red car", "blue sky"),
    ("猫が寝る", "猫は寝ている"),
    ("rain", "rain"),
    ("x", "犬"),
]
SCORES = [4.0, 0.5, 4.5, 5.0, 0.0]


def test_sts_is_the_correlation_of_truncated_cosines(embedder):
    found = sts(embedder, PAIRS, SCORES, dims=[16, 64])
    assert list(found) == [64, 16]
    for dims, score in found.items():
        a, b = (imi.truncate(embedder.embed([p[side] for p in PAIRS]), dims) for side in (0, 1))
        cosines = (a * b).sum(axis=1)
        assert np.allclose(score.items, cosines, atol=1e-6)
        assert score.value == pytest.approx(spearmanr(cosines, SCORES).statistic)
        assert score.metric == "spearman" and score.interval[0] <= score.value <= score.interval[1]
    vectors = tuple(embedder.embed([p[side] for p in PAIRS]) for side in (0, 1))
    assert sts(vectors, (), SCORES, dims=16)[16] == found[16]
    assert list(sts(embedder, PAIRS, SCORES)) == [64]


def test_texts_are_encoded_once_for_all_dims(embedder):
    class Counting:
        info = embedder.info
        calls = 0

        def embed(self, texts, kind="document", dims=None, *, progress=None):
            self.calls += 1
            assert dims is None
            return embedder.embed(texts, kind, dims)

    model = Counting()
    seen = []
    sts(model, PAIRS, SCORES, dims=[16, 32, 64], progress=lambda done, total: seen.append((done, total)))
    assert model.calls == 2 and seen == [(5, 10), (10, 10)]


def test_bitext_counts_the_nearest_both_ways():
    a = np.eye(4, dtype=np.float32)
    b = a.copy()
    b[3] = [0.9, 0, 0, 0.1]
    found = bitext((a, b), ())[4]
    # Row 3 of b lies near a[0]; a[3] still finds it, as nothing else has its fourth number.
    assert found.also == {"forward": 1.0, "backward": 0.75} and found.value == 0.875
    assert found.items.tolist() == [1, 1, 1, 0.5]
    same = np.ones((3, 2), np.float32)
    assert bitext((same, same), ())[2].value == 0.0, "a tie finds nothing"


def test_ngrams_agree_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.feature_extraction.text")
    texts = ["Red car!", "blue  sky", "猫が寝る", "猫は寝ている", ""]
    peer = sklearn.TfidfVectorizer(analyzer=lambda t: CharNgrams([])._grams(t)).fit(texts).transform(texts)
    ours = CharNgrams(texts).vectors(texts)
    assert np.allclose((ours @ ours.T).toarray(), (peer @ peer.T).toarray())


def test_the_floors_know_no_language():
    assert sts_floor(PAIRS, SCORES).value > 0.8
    assert bitext_floor([("a cat", "a cat!"), ("dog", "dogs"), ("猫", "cat")]).also["forward"] == pytest.approx(2 / 3)


def test_sizes_that_do_not_fit_are_refused(embedder):
    with pytest.raises(UsageError, match="5 and 5 vectors meet 2 scores"):
        sts(embedder, PAIRS, [1, 2])
    with pytest.raises(UsageError, match="dims is 65"):
        sts(embedder, PAIRS, SCORES, dims=65)
    with pytest.raises(UsageError, match="shapes"):
        bitext((np.ones((2, 3)), np.ones((2, 4))), ())
