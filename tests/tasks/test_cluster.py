"""Clustering: known groups are found, figures agree with scikit-learn's, names come from the groups' own words."""

import numpy as np
import pytest
from tests.needs import needs

import imi
from imi import tasks
from imi.errors import MissingExtra, UsageError
from imi.tasks.keywords import distinctive_words, words_of, written_out
from imi.tasks.kmeans import agreement, silhouette
from imi.tasks.neighbours import nearest_rows

pytestmark = needs("sklearn")


def setup_module():
    global adjusted_rand_score, silhouette_score
    from sklearn.metrics import adjusted_rand_score, silhouette_score


TEXTS = ("the coffee is hot and strong", "my dog likes this food", "甘いチョコレートが美味しい")


@pytest.mark.parametrize("how", [{"k": 3}, {}, {"method": "hdbscan"}])
def test_known_groups_are_found_and_named(groups, how):
    z, labels = groups
    result = tasks.cluster(z, texts=[TEXTS[label] for label in labels], **how)
    inside = result.labels >= 0
    assert inside.mean() > 0.9
    assert adjusted_rand_score(labels[inside], result.labels[inside]) > 0.95
    assert [cluster.size for cluster in result.clusters] == sorted((c.size for c in result.clusters), reverse=True)
    assert "coffee" in result.names[0] and "dog" in result.names[1] and "チョコレート" in result.names[2]
    assert result.stability > 0.9
    first = [int(row) for row in result.clusters[0].representatives]
    assert set(labels[first]) == {0}
    assert set(result.to_dict()) == {"clusters", "silhouette", "stability", "labels", "baseline", "families"}


def test_silhouette_and_agreement_are_the_textbook_ones(groups):
    z, labels = groups
    assert silhouette(z, labels) == pytest.approx(silhouette_score(z, labels, metric="cosine"), abs=1e-4)
    other = np.random.default_rng(0).integers(0, 4, len(labels))
    assert agreement(labels, other) == pytest.approx(adjusted_rand_score(labels, other))
    assert agreement(labels, labels) == 1


def test_neighbours_are_exact_for_small_tables_and_near_it_for_large_ones(groups, monkeypatch):
    z, _ = groups
    full = z @ z.T
    np.fill_diagonal(full, -2)
    cosines, rows = nearest_rows(z, 5)
    np.testing.assert_allclose(cosines, -np.sort(-full, axis=1)[:, :5], atol=1e-5)
    assert (rows != np.arange(len(z))[:, None]).all()
    monkeypatch.setattr("imi.tasks.neighbours.EXACT_ROWS", 100)
    fast = nearest_rows(z, 5)[1]
    assert np.mean([len(set(a) & set(b)) / 5 for a, b in zip(rows, fast, strict=True)]) > 0.95


@pytest.mark.parametrize("most", [20_000, 100])
def test_neighbours_among_some_rows_are_those_of_these_rows_alone(groups, monkeypatch, most):
    z, _ = groups
    monkeypatch.setattr("imi.tasks.neighbours.EXACT_ROWS", most)
    only = np.arange(0, len(z), 2)
    cosines, rows = nearest_rows(z, 5, only=only)
    alone, places = nearest_rows(z[only].copy(), 5)
    assert (rows == places).all()
    np.testing.assert_allclose(cosines, alone, atol=1e-6)
    np.testing.assert_allclose(cosines, np.einsum("nkd,nd->nk", z[only][rows], z[only]), atol=1e-6)


def test_equal_rows_have_each_other_as_neighbours():
    z = np.repeat(np.eye(4, dtype=np.float32), 5, axis=0)
    cosines, rows = nearest_rows(z, 4)
    assert (cosines == 1).all() and (rows // 5 == (np.arange(20) // 5)[:, None]).all()
    assert all(row not in own for row, own in enumerate(rows))


def test_names_skip_what_everyone_says():
    texts = ["good coffee beans", "good coffee cup", "good dog food", "good dogs, good dog", "とても良い猫の食事です"]
    named = distinctive_words(texts, np.array([0, 0, 1, 1, 2]), 3)
    assert named[0][0] == "coffee" and named[1][0] == "dog" and "dogs" not in named[1]
    assert words_of("<br />The &amp; 猫は美味しいチョコを食べた") == ["猫", "美味", "チョコ", "食"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"k": 301}, "k is 301"),
        ({"k": 1}, "k is 1"),
        ({"method": "x"}, "method"),
        ({"k": 3, "method": "hdbscan"}, "itself"),
    ],
)
def test_bad_input_is_refused(groups, how, words):
    with pytest.raises(UsageError, match=words):
        tasks.cluster(groups[0], **how)


