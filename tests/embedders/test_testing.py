import numpy as np
import pytest

from imi.embedders.base import Embedder
from imi.embedders.testing import HashEmbedder


def test_is_an_embedder_whose_rows_are_unit_and_repeatable():
    model = HashEmbedder()
    assert isinstance(model, Embedder)
    texts = ["cat", "猫", "", "a" * 10_000, "\ud800", "cat"]
    z = model.embed(texts)
    assert z.shape == (6, 64) and z.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(z, HashEmbedder().embed(texts))
    np.testing.assert_array_equal(z[0], z[5])
    assert len({row.tobytes() for row in z[:5]}) == 5


def test_shared_letters_are_near_at_every_trained_size():
    model = HashEmbedder()
    for dims in model.info.dims:
        z = model.embed(["delicious beans", "delicious bean soup", "国境の長いトンネル"], dims=dims)
        assert z.shape == (3, dims)
        assert z[0] @ z[1] > z[0] @ z[2] + 0.2


def test_no_texts_give_no_rows():
    assert HashEmbedder().embed([]).shape == (0, 64)
    assert HashEmbedder().embed([], dims=16).shape == (0, 16)


@pytest.mark.parametrize("dims", [0, 65])
def test_refuses_sizes_it_does_not_have(dims):
    with pytest.raises(ValueError, match="allowed"):
        HashEmbedder().embed(["a"], dims=dims)


def test_reports_progress_and_counts():
    seen = []
    HashEmbedder().embed(["a", "b"], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
    assert HashEmbedder().count_tokens(["", "abc"]).tolist() == [1, 3]


def test_the_vectors_stay_what_they_were():
    z = HashEmbedder().embed(["cat 猫"])
    np.testing.assert_allclose(z[0, :6], [-0.0489, -0.0489, 0.1466, 0.0163, -0.114, -0.0489], atol=1e-4)
