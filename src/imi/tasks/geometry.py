"""How a set of vectors lies in space: crowding, effective rank, what prefixes keep, and which cosine means related."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from imi.types import Floats
from imi.vectors import normalize, truncate

Values = tuple[str, Any, Any, str, str]
"""The fields of a `Finding`: check, level, value, meaning, remedy."""


def geometry_findings(z: Floats, seed: int) -> Iterator[Values]:
    """Yield findings about rows (n, d), finite and none of them zero; the seed is that of the samples."""
    unit = normalize(z)
    yield _crowding(unit)
    yield _rank(unit)
    yield _dead(unit)
    if unit.shape[1] >= 16 and len(unit) >= 50:
        yield _matryoshka(unit, seed)
    yield _related(unit, seed)


def random_cosines(z: Floats, pairs: int, seed: int) -> Floats:
    """Return the cosines, (pairs,) float32, of random pairs of different rows among unit rows (n, d)."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, len(z), pairs)
    b = (a + rng.integers(1, len(z), pairs)) % len(z)
    out = np.empty(pairs, np.float32)
    for start in range(0, pairs, 8192):
        some = slice(start, start + 8192)
        out[some] = np.einsum("nd,nd->n", z[a[some]], z[b[some]])
    return out


def effective_rank(z: Floats) -> float:
    """Return exp of the entropy of the covariance's eigenvalues of rows (n, d), 1 to d (Roy and Vetterli 2007)."""
    mean = z.mean(axis=0, dtype=np.float64)
    gram = np.zeros((z.shape[1], z.shape[1]), np.float64)
    for start in range(0, len(z), 8192):
        block = z[start : start + 8192] - mean
        gram += block.T @ block
    values = np.clip(np.linalg.eigvalsh(gram), 0, None)
    total = values.sum()
    if total <= 0:
        return 1.0
    shares = values[values > total * 1e-12] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def neighbour_overlap(z: Floats, short: Floats, k: int = 10) -> float:
    """Return the mean share, 0 to 1, of each row's k nearest rows in z that are also its k nearest in `short`."""
    full, less = z @ z.T, short @ short.T
    np.fill_diagonal(full, -2)
    np.fill_diagonal(less, -2)
    near, found = np.argpartition(-full, k, axis=1)[:, :k], np.argpartition(-less, k, axis=1)[:, :k]
    return float((near[:, :, None] == found[:, None, :]).any(axis=2).mean())


def _crowding(z: Floats) -> Values:
    n = len(z)
    total = z.sum(axis=0, dtype=np.float64)
    mean = (float(total @ total) - n) / (n * (n - 1))
    level = "warning" if mean > 0.5 else ("info" if mean > 0.25 else "ok")
    meaning = f"two random rows have a cosine of {mean:.3f} on average"
    if level == "ok":
        return "anisotropy", level, mean, meaning + ": the rows use the whole space", ""
    remedy = "judge cosines against the threshold for related, not against 0; imi compare shows each model's own scale"
    return (
        "anisotropy",
        level,
        mean,
        meaning + ": rows crowd into a cone, and high scores mean less than they seem to",
        remedy,
    )


def _rank(z: Floats) -> Values:
    rank, most = effective_rank(z), min(len(z) - 1, z.shape[1])
    share = rank / most
    meaning = f"the rows spread over {rank:.1f} directions of {most} possible"
    if share < 0.05 and most > 20:
        return (
            "effective rank",
            "warning",
            rank,
            meaning + ": most dimensions carry nothing",
            "fewer dimensions (--dims) may do as well; or the model collapsed, or the texts are all alike",
        )
    return "effective rank", "ok", rank, meaning, ""


def _dead(z: Floats) -> Values:
    dead = int((np.ptp(z, axis=0) < 1e-7).sum())
    if dead:
        return (
            "constant dimensions",
            "warning",
            dead,
            f"{dead} of {z.shape[1]} dimensions are the same in every row",
            "check how the vectors were made: padding, or a part that was never trained",
        )
    return "constant dimensions", "ok", 0, "every dimension varies between rows", ""


def _matryoshka(z: Floats, seed: int) -> Values:
    """Compare the neighbours found by the first quarter of the dimensions with those found by as many random ones."""
    rng = np.random.default_rng(seed)
    some = z[np.sort(rng.choice(len(z), min(len(z), 2000), replace=False))]
    size, k = z.shape[1] // 4, min(10, len(some) // 5)
    lead = neighbour_overlap(some, _prefix(some, size), k)
    others = [neighbour_overlap(some, _prefix(some[:, rng.permutation(z.shape[1])], size), k) for _ in range(3)]
    chance = float(np.mean(others))
    figures = f"the first {size} dimensions find {lead:.1%} of the {k} nearest rows, {size} random ones {chance:.1%}"
    # Random choices differ from each other by one or two points.
    if lead > chance + 0.03:
        return "matryoshka", "ok", lead, figures + ": the vectors can be cut", ""
    return (
        "matryoshka",
        "info",
        lead,
        figures + ": the first dimensions are not special, so these are not Matryoshka vectors",
        "search with all dimensions, or imi plan measures what cutting costs",
    )


def _prefix(z: Floats, size: int) -> Floats:
    """Return z truncated to `size` dimensions; a row that is zero there gets a tiny value, since none may be lost."""
    lead = np.array(z, dtype=np.float32)
    lead[:, 0] += np.where(np.abs(lead).cumsum(axis=1)[:, size - 1] == 0, np.float32(1e-6), np.float32(0))
    return truncate(lead, size)


def _related(z: Floats, seed: int) -> Values:
    cosines = random_cosines(z, 200_000 if len(z) > 500 else 50_000, seed)
    # Copies say nothing about unrelated rows.
    cosines = cosines[cosines < 0.9999]
    if len(cosines) < 1000:
        return "related", "info", None, "nearly all rows are copies, which give no threshold", ""
    threshold = float(np.quantile(cosines, 0.999))
    mean, spread = float(cosines.mean()), float(cosines.std())
    meaning = (
        f"random pairs have cosines of {mean:.3f} ± {spread:.3f}, and one in a thousand passes {threshold:.3f}: "
        "from there on two rows are related"
    )
    remedy = (
        "this compares rows with rows (imi similar, imi recommend); questions are shorter and score lower, "
        "so do not use it as min_score of a search"
    )
    return "related", "info", threshold, meaning, remedy