def test_constant_vectors_and_wrong_texts_are_refused(groups, tmp_path):
    with pytest.raises(UsageError, match="the same"):
        tasks.cluster(np.ones((20, 4)), 2)
    with pytest.raises(UsageError, match="1 texts for 300"):
        tasks.cluster(groups[0], 2, texts=["a"])
    tasks.cluster(groups[0], 3, namer=None).figure(tmp_path / "c.png")


def test_the_silhouette_passes_over_a_group_without_rows():
    z = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    whole = silhouette(z, np.array([0, 0, 1, 1]))
    assert silhouette(z, np.array([0, 0, 2, 2])) == pytest.approx(whole) and whole > 0.8
    assert silhouette(z, np.array([1, 1, 1, 1])) == 0.0


def test_the_largest_seed_is_a_seed(groups):
    found = tasks.cluster(groups[0], None, seed=2**31 - 1)
    assert found.stability > 0.9


@pytest.mark.parametrize("how", [{}, {"k": 2}, {"method": "hdbscan"}])
def test_one_row_is_nothing_to_group(groups, how):
    with pytest.raises(UsageError, match="there is 1 row, clustering needs at least 2"):
        tasks.cluster(groups[0][:1], **how)


def test_an_album_is_grouped_where_its_model_cannot_be_asked(tmp_path, monkeypatch):
    from tests.drawn import album

    from imi import pictures
    from imi.embedders.testing import HashEmbedder

    class Seen(HashEmbedder):
        picture_fingerprint = "seen"

        def embed_images(self, pictures, dims=None, *, progress=None):
            return self.embed([str(at) for at in range(len(pictures))])

    with imi.open(tmp_path / "album.imi", model=Seen()) as made:
        made.add([imi.Document(name, picture=path) for name, path in album(tmp_path / "photos").items()])
    with imi.open(tmp_path / "album.imi", mode="r") as alone:
        assert len(tasks.cluster(alone, 2).clusters) == 2, "the model was an object, which is not known any more"

        def missing():
            raise MissingExtra("Pillow", "pictures")

        monkeypatch.setattr(pictures, "_pillow", missing)
        assert len(tasks.cluster(alone, 2).clusters) == 2
        assert tasks.map(alone, method="pca").pictures == {}
        assert tasks.doctor(alone).findings


@pytest.mark.parametrize(
    ("texts", "word", "written"),
    [
        (["部屋は広いです。", "広くて良い", "広かった"], "広", "広い"),
        (["静かな夜", "とても静かでした"], "静", "静か"),
        (["美味しかったです", "美味しい朝食"], "美味", "美味しい"),
        (["駅に近い宿", "駅の近くにある"], "近", "近い"),
        (["楽しい旅", "楽しめました", "楽しみです"], "楽", "楽しい"),
        (["ぐっすり寝られました", "早く寝ました"], "寝", None),
        (["出張で行った", "また行く"], "行", None),
        (["利用しました", "利用される方"], "利用", "利用"),
        (["窓の下", "古い窓が"], "窓", "窓"),
        (["coffee", "コーヒー"], "コーヒー", "コーヒー"),
    ],
)
def test_a_name_is_written_as_a_dictionary_has_it(texts, word, written):
    assert written_out([word], texts) == ([] if written is None else [written])


def test_where_plain_kmeans_is_better_that_is_said_and_how_to_use_it(groups):
    from dataclasses import replace

    found = tasks.cluster(groups[0], 3)
    better = replace(found, baseline={"method": "plain", "silhouette": 1.0, "stability": 1.1})
    said = better.findings().says[-1]
    assert "--method plain" in said.en and "--method plain" in said.ja
    worse = replace(found, baseline={"method": "plain", "silhouette": -1.0, "stability": 0.1})
    assert "--method" not in worse.findings().says[-1].en
