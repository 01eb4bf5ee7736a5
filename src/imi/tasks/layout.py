"""A plane for many points: t-SNE whose repulsion is a convolution on a grid, in time and memory linear in n."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.index.native import processors
from imi.progress import Progress, asked_to_end
from imi.tasks.neighbours import nearest_rows
from imi.types import Floats

Ints = NDArray[np.int64]

_EARLY, _LATE = 250, 500
"""Steps with attraction exaggerated twelvefold, and without."""
_PAIRS_ROWS = 1_000
"""Up to here all pairs repel each other as they are: a hundred rows can lie as far apart as a grid is wide."""
_BLOCK = 8192
_NODES = 3
"""Interpolation nodes a box and axis."""
_LEAST_BOXES, _MOST_BOXES = 24, 220


def principal_plane(z: Floats) -> Floats:
    """Return (n, 2): rows along their two leading principal directions, signs fixed."""
    mean = z.mean(axis=0, dtype=np.float64)
    gram = np.zeros((z.shape[1], z.shape[1]), np.float64)
    for start in range(0, len(z), _BLOCK):
        block = z[start : start + _BLOCK] - mean
        gram += block.T @ block
    directions = np.linalg.eigh(gram)[1][:, ::-1][:, :2]
    directions = directions * np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])])
    parts = [(z[start : start + _BLOCK] - mean) @ directions for start in range(0, len(z), _BLOCK)]
    plane = np.concatenate(parts).astype(np.float32)
    return plane if plane.shape[1] == 2 else np.hstack([plane, np.zeros_like(plane)])


def tsne_plane(
    z: Floats,
    cosines: Floats | None = None,
    rows: Ints | None = None,
    *,
    perplexity: float = 15,
    seed: int = 0,
    progress: Progress | None = None,
) -> Floats:
    """Lay rows out so that near rows stay near: t-SNE (van der Maaten and Hinton 2008) from the principal plane.

    The attraction runs over each row's nearest rows only; the repulsion is interpolated on a grid and convolved by
    FFT, as in FIt-SNE (Linderman et al. 2019). The first step's plane and the step length follow Kobak and Berens
    (2019), so that the large structure is kept and the result does not depend on chance.

    Args:
        z: (n, d) unit rows, n of at least 5.
        cosines: (n, k) of each row's nearest rows, when known already.
        rows: (n, k) of these.
        perplexity: neighbours that a row cares for; three times as many are looked at.
        seed: of the neighbour search.
        progress: called as progress(done, total) in steps.

    Returns:
        (n, 2) float32, centred; after fewer steps where the work is asked to end early.
    """
    n = len(z)
    perplexity = max(1.0, min(perplexity, (n - 1) / 3))
    if cosines is None or rows is None:
        cosines, rows = nearest_rows(z, min(n - 1, max(3, int(3 * perplexity))), seed=seed)
    affinities = symmetric_affinities(cosines, rows, perplexity)
    plane = principal_plane(z).astype(np.float64)
    y = plane / max(float(plane.std(axis=0).max()), 1e-12) * 1e-2
    # Equal rows would never part: a hair's breadth of fixed noise lets repulsion find a direction.
    y += np.random.default_rng(seed).normal(0, 1e-5, y.shape)
    velocity, gains = np.zeros_like(y), np.ones_like(y)
    rate = max(n / 12, 50)
    with ThreadPoolExecutor(min(2, processors()), "imi map") as pool:
        for step in range(_EARLY + _LATE):
            early = step < _EARLY
            gradient = tsne_gradient(y, affinities, 12.0 if early else 1.0, pool if n > _BLOCK else None)
            gains = np.where(np.sign(gradient) != np.sign(velocity), gains + 0.2, np.maximum(gains * 0.8, 0.01))
            velocity = (0.5 if early else 0.8) * velocity - rate * gains * gradient
            y += velocity
            y -= y.mean(axis=0)
            if progress and (step + 1) % 10 == 0:
                progress(step + 1, _EARLY + _LATE)
            if asked_to_end():
                break
    return np.asarray(y, dtype=np.float32)


def symmetric_affinities(cosines: Floats, rows: Ints, perplexity: float) -> Any:
    """Return the sparse (n, n) matrix of joint probabilities, each row's Gaussian set to this perplexity."""
    from scipy.sparse import csr_matrix

    n, k = rows.shape
    weights = np.concatenate([_gaussians(cosines[at : at + _BLOCK], perplexity) for at in range(0, n, _BLOCK)])
    ends = np.arange(0, n * k + 1, k)
    joint = csr_matrix((weights.ravel(), rows.ravel().astype(np.int32), ends), shape=(n, n))
    del weights
    joint = joint + joint.T
    joint.data /= 2 * n
    return joint.tocsr()


def _gaussians(cosines: Floats, perplexity: float) -> Floats:
    """Return each row's shares of its neighbours (n, k), of which about `perplexity` count."""
    squares = np.maximum(2 - 2 * cosines.astype(np.float64), 0)
    squares -= squares[:, :1]
    target = np.log(perplexity)
    low, high = np.zeros(len(squares)), np.full(len(squares), np.inf)
    beta = np.ones(len(squares))
    for _ in range(40):
        weights = np.exp(-beta[:, None] * squares)
        total = weights.sum(axis=1)
        entropy = np.log(total) + beta * (weights * squares).sum(axis=1) / total
        wide = entropy > target  # too many neighbours count: narrow
        low, high = np.where(wide, beta, low), np.where(wide, high, beta)
        beta = np.where(np.isinf(high), beta * 2, (low + high) / 2)
    weights = np.exp(-beta[:, None] * squares)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def tsne_gradient(
    y: NDArray[np.float64], affinities: Any, exaggeration: float = 1.0, pool: Executor | None = None
) -> NDArray[np.float64]:
    """Return the gradient (n, 2) of the Kullback–Leibler divergence at y, up to its factor of four; threads by pool."""
    pulls = _attraction(y.astype(np.float32), affinities, pool)  # threads begin with it at once
    push, total = _repulsion_of_pairs(y) if len(y) <= _PAIRS_ROWS else _repulsion(y, pool)
    return exaggeration * np.concatenate(list(pulls)) - push / total


