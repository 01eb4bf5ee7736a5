"""Arithmetic on vectors: truncate, normalise, quantise, compare. Nothing else in imi shortens a vector.

Rows are vectors: a matrix is (n, d), a single vector (d,). Every function checks its input and returns a new float32
array;
NaN, infinities, zero rows where a direction is needed, and sizes that cannot be are a UsageError that names the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imi.errors import UsageError
from imi.types import Floats

Metric = Literal["cosine", "dot", "l2"]
METRICS: tuple[Metric, ...] = ("cosine", "dot", "l2")
_TINY = np.float32(1e-30)


def as_floats(z: ArrayLike, *, name: str = "vectors") -> Floats:
    """Return z as a C-contiguous float32 array of one or two axes with finite numbers.

    Args:
        z: (d,) or (n, d) numbers.
        name: how errors call the argument.

    Returns:
        The same shape, float32; no copy where z is already that.

    Raises:
        UsageError: not numbers, no or too many axes, no columns, NaN or infinite entries (the first row is named).
    """
    try:
        array = np.ascontiguousarray(z, dtype=np.float32)
    except (TypeError, ValueError) as wrong:
        raise UsageError(
            f"{name} are not a rectangular array of numbers: {wrong}", hint="give (n, d) floats"
        ) from wrong
    if np.ndim(z) not in (1, 2):
        raise UsageError(f"{name} have {np.ndim(z)} axes, allowed are 1 (one vector) or 2 (one row a vector)")
    if array.shape[-1] == 0:
        raise UsageError(f"{name} have no numbers: the width is 0, at least 1 is needed")
    # One pass: a sum is finite unless an entry is not, or unless finite entries overflow, which is checked apart.
    with np.errstate(over="ignore", invalid="ignore"):
        sums = array.sum(axis=-1)
    if not np.isfinite(sums).all():
        finite = np.isfinite(array).all(axis=-1)
        if not finite.all():
            row = int(np.argmin(np.atleast_1d(finite)))
            raise UsageError(f"{name} row {row} holds NaN or infinite numbers", hint="imi doctor FILE lists such rows")
    return array


def check_dims(dims: int, width: int) -> int:
    """Return dims, or raise UsageError naming what is possible."""
    if isinstance(dims, bool) or not isinstance(dims, int | np.integer) or not 1 <= dims <= width:
        raise UsageError(f"dims is {dims!r}, allowed are whole numbers from 1 to the width, {width}")
    return int(dims)


def _same_width(a: Floats, b: Floats) -> None:
    if a.shape[-1] != b.shape[-1]:
        raise UsageError(
            f"the widths differ: {a.shape[-1]} and {b.shape[-1]}",
            hint="compare vectors of one model at the same dims: imi.truncate shortens the longer ones",
        )


def norms(z: ArrayLike) -> Floats:
    """Return the Euclidean length of each row: (n,) for (n, d), a 0-d array for (d,)."""
    array = as_floats(z)
    # float64 accumulation only where squares would leave float32's range.
    peak = np.abs(array).max(initial=0.0)
    if peak > 1e15 or 0 < peak < 1e-15:
        return np.asarray(np.linalg.norm(array.astype(np.float64), axis=-1), dtype=np.float32)
    return np.asarray(np.sqrt(np.einsum("...d,...d->...", array, array)), dtype=np.float32)


def normalize(z: ArrayLike) -> Floats:
    """Return the rows at length one.

    Args:
        z: (n, d) or (d,).

    Raises:
        UsageError: a row is all zeros (it has no direction), or holds NaN.
    """
    return _unit(as_floats(z))


def _unit(array: Floats) -> Floats:
    if array.size == 0:
        return array.copy()
    # Dividing by the largest entry first keeps squares inside float32's range for any finite row.
    peaks = np.abs(array).max(axis=-1, keepdims=True)
    if not (peaks > 0).all():
        row = int(np.argmin(np.atleast_1d(peaks[..., 0] > 0)))
        raise UsageError(
            f"row {row} is all zeros: it has no direction", hint="leave such rows out; imi doctor FILE lists them"
        )
    scaled: Floats = array / peaks
    lengths = np.sqrt(np.einsum("...d,...d->...", scaled, scaled))[..., None]
    return np.asarray(scaled / lengths, dtype=np.float32)


def truncate(z: ArrayLike, dims: int) -> Floats:
    """Keep the first `dims` dimensions of each row and bring the rows back to length one.

    A bare slice of unit vectors is not a set of unit vectors, and dot products over it rank by leftover length: only
    50–70 % of the cosine top 10 survive at 32–64 dimensions. This is the only place where imi shortens a vector.

    Args:
        z: (n, d) or (d,).
        dims: 1 to d; d itself re-normalises only.

    Returns:
        (n, dims) or (dims,) float32 unit rows.

    Raises:
        UsageError: dims outside 1 to d; a row is zero in its first `dims` dimensions, or holds NaN.
    """
    array = as_floats(z)
    return _unit(array[..., : check_dims(dims, array.shape[-1])])


@dataclass(frozen=True)
class Quantized:
    """Small codes of vectors, with what is needed to read them: they never travel without their scale.

    codes: (n, d) int8, or (n, ceil(d / 8)) uint8 for binary, most significant bit first.
    scale: (d,) float32, the size of one step a column; empty for binary.
    width: d, the dimensions a vector had.
    """

    kind: Literal["int8", "binary"]
    codes: NDArray[Any]
    scale: Floats
    width: int

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def nbytes(self) -> int:
        """Bytes of codes and scale together."""
        return int(self.codes.nbytes + self.scale.nbytes)

    def restore(self) -> Floats:
        """Return (n, d) float32: int8 codes times scale; for binary, rows of ±1/√d, which are unit."""
        if self.kind == "int8":
            return np.asarray(self.codes.astype(np.float32) * self.scale, dtype=np.float32)
        bits = np.unpackbits(self.codes, axis=-1, count=self.width).astype(np.float32)
        return np.asarray((2 * bits - 1) / np.sqrt(np.float32(self.width)), dtype=np.float32)


def quantize(z: ArrayLike, kind: Literal["int8", "binary"] = "int8", *, scale: ArrayLike | None = None) -> Quantized:
    """Code vectors in one byte, or one bit, a number.

    int8 is symmetric, a step a column: code = round(x / step), step = max|column| / 127, so the error is at most half
    a step.
    binary keeps the sign (zero counts as negative), which is compared by `hamming`.

    Args:
        z: (n, d) or (d,); one vector is coded as one row.
        kind: "int8" or "binary".
        scale: steps (d,) of an earlier call, to code queries on the documents' scale; values beyond it are clipped.

    Raises:
        UsageError: an unknown kind, a scale of the wrong width or not above zero, a scale given for binary.
    """
    array = np.atleast_2d(as_floats(z))
    width = array.shape[1]
    if kind == "binary":
        if scale is not None:
            raise UsageError("binary codes have no scale", hint="leave scale out")
        return Quantized("binary", np.packbits(array > 0, axis=-1), np.empty(0, np.float32), width)
    if kind != "int8":
        raise UsageError(f"kind is {kind!r}, allowed are 'int8' and 'binary'")
    if scale is None:
        peaks = np.abs(array).max(axis=0, initial=0.0)
        steps = np.where(peaks > 0, peaks / np.float32(127), np.float32(1)).astype(np.float32)
    else:
        steps = as_floats(scale, name="scale")
        if steps.shape != (width,) or not (steps > 0).all():
            raise UsageError(f"scale has shape {steps.shape}, allowed is ({width},) with all steps above zero")
    # A column of denormals would make the step underflow to zero.
    steps = np.maximum(steps, np.float32(1e-38))
    codes = np.clip(np.rint(array / steps), -127, 127).astype(np.int8)
    return Quantized("int8", codes, steps, width)


def dot(a: ArrayLike, b: ArrayLike) -> Floats:
    """Return inner products: (n, m) for (n, d) and (m, d); axes that were not given are not returned."""
    left, right = as_floats(a), as_floats(b)
    _same_width(left, right)
    return np.asarray(left @ right.T, dtype=np.float32)


def cosine(a: ArrayLike, b: ArrayLike) -> Floats:
    """Return cosine similarities in [-1, 1]: (n, m) for (n, d) and (m, d); axes that were not given are not returned.

    Raises:
        UsageError: a zero row, NaN, or widths that differ.
    """
    left, right = as_floats(a), as_floats(b)
    _same_width(left, right)
    return np.clip(dot(normalize(left), normalize(right)), -1, 1)


def l2(a: ArrayLike, b: ArrayLike) -> Floats:
    """Return Euclidean distances, lower is nearer: (n, m) for (n, d) and (m, d), without axes not given."""
    left, right = as_floats(a), as_floats(b)
    _same_width(left, right)
    x, y = np.atleast_2d(left).astype(np.float64), np.atleast_2d(right).astype(np.float64)
    # |a-b|² = |a|² + |b|² - 2ab, in float64, and clipped, as rounding may leave it just below zero.
    squares = np.einsum("nd,nd->n", x, x)[:, None] + np.einsum("md,md->m", y, y) - 2 * (x @ y.T)
    distances = np.sqrt(np.maximum(squares, 0)).astype(np.float32)
    return np.asarray(distances.reshape(left.shape[:-1] + right.shape[:-1]), dtype=np.float32)


def hamming(a: ArrayLike, b: ArrayLike) -> NDArray[np.int32]:
    """Return how many bits differ between packed binary codes: (n, m) int32 for (n, w) and (m, w) uint8.

    Raises:
        UsageError: the codes are not uint8, or their widths differ.
    """
    left, right = np.asarray(a), np.asarray(b)
    for codes in (left, right):
        if codes.dtype != np.uint8 or codes.ndim not in (1, 2):
            raise UsageError(
                f"codes are {codes.dtype} with {codes.ndim} axes, allowed is uint8 with 1 or 2",
                hint="quantize(z, 'binary').codes",
            )
    if left.shape[-1] != right.shape[-1]:
        raise UsageError(f"the widths differ: {left.shape[-1]} and {right.shape[-1]} bytes")
    rows, columns = np.atleast_2d(left), np.atleast_2d(right)
    out = np.empty((len(rows), len(columns)), np.int32)
    for at, row in enumerate(rows):
        out[at] = _BITS[np.bitwise_xor(row, columns)].sum(axis=1)
    return out.reshape(left.shape[:-1] + right.shape[:-1])


_BITS = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.int32)


def similarity(a: ArrayLike, b: ArrayLike, metric: Metric = "cosine") -> Floats:
    """Return scores, higher is nearer: cosine, dot, or the negative Euclidean distance for "l2"."""
    if metric == "cosine":
        return cosine(a, b)
    if metric == "dot":
        return dot(a, b)
    if metric == "l2":
        return -l2(a, b)
    raise UsageError(f"metric is {metric!r}, allowed are {', '.join(METRICS)}")


def top_k(scores: ArrayLike, k: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return the k highest scores of each row and their places, best first, ties in order of place.

    Args:
        scores: (n, m) or (m,).
        k: how many; fewer come back where m is smaller.

    Returns:
        Scores (n, min(k, m)) float32 and places, the same shape, int64.
    """
    array = np.asarray(scores, dtype=np.float32)
    rows = np.atleast_2d(array)
    keep = min(int(k), rows.shape[1])
    if keep <= 0:
        empty = (*array.shape[:-1], 0)
        return np.empty(empty, np.float32), np.empty(empty, np.int64)
    if keep < rows.shape[1]:
        # Everything at or above the k-th score is a candidate, so that ties are decided by place and not by the
        # partition.
        bar = np.partition(rows, rows.shape[1] - keep, axis=1)[:, rows.shape[1] - keep]
        places = np.empty((len(rows), keep), np.int64)
        for at, row in enumerate(rows):
            candidates = np.flatnonzero(row >= bar[at])
            places[at] = candidates[np.argsort(-row[candidates], kind="stable")[:keep]]
    else:
        places = np.argsort(-rows, axis=1, kind="stable").astype(np.int64)
    best = np.take_along_axis(rows, places, axis=1)
    shape = (*array.shape[:-1], keep)
    return best.reshape(shape), places.reshape(shape)
