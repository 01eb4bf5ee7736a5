"""Labels that unlabelled rows teach: those that lie surest with a label's descriptions say what its texts are like.

A description is a sentence about a text; the texts themselves are written otherwise. The rows whose nearest label is
clearest are taken at their word, and a ridge regression of labels on vectors learns from them and from the
descriptions together (self-training, Scudder 1965). It then reads all rows. How often its answer and that of the
descriptions agree says, without a single true label, how sure the answers may be.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imi.types import Floats

Doubles = NDArray[np.float64]
Codes = NDArray[np.int64]

_PER_LABEL = 50
"""Rows a label from which they teach more than the descriptions know; with fewer, small labels are lost."""
_SURE = 0.6
_MOST = 20_000
_RIDGE = 1 / 800
"""Regularisation a teaching row and label. This and the share above: from reviews and hotels that no test reads."""
_CERTAIN = 0.995
_STEEPEST = 8.0
"""Most spreads of the scores to which a certainty is stretched, so that a row between two labels stays unsure."""


def enough_rows(rows: int, labels: int) -> bool:
    """Return whether so many rows can teach so many labels."""
    return rows >= _PER_LABEL * labels


def taught_scores(z: Floats, described: Sequence[Floats], scores: Floats, *, even: bool) -> Doubles:
    """Return the scores (n, c) of labels that the surest rows and the descriptions teach.

    Args:
        z: (n, d) unit rows.
        described: for each of the c labels, the unit vectors (m, d) of its descriptions.
        scores: (n, c) by the descriptions alone.
        even: take the surest rows of each label and let labels count alike, as for topics; else the surest rows of
            all, as for opinions, of which one may be rare.
    """
    count = len(described)
    nearest = scores.argmax(axis=1)
    own = np.arange(len(scores))
    others = scores.copy()
    others[own, nearest] = -np.inf
    margin = scores[own, nearest] - others.max(axis=1)
    sure = _surest(margin, nearest if even else np.zeros(len(z), np.int64))
    if len(sure) > _MOST:
        sure = sure[np.linspace(0, len(sure) - 1, _MOST).astype(np.int64)]
    codes = np.concatenate([nearest[sure], np.repeat(np.arange(count), [len(one) for one in described])])
    weights = np.ones(len(codes))
    if even:
        sizes = np.bincount(nearest[sure], minlength=count)
        weights[: len(sure)] = np.sqrt(len(sure) / count / np.maximum(sizes, 1))[nearest[sure]]
    slopes, offset = _ridge(np.concatenate([z[sure], *described]), codes, weights, len(sure) * count * _RIDGE)
    return np.asarray(z @ slopes + offset, dtype=np.float64)


def agreement_of(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return the share of rows for which two score tables (n, c) name the same label."""
    return float((first.argmax(axis=1) == second.argmax(axis=1)).mean())


def sure_as(scores: NDArray[np.floating], mean: float) -> Floats:
    """Return softmax confidences (n, c) whose scale makes the best label's confidence `mean` on average.

    Args:
        scores: (n, c).
        mean: between an even guess and certainty; values beyond are brought inside. Scores that hardly differ are not
            stretched without end to reach it.
    """
    inner = scores - scores.max(axis=1, keepdims=True)
    spread = float(np.sqrt(((scores - scores.mean(axis=1, keepdims=True)) ** 2).mean()))
    if spread == 0:
        return np.full(scores.shape, 1 / scores.shape[1], np.float32)
    goal = min(max(mean, 1.05 / scores.shape[1]), _CERTAIN)
    low, high = 1e-3, _STEEPEST
    for _ in range(40):
        middle = float(np.sqrt(low * high))
        if _softmax(inner * (middle / spread)).max(axis=1).mean() < goal:
            low = middle
        else:
            high = middle
    return _softmax(inner * (high / spread)).astype(np.float32)


def _softmax(inner: NDArray[np.floating]) -> NDArray[np.floating]:
    grown = np.exp(inner)
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def _surest(margin: NDArray[np.floating], groups: Codes) -> Codes:
    """Return the rows with the largest margins of each group, ascending: its `_SURE` share, and what equals them."""
    found = []
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        found.append(rows[margin[rows] >= np.quantile(margin[rows], 1 - _SURE) - 1e-6])
    return np.sort(np.concatenate(found)).astype(np.int64)


def _ridge(z: Floats, codes: Codes, weights: Doubles, strength: float) -> tuple[Doubles, Doubles]:
    """Return slopes (d, c) and offsets (c,) of the weighted ridge regression of one-hot labels on rows."""
    share = weights / weights.sum()
    truth = np.eye(int(codes.max()) + 1)[codes]
    middle, level = share @ z, share @ truth
    scaled = (z - middle) * np.sqrt(weights)[:, None]
    gram = scaled.T @ scaled
    gram[np.diag_indices_from(gram)] += max(strength, 0.3)
    slopes = np.linalg.solve(gram, scaled.T @ ((truth - level) * np.sqrt(weights)[:, None]))
    return slopes, level - middle @ slopes
