"""Fusing two rankings of the same query, by text and by meaning, into one.

The score of a row is ``(1 - weight) · coverage² + weight · nearness``, so it lies on one scale for every query:

- **coverage** is its BM25 score over what a text of mean length that holds each term of the query once would have:
  the sum of the terms' idf (`expected_score`), including terms that no text contains. It says how much of the question
  the words answer: 0 for none, about 1 for all. Dividing by the best score found, as is usual, gives 1 even where the
  best match is a stray number in a text of another language, which is why other fusions fall behind the better ranking.
- **nearness** is ``(cosine - lowest) / (1 - lowest)`` over the candidates, so that models whose cosines all lie
  between .7 and .9 count as much as others.

A row that is missing from one ranking counts as 0 there. So pass the cosine of every candidate where vectors are at
hand: rows found by text alone then keep theirs. Both parts only ever rise with the score they come from.

`benchmarks/fusion.py` prints the tuning, on training questions with a model that has not learnt them, never on a
development part. nDCG@10 of words, meaning, and both at the default: JaQuAD .886, .560, .888; SQuAD .873, .696, .894;
English questions over JaQuAD's paragraphs .062, .391, .398; English over Japanese documentation .539, .994, .993.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.row_sets import among, distinct
from imi.types import Floats, Rows

Ranking = tuple[Rows, Floats]
"""Row numbers, best first, and their scores, higher is better."""

WEIGHT = 0.35
DEEP_WEIGHT = 0.6
"""Of the meaning where it is the finer model's; `benchmarks/deep.py --tune` compares others on training questions."""
FIRST = 50
"""Rows of a shortlist that the finer model orders."""
_STEEPNESS = 2.0  # of coverage: half of a question's words are worth less than half, as any text may hold common ones


def lucene_idf(found: float | NDArray[Any], total: int) -> NDArray[np.float64]:
    """Return ln(1 + (N - n + ½)/(n + ½)), which is never below zero, in the shape of `found`.

    Args:
        found: n, in how many documents a term occurs; a count, or an array of counts.
        total: N, how many documents there are.
    """
    return np.asarray(np.log1p((total - found + 0.5) / (found + 0.5)), dtype=np.float64)


def expected_score(counts: Iterable[int], total: int) -> float:
    """Return the BM25 score of a text of mean length that holds each term once: the sum of idf over the terms.

    The idf is FTS5's, ln((N - n + ½)/(n + ½)) and never below 1e-6, so that coverage is right where it is that small.

    Args:
        counts: n, how many of the documents hold each term of the query, 0 for none.
        total: N, how many documents there are.
    """
    found = np.fromiter(counts, np.float64)
    return float(np.maximum(np.log((total - found + 0.5) / (found + 0.5)), 1e-6).sum())


def fuse(text: Ranking, meaning: Ranking, weight: float = WEIGHT, *, expected: float | None = None) -> Ranking:
    """Return the rows of either ranking, best first, by the weighted sum of their coverage and nearness.

    Args:
        text: rows and BM25 scores above 0.
        meaning: rows and cosines, those of the rows of `text` among them where known.
        weight: of the meaning: 0 is text alone, 1 meaning alone; a row that only the other ranking has then scores 0.
        expected: the score of a text that answers the whole query (`expected_score`); None for queries that a text
            either contains or not, where the best score found counts as full coverage.

    Returns:
        Each row once and scores from 0, most of them below 1; ties in order of row.

    Raises:
        UsageError: the weight is outside 0 to 1.
    """
    if not 0 <= weight <= 1:
        raise UsageError(f"weight is {weight!r}, allowed are numbers from 0 (text alone) to 1 (meaning alone)")
    rows = distinct(np.concatenate([text[0], meaning[0]]))
    fused = np.zeros(len(rows))
    fused[np.searchsorted(rows, text[0])] += (1 - weight) * _coverage(np.asarray(text[1], np.float64), expected)
    fused[np.searchsorted(rows, meaning[0])] += weight * nearness(np.asarray(meaning[1], np.float64))
    order = np.argsort(-fused, kind="stable")
    return rows[order], fused[order].astype(np.float32)


def _coverage(scores: NDArray[np.float64], expected: float | None) -> NDArray[np.float64]:
    whole = scores.max(initial=0.0) if expected is None else expected
    return np.asarray((np.maximum(scores, 0) / max(whole, 1e-12)) ** _STEEPNESS)


def nearness(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return cosines as the fusion counts them: 0 for the lowest of them, 1 for the same text."""
    # The lowest of one or two rows says little of what is far.
    lowest = min(float(cosines.min(initial=1.0)), 0.0) if len(cosines) < 3 else float(cosines.min())
    return np.asarray((cosines - lowest) / max(1 - lowest, 1e-12))


def deepened(
    fused: Ranking,
    text: Ranking,
    finer: Ranking,
    *,
    nearer: Ranking | None = None,
    least: float = 0.5,
    weight: float = DEEP_WEIGHT,
    first: int = FIRST,
    expected: float | None = None,
) -> Ranking:
    """Return a shortlist with its first rows ordered by words and by the cosines of a finer model.

    Those that the finer model has read are ordered among the places that they have; a row that it has not read keeps
    its place, so that a short time for reading can only help as far as it went.

    With `nearer` the first model has a say: all but `least` where words answer nothing of the query, none where they
    answer all of it.

    Args:
        fused: the shortlist, best first, as `fuse` gives it.
        text: rows found by words and their scores, as for `fuse`.
        finer: rows and cosines by the finer model, of those that it has read.
        nearer: rows and cosines by the first model; None lets the finer one decide alone.
        least: share of the finer model where words answer nothing.
        weight: of the meaning beside words.
        first: how many rows of the shortlist are ordered; the others stay behind them.
        expected: as for `fuse`.

    Returns:
        The same rows; scores of what was read are those of words and meaning, and none is above the one before.
    """
    rows, scores = fused[0].copy(), fused[1].copy()
    read = among(finer[0], rows[:first])
    if not read.any():
        return fused
    order = np.argsort(finer[0][read], kind="stable")
    known = finer[0][read][order]
    meaning = nearness(np.asarray(finer[1][read], np.float64)[order])
    covered = np.zeros(len(known))
    found = among(text[0], known)
    covered[np.searchsorted(known, text[0][found])] = _coverage(np.asarray(text[1], np.float64), expected)[found]
    if nearer is not None:
        share = least + (1 - least) * min(1.0, float(covered.max(initial=0.0)))
        meaning = share * meaning + (1 - share) * _nearness_of(known, nearer, meaning)
    best = weight * meaning + (1 - weight) * covered
    order = np.argsort(-best, kind="stable")
    places = np.flatnonzero(among(rows[:first], known))
    rows[places], scores[places] = known[order], best[order]
    return rows, np.minimum.accumulate(scores)


def _nearness_of(known: Rows, nearer: Ranking, otherwise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first model's nearness of some rows, ascending; that of the finer one for rows it has no vector of."""
    has = among(known, nearer[0])
    found = otherwise.copy()
    if has.any():
        order = np.argsort(nearer[0], kind="stable")
        at = order[np.searchsorted(nearer[0][order], known[has])]
        found[has] = nearness(np.asarray(nearer[1], np.float64)[at])
    return found
