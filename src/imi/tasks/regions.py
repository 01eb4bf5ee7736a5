"""Names for the regions of a map: the words that set each apart, for the whole of it and for its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.tasks.keywords import distinctive_words
from imi.types import Floats

_LEVELS = (8, 32, 128)
"""How many regions at each level, at most."""
_ROWS = 14
"""Rows that a region has on average, at least."""
_SEEDED = 20_000
"""Rows that the middles are found from; the others go to the nearest."""
_SMALLEST = 3
_STEPS = 20


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a map: where its name is drawn, its name, how many points it has, and its level, 0 the coarsest."""

    x: float
    y: float
    name: str
    size: int
    level: int


@dataclass(frozen=True, slots=True)
class Regions:
    """All regions with a name, coarse ones first, and the name of each point's coarsest one; None where it has none."""

    named: tuple[Region, ...]
    of: tuple[str | None, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what the page reads: a list a region, and a number a point, -1 for none."""
        coarse = [one.name for one in self.named if one.level == 0]
        number = {name: at for at, name in enumerate(coarse)}
        return {
            "named": [list(astuple(one)) for one in self.named],
            "of": [-1 if name is None else number[name] for name in self.of],
        }


def regions(points: Floats, texts: Sequence[str], *, seed: int = 0) -> Regions:
    """Divide a map into regions, three levels of them, and name them.

    Args:
        points: (n, 2) places.
        texts: one a point; those without words name nothing.
        seed: of where the search for middles starts.
    """
    n = len(points)
    found: list[Region] = []
    coarse: tuple[str | None, ...] = (None,) * n
    before = 0
    for level, most in enumerate(_LEVELS):
        k = min(most, n // _ROWS)
        if k < 2 or k <= before:
            break
        before = k
        groups = _groups(points, k, seed)
        names = [" · ".join(words) for words in distinctive_words(texts, groups, k, words=2, most=200)]
        sizes = np.bincount(groups, minlength=k)
        kept: dict[str, int] = {}
        for group in np.argsort(-sizes, kind="stable").tolist():
            if names[group] and sizes[group] >= _SMALLEST:
                kept.setdefault(names[group], group)
        for name, group in kept.items():
            x, y = np.median(points[groups == group], axis=0).tolist()
            found.append(Region(x, y, name, int(sizes[group]), level))
        if level == 0:
            coarse = tuple(names[group] if names[group] in kept else None for group in groups.tolist())
    return Regions(tuple(found), coarse)


def _groups(points: Floats, k: int, seed: int) -> NDArray[np.int64]:
    """Return the group of each point: k-means in the plane, its middles spread at the start (k-means++)."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(seed)
    some = points if len(points) <= _SEEDED else points[rng.choice(len(points), _SEEDED, replace=False)]
    middles = _spread_out(some.astype(np.float64), k, rng)
    for _ in range(_STEPS):
        nearest = cKDTree(middles).query(some)[1]
        counts = np.bincount(nearest, minlength=k)
        sums = np.stack([np.bincount(nearest, some[:, axis], k) for axis in (0, 1)], axis=1)
        middles = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], middles)
    return np.asarray(cKDTree(middles).query(points)[1], np.int64)


def _spread_out(points: Floats, k: int, rng: np.random.Generator) -> Floats:
    chosen = [points[int(rng.integers(len(points)))]]
    least = np.full(len(points), np.inf)
    for _ in range(k - 1):
        least = np.minimum(least, ((points - chosen[-1]) ** 2).sum(axis=1))
        total = float(least.sum())
        at = int(rng.integers(len(points))) if total <= 0 else int(rng.choice(len(points), p=least / total))
        chosen.append(points[at])
    return np.array(chosen)
