"""Texts in parts: against vectors made one by one; prefixes stay prefixes."""

import numpy as np
import pytest

import imi
from imi import tasks
from imi.errors import UsageError
from imi.tasks.classifier_heads import load_head
from imi.tasks.parts import in_parts, tiled
from imi.vectors import normalize, truncate

TEXT = "Title: Great coffee; Content: I love it. <br />猫も好きです。また買います。"
PIECES = ["Title: Great coffee;", "Content: I love it.", "猫も好きです。", "また買います。"]


def test_the_parts_are_the_whole_the_first_sentence_and_the_mean(embedder):
    whole, pieces = embedder.embed([TEXT])[0], embedder.embed(PIECES)
    parts = in_parts([TEXT], embedder)[0].reshape(-1, 3) * np.sqrt(3)
    np.testing.assert_allclose(parts[:, 0], whole, atol=1e-5)
    np.testing.assert_allclose(parts[:, 1], pieces[0], atol=1e-5)
    np.testing.assert_allclose(parts[:, 2], normalize(pieces.mean(axis=0)), atol=1e-4)


def test_one_sentence_is_itself_and_a_query_meets_each_part(embedder):
    texts = ["I love coffee", "うちの猫はタマと言います", ""]
    z = embedder.embed(texts)
    parts = in_parts(texts, embedder, whole=z)
    np.testing.assert_allclose(parts @ parts.T, z @ z.T, atol=1e-4)
    asked = embedder.embed(["coffee"], "query")
    np.testing.assert_allclose(tiled(asked) @ parts.T, asked @ z.T, atol=1e-4)


def test_a_prefix_is_the_parts_of_shorter_vectors(embedder):
    shorter = in_parts([TEXT, "cat"], embedder, dims=16)
    assert shorter.shape == (2, 48)
    parts = in_parts([TEXT, "cat"], embedder)[0, :48].reshape(-1, 3)
    for at in range(2):  # a mean of shortened sentences is near a shortened mean, not it
        np.testing.assert_allclose(normalize(parts[:, at]), shorter[0].reshape(-1, 3)[:, at] * np.sqrt(3), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(truncate(in_parts([TEXT], embedder), 48), axis=1), 1, atol=1e-5)


def test_tasks_read_a_collection_in_parts(embedder, tmp_path):
    words = [
        f"{good}. {'We ate it on a long day. ' * (n % 4)}" for n in range(60) for good in ("I love it", "I hate it")
    ]
    documents = [imi.Document(str(n), word, {"y": n % 2}) for n, word in enumerate(words)]
    with imi.open(tmp_path / "c.imi", model=embedder) as collection:
        collection.add(documents)
        result = tasks.classify(collection, "y", sentences=True)
        assert result.accuracy > 0.9 and result.head.sentences and result.head.dims == 192
        assert tasks.regress(collection, "y", sentences=True, dims=32).mse < 0.2
        said = tasks.zero_shot(collection, ["I love it", "I hate it"], sentences=True, dims=32)
        assert [label == "I love it" for label in said.predictions] == [n % 2 == 0 for n in range(120)]
    result.head.save(tmp_path / "h.npz")
    assert load_head(tmp_path / "h.npz").sentences
    with pytest.raises(UsageError, match="bare array"):
        tasks.classify(embedder.embed(words), [n % 2 for n in range(120)], sentences=True)
    with pytest.raises(UsageError, match="2 texts for 1 vectors"):
        in_parts(["a", "b"], embedder, whole=embedder.embed(["a"]))
