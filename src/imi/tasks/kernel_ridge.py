"""Kernel ridge regression: predicts numbers from unit vectors, its parameters set by exact leave-one-out.

The kernel is exp(gamma · (cosine - 1)), or the cosine itself for gamma 0. A linear model of sentence vectors cannot
learn "not bad"; a kernel can bend, and leave-one-out shows whether that helps on these rows. Source: Rasmussen and
Williams 2006, sections 5.4.2 (leave-one-out) and 8.3.1 (subset of regressors).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.types import Floats
from imi.vectors import as_floats, normalize, truncate

Doubles = NDArray[np.float64]

MOST = 1500
"""Most landmarks: a larger table is fitted through this many of its rows, in memory that grows linearly."""
GAMMAS = (0.0, 0.5, 1.0, 2.0, 4.0)
NOISES = tuple(float(value) for value in np.logspace(-2.5, 2, 10))
_BLOCK = 4096


@dataclass(frozen=True)
class Kernel:
    """Predicts c numbers a vector: kernel values (n, m) against m landmarks, times weights (m, c), plus mean (c,)."""

    landmarks: Floats
    weights: Doubles
    mean: Doubles
    gamma: float

    def read(self, z: Floats | list[list[float]]) -> Doubles:
        """Return the predictions for each vector, (n, c); wider vectors are cut to their leading dimensions.

        Raises:
            UsageError: the vectors are narrower than the landmarks.
        """
        unit = fitting(z, self.landmarks.shape[1])
        parts = [
            similarities(unit[at : at + _BLOCK], self.landmarks, self.gamma) @ self.weights + self.mean
            for at in range(0, len(unit), _BLOCK)
        ]
        return np.concatenate(parts) if parts else np.empty((0, len(self.mean)))


@dataclass(frozen=True)
class Fit:
    """A kernel, and its predictions (m, c) for `rows` (m,), each made without the row itself."""

    kernel: Kernel
    rows: NDArray[np.int64]
    left_out: Doubles


def fitting(z: Floats | list[list[float]], dims: int, *, parts: bool = False) -> Floats:
    """Return unit rows, (n, dims) float32, cut where the vectors are wider; `parts`: of texts in parts.

    Raises:
        UsageError: the vectors are narrower.
    """
    array = np.atleast_2d(as_floats(z))
    if array.shape[1] < dims:
        raise UsageError(
            f"vectors have {array.shape[1]} dimensions, the head reads {dims}",
            hint="it reads texts in parts: imi.tasks.parts.in_parts(texts, model) makes such vectors"
            if parts
            else "use vectors of the model it was trained on",
        )
    return normalize(array) if array.shape[1] == dims else truncate(array, dims)


def similarities(a: Floats, b: Floats, gamma: float) -> Doubles:
    """Return the kernel of unit rows a (n, d) and b (m, d), (n, m); gamma 0 gives plain cosines."""
    cosines = np.asarray(a @ b.T, dtype=np.float64)
    return np.exp(gamma * (cosines - 1)) if gamma else cosines


def fit_kernel(z: Floats, targets: Doubles, *, seed: int = 0) -> Fit:
    """Fit a kernel; gamma and noise are those with the least leave-one-out squared error.

    Args:
        z: (n, d) unit rows.
        targets: (n, c), the numbers to learn for each row.
        seed: of the choice of landmarks in a table of more than `MOST` rows; these alone choose gamma and noise, all
            rows fit the weights.
    """
    mean = targets.mean(axis=0)
    centred = targets - mean
    rows = np.arange(len(z), dtype=np.int64)
    if len(z) > MOST:
        rows = np.sort(np.random.default_rng(seed).choice(len(z), MOST, replace=False))
    gamma, noise, weights, left_out = _search(z[rows], centred[rows])
    if len(rows) < len(z):
        weights = _through_landmarks(z, centred, rows, gamma, noise)
    return Fit(Kernel(z[rows], weights, mean, gamma), rows, left_out + mean)


def _search(z: Floats, targets: Doubles) -> tuple[float, float, Doubles, Doubles]:
    """Return the best gamma and noise, the weights they give, and the predictions for rows left out.

    With G the inverse of kernel plus noise, a row left out misses its target by (G y)ᵢ / Gᵢᵢ.
    """
    best: tuple[float, float, Doubles, Doubles] | None = None
    least = np.inf
    for gamma in GAMMAS:
        sizes, axes = np.linalg.eigh(similarities(z, z, gamma))
        sizes, along, squares = np.maximum(sizes, 0), axes.T @ targets, axes**2
        for noise in NOISES:
            weights = axes @ (along / (sizes + noise)[:, None])
            missed = weights / (squares @ (1 / (sizes + noise)))[:, None]
            error = float((missed**2).mean())
            if error < least:
                least, best = error, (gamma, noise, weights, targets - missed)
    if best is None:
        raise UsageError("the numbers to learn include one that is not finite")
    return best


def _through_landmarks(z: Floats, targets: Doubles, rows: NDArray[np.int64], gamma: float, noise: float) -> Doubles:
    """Return weights (m, c) of the landmarks fitted to all rows, read in blocks."""
    landmarks = z[rows]
    sizes, axes = np.linalg.eigh(similarities(landmarks, landmarks, gamma))
    kept = sizes > sizes[-1] * 1e-9
    basis = axes[:, kept] / np.sqrt(sizes[kept])
    squares = np.zeros((len(rows), len(rows)))
    products = np.zeros((len(rows), targets.shape[1]))
    for at in range(0, len(z), _BLOCK):
        block = similarities(z[at : at + _BLOCK], landmarks, gamma)
        squares += block.T @ block
        products += block.T @ targets[at : at + _BLOCK]
    inner = basis.T @ squares @ basis
    inner[np.diag_indices_from(inner)] += noise
    return np.asarray(basis @ np.linalg.solve(inner, basis.T @ products), dtype=np.float64)