def _attraction(y: Floats, affinities: Any, pool: Executor | None) -> Iterator[NDArray[np.float64]]:
    """Return what draws each row, (n, 2), in parts: a few rows at a time, whose edges stay near the processor."""
    both = np.hstack([y, np.ones((len(y), 1), np.float32)])

    def pull(low: int) -> NDArray[np.float64]:
        from scipy.sparse import csr_matrix

        own = y[low : low + _BLOCK]
        ends = affinities.indptr[low : low + _BLOCK + 1]
        edges = slice(ends[0], ends[-1])
        others = affinities.indices[edges]
        away = np.repeat(own, np.diff(ends), axis=0)
        away -= y[others]
        strength = affinities.data[edges] / (1 + np.einsum("ed,ed->e", away, away))
        sums = csr_matrix((strength, others, ends - ends[0]), shape=(len(own), len(y))) @ both
        return np.asarray(own * sums[:, 2:] - sums[:, :2], dtype=np.float64)

    starts = range(0, len(y), _BLOCK)
    return map(pull, starts) if pool is None else pool.map(pull, starts)


def _repulsion_of_pairs(y: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return what `_repulsion` does, from all pairs, in memory that grows with the square of n."""
    lengths = np.einsum("nd,nd->n", y, y)
    q = y @ y.T
    q *= -2
    q += lengths[:, None]
    q += lengths
    np.maximum(q, 0, out=q)
    q += 1
    np.reciprocal(q, out=q)
    total = float(q.sum() - np.trace(q))
    q *= q
    return y * q.sum(axis=1)[:, None] - q @ y, max(total, 1e-12)


def _repulsion(y: NDArray[np.float64], pool: Executor | None = None) -> tuple[NDArray[np.float64], float]:
    """Return Σⱼ q²(yᵢ - yⱼ), (n, 2), and Σᵢⱼ q over i ≠ j, for q = 1 / (1 + |yᵢ - yⱼ|²)."""
    from scipy import fft
    from scipy.sparse import csr_matrix

    low = float(y.min())
    span = max(float(y.max()) - low, 1e-6)
    if span <= _LEAST_BOXES or span > _MOST_BOXES:
        boxes = _LEAST_BOXES if span <= _LEAST_BOXES else _MOST_BOXES
        step = span / boxes * 1.0001 / _NODES
    else:  # one unit a box; in steps of eight, so that most kernels are those of the step before
        boxes, step = 8 * int(np.ceil(span / 8)), 1.0001 / _NODES
    grid = boxes * _NODES
    places, weights = _interpolation((y - low) / step, grid)
    size = fft.next_fast_len(2 * grid, real=True)
    nodes = csr_matrix(
        (weights.ravel(), places.ravel(), np.arange(0, places.size + 1, _NODES**2, dtype=np.int32)),
        shape=(len(y), grid * grid),
    )
    # Charges on the nodes: the points themselves, and their coordinates.
    charges = nodes.T @ np.hstack([np.ones((len(y), 1)), y]).astype(np.float32)
    near, steep = _kernels(grid, size, step)
    run = map if pool is None else pool.map

    def spectrum(at: int) -> Any:
        return fft.rfft2(np.ascontiguousarray(charges[:, at]).reshape(grid, grid), (size, size))

    def field(at: int) -> Any:
        there = spectra[0] * near if at == 0 else spectra[at - 1] * steep
        return fft.irfft2(there, (size, size))[:grid, :grid].ravel()

    spectra = list(run(spectrum, range(3)))
    potentials = nodes @ np.stack(list(run(field, range(4))), axis=1)
    # A point's own charge counts once in each sum: 1 in q, and nothing in the force.
    total = float(potentials[:, 0].sum(dtype=np.float64)) - len(y)
    push = y * potentials[:, 1:2] - potentials[:, 2:]
    return push, max(total, 1e-12)


def _interpolation(position: NDArray[np.float64], grid: int) -> tuple[NDArray[np.int32], Floats]:
    """Return, for points in units of the node spacing, their 9 nodes (n, 9) and Lagrange weights (n, 9)."""
    box = np.minimum((position / _NODES).astype(np.int32), grid // _NODES - 1)
    inside = (position - box * _NODES - 0.5).astype(np.float32)  # nodes of a box lie at 0, 1 and 2
    axis = np.stack(
        [(inside - 1) * (inside - 2) / 2, -inside * (inside - 2), inside * (inside - 1) / 2], axis=2
    )  # (n, 2, 3)
    weights = axis[:, 0, :, None] * axis[:, 1, None, :]
    nodes = box * _NODES
    steps = np.arange(_NODES, dtype=np.int32)
    places = (nodes[:, 0, None, None] + steps[:, None]) * grid + nodes[:, 1, None, None] + steps[None, :]
    return places.reshape(len(position), -1), weights.reshape(len(position), -1)


@lru_cache(maxsize=2)
def _kernels(grid: int, size: int, step: float) -> tuple[Any, Any]:
    """Return the spectra of q and q² over node distances, wrapped around for a circular convolution."""
    from scipy import fft

    place = np.arange(size)
    apart = np.minimum(place, size - place) * step
    q = 1 / (1 + apart[:, None] ** 2 + apart[None, :] ** 2)
    both = fft.rfft2(np.stack([q, q * q]).astype(np.float32), workers=2)
    return both[0].real, both[1].real
