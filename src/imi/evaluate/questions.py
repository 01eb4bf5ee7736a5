"""Retrieval: do questions find their documents by meaning, by words, and by both fused?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from imi.embedders.base import Embedder
from imi.errors import UsageError
from imi.evaluate.intervals import mean_interval
from imi.evaluate.ranking import Gains, gains_of_lists, metrics, nearest
from imi.evaluate.scores import ByDims, Dims, Score, at_dims, encode
from imi.fusion import WEIGHT, fuse
from imi.progress import Progress
from imi.text.bm25 import BM25
from imi.text.lexical import index_tokens, ranking_terms
from imi.types import Floats, Rows

DEPTH = 100
"""How many documents of each ranking are looked at: what MRR and recall can see, and each arm's share in fusion."""


def retrieval(
    model: Embedder | tuple[Floats, Floats],
    queries: Sequence[str],
    documents: Sequence[str],
    relevant: Sequence[Mapping[int, float]],
    dims: Dims = None,
    *,
    metric: str = "ndcg@10",
    progress: Progress | None = None,
) -> ByDims:
    """Measure retrieval by meaning, exact search over all documents.

    Args:
        model: an embedder, or the vectors (n, d) of queries and (m, d) of documents; the texts may be empty then.
        queries: n questions.
        documents: m texts.
        relevant: for each query, the gain of each relevant document number; above 0 is relevant.
        dims: leading dimensions to use, one or several; None for all.
        metric: the headline, one of those in `also`: ndcg@10, mrr, top1, and recall, map (the sum of precision at hits,
            over k) and p at 10, 25, 50 and 100.
        progress: called as progress(done, total) while texts are encoded.

    Returns:
        For each dims a `Score` with every metric in `also`.
    """
    sides = encode(model, [(queries, "query"), (documents, "document")], progress)
    return {
        size: summary(gains_of_lists(nearest(asked, given, DEPTH)[1], relevant), metric)
        for size, (asked, given) in at_dims(sides, dims)
    }


def summary(gains: Gains, metric: str = "ndcg@10") -> Score:
    """Return one metric of a ranking as a `Score`, with the mean of every other in `also`.

    Raises:
        UsageError: the metric is unknown or needs more documents than there are.
    """
    found = metrics(gains)
    if metric not in found:
        raise UsageError(f"the metric is {metric!r}, allowed here are {', '.join(found)}")
    items = found[metric].astype(np.float64)
    also = {name: float(values.mean()) if len(values) else 0.0 for name, values in found.items()}
    return Score(metric, also[metric], mean_interval(items), also, items)


class ByWords:
    """BM25 over a set's documents, answering its queries: the baseline, and the other arm of fusion."""

    def __init__(self, queries: Sequence[str], documents: Sequence[str]) -> None:
        self.index = BM25([index_tokens(text) for text in documents])
        terms = [ranking_terms(text) for text in queries]
        self.scores, self.rows = self.index.search(terms, DEPTH)
        self.expected = self.index.expected(terms)

    def score(self, relevant: Sequence[Mapping[int, float]], metric: str = "ndcg@10") -> Score:
        """Return how well words alone do."""
        return summary(gains_of_lists(self.rows, relevant), metric)

    def fused(self, queries: Floats, documents: Floats, weight: float = WEIGHT) -> Rows:
        """Return the fused ranking (n, depth), -1 beyond its end; vectors are unit rows, one a text."""
        _, near = nearest(queries, documents, DEPTH)
        out = np.full((len(queries), DEPTH), -1, np.int64)
        for at, query in enumerate(queries):
            found = self.rows[at] >= 0
            candidates = np.union1d(self.rows[at][found], near[at])
            text = (self.rows[at][found], self.scores[at][found])
            meaning = (candidates, documents[candidates] @ query)
            best = fuse(text, meaning, weight, expected=float(self.expected[at]))[0][:DEPTH]
            out[at, : len(best)] = best
        return out


def hybrid(
    words: ByWords,
    vectors: tuple[Floats, Floats],
    relevant: Sequence[Mapping[int, float]],
    dims: Dims = None,
    *,
    weight: float = WEIGHT,
    metric: str = "ndcg@10",
) -> ByDims:
    """Measure words and meaning fused as a collection fuses them.

    Args:
        words: BM25 over the same queries and documents.
        vectors: (n, d) of queries and (m, d) of documents.
        relevant: as in `retrieval`.
        dims: leading dimensions to use; None for all.
        weight: of the meaning, see `imi.fusion`.
        metric: the headline.
    """
    return {
        size: summary(gains_of_lists(words.fused(asked, given, weight), relevant), metric)
        for size, (asked, given) in at_dims(vectors, dims)
    }


def answers(relevant_rows: Sequence[int] | NDArray[np.int64]) -> list[dict[int, float]]:
    """Return `relevant` for queries with one right document each."""
    return [{int(row): 1.0} for row in relevant_rows]
