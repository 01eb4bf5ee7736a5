"""The space a first rung searches: prefixes laid out so that Euclidean order is the metric's order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.vectors import Floats, Metric, truncate

_EXILE = np.float32(2)


class Space:
    """Turns vectors and queries into rows of a space where nearer means better.

    cosine: prefixes re-normalised by `truncate`.
    l2: the first numbers as they are; lengths are information there.
    dot: the first numbers and one more, the square root of what the row's squared length lacks to the longest one,
    which turns the largest product into the nearest point (Bachrach et al., 2014, "Speeding up the Xbox recommender
    system using a Euclidean transformation for inner-product spaces").

    Rows that cannot be compared (zero in all dims under cosine, NaN) are exiled: placed twice as far out as the others
    reach, each in a direction of its own, where they disturb no graph and are nobody's neighbour.
    """

    def __init__(self, metric: Metric, dims: int, longest: float = 0.0) -> None:
        """Describe a space.

        Args:
            metric: what order it reproduces.
            dims: the prefix.
            longest: for dot, the largest squared length of a row's prefix; `measure` finds it.
        """
        self.metric = metric
        self.dims = dims
        self.longest = longest
        self.width = dims + (metric == "dot")

    @classmethod
    def measure(cls, metric: Metric, dims: int, vectors: NDArray[Any]) -> Space:
        """Return the space for these vectors, reading their lengths where the metric needs them."""
        longest = 0.0
        if metric == "dot":
            for start in range(0, len(vectors), 1 << 14):
                block = np.asarray(vectors[start : start + (1 << 14), :dims], dtype=np.float32)
                squares = np.einsum("nd,nd->n", block, block)
                longest = max(longest, float(np.nanmax(squares, initial=0)))
        return cls(metric, dims, longest)

    def rows(self, block: NDArray[Any], first: int = 0) -> Floats:
        """Return (m, width) rows for a block of vectors whose first row has number `first`."""
        prefix = np.asarray(block[:, : self.dims], dtype=np.float32)
        lengths = np.sqrt(np.einsum("nd,nd->n", prefix, prefix))
        bad = ~np.isfinite(lengths) | ((lengths == 0) & (self.metric == "cosine"))
        scale = 1.0 if self.metric == "cosine" else float(np.max(lengths, where=~bad, initial=1.0))
        if bad.any():
            prefix = prefix.copy()
            for row in np.flatnonzero(bad):
                direction = np.random.default_rng(first + int(row)).standard_normal(self.dims).astype(np.float32)
                prefix[row] = direction / np.linalg.norm(direction)
        out = np.empty((len(prefix), self.width), dtype=np.float32)
        if self.metric == "cosine":
            out[:] = truncate(prefix, self.dims)
        else:
            out[:, : self.dims] = prefix
        if self.metric == "dot":
            out[:, self.dims] = np.sqrt(np.maximum(np.float32(self.longest) - lengths**2, 0))
            out[bad, self.dims] = 0
        out[bad] *= _EXILE * np.float32(scale)
        return out

    def queries(self, queries: Floats) -> Floats:
        """Return (b, width) queries for (b, full width) ones, which need not be unit rows."""
        if self.metric == "cosine":
            prefix = np.ascontiguousarray(queries[:, : self.dims])
            lengths = np.sqrt(np.vecdot(prefix, prefix))
            return np.asarray(prefix / np.where(lengths > 0, lengths, np.float32(1))[:, None], dtype=np.float32)
        if self.metric == "l2":
            return np.ascontiguousarray(queries[:, : self.dims])
        out = np.zeros((len(queries), self.width), dtype=np.float32)
        out[:, : self.dims] = queries[:, : self.dims]
        return out

    def all_rows(self, vectors: NDArray[Any]) -> Floats:
        """Return the whole table, (n, width), made block by block."""
        out = np.empty((len(vectors), self.width), dtype=np.float32)
        for start in range(0, len(vectors), 1 << 14):
            out[start : start + (1 << 14)] = self.rows(vectors[start : start + (1 << 14)], start)
        return out
