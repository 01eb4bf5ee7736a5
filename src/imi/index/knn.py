"""The graph of each row and its nearest rows, for drawing and for tools that read graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.index.base import Index
from imi.index.exact import Exact
from imi.index.manifest import CheckedVectors
from imi.progress import Progress
from imi.types import Floats, Rows

_BLOCK = 4096


def knn_graph(
    vectors: NDArray[Any] | CheckedVectors,
    k: int = 10,
    metric: str = "cosine",
    *,
    index: Index | None = None,
    progress: Progress | None = None,
) -> tuple[Floats, Rows]:
    """Find each row's k nearest other rows.

    Args:
        vectors: (n, d).
        k: neighbours of a row, itself not among them; where there are fewer rows, the rest is -1.
        metric: "cosine", "dot" or "l2".
        index: a built index over the same rows; None searches exactly, n·n·d products.
        progress: called as progress(done, total).

    Returns:
        Scores (n, k) float32, best first, and rows (n, k) int64.

    Raises:
        UsageError: k is below 1, or the index holds another number of rows.
    """
    if k < 1:
        raise UsageError(f"k={k}: at least 1 neighbour must be asked for")
    search = index if index is not None else Exact(vectors, metric)
    if len(search) != len(vectors):
        raise UsageError(f"an index of {len(search)} rows does not fit {len(vectors)} vectors")
    scores = np.full((len(vectors), k), -np.inf, dtype=np.float32)
    rows = np.full((len(vectors), k), -1, dtype=np.int64)
    for start in range(0, len(vectors), _BLOCK):
        part = slice(start, min(start + _BLOCK, len(vectors)))
        found_scores, found = search.search(np.asarray(vectors[part], dtype=np.float32), k + 1)
        own = found == np.arange(part.start, part.stop)[:, None]
        own[~own.any(axis=1), -1] = True  # hidden behind equals: the last one goes instead
        order = np.argsort(own, axis=1, kind="stable")[:, :k]
        scores[part] = np.take_along_axis(found_scores, order, axis=1)
        rows[part] = np.take_along_axis(found, order, axis=1)
        if progress is not None:
            progress(part.stop, len(vectors))
    return scores, rows
