"""What a training run reads, against slow definitions; and the teachers' memory on disk."""

from __future__ import annotations

import itertools

import numpy as np
from tests.needs import needs

pytestmark = needs("torch", "scipy")


def setup_module():
    global initial
    global Corpus
    global Remembered
    global prepared
    from recipes.builtin import initial
    from recipes.builtin.corpus import Corpus
    from recipes.builtin.teachers import Remembered

    from imi.train import prepared


def test_start_rows_are_weighted_means_of_the_texts_that_hold_a_piece():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 9, 200)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = rng.integers(0, 30, offsets[-1]).astype(np.int32)
    targets = rng.normal(size=(200, 4)).astype(np.float16)
    got = initial.start_rows(ids, offsets, targets, 32)
    sums, mass = np.zeros((32, 4)), np.zeros(32)
    for text in range(200):
        for piece in ids[offsets[text] : offsets[text + 1]]:
            weight = lengths[text] ** -0.5
            sums[piece] += weight * targets[text].astype(float)
            mass[piece] += weight
    frequency = np.bincount(ids, minlength=32) / len(ids)
    want = (sums[:30] / mass[:30, None] - 0.8 * sums.sum(0) / mass.sum()) * (1e-3 / (1e-3 + frequency[:30]))[:, None]
    np.testing.assert_allclose(got[:30], want, atol=1e-5)
    assert (np.linalg.norm(got[30:], axis=1) > 0).all()


def test_rotation_is_orthogonal_and_puts_the_most_energy_first():
    rng = np.random.default_rng(1)
    vectors = (rng.normal(size=(500, 6)) * [1, 5, 2, 9, 0.5, 3]).astype(np.float16)
    turn = initial.rotation(vectors)
    np.testing.assert_allclose(turn @ turn.T, np.eye(6), atol=1e-5)
    energy = ((vectors.astype(np.float32) @ turn) ** 2).sum(0)
    assert (np.diff(energy) < 0).all()


def test_clusters_hold_every_text_once_and_near_ones_together():
    rng = np.random.default_rng(2)
    centres = rng.normal(size=(8, 16))
    label = rng.integers(0, 8, 600)
    texts = (centres[label] + 0.05 * rng.normal(size=(600, 16))).astype(np.float16)
    order, starts = initial.clusters(texts, per_cluster=20, width=16)
    assert sorted(order.tolist()) == list(range(600))
    pure = [len(set(label[order[a:b]].tolist())) == 1 for a, b in itertools.pairwise(starts) if b > a]
    assert np.mean(pure) > 0.8


def test_tokens_of_some_texts_are_theirs_in_order():
    data = prepared.Prepared(
        ids=np.arange(10, dtype=np.int32),
        offsets=np.array([0, 3, 4, 4, 10]),
        first=np.zeros((4, 2), np.float16),
        second=np.zeros((4, 2), np.float16),
        pairs={},
        groups=np.zeros((0, 5), np.int64),
        neighbours=np.arange(4),
        cluster_starts=np.arange(5),
        scored=np.zeros((0, 2), np.int64),
        scores=np.zeros(0, np.float32),
    )
    ids, starts = data.tokens(np.array([3, 0, 1]))
    assert ids.tolist() == [4, 5, 6, 7, 8, 9, 0, 1, 2, 3]
    assert starts.tolist() == [0, 6, 9]


def test_a_stand_in_takes_the_mean_direction_of_its_sources():
    corpus = Corpus()
    cat, neko, word = corpus.add("猫", "ja"), corpus.add("ねこ", "ja"), corpus.add("cat", "en")
    corpus.stand_in(neko, [cat, None, word])
    vectors = np.array([[1, 0], [0, -1], [0, 1]], np.float16)
    initial.substitute(vectors, corpus)
    np.testing.assert_allclose(vectors, [[1, 0], [0.5**0.5, 0.5**0.5], [0, 1]], atol=1e-3)


def test_a_corpus_takes_no_text_twice_and_no_banned_one():
    corpus = Corpus(banned=frozenset(["secret"]))
    assert corpus.add("a  b", "en") == corpus.add(" a b ", "en") == 0
    assert corpus.add("Secret.", "en") is None
    assert corpus.add("  ", "en") is None
    corpus.pair("translation", 0, corpus.add("c", "en"))
    corpus.pair("translation", 0, None)
    corpus.pair("translation", 0, 1)
    assert corpus.pair_array("translation").tolist() == [[0, 1]]


def test_a_teacher_is_asked_once_a_text(tmp_path, monkeypatch):
    monkeypatch.setattr("recipes.builtin.teachers.SHARD_TEXTS", 2)
    asked = []

    def encode(texts):
        asked.extend(texts)
        return np.array([[len(text), ord(text[0])] for text in texts], np.float32)

    first = Remembered(tmp_path, encode, 2).vectors(["aa", "b", "cccc"])
    again = Remembered(tmp_path, encode, 2).vectors(["cccc", "aa", "d", "aa"])
    assert asked == ["aa", "b", "cccc", "d"]
    np.testing.assert_array_equal(first, [[2, 97], [1, 98], [4, 99]])
    np.testing.assert_array_equal(again, [[4, 99], [2, 97], [1, 100], [2, 97]])
