"""Stand-ins for questions that are unlike the rows: what people ask lies further from a collection than its own rows.

A plan that was measured by rows alone breaks its promise to such queries (docs/LOG.md), so it is measured by both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imi.index.manifest import CheckedVectors, gathered
from imi.types import Floats

STEP = 0.7
"""How far a stand-in lies from a row, in that row's own length: as hard as English questions over Japanese texts.

Half a length is as hard as questions in the language of the rows (`benchmarks/questions.py`).
"""


def unlike(rows: Floats, vectors: NDArray[np.generic] | CheckedVectors, random: np.random.Generator) -> Floats:
    """Return (m, d) queries off the rows: each moved by `STEP` of its length along the difference of two others.

    Differences of rows point where such vectors differ, so the queries leave the places where rows are without leaving
    the space that rows span; random noise would be too easy, the mean of two rows too hard.

    Args:
        rows: (m, d) to start from; they should not be in the structure that is measured.
        vectors: (n, d) the whole table.
        random: draws the pairs.
    """
    count = len(rows)
    places = random.integers(0, len(vectors), 2 * count)
    unique, where = np.unique(places, return_inverse=True)
    drawn = np.asarray(gathered(vectors, unique), dtype=np.float32)[where]
    steps = drawn[:count] - drawn[count:]
    lengths = np.linalg.norm(steps, axis=1, keepdims=True)
    steps = np.divide(steps, lengths, out=np.zeros_like(steps), where=lengths > 0)
    moved = rows + np.float32(STEP) * np.linalg.norm(rows, axis=1, keepdims=True) * steps
    return np.ascontiguousarray(moved, dtype=np.float32)
