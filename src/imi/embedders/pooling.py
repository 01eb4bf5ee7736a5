"""Add up rows of an int8 table, many texts at a time, with numpy alone.

A block of a few hundred tokens is one small matrix product: a (texts, tokens) matrix that holds each token's scale in
the row of its
text, times the tokens' rows. That is how a sparse product with the whole table would go, without a sparse library.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Measured: 128 to 512 alike; the gathered rows of a block stay in the second-level cache.
BLOCK_TOKENS = 256


def pool(
    ids: NDArray[np.int32], offsets: NDArray[np.int64], rows: NDArray[np.int8], scales: Floats, *, workers: int = 1
) -> Floats:
    """Return the sum of scaled rows for each text.

    Args:
        ids: (t,) row numbers of all texts, one text after another.
        offsets: (n + 1,) where each text starts.
        rows: (v, d) int8.
        scales: (v,) float32, one a row.
        workers: threads; numpy lets go of the interpreter while it gathers and multiplies.

    Returns:
        (n, d) float32; zeros for a text without tokens.
    """
    out = np.zeros((len(offsets) - 1, rows.shape[1]), np.float32)
    texts = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    cuts = _cuts(offsets)
    if workers > 1 and len(cuts) > 8:
        # Each worker takes a run of whole texts, so that no two write to one row.
        edges = np.searchsorted(offsets, np.linspace(0, len(ids), workers + 1))
        spans = [(int(a), int(b)) for a, b in zip(offsets[edges[:-1]], offsets[edges[1:]], strict=True)]
        with ThreadPoolExecutor(workers) as crew:
            list(crew.map(lambda span: _span(span[0], span[1], cuts, ids, texts, rows, scales, out), spans))
    else:
        _span(0, len(ids), cuts, ids, texts, rows, scales, out)
    return out


def _cuts(offsets: NDArray[np.int64]) -> list[int]:
    """Cut the tokens into blocks at text ends, within a text where it is longer than a block."""
    cuts = [0]
    total = int(offsets[-1])
    while cuts[-1] < total:
        reach = cuts[-1] + BLOCK_TOKENS
        end = int(offsets[np.searchsorted(offsets, reach, side="right") - 1])
        cuts.append(min(end if end > cuts[-1] else reach, total))
    return cuts


def _span(
    start: int,
    stop: int,
    cuts: list[int],
    ids: NDArray[np.int32],
    texts: NDArray[np.int64],
    rows: NDArray[np.int8],
    scales: Floats,
    out: Floats,
) -> None:
    inner = [cut for cut in cuts if start < cut < stop]
    edges = [start, *inner, stop] if stop > start else []
    for a, b in itertools.pairwise(edges):
        block = ids[a:b]
        first, last = texts[a], texts[b - 1] + 1
        weights = np.zeros((last - first, b - a), np.float32)
        weights[texts[a:b] - first, np.arange(b - a)] = scales[block]
        out[first:last] += weights @ rows[block].astype(np.float32)
