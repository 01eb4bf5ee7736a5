"""BM25 in memory, over arrays: the baseline of every evaluation and the oracle for the store's full text.

Documents are lists of tokens (`imi.text.lexical.index_tokens`), queries lists of terms (`ranking_terms`). The score of
a document is Σ idf(t) · f·(k1+1) / (f + k1·(1 - b + b·|d|/avg|d|)) over the query's terms, with Lucene's
idf(t) = ln(1 + (N - n + ½)/(n + ½)), never below zero (Robertson and Zaragoza 2009; Kamphuis et al. 2020).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.fusion import lucene_idf
from imi.types import Floats
from imi.vectors import top_k

_CHUNK_CELLS = 64_000_000  # scores held at a time when many queries meet many documents: 256 MB


class BM25:
    """An immutable BM25 index.

    Args:
        documents: tokens of each document; an empty one is never found.
        k1: how soon a repeated term stops adding, 0 counts a term once.
        b: how much length is held against a document, 0 to 1.

    Raises:
        UsageError: k1 below 0, or b outside 0 to 1.
    """

    def __init__(self, documents: Iterable[Sequence[str]], *, k1: float = 1.2, b: float = 0.75) -> None:
        if k1 < 0 or not 0 <= b <= 1:
            raise UsageError(f"k1 is {k1} and b {b}, allowed are k1 of 0 or more and b from 0 to 1")
        documents = list(documents)
        numbers: defaultdict[str, int] = defaultdict()
        numbers.default_factory = numbers.__len__  # a new term gets the next number
        ids = np.fromiter(map(numbers.__getitem__, chain.from_iterable(documents)), np.int64)
        self.vocabulary = dict(numbers)
        lengths = np.fromiter(map(len, documents), np.int64, count=len(documents))
        self._weights = _weights(ids, lengths, len(self.vocabulary), k1, b)
        # Terms as rows: a query reads only the rows of its own terms.
        self._counts = np.diff(self._weights.indptr)
        self._idf = lucene_idf(self._counts, len(documents))
        self._idf_of_none = float(lucene_idf(0, len(documents)))

    def __len__(self) -> int:
        return int(self._weights.shape[1])

    def common(self, share: float) -> frozenset[str]:
        """Return the terms found in more than `share` of the documents, which a ranked query may drop."""
        bar = share * len(self)
        return frozenset(term for term, at in self.vocabulary.items() if self._counts[at] > bar)

    def expected(self, queries: Sequence[Sequence[str]]) -> Floats:
        """Return, (queries,), the score of a text of mean length that holds each term once: the sum of their idf."""
        at = self.vocabulary.get
        sums = [sum(self._idf_of_none if at(t) is None else self._idf[at(t)] for t in terms) for terms in queries]
        return np.asarray(sums, dtype=np.float32)

    def scores(self, queries: Sequence[Sequence[str]]) -> Floats:
        """Return the score of every document for every query, (queries, documents) float32, zero where nothing matches.

        A term that occurs twice in a query counts twice; unknown terms count nothing.
        """
        from scipy.sparse import csr_array

        known = [[self.vocabulary[t] for t in terms if t in self.vocabulary] for terms in queries]
        ends = np.concatenate([[0], np.cumsum([len(row) for row in known], dtype=np.int64)])
        ids = np.fromiter(chain.from_iterable(known), np.int64, count=int(ends[-1]))
        asked = csr_array((np.ones(len(ids), np.float32), ids, ends), shape=(len(queries), len(self.vocabulary)))
        return np.asarray((asked @ self._weights).toarray(), dtype=np.float32)

    def search(self, queries: Sequence[Sequence[str]], k: int) -> tuple[Floats, NDArray[np.int64]]:
        """Return the best k of each query: scores (n, k) and document numbers (n, k), best first, ties by number.

        Where fewer than k documents match, scores are 0 and numbers -1.
        """
        keep = min(k, len(self))
        best = np.zeros((len(queries), keep), np.float32)
        rows = np.full((len(queries), keep), -1, np.int64)
        step = max(1, _CHUNK_CELLS // max(1, len(self)))
        for first in range(0, len(queries), step):
            values, places = top_k(self.scores(queries[first : first + step]), keep)
            best[first : first + step] = values
            rows[first : first + step] = np.where(values > 0, places, -1)
        return best, rows


def _weights(ids: NDArray[np.int64], lengths: NDArray[np.int64], terms: int, k1: float, b: float) -> Any:
    """Return the (terms, documents) sparse float32 matrix of what each term adds to each document."""
    from scipy.sparse import coo_array

    owners = np.repeat(np.arange(len(lengths)), lengths)
    counts = coo_array((np.ones(len(ids), np.float32), (ids, owners)), shape=(terms, len(lengths))).tocsr()
    counts.sum_duplicates()
    found = np.diff(counts.indptr)
    idf = lucene_idf(found, len(lengths))
    average = lengths.mean() if len(lengths) and lengths.any() else 1.0
    rise = k1 * (1 - b + b * lengths / average)
    f = counts.data
    counts.data = np.asarray(np.repeat(idf, found) * f * (k1 + 1) / (f + rise[counts.indices]), dtype=np.float32)
    return counts
