"""Each row's nearest rows, in memory that grows linearly: exact for small tables, by lists of near rows for others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imi.index.native import give_memory_back, load_faiss
from imi.progress import Progress, may_end
from imi.types import Floats

Ints = NDArray[np.int64]
Search = Callable[[Floats, int], tuple[Floats, Ints]]

EXACT_ROWS = 20_000
"""Up to here all pairs are compared; beyond, each row looks into the lists nearest to it."""
_LOOKED, _STEPS, _SAMPLED = 48, 8, 32
"""Lists that a row looks into; steps of the k-means that makes the lists, and rows that it reads for each."""
_SOME = 128
_BLOCK = 2048
_SAME = 1e-6
"""What the coordinates of equal rows may be apart."""


def nearest_rows(
    z: Floats, k: int, *, only: Ints | None = None, seed: int = 0, progress: Progress | None = None
) -> tuple[Floats, Ints]:
    """Return each row's k nearest other rows by cosine.

    Args:
        z: (n, d) unit rows.
        k: neighbours, below n.
        only: (m,) the rows meant, ascending; None for all. The result is what `z[only]` has.
        seed: of the k-means that makes the lists.
        progress: called as progress(done, total) in rows.

    Returns:
        Cosines (n, k) float32, best first, and rows (n, k) int64.
    """
    meant = _Meant(z, only)
    n = len(meant)
    search = _all_pairs(meant) if n <= EXACT_ROWS else _lists(meant, seed)
    cosines = np.empty((n, k), np.float32)
    rows = np.empty((n, k), np.int64)
    for start in range(0, n, _BLOCK):
        may_end()
        end = min(start + _BLOCK, n)
        found, places = search(meant.take(slice(start, end)), k + 1)
        cosines[start:end], rows[start:end] = _without_self(found, places, np.arange(start, end))
        if progress:
            progress(end, n)
    del search
    if n > EXACT_ROWS:
        give_memory_back()
    return np.clip(cosines, -1, 1, out=cosines), rows


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


@dataclass(frozen=True)
class _Meant:
    """Those rows of a table that are meant, taken a few at a time: a table of them all would be a second one."""

    z: Floats
    only: Ints | None

    def __len__(self) -> int:
        return len(self.z) if self.only is None else len(self.only)

    def take(self, some: Ints | slice) -> Floats:
        """Return the vectors of some."""
        return self.z[some] if self.only is None else self.z[self.only[some]]


def _all_pairs(meant: _Meant) -> Search:
    faiss = load_faiss()
    flat = meant.take(slice(None))
    return lambda asked, k: faiss.knn(asked, flat, k, faiss.METRIC_INNER_PRODUCT)


def _lists(meant: _Meant, seed: int) -> Search:
    """Return a search of lists of near rows (Jégou et al. 2011, IVF), which hold them in half precision.

    That takes half the memory and half the time. The cosines of what is found are those of the rows as they are.
    """
    faiss = load_faiss()
    n, width, count = len(meant), meant.z.shape[1], int(4 * np.sqrt(len(meant)))
    half, product = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(width), width, count, half, product, False)
    index.cp.seed, index.cp.niter, index.cp.spherical = (seed + 1) % 2**31, _STEPS, True
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, _SAMPLED
    index.train(meant.take(np.sort(np.random.default_rng(seed).choice(n, min(n, _SAMPLED * count), replace=False))))
    for at in range(0, n, _BLOCK):
        index.add(meant.take(slice(at, at + _BLOCK)))
    index.nprobe = _LOOKED

    def search(asked: Floats, k: int) -> tuple[Floats, Ints]:
        places = index.search(asked, k)[1]
        cosines = np.empty(places.shape, np.float32)
        for at in range(0, len(asked), _SOME):
            some = slice(at, at + _SOME)
            found = meant.take(places[some].ravel()).reshape(*places[some].shape, width)
            cosines[some] = np.matmul(found, asked[some, :, None])[:, :, 0]
        cosines[places < 0] = -2
        order = np.argsort(-cosines, axis=1, kind="stable")
        return np.take_along_axis(cosines, order, axis=1), np.take_along_axis(places, order, axis=1)

    return search


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
