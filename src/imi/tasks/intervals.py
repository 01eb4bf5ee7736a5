"""How sure a figure is: Wilson's interval for shares, the bootstrap for everything else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Interval = tuple[float, float]


def wilson(hits: int, n: int, z: float = 1.959964) -> Interval:
    """Return the 95 % interval of a share of `hits` in `n` (Wilson 1927); (0, 1) where n is 0.

    Unlike the normal approximation it stays inside 0 to 1, also for few cases.
    """
    if n == 0:
        return 0.0, 1.0
    share, spread = hits / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z * np.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def bootstrap(
    values: NDArray[np.generic],
    statistic: Callable[[Doubles], float] | None = None,
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> Interval:
    """Return the 95 % percentile interval of a statistic over rows drawn with replacement (Efron 1979).

    Args:
        values: (n,) or (n, c); rows are drawn whole, so that paired columns stay paired.
        statistic: of the drawn rows; None for their mean, which is computed without drawing one by one.
        seed: the same seed gives the same interval.
        resamples: how many draws.
    """
    rows = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    n = len(rows)
    if n == 0:
        return float("nan"), float("nan")
    draws = np.empty(resamples)
    for at in range(resamples):
        drawn = rows[rng.integers(0, n, n)]
        draws[at] = drawn.mean() if statistic is None else statistic(drawn)
    low, high = np.nanpercentile(draws, [2.5, 97.5]) if np.isfinite(draws).any() else (np.nan, np.nan)
    return float(low), float(high)
