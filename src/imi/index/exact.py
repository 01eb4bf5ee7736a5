"""Exact search: the oracle that every faster index is measured against, and the right choice for few rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.index.base import check_metric, check_queries, check_vectors
from imi.index.manifest import HELD_BYTES, CheckedVectors, blocks_of, gathered, let_go_of, vector_parts, write_files
from imi.row_sets import distinct
from imi.types import Floats, Rows
from imi.vectors import Metric

Doubles = NDArray[np.float64]

_CELLS = 1 << 22
"""Scores or vector numbers held at once: 16 MB of float32 whatever the size of the table."""
_MANY = 64
"""Queries for which a mapped table's pages are let go of as they were read: comparing takes far longer than that."""
_RESCORED = 4096
"""Pairs of query and row from which on their rows are let go of as well."""


class Exact:
    """Compares every query with every row, block by block, in bounded memory.

    Scores are computed in float32 by matrix products, and those that could be among the best once more in float64, so
    that equal vectors score equal in any row; equal scores come in the order of their rows. A row that holds
    NaN is never returned.
    """

    can_filter = True
    can_save = True

    def __init__(self, vectors: NDArray[Any] | CheckedVectors, metric: str = "cosine", dims: int | None = None) -> None:
        """Wrap vectors without copying them.

        Args:
            vectors: (n, d) float32 or float16, also a memory map; need not be unit rows.
            metric: "cosine", "dot" or "l2".
            dims: compare only the first dimensions, under cosine as `truncate` would make them; None for all.
        """
        self.vectors = vectors if isinstance(vectors, CheckedVectors) else check_vectors(vectors)
        self._metric = check_metric(metric)
        full = int(self.vectors.shape[1])
        if dims is not None and not 1 <= dims <= full:
            raise UsageError(f"dims={dims}: from 1 to the vectors' width {full} are possible")
        self.dims = dims or full
        self._squares: Floats | None = None

    @property
    def metric(self) -> Metric:
        """What a score means."""
        return self._metric

    @property
    def width(self) -> int:
        """Numbers in a query: the full width, whatever `dims` is."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.vectors)

    def save(self, folder: str | Path) -> None:
        """Write the vectors; `imi.index.load` reads them back by memory map."""
        table = {"shape": [len(self), self.width], "dtype": self.vectors.dtype.str}
        about = {"exact": {"metric": self.metric, "dims": self.dims}, "table": table}
        write_files(Path(folder), about, vector_parts(self.vectors))

    def search(self, queries: NDArray[Any], k: int = 10, allowed: Rows | None = None) -> tuple[Floats, Rows]:
        """Find the k best rows for each query, as `Index.search` says."""
        asked = check_queries(queries, self.width, k)[:, : self.dims]
        rows = None if allowed is None else distinct(allowed)
        if rows is not None and len(rows) and (rows[0] < 0 or rows[-1] >= len(self)):
            raise UsageError(f"allowed row {rows[0] if rows[0] < 0 else rows[-1]} is outside 0 to {len(self) - 1}")
        scores = np.full((len(asked), k), -np.inf, dtype=np.float32)
        found = np.full((len(asked), k), -1, dtype=np.int64)
        for start in range(0, len(asked), 512):
            part = slice(start, start + 512)
            self._search_some(asked[part], k, rows, scores[part], found[part])
        return scores, found

    def score(self, query: Floats, rows: Rows) -> Floats:
        """Return the scores of some rows (n,), those that a search gives them, for one query (width,)."""
        asked = self._asked(query[None, : self.dims])
        return self._rescore(asked, np.zeros(len(rows), dtype=np.int64), rows)

    def _asked(self, queries: Floats) -> Floats:
        if self._metric != "cosine":
            return queries
        length = np.linalg.norm(queries, axis=1, keepdims=True)
        unit: Floats = np.divide(queries, length, out=np.zeros_like(queries), where=length > 0)
        return unit

    def _search_some(self, queries: Floats, k: int, allowed: Rows | None, scores: Floats, found: Rows) -> None:
        queries = self._asked(queries)
        query, row = self._candidates(queries, k, allowed)
        score = self._rescore(queries, query, row)
        order = np.lexsort((row, -score, query))
        query, row, score = query[order], row[order], score[order]
        first = np.searchsorted(query, np.arange(len(queries)))
        rank = np.arange(len(query)) - first[query]
        kept = rank < k
        scores[query[kept], rank[kept]] = score[kept]
        found[query[kept], rank[kept]] = row[kept]

    def _candidates(self, queries: Floats, k: int, allowed: Rows | None) -> tuple[Rows, Rows]:
        """Return pairs (query, row) that hold each query's k best and whatever rounding could have put behind them."""
        bar = np.full(len(queries), -np.inf, dtype=np.float32)  # the k-th best score so far, less the rounding
        query = row = np.empty(0, dtype=np.int64)
        score = np.empty(0, dtype=np.float32)
        for rows, block, squares in self._blocks(allowed, len(queries), k):
            scores, slack = self._scores(queries, block, squares)
            if len(query) == 0 and scores.shape[1] > k:
                at = scores.shape[1] - k
                bar = np.partition(scores, at, axis=1)[:, at] - slack
            passing, place = np.nonzero(scores >= bar[:, None])
            if not len(passing):
                continue
            query = np.concatenate([query, passing])
            row = np.concatenate([row, rows[place] if rows.ndim else place + rows])
            score = np.concatenate([score, scores[passing, place]])
            query, row, score, bar = _tighten(query, row, score, bar, slack, k)
        return query, row

    def _blocks(self, allowed: Rows | None, queries: int, k: int) -> Iterator[tuple[Rows, Floats, Floats]]:
        """Yield row numbers (an array, or the first one of a run), their vectors' first dims and squared lengths."""
        count = len(self) if allowed is None else len(allowed)
        copied = allowed is not None or self.vectors.dtype != np.float32
        step = max(1, min(_CELLS // max(queries, 1), _CELLS // (self.dims if copied else 1)))
        start, size = 0, min(step, max(4096, 4 * k))  # a small first block gives a bar that spares the later ones work
        squares = self._lengths() if self._metric != "dot" or allowed is None else None
        read = 0
        while start < count:
            end = min(start + size, count)
            where = slice(start, end) if allowed is None else allowed[start:end]
            block = np.asarray(self.vectors[where, : self.dims], dtype=np.float32)
            lengths = _squares(block) if squares is None else squares[where]
            yield (np.int64(start) if allowed is None else allowed[start:end]), block, lengths  # type: ignore[misc]
            read += (end - start) * self.vectors.dtype.itemsize * self.width
            if allowed is None and queries >= _MANY and read >= HELD_BYTES:
                let_go_of(self.vectors)
                read = 0
            start, size = end, step

    def _lengths(self) -> Floats:
        """Return every row's squared length over the first dims, measured once."""
        if self._squares is None:
            step = max(1, _CELLS // self.dims)
            parts = [_squares(block[:, : self.dims]) for _, block in blocks_of(self.vectors, step)]
            self._squares = np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)
        return self._squares

    def _scores(self, queries: Floats, block: Floats, squares: Floats) -> tuple[Floats, Floats]:
        """Return scores (b, m) in the metric's order, and (b,) how far rounding may have moved them."""
        # One query is bound by memory: no threads of BLAS, which wait for each other on a busy machine.
        products = np.vecdot(queries, block)[None] if len(queries) == 1 else queries @ block.T  # (b, m)
        lengths = np.linalg.norm(queries, axis=1)
        rounding = np.float32(4 * np.sqrt(self.dims) * np.finfo(np.float32).eps)
        if self._metric == "cosine":
            with np.errstate(divide="ignore", invalid="ignore"):
                products *= np.where(squares > 0, 1 / np.sqrt(squares), np.where(np.isnan(squares), np.nan, 0))
            return _without_nan(products), np.full(len(queries), rounding)
        longest = np.sqrt(np.nanmax(squares, initial=0))
        if self._metric == "dot":
            return _without_nan(products), rounding * lengths * longest
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 every row may be among the best
            products *= 2
            products -= squares
            products -= (lengths**2)[:, None]
            return _without_nan(products), rounding * (lengths + longest) ** 2

    def _rescore(self, queries: Floats, query: Rows, row: Rows) -> Floats:
        """Return the score of each pair, computed in float64 in one fixed order and rounded to float32."""
        scores = np.empty(len(query), dtype=np.float32)
        step = max(1, _CELLS // 4 // self.dims)
        for start in range(0, len(query), step):
            part = slice(start, start + step)
            # Rows that lie anywhere bring in all that lies around them.
            if len(query) > _RESCORED:
                x = gathered(self.vectors, row[part])[:, : self.dims].astype(np.float64)
            else:
                x = self.vectors[row[part], : self.dims].astype(np.float64)
            q = queries[query[part]].astype(np.float64)
            scores[part] = _pair_scores(q, x, self._metric)
        return scores


def _pair_scores(q: Doubles, x: Doubles, metric: Metric) -> Doubles:
    if metric == "l2":
        return -np.sqrt(_row_products(q - x, q - x))
    products = _row_products(q, x)
    if metric == "dot":
        return products
    lengths = np.sqrt(_row_products(q, q) * _row_products(x, x))
    return np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)


def _row_products(a: Doubles, b: Doubles) -> Doubles:
    return np.asarray(np.einsum("nd,nd->n", a, b), dtype=np.float64)


def _squares(block: NDArray[Any]) -> Floats:
    block = np.asarray(block, dtype=np.float32)
    return np.asarray(np.einsum("nd,nd->n", block, block), dtype=np.float32)


def _without_nan(scores: Floats) -> Floats:
    np.nan_to_num(scores, copy=False, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    return scores


def _tighten(
    query: Rows, row: Rows, score: Floats, bar: Floats, slack: Floats, k: int
) -> tuple[Rows, Rows, Floats, Floats]:
    """Raise each query's bar to its k-th best candidate, less the rounding, and drop the candidates below it."""
    order = np.lexsort((-score, query))
    query, row, score = query[order], row[order], score[order]
    first = np.searchsorted(query, np.arange(len(bar) + 1))
    full = np.flatnonzero(np.diff(first) >= k)
    bar = bar.copy()
    bar[full] = np.maximum(bar[full], score[first[full] + k - 1] - slack[full])
    kept = (score >= bar[query]) & (score > -np.inf)
    return query[kept], row[kept], score[kept], bar
