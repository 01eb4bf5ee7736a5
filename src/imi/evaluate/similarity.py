"""Similarity: does the cosine agree with people (`sts`), and do translations find each other (`bitext`)?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imi.embedders.base import Embedder
from imi.errors import UsageError
from imi.evaluate.intervals import mean_interval, spearman, spearman_interval
from imi.evaluate.scores import ByDims, Dims, Score, at_dims, encode
from imi.progress import Progress
from imi.types import Floats

_CHUNK = 1024


def sts(
    model: Embedder | tuple[Floats, Floats],
    pairs: Sequence[tuple[str, str]],
    scores: ArrayLike,
    dims: Dims = None,
    *,
    progress: Progress | None = None,
) -> ByDims:
    """Measure semantic textual similarity: Spearman's correlation of cosines with people's scores.

    Args:
        model: an embedder, or the vectors (n, d) of both sides; `pairs` may be empty then.
        pairs: n pairs of texts.
        scores: (n,) how alike people found them, on any scale.
        dims: leading dimensions to use, one or several; None for all.
        progress: called as progress(done, total) while texts are encoded.

    Returns:
        For each dims a `Score` of metric "spearman"; its `items` are the cosines.

    Raises:
        UsageError: pairs, vectors and scores do not agree in number, or fewer than two.
    """
    gold = np.asarray(scores, dtype=np.float64)
    sides = encode(model, [([a for a, _ in pairs], "document"), ([b for _, b in pairs], "document")], progress)
    if not len(sides[0]) == len(sides[1]) == len(gold) or len(gold) < 2:
        raise UsageError(f"{len(sides[0])} and {len(sides[1])} vectors meet {len(gold)} scores, as many are needed")
    out: ByDims = {}
    for size, (a, b) in at_dims(sides, dims):
        out[size] = correlation(np.einsum("nd,nd->n", a, b), gold)
    return out


def correlation(predicted: ArrayLike, gold: ArrayLike) -> Score:
    """Return Spearman's correlation of (n,) predictions with (n,) scores as a `Score`."""
    found = np.asarray(predicted, dtype=np.float64)
    return Score("spearman", spearman(found, gold), spearman_interval(found, gold), items=found)


def bitext(
    model: Embedder | tuple[Floats, Floats],
    pairs: Sequence[tuple[str, str]],
    dims: Dims = None,
    *,
    progress: Progress | None = None,
) -> ByDims:
    """Measure how often a text's translation is its nearest among all, both ways.

    Args:
        model: an embedder, or the vectors (n, d) of both sides; `pairs` may be empty then.
        pairs: n translations, each text once on its side.
        dims: leading dimensions to use, one or several; None for all.
        progress: called as progress(done, total) while texts are encoded.

    Returns:
        For each dims a `Score` of metric "top1", the mean of both ways; `also` has "forward" and "backward".
    """
    sides = encode(model, [([a for a, _ in pairs], "document"), ([b for _, b in pairs], "document")], progress)
    if len(sides[0]) != len(sides[1]) or not len(sides[0]):
        raise UsageError(f"{len(sides[0])} texts meet {len(sides[1])} translations, as many are needed, at least one")
    return {size: matches(_own(a, b), _own(b, a)) for size, (a, b) in at_dims(sides, dims)}


def matches(forward: NDArray[np.bool_], backward: NDArray[np.bool_]) -> Score:
    """Return the share of hits both ways as a `Score`, from (n,) hits each way."""
    items = (forward.astype(np.float64) + backward) / 2
    both = {"forward": float(forward.mean()), "backward": float(backward.mean())}
    return Score("top1", float(items.mean()), mean_interval(items), both, items)


def _own(queries: Floats, targets: Floats) -> NDArray[np.bool_]:
    """Return whether row i of `targets` is the nearest to row i of `queries`, (n,); a tie is a miss."""
    out = np.empty(len(queries), np.bool_)
    for first in range(0, len(queries), _CHUNK):
        cosines = queries[first : first + _CHUNK] @ targets.T
        at = np.arange(len(cosines))
        own = cosines[at, first + at].copy()
        cosines[at, first + at] = -np.inf
        out[first : first + _CHUNK] = own > cosines.max(axis=1, initial=-np.inf)
    return out
