"""Bootstrap intervals: how far a figure would move with other rows of the same kind, and how far two figures differ.

All use the percentile bootstrap (Efron 1979) with a fixed seed. Differences are paired: both systems meet the same
drawn rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imi.errors import UsageError

RESAMPLES = 1000
LEVEL = 0.95
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one system is than another on the same rows: the value and its interval."""

    value: float
    interval: tuple[float, float]

    def to_dict(self) -> dict[str, float | list[float]]:
        """Return JSON values."""
        return {"value": self.value, "interval": list(self.interval)}


def mean_interval(values: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the mean of (n,) values; NaN values are refused, an empty array gives zeros."""
    return _percentiles(_means(_checked(values), resamples, seed))


def mean_difference(a: ArrayLike, b: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> Difference:
    """Return mean(a) - mean(b) of two systems over the same n rows, with its paired interval."""
    left, right = _checked(a), _checked(b)
    _same_rows(left, right)
    gap = left - right
    return Difference(float(gap.mean()) if len(gap) else 0.0, mean_interval(gap, resamples=resamples, seed=seed))


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Return Spearman's correlation of two (n,) arrays, ties at the mean of their ranks; 0 where one is constant."""
    left, right = _checked(a), _checked(b)
    _same_rows(left, right)
    one = np.ones((1, len(left)))
    return float(_spearman_of_draws(_Ranks(left), _Ranks(right), one)[0])


def spearman_interval(a: ArrayLike, b: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of Spearman's correlation over pairs drawn again."""
    left, right = _checked(a), _checked(b)
    _same_rows(left, right)
    return _percentiles(_spearman_of_draws(_Ranks(left), _Ranks(right), _draws(len(left), resamples, seed)))


def spearman_difference(
    a: ArrayLike, b: ArrayLike, gold: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """Return spearman(a, gold) - spearman(b, gold) with its paired interval: both systems meet the same drawn pairs."""
    left, right, true = _checked(a), _checked(b), _checked(gold)
    _same_rows(left, true)
    _same_rows(right, true)
    draws, ranks = _draws(len(true), resamples, seed), _Ranks(true)
    gap = _spearman_of_draws(_Ranks(left), ranks, draws) - _spearman_of_draws(_Ranks(right), ranks, draws)
    return Difference(spearman(left, true) - spearman(right, true), _percentiles(gap))


def _checked(values: ArrayLike) -> Doubles:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise UsageError(f"values have shape {array.shape} or hold NaN, allowed are (n,) finite numbers")
    return array


def _same_rows(a: Doubles, b: Doubles) -> None:
    if len(a) != len(b):
        raise UsageError(f"{len(a)} values meet {len(b)}, both systems must be measured on the same rows")


def _draws(n: int, resamples: int, seed: int) -> Doubles:
    """Return how often each of n rows was drawn in each resample, (resamples, n)."""
    random = np.random.default_rng(seed)
    out = np.empty((resamples, n))
    for row in out:
        row[:] = np.bincount(random.integers(0, n, n), minlength=n) if n else 0
    return out


def _means(values: Doubles, resamples: int, seed: int) -> Doubles:
    return _draws(len(values), resamples, seed) @ values / max(len(values), 1)


def _percentiles(values: Doubles) -> tuple[float, float]:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail]) if values.size else (0.0, 0.0)
    return float(low), float(high)


class _Ranks:
    """Which tie group each value belongs to: a resample's mean ranks follow from the groups' drawn sizes alone."""

    def __init__(self, values: Doubles) -> None:
        _, self.group = np.unique(values, return_inverse=True)
        self.groups = int(self.group.max()) + 1 if len(values) else 0

    def of(self, draw: Doubles) -> Doubles:
        """Return the mean rank of each value in a sample where row i occurs draw[i] times."""
        sizes = np.bincount(self.group, weights=draw, minlength=self.groups)
        return np.asarray((np.cumsum(sizes) - (sizes - 1) / 2)[self.group], dtype=np.float64)


def _spearman_of_draws(a: _Ranks, b: _Ranks, draws: Doubles) -> Doubles:
    """Return Spearman's correlation in each resample, exactly what ranking the drawn rows again would give."""
    out = np.zeros(len(draws))
    for at, draw in enumerate(draws):
        left, right, total = a.of(draw), b.of(draw), draw.sum()
        if not total:
            continue
        left, right = left - draw @ left / total, right - draw @ right / total
        spread = np.sqrt((draw @ left**2) * (draw @ right**2))
        out[at] = draw @ (left * right) / spread if spread > 0 else 0.0
    return out
