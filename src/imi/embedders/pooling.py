"""Add up rows of an int8 table, many texts at a time, without a Python loop over tokens or texts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imi.types import Floats

# Up to here numpy alone is as fast, and a command that compares two words is spared the import of scipy.sparse (0.1 s).
FEW_TOKENS = 2048


def pool(ids: NDArray[np.int32], offsets: NDArray[np.int64], rows: NDArray[np.int8], scales: Floats) -> Floats:
    """Return the sum of scaled rows for each text.

    Many texts are one sparse (texts, pieces) matrix times the rows of the pieces that occur, which are read once each:
    three to four times as fast as gathering a row for every token. Memory is bounded by the number of different pieces.

    Args:
        ids: (t,) row numbers of all texts, one text after another.
        offsets: (n + 1,) where each text starts; every text has a token.
        rows: (v, d) int8.
        scales: (v,) float32, one a row.

    Returns:
        (n, d) float32.
    """
    texts = len(offsets) - 1
    if len(ids) <= FEW_TOKENS:
        if not texts:
            return np.zeros((0, rows.shape[1]), np.float32)
        return np.add.reduceat(rows[ids] * scales[ids, None], offsets[:-1], axis=0, dtype=np.float32)
    from scipy.sparse import csr_matrix

    seen = np.zeros(len(rows), np.bool_)
    seen[ids] = True
    used = np.flatnonzero(seen)
    place = np.empty(len(rows), np.int32)
    place[used] = np.arange(len(used), dtype=np.int32)
    counts = csr_matrix((scales[ids], place[ids], offsets), shape=(texts, len(used)))
    sums: Floats = counts @ rows[used].astype(np.float32)
    return sums
