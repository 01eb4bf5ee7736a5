"""What every index does: queries in, the best rows out, and what it can and cannot do."""

from __future__ import annotations

import math
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.types import Floats, Rows
from imi.vectors import METRICS, Metric, as_floats


@runtime_checkable
class Index(Protocol):
    """Vectors that can be searched; a row's number is its place in the array that was given.

    Scores are higher-is-better: the cosine, the dot product, or minus the Euclidean distance.
    `can_filter` says whether the index takes `allowed`; one that cannot raises UsageError when given it.
    `can_save` says whether it has `save(folder)` and can be loaded again.
    """

    can_filter: bool
    can_save: bool

    @property
    def metric(self) -> Metric:
        """What a score means."""
        ...

    @property
    def width(self) -> int:
        """Numbers in a query."""
        ...

    def __len__(self) -> int: ...

    def search(self, queries: NDArray[Any], k: int = 10, allowed: Rows | None = None) -> tuple[Floats, Rows]:
        """Find the k best rows for each query.

        Args:
            queries: (b, width) or (width,), numbers.
            k: how many; more than there are gives padding.
            allowed: row numbers that may be returned, unique; None for all.

        Returns:
            Scores (b, k) float32, best first, and rows (b, k) int64; where fewer than k exist, row -1 and score -inf.

        Raises:
            UsageError: the width or k is wrong.
        """
        ...


def check_metric(metric: str) -> Metric:
    """Return the metric, or raise UsageError naming the three there are."""
    for known in METRICS:
        if metric == known:
            return known
    raise UsageError(f"metric {metric!r} is not known: cosine, dot or l2")


def check_queries(queries: NDArray[Any], width: int, k: int) -> Floats:
    """Return queries as a (b, width) float32 array.

    Raises:
        UsageError: k is below 1, the width differs, or a query holds NaN or infinity.
    """
    if k < 1:
        raise UsageError(f"k={k}: at least 1 row must be asked for")
    if queries.shape == (width,):
        queries = queries[None]
    plain = queries.shape == (1, width) and queries.dtype == np.float32 and queries.flags.c_contiguous
    # One query of the right form is checked in a microsecond: its squared length is finite when its numbers are.
    if plain and math.isfinite(np.vdot(queries, queries)):
        return queries
    array = np.atleast_2d(as_floats(queries, name="queries"))
    if array.shape[1] != width:
        raise UsageError(
            f"queries of shape {np.shape(queries)} do not fit an index of width {width}: (b, {width}) is needed",
            hint="embed the queries with the model that made the vectors, at the same dims",
        )
    return array


def check_vectors(vectors: NDArray[Any]) -> NDArray[Any]:
    """Return (n, d) float32 or float16 vectors unchanged (a memory map stays one); other numbers become float32.

    Raises:
        UsageError: it is not a table of numbers.
    """
    if vectors.ndim != 2 or vectors.shape[1] < 1:
        raise UsageError(f"vectors of shape {vectors.shape}: a table (n, d) with d of at least 1 is needed")
    if vectors.dtype not in (np.float32, np.float16):
        return vectors.astype(np.float32)
    return vectors
