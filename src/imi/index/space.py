"""The space a first rung searches: prefixes laid out so that Euclidean order is the metric's order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.index.manifest import CheckedVectors, blocks_of, gathered
from imi.types import Floats, Rows
from imi.vectors import Metric, truncate

_EXILE = np.float32(2)


class Space:
    """Turns vectors and queries into rows of a space where nearer means better.

    cosine: prefixes re-normalised by `truncate`.
    l2: the first dimensions as they are; lengths are information there.
    dot: the first dimensions and one more, the square root of what the row's squared length lacks to the longest one,
    which turns the largest product into the nearest point (Bachrach et al., 2014, "Speeding up the Xbox recommender
    system using a Euclidean transformation for inner-product spaces").

    Rows that cannot be compared (zero in all dims under cosine, NaN) and rows held out are exiled: placed twice as far
    out as the others reach, each in a new direction, where they disturb no graph and are nobody's neighbour.
    """

    def __init__(self, metric: Metric, dims: int, longest: float = 0.0, rotation: Floats | None = None) -> None:
        """Describe a space.

        Args:
            metric: what order it reproduces.
            dims: the prefix.
            longest: for dot, the largest squared length of a row's prefix; `measure` finds it.
            rotation: (full width, dims) columns to take products with instead of taking the first dimensions.
        """
        self.metric = metric
        self.dims = dims
        self.longest = longest
        self.rotation = rotation
        self.width = dims + (metric == "dot")
        self.exiled: Rows = np.empty(0, dtype=np.int64)  # ascending; set while a structure is built without them

    @classmethod
    def measure(cls, metric: Metric, dims: int, vectors: NDArray[Any] | CheckedVectors, rotated: bool = False) -> Space:
        """Return the space for these vectors, reading their lengths where the metric needs them."""
        longest, rotation = 0.0, learn_rotation(vectors, dims) if rotated else None
        if metric == "dot":
            for _, rows in blocks_of(vectors):
                block = _leading(rows, dims, rotation)
                squares = np.einsum("nd,nd->n", block, block)
                longest = max(longest, float(np.nanmax(squares, initial=0)))
        return cls(metric, dims, longest, rotation)

    def rows(self, block: NDArray[Any], first: int = 0) -> Floats:
        """Return (m, width) rows for a block of vectors whose first row has number `first`."""
        prefix = _leading(block, self.dims, self.rotation)
        lengths = np.sqrt(np.einsum("nd,nd->n", prefix, prefix))
        bad = ~np.isfinite(lengths) | ((lengths == 0) & (self.metric == "cosine"))
        near, far = np.searchsorted(self.exiled, (first, first + len(prefix)))
        bad[self.exiled[near:far] - first] = True
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
            return unit_rows(_leading(queries, self.dims, self.rotation))
        if self.metric == "l2":
            return np.ascontiguousarray(_leading(queries, self.dims, self.rotation))
        out = np.zeros((len(queries), self.width), dtype=np.float32)
        out[:, : self.dims] = _leading(queries, self.dims, self.rotation)
        return out

    def all_rows(self, vectors: NDArray[Any] | CheckedVectors) -> Floats:
        """Return the whole table, (n, width), made block by block."""
        out = np.empty((len(vectors), self.width), dtype=np.float32)
        for start, block in blocks_of(vectors):
            out[start : start + len(block)] = self.rows(block, start)
        return out


def unit_rows(queries: Floats) -> Floats:
    """Return queries at length one, the same array when they are; zero rows stay zero."""
    if len(queries) == 1:
        square = float(np.vdot(queries, queries))
        if abs(square - 1) < 1e-6 and queries.flags.c_contiguous:
            return queries
        return queries * np.float32(1 / math.sqrt(square) if square > 0 else 0)
    lengths = np.sqrt(np.vecdot(queries, queries))
    return np.asarray(queries / np.where(lengths > 0, lengths, np.float32(1))[:, None], dtype=np.float32)


def _leading(block: NDArray[Any], dims: int, rotation: Floats | None) -> Floats:
    if rotation is None:
        return np.asarray(block[:, :dims], dtype=np.float32)
    return np.asarray(np.asarray(block, dtype=np.float32) @ rotation, dtype=np.float32)


def learn_rotation(vectors: NDArray[Any] | CheckedVectors, dims: int, rows: int = 20_000) -> Floats:
    """Return (width, dims) leading eigenvectors of some rows' second moment: the first axes carry the most.

    No centring: an inner product stays what it is under a rotation, but not under a shift.
    """
    some = np.asarray(gathered(vectors, np.arange(0, len(vectors), max(1, len(vectors) // rows))), dtype=np.float64)
    some = some[np.isfinite(some).all(axis=1)]
    return np.ascontiguousarray(np.linalg.eigh(some.T @ some)[1][:, ::-1][:, :dims], dtype=np.float32)
