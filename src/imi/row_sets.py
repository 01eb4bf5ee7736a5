"""Row numbers as sets: numpy's own functions of this kind import all of `numpy.ma`, which takes as long as a search."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.types import Rows


def distinct(rows: NDArray[Any]) -> Rows:
    """Return each row number once, ascending, as int64."""
    ordered = np.sort(np.asarray(rows, dtype=np.int64), axis=None)
    if len(ordered) < 2:
        return ordered
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))]


def among(rows: NDArray[Any], others: NDArray[Any]) -> NDArray[np.bool_]:
    """Return (n,) booleans: which of the rows are among the others."""
    rows, ordered = np.asarray(rows, dtype=np.int64), np.sort(np.asarray(others, dtype=np.int64), axis=None)
    if not len(ordered):
        return np.zeros(rows.shape, dtype=np.bool_)
    at = np.minimum(np.searchsorted(ordered, rows), len(ordered) - 1)
    return np.asarray(ordered[at] == rows)
