"""The floor under every model: cosine of character n-gram TF-IDF, which knows no language and learns nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.evaluate.scores import Score
from imi.evaluate.similarity import correlation, matches
from imi.text.lexical import normalize_text

_CHUNK = 512


class CharNgrams:
    """Characters, pairs and triples of characters, weighted by tf · idf, fitted on the texts that are measured.

    idf is ln((1 + N)/(1 + n)) + 1, tf the plain count, rows are unit.
    """

    def __init__(self, texts: Sequence[str], longest: int = 3) -> None:
        self.longest = longest
        self.vocabulary: dict[str, int] = {}
        number = self.vocabulary.setdefault
        for text in texts:
            for gram in self._grams(text):
                number(gram, len(self.vocabulary))
        counts = self._counts(texts)
        found = np.bincount(counts.indices, minlength=len(self.vocabulary))
        self._idf = np.log((1 + len(texts)) / (1 + found)) + 1

    def _grams(self, text: str) -> list[str]:
        plain = normalize_text(text)
        return [plain[i : i + n] for n in range(1, self.longest + 1) for i in range(len(plain) - n + 1)]

    def _counts(self, texts: Sequence[str]) -> Any:
        from scipy.sparse import csr_array

        rows = [[self.vocabulary[g] for g in self._grams(text) if g in self.vocabulary] for text in texts]
        ends = np.cumsum([0, *map(len, rows)])
        ids = np.fromiter(chain.from_iterable(rows), np.int64, count=int(ends[-1]))
        counts = csr_array((np.ones(len(ids)), ids, ends), shape=(len(texts), len(self.vocabulary)))
        counts.sum_duplicates()
        return counts

    def vectors(self, texts: Sequence[str]) -> Any:
        """Return the texts as a (n, grams) sparse matrix of unit rows; a text without known grams is all zero."""
        counts = self._counts(texts)
        weighted = counts.multiply(self._idf[None, :]).tocsr()
        lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        return weighted.multiply((1 / np.where(lengths > 0, lengths, 1))[:, None]).tocsr()


def sts_floor(pairs: Sequence[tuple[str, str]], scores: Sequence[float]) -> Score:
    """Return what n-grams reach on similarity: Spearman's correlation of their cosines with people's scores."""
    grams = CharNgrams([text for pair in pairs for text in pair])
    a, b = (grams.vectors([pair[side] for pair in pairs]) for side in (0, 1))
    return correlation(np.asarray(a.multiply(b).sum(axis=1)).ravel(), scores)


def bitext_floor(pairs: Sequence[tuple[str, str]]) -> Score:
    """Return how often n-grams alone find a text's translation, both ways."""
    grams = CharNgrams([text for pair in pairs for text in pair])
    a, b = (grams.vectors([pair[side] for pair in pairs]) for side in (0, 1))
    return matches(_own(a, b), _own(b, a))


def _own(queries: Any, targets: Any) -> NDArray[np.bool_]:
    """Return whether row i of `targets` is nearest to row i of `queries`; a tie is a miss."""
    out = np.empty(queries.shape[0], np.bool_)
    for first in range(0, len(out), _CHUNK):
        cosines = (queries[first : first + _CHUNK] @ targets.T).toarray()
        at = np.arange(len(cosines))
        own = cosines[at, first + at].copy()
        cosines[at, first + at] = -np.inf
        out[first : first + _CHUNK] = own > cosines.max(axis=1, initial=-np.inf)
    return out
