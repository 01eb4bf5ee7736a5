"""Rerank a shortlist by more of each vector's dimensions, in native code wherever vectors are float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.index.manifest import CheckedVectors, blocks_of
from imi.index.native import load_faiss, set_threads
from imi.index.rungs import Rung
from imi.index.space import unit_rows
from imi.types import Floats, Rows
from imi.vectors import Metric, quantize

_BLOCK = 1 << 14
_GATHERED = 1 << 24


class VectorReranker:
    """One later rung: exact scores of the first `dims` dimensions for the rows of a shortlist.

    float32 rungs read the full vectors themselves, also from a memory map, through faiss' `fvec_*_by_idx`; a prefix
    whose width divides the full one is addressed as every so-manieth row of a narrower table, so nothing is copied.
    Codes float16 and int8 are a separate table in memory, for full vectors that are slow to reach.
    """

    def __init__(
        self, vectors: NDArray[Any] | CheckedVectors, rung: Rung, metric: Metric, scale: Floats | None
    ) -> None:
        """Prepare a rung.

        Args:
            vectors: the full vectors, (n, d).
            rung: its dims and codec.
            metric: what scores mean.
            scale: (n,) one over each row's length in the first dims, under cosine; None where rows are unit there.
        """
        self._checked = vectors if isinstance(vectors, CheckedVectors) else None
        table = vectors.array if isinstance(vectors, CheckedVectors) else vectors
        self.rung = rung
        self.metric = metric
        self.scale = scale
        self._steps: Floats | None = None
        if rung.codec == "int8":
            table, self._steps = _int8(vectors, rung.dims)
            self._checked = None
        elif rung.codec == "float16" and table.dtype != np.float16:
            table = np.concatenate([vectors[s : s + _BLOCK, : rung.dims].astype(np.float16) for s in _starts(vectors)])
            self._checked = None
        self._table = table
        width = int(table.shape[1])
        self._native = table.dtype == np.float32 and table.flags.c_contiguous and width % rung.dims == 0
        self._stride = width // rung.dims
        self._faiss = load_faiss()
        self._pointer = self._faiss.swig_ptr(table.reshape(-1)) if self._native and table.size else None

    @property
    def native(self) -> bool:
        """Whether vectors are read in place, in native code."""
        return self._pointer is not None

    def nearest(self, queries: Floats, rows: Rows, keep: int) -> Rows:
        """Return which `keep` of some rows are nearest to each query, (b, keep), the nearest first, -1 for none.

        Args:
            queries: (b, d) full queries.
            rows: (n,) int64, each once.
            keep: how many.
        """
        keep = min(keep, len(rows))
        if self._pointer is None or self.scale is not None:
            scores = self.score(queries, np.ascontiguousarray(np.broadcast_to(rows, (len(queries), len(rows)))))
            scores[np.isnan(scores)] = -np.inf
            return np.asarray(rows[np.argsort(-scores, axis=1, kind="stable")[:, :keep]])
        if self._checked is not None:
            self._checked.ensure(rows)
        faiss, dims = self._faiss, self.rung.dims
        prefix = np.ascontiguousarray(queries[:, :dims])
        ids = rows if self._stride == 1 else rows * self._stride
        found = np.empty((len(queries), keep), dtype=np.int64)
        scores = np.empty((len(queries), keep), dtype=np.float32)
        set_threads(1)
        compare = faiss.knn_L2sqr_by_idx if self.metric == "l2" else faiss.knn_inner_products_by_idx
        pointer = faiss.swig_ptr
        sizes = dims, len(queries), len(self._table) * self._stride, len(ids), keep
        compare(pointer(prefix), self._pointer, pointer(ids), *sizes, pointer(scores), pointer(found), 0)
        return np.where(found < 0, -1, found // self._stride)

    @property
    def nbytes(self) -> int:
        """Bytes of memory this rung adds to the full vectors."""
        own = 0 if self.rung.codec == "float32" else int(self._table.nbytes)
        return own + (0 if self.scale is None else int(self.scale.nbytes))

    def score(self, queries: Floats, rows: Rows, threads: int = 1) -> Floats:
        """Return (b, K) scores of `rows` (b, K), higher is better; -inf where a row is -1.

        Args:
            queries: (b, d) full queries; under cosine any length.
            rows: (b, K) int64, C-contiguous.
            threads: for the native code.
        """
        prefix = np.ascontiguousarray(queries[:, : self.rung.dims])
        if self.metric == "cosine":
            prefix = np.ascontiguousarray(unit_rows(prefix))
        if self._checked is not None:
            self._checked.ensure(rows)
        scores = self._native_scores(prefix, rows, threads) if self._pointer is not None else self._gather(prefix, rows)
        if self.metric == "l2":
            return -np.sqrt(np.maximum(scores, 0, out=scores), out=scores)
        if self.scale is not None:
            np.multiply(scores, self.scale[rows], out=scores, where=rows >= 0)
        return scores

    def _native_scores(self, queries: Floats, rows: Rows, threads: int) -> Floats:
        faiss = self._faiss
        ids = rows if self._stride == 1 else np.where(rows < 0, -1, rows * self._stride)
        out = np.empty(rows.shape, dtype=np.float32)
        set_threads(threads)
        compare = faiss.fvec_L2sqr_by_idx if self.metric == "l2" else faiss.fvec_inner_products_by_idx
        pointer = faiss.swig_ptr
        compare(pointer(out), pointer(queries), self._pointer, pointer(ids), self.rung.dims, *rows.shape)
        return out

    def _gather(self, queries: Floats, rows: Rows) -> Floats:
        """Score by gathering rows for many queries at a time; distances come squared, as from the native code."""
        out = np.empty(rows.shape, dtype=np.float32)
        step = max(1, _GATHERED // max(1, rows.shape[1] * self.rung.dims))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            found = self._table[rows[part], : self.rung.dims].astype(np.float32)  # (b, K, dims)
            if self._steps is not None:
                found *= self._steps
            if self.metric == "l2":
                found -= queries[part, None]
                out[part] = np.vecdot(found, found)
            else:
                out[part] = np.vecdot(found, queries[part, None])
        out[rows < 0] = np.inf if self.metric == "l2" else -np.inf
        return out


def inverse_lengths(vectors: NDArray[Any] | CheckedVectors, dims: int) -> Floats | None:
    """Return (n,) one over the length of each row's first dims (0 for zero rows), or None where all are unit."""
    out = np.empty(len(vectors), dtype=np.float32)
    for start, rows in blocks_of(vectors, _BLOCK):
        block = np.asarray(rows[:, :dims], dtype=np.float32)
        lengths = np.sqrt(np.einsum("nd,nd->n", block, block))
        out[start : start + len(rows)] = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return None if len(out) == 0 or np.abs(out - 1).max() < 1e-6 else out


def _starts(vectors: NDArray[Any] | CheckedVectors) -> range:
    return range(0, len(vectors), _BLOCK)


def _int8(vectors: NDArray[Any] | CheckedVectors, dims: int) -> tuple[NDArray[np.int8], Floats]:
    """Return codes (n, dims) and the size of one step a column, found over the whole table."""
    peaks = np.zeros(dims, dtype=np.float32)
    for start in _starts(vectors):
        peaks = np.maximum(peaks, np.abs(vectors[start : start + _BLOCK, :dims]).max(axis=0))
    steps = np.where(peaks > 0, peaks / np.float32(127), np.float32(1))
    codes = np.empty((len(vectors), dims), dtype=np.int8)
    for start in _starts(vectors):
        codes[start : start + _BLOCK] = quantize(vectors[start : start + _BLOCK, :dims], scale=steps).codes
    return codes, steps
