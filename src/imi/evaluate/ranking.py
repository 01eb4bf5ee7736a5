"""Metrics of ranked lists, on arrays: nDCG, recall, MRR, and the paper's mAP@k and P@k.

A ranking is (n, depth) document numbers, best first, -1 where nothing was found. What is relevant is a `Relevance`: a
list of documents with gains for each query, or labels that queries and documents share. Every metric is returned
query by query, (n,), so that intervals and paired differences can be drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imi.errors import UsageError
from imi.types import Floats, Rows
from imi.vectors import top_k

CUTS = (10, 25, 50, 100)
_CHUNK_CELLS = 64_000_000


@dataclass(frozen=True)
class Gains:
    """What a ranking found.

    Attributes:
        found: (n, depth) gain of the document at each rank, 0 where it is not relevant or nothing was found.
        total: (n,) how many documents are relevant to each query.
        ideal: (n, depth) the gains of the best possible ranking.
    """

    found: Floats
    total: NDArray[np.int64]
    ideal: Floats


def gains_of_lists(rows: ArrayLike, relevant: Sequence[Mapping[int, float]]) -> Gains:
    """Look up what a ranking found among listed relevant documents.

    Args:
        rows: (n, depth) document numbers, -1 for none.
        relevant: for each query, the gain of each relevant document; gains of 0 and below are not relevant.

    Raises:
        UsageError: not one mapping a query, or a document occurs twice in a ranking.
    """
    ranking = _ranking(rows)
    if len(relevant) != len(ranking):
        raise UsageError(f"{len(ranking)} rankings meet {len(relevant)} lists of relevant documents")
    found, ideal = np.zeros((2, *ranking.shape), np.float32)
    total = np.zeros(len(ranking), np.int64)
    for at, gains in enumerate(relevant):
        kept = {row: gain for row, gain in gains.items() if gain > 0}
        found[at] = [kept.get(row, 0.0) for row in ranking[at].tolist()]
        best = sorted(kept.values(), reverse=True)[: ranking.shape[1]]
        ideal[at, : len(best)] = best
        total[at] = len(kept)
    return Gains(found, total, ideal)


def gains_of_labels(rows: ArrayLike, query_labels: ArrayLike, labels: ArrayLike) -> Gains:
    """Look up what a ranking found when every document of the query's label is relevant.

    Args:
        rows: (n, depth) document numbers, -1 for none.
        query_labels: (n,) labels of the queries.
        labels: (m,) labels of the documents.
    """
    ranking, asked, given = _ranking(rows), np.asarray(query_labels), np.asarray(labels)
    if len(asked) != len(ranking):
        raise UsageError(f"{len(ranking)} rankings meet {len(asked)} labels of queries")
    found = ((given[ranking] == asked[:, None]) & (ranking >= 0)).astype(np.float32)
    names, counts = np.unique(given, return_counts=True)
    sizes = dict(zip(names.tolist(), counts.tolist(), strict=True))
    total = np.array([sizes.get(label, 0) for label in asked.tolist()], np.int64)
    ideal = (np.arange(ranking.shape[1])[None, :] < total[:, None]).astype(np.float32)
    return Gains(found, total, ideal)


def _ranking(rows: ArrayLike) -> Rows:
    ranking = np.asarray(rows, dtype=np.int64)
    if ranking.ndim != 2:
        raise UsageError(f"a ranking has shape {ranking.shape}, allowed is (queries, depth)")
    ordered = np.sort(ranking, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any():
        raise UsageError("a document occurs twice in one ranking", hint="rank each document once")
    return ranking


def ndcg(gains: Gains, k: int = 10) -> Floats:
    """Return nDCG@k, (n,): gains over log2(rank + 1), as a share of the best possible; 0 where nothing is relevant."""
    weight = 1 / np.log2(np.arange(2, min(k, gains.found.shape[1]) + 2))
    reached = gains.found[:, :k] @ weight
    best = gains.ideal[:, :k] @ weight
    return np.divide(reached, best, out=np.zeros_like(reached), where=best > 0).astype(np.float32)


def recall(gains: Gains, k: int) -> Floats:
    """Return recall@k, (n,): the share of relevant documents among the first k."""
    hits = (gains.found[:, :k] > 0).sum(axis=1)
    return np.asarray(hits / np.maximum(gains.total, 1), dtype=np.float32)


def reciprocal_rank(gains: Gains) -> Floats:
    """Return 1 / rank of the first relevant document within the depth, (n,); 0 where there is none. Its mean is MRR."""
    hits = gains.found > 0
    return np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0).astype(np.float32)


def precision(gains: Gains, k: int) -> Floats:
    """Return P@k, (n,): the share of the first k that is relevant."""
    return np.asarray((gains.found[:, :k] > 0).sum(axis=1) / k, dtype=np.float32)


def average_precision(gains: Gains, k: int) -> Floats:
    """Return the paper's AP@k, (n,): the sum of the precision at each hit among the first k, divided by k.

    This is the form of the Matryoshka paper (Kusupati et al. 2022), made for labels with hundreds of relevant
    documents; with one relevant document it cannot pass 1/k. Its mean is mAP@k.
    """
    hits = (gains.found[:, :k] > 0).astype(np.float64)
    at = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((at * hits).sum(axis=1) / k, dtype=np.float32)


def metrics(gains: Gains) -> dict[str, Floats]:
    """Return every metric query by query: ndcg@10, mrr, top1, and recall, map, p at the cuts within the depth."""
    depth = gains.found.shape[1]
    out = {"ndcg@10": ndcg(gains), "mrr": reciprocal_rank(gains), "top1": precision(gains, 1)}
    for k in (cut for cut in CUTS if cut <= depth):
        out |= {f"recall@{k}": recall(gains, k), f"map@{k}": average_precision(gains, k), f"p@{k}": precision(gains, k)}
    return out


def nearest(queries: Floats, documents: Floats, k: int) -> tuple[Floats, Rows]:
    """Return the k nearest documents of each query by dot product, exact: scores, rows (n, min(k, m)), best first."""
    keep = min(k, len(documents))
    scores, rows = np.empty((len(queries), keep), np.float32), np.empty((len(queries), keep), np.int64)
    step = max(1, _CHUNK_CELLS // max(1, len(documents)))
    for first in range(0, len(queries), step):
        scores[first : first + step], rows[first : first + step] = top_k(
            queries[first : first + step] @ documents.T, keep
        )
    return scores, rows
