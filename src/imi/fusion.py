"""Fusing two rankings of the same query, by text and by meaning, into one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
Ranking = tuple[Rows, Floats]
"""Row numbers, best first, and their scores, higher is better."""

WEIGHT = 0.5


def fuse(text: Ranking, meaning: Ranking, weight: float = WEIGHT) -> Ranking:
    """Return the rows of either ranking, best first, scored by the weighted sum of min-max normalised scores.

    Args:
        text: rows and BM25 scores.
        meaning: rows and cosines.
        weight: of the meaning, 0 to 1.
    """
    rows = np.union1d(text[0], meaning[0])
    fused = np.zeros(len(rows), dtype=np.float64)
    for (found, scores), share in ((text, 1 - weight), (meaning, weight)):
        if len(found):
            low, high = float(scores.min()), float(scores.max())
            scaled = (scores - low) / (high - low) if high > low else np.ones(len(scores))
            fused[np.searchsorted(rows, found)] += share * scaled
    order = np.argsort(-fused, kind="stable")
    return rows[order].astype(np.int64), fused[order].astype(np.float32)
