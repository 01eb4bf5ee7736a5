"""Each row's nearest rows, in memory that grows linearly: exact for small tables, inverted lists for large ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.progress import Progress
from imi.types import Floats

Ints = NDArray[np.int64]

EXACT_ROWS = 20_000
"""Up to here all pairs are compared; beyond, each row looks into the 32 lists nearest to it."""
_BLOCK = 2048
_SAME = 1e-6
"""What the coordinates of equal rows may be apart."""


def nearest_rows(z: Floats, k: int, *, seed: int = 0, progress: Progress | None = None) -> tuple[Floats, Ints]:
    """Return each row's k nearest other rows by cosine.

    Args:
        z: (n, d) unit rows.
        k: neighbours, below n.
        seed: of the k-means that makes the lists.
        progress: called as progress(done, total) in rows.

    Returns:
        Cosines (n, k) float32, best first, and rows (n, k) int64.
    """
    n = len(z)
    index = _index(z, seed)
    cosines = np.empty((n, k), np.float32)
    rows = np.empty((n, k), np.int64)
    for start in range(0, n, _BLOCK):
        end = min(start + _BLOCK, n)
        found, places = index.search(z[start:end], k + 1)
        cosines[start:end], rows[start:end] = _without_self(found, places, np.arange(start, end))
        if progress:
            progress(end, n)
    return np.clip(cosines, -1, 1), rows


def copies_of(z: Floats) -> tuple[Ints, Ints]:
    """Return the first row of each set of equal rows, ascending, and which of these every row is equal to.

    Rows are equal up to what a model's products round differently from batch to batch. They are sorted along one
    direction drawn at random, and neighbours in that order are compared whole.
    """
    direction = np.random.default_rng(0x1D).normal(size=z.shape[1])
    along = np.concatenate([z[at : at + _BLOCK].astype(np.float64) @ direction for at in range(0, len(z), _BLOCK)])
    order = np.argsort(along, kind="stable")
    near = np.flatnonzero(np.diff(along[order]) <= _SAME * np.sqrt(z.shape[1]))
    joined = np.zeros(len(z), dtype=bool)  # whether a row in this order equals the one before it
    for at in range(0, len(near), _BLOCK):
        some = near[at : at + _BLOCK]
        joined[some + 1] = np.abs(z[order[some]] - z[order[some + 1]]).max(axis=1) <= _SAME
    sets = np.empty(len(z), np.int64)
    sets[order] = np.cumsum(~joined)
    _, first, same = np.unique(sets, return_index=True, return_inverse=True)
    rank = np.argsort(first, kind="stable")
    place = np.empty(len(first), np.int64)
    place[rank] = np.arange(len(first))
    return first[rank].astype(np.int64), place[same.ravel()]


def _index(z: Floats, seed: int) -> Any:
    import faiss

    n, width = z.shape
    if n <= EXACT_ROWS:
        flat = faiss.IndexFlatIP(width)
        flat.add(z)
        return flat
    lists = int(4 * np.sqrt(n))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.niter, index.cp.spherical = (seed + 1) % 2**31, 8, True
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, 64
    index.train(z)
    index.add(z)
    index.nprobe = 32
    return index


def _without_self(found: Floats, places: Ints, own: Ints) -> tuple[Floats, Ints]:
    """Drop each row from its own neighbours; among equal rows it may stand anywhere, or not be there at all."""
    itself = places == own[:, None]
    itself[~itself.any(axis=1), -1] = True
    count, width = places.shape
    kept = places[~itself].reshape(count, width - 1)
    scores = found[~itself].reshape(count, width - 1)
    # Lists that held too few rows leave -1: repeat the last real one, so that every row has k neighbours.
    for at in range(1, width - 1):
        missing = kept[:, at] < 0
        kept[missing, at], scores[missing, at] = kept[missing, at - 1], scores[missing, at - 1]
    return scores, kept
