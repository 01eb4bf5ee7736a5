import numpy as np
import pytest

from imi.errors import UsageError
from imi.index.knn import knn_graph


def test_neighbours_are_the_nearest_others(nested):
    vectors = np.concatenate([nested[0][:200], nested[0][:3], nested[0][:1], nested[0][:1]])
    scores, rows = knn_graph(vectors, 3, "l2")
    distances = np.linalg.norm(vectors[:, None].astype(np.float64) - vectors[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_allclose(-scores, np.sort(distances, axis=1)[:, :3], rtol=1e-5, atol=1e-6)
    assert (rows != np.arange(len(vectors))[:, None]).all()


def test_few_rows_are_padded_and_misfits_named(nested):
    assert knn_graph(nested[0][:3], 4)[1][:, 2:].tolist() == [[-1, -1]] * 3
    with pytest.raises(UsageError, match="k=0"):
        knn_graph(nested[0], 0)
