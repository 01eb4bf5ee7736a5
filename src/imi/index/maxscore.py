"""The best rows for some terms by BM25, exactly, reading as few postings as that takes.

Terms are read from the most telling on. Once what the remaining ones can add is less than the k-th best score found, no
further row can come in, and they are only looked up for the rows that can still be among the best (Turtle and Flood,
1995, "Query evaluation: strategies and optimizations", MaxScore). A good k-th score is known early by completing the
scores of the best rows after a few postings.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from imi.index.postings import K1, Mask, Segment
from imi.types import Floats, Rows

_FIRST_PROBE = 4096
"""Postings after which the k-th best score is estimated for the first time; then each time they have grown fourfold."""
_WORTH = 1_000_000
"""Postings left to read from which an estimate can spare more than it costs: they take some milliseconds."""
_LOOKUP = 12
"""Postings that are added up in the time that one row is looked for."""
_LONG = 4096
"""Postings from which what a term adds is remembered: it takes a third of the time to add."""
_RUN = 65_536
"""Postings of short terms that are read at once: each step of numpy's takes as long as some hundred of them."""
_KEPT = 8_000_000
"""Postings that are remembered in all: 96 MB."""
_GROUP = 64
"""Documents in a group, of which the best stands for all when a high score is looked for."""
_LEAST = 1e-30
_SLACK = 1e-4
"""What rounding may move a float32 score by, in parts of the score."""


Added = tuple[NDArray[np.intp], Floats]
"""The documents that hold a term, and what it adds to each."""
Span = tuple[int, int, int, float]
"""Postings of a term: the number of their segment, where they begin and end in it, and the term's weight."""


class Parts:
    """What a term adds to each document that holds it, of the long terms that were asked last."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._kept: OrderedDict[Span, Added] = OrderedDict()
        self._postings = 0
        self._lock, self._pid = threading.Lock(), os.getpid()

    def get(self, key: Span, make: Callable[[], Added]) -> Added:
        """Return what a term of some weight adds in a segment, made when it is not there."""
        if self._pid != os.getpid():
            self._lock, self._pid = threading.Lock(), os.getpid()  # another thread of the parent may have held it
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                self._postings += len(made[0])
            while self._postings > _KEPT and len(self._kept) > 1:
                self._postings -= len(self._kept.popitem(last=False)[1][0])
        return made


@dataclass(frozen=True)
class Field:
    """Segments side by side: a document's number is its place in its segment plus the segment's offset.

    norm: (n,) float32, BM25's norm of every document at the mean length of the live ones. alive: (n,) bool, None for
    all. parts: of long terms, remembered. spare: arrays for scores that no search uses now.
    """

    segments: Sequence[Segment]
    offsets: Sequence[int]
    norm: Floats
    alive: Mask | None
    mean: float
    parts: Parts = field(repr=False, compare=False, default_factory=Parts)
    spare: list[Floats] = field(repr=False, compare=False, default_factory=list)

    def __len__(self) -> int:
        return len(self.norm)

    @contextmanager
    def scores(self) -> Iterator[Floats]:
        """Lend (n,) float32 zeros: memory that the system gives afresh takes as long as adding up the scores."""
        try:
            lent = self.spare.pop()
            lent.fill(0)
        except IndexError:
            lent = np.zeros(len(self), dtype=np.float32)
        yield lent
        self.spare.append(lent)

    def span(self, number: int, place: int) -> tuple[int, int]:
        """Return where the postings of a term begin and end in a segment."""
        starts = self.segments[number].starts
        return int(starts[place]), int(starts[place + 1])

    def added(self, spans: Sequence[Span]) -> Added:
        """Return the documents of postings, one run after another, and weight · (k1 + 1) · f / (f + norm) of each."""
        documents, counts, weights = [], [], []
        for number, start, end, weight in spans:
            offset = self.offsets[number]
            found = self.segments[number].documents[start:end]
            documents.append(found + np.uint32(offset) if offset else found)
            counts.append(self.segments[number].counts[start:end])
            weights.append(weight * (K1 + 1))
        places = np.concatenate(documents).astype(np.intp)
        f = np.concatenate(counts).astype(np.float32)
        parts = f / (f + self.norm[places])
        parts *= np.repeat(np.array(weights, dtype=np.float32), [len(found) for found in counts])
        return places, parts


@dataclass(frozen=True)
class Term:
    """A term of a query: its idf times how often it is asked, its place in each segment, and the most it can add."""

    weight: float
    places: tuple[int, ...]
    postings: int
    most: float


def read_term(field: Field, places: Sequence[int], weight: float) -> Term:
    """Bound what a term can add to a row's score in any segment."""
    postings, peak = 0, 0.0
    for segment, place in zip(field.segments, places, strict=True):
        if place >= 0:
            postings += int(segment.starts[place + 1] - segment.starts[place])
            # Peaks are of the segment's own mean length; longer ones elsewhere make its rows look shorter.
            peak = max(peak, min(1.0, float(segment.peaks[place]) * max(1.0, field.mean / segment.mean)))
    return Term(weight, tuple(places), postings, weight * (K1 + 1) * peak * (1 + _SLACK))


def best_documents(field: Field, terms: Sequence[Term], k: int, mask: Mask | None) -> tuple[Floats, Rows]:
    """Return scores, best first, and documents, ties in their order: the k best of those with a score above zero.

    Every document's parts are added in the same order, so that equal texts score equal.

    Args:
        field: what is searched.
        terms: of the query, each once.
        k: how many at most.
        mask: (n,) which documents may be found; None for all.
    """
    ordered = sorted((term for term in terms if term.postings), key=lambda term: -term.most)
    passing = len(field) if mask is None else int(np.count_nonzero(mask))
    if mask is not None and passing * _LOOKUP * len(ordered) < sum(term.postings for term in ordered):
        documents = np.flatnonzero(mask)
        found = np.zeros(len(documents), dtype=np.float32)
        for term in ordered:
            found += _looked_up(field, term, documents)
    else:
        with field.scores() as scores:
            found, documents = _pruned(field, ordered, k, mask, scores)
    if len(found) > k:  # ties of the last one stay, so that the first rows of them are taken
        kept = found >= np.partition(found, len(found) - k)[-k]
        found, documents = found[kept], documents[kept]
    order = np.lexsort((documents, -found))[:k]
    order = order[found[order] > 0]
    return found[order], documents[order]


def matching_documents(field: Field, terms: Sequence[Term], mask: Mask | None) -> Rows:
    """Return all documents that hold any of the terms, ascending."""
    held = np.zeros(len(field), dtype=bool)
    for term in terms:
        for segment, offset, place in zip(field.segments, field.offsets, term.places, strict=True):
            if place >= 0:
                span = slice(int(segment.starts[place]), int(segment.starts[place + 1]))
                held[segment.documents[span].astype(np.intp) + offset] = True
    return np.flatnonzero(held if mask is None else held & mask)


def _pruned(field: Field, terms: Sequence[Term], k: int, mask: Mask | None, scores: Floats) -> tuple[Floats, Rows]:
    """Return documents with their scores, the k best among them; `scores` are zeros, one for each document."""
    rest = [*np.cumsum([term.most for term in reversed(terms)])[::-1].tolist(), 0.0]
    left = sum(term.postings for term in terms)
    bar, at, seen, probe = 0.0, 0, 0, _FIRST_PROBE
    while at < len(terms) and bar <= rest[at]:
        end = _run(terms, at, probe - seen if left > _WORTH else _RUN) if bar == 0 else at + 1
        _add_all(field, terms[at:end], scores, mask)
        read = sum(term.postings for term in terms[at:end])
        at, seen, left = end, seen + read, left - read
        if seen >= probe and left > _WORTH:
            bar = max(bar, _kth(field, terms[at:], scores, k))
            probe = 4 * seen
    tops = _tops(scores)
    documents = _from(scores, tops, bar - rest[at] if at < len(terms) else _high(tops, k))
    for here in range(at, len(terms)):
        found = scores[documents]
        if len(documents) > k:
            bar = max(bar, float(np.partition(found, len(found) - k)[-k]) * (1 - _SLACK))
            documents = documents[found > bar - rest[here]]
        if len(documents) * _LOOKUP < terms[here].postings:
            scores[documents] += _looked_up(field, terms[here], documents)
        else:
            _add_all(field, [terms[here]], scores, mask)
    return scores[documents], documents


def _add_all(field: Field, terms: Sequence[Term], scores: Floats, mask: Mask | None) -> None:
    """Add the parts of a term, or of several short ones, to every document that holds them."""
    short: list[Span] = []
    for term in terms:
        for number, place in enumerate(term.places):
            if place >= 0:
                span = (number, *field.span(number, place), term.weight)
                if span[2] - span[1] < _LONG:
                    short.append(span)
                else:
                    _add(field.parts.get(span, partial(field.added, [span])), scores, mask)
    if short:
        _add(field.added(short), scores, mask)


def _add(added: Added, scores: Floats, mask: Mask | None) -> None:
    documents, parts = added
    if mask is not None:
        passing = mask[documents]
        documents, parts = documents[passing], parts[passing]
    # Unlike `scores[documents] += …` this reads and writes each place once, and takes half the time.
    np.add.at(scores, documents, parts)


def _run(terms: Sequence[Term], at: int, enough: int) -> int:
    """Return the end of a run of short terms, which are read at once, or of a long one; `enough` postings end it."""
    end, postings = at + 1, terms[at].postings
    while end < len(terms) and postings < min(enough, _RUN) and max(terms[at].postings, terms[end].postings) < _LONG:
        postings += terms[end].postings
        end += 1
    return end


def _tops(scores: Floats) -> Floats:
    """Return the best score of each group of documents, which are as many apart as there are groups."""
    groups = len(scores) // _GROUP
    # Along the other axis it takes fifteen times as long.
    return np.asarray(scores[: groups * _GROUP].reshape(_GROUP, groups).max(axis=0, initial=0))


def _high(tops: Floats, k: int) -> float:
    """Return a lower bound of the k-th best score so far: k groups of documents have one as good."""
    return float(np.partition(tops, len(tops) - k)[-k]) if len(tops) > k else 0.0


def _from(scores: Floats, tops: Floats, least: float) -> Rows:
    """Return the documents that score at least as much, ascending."""
    least = max(least, _LEAST)
    groups = np.flatnonzero(tops >= least)
    if len(groups) * 8 >= len(tops):
        return np.flatnonzero(scores >= least)
    among = (groups + len(tops) * np.arange(_GROUP)[:, None]).ravel()
    among = np.concatenate([among, np.arange(len(tops) * _GROUP, len(scores))])
    return np.asarray(among[scores[among] >= least])


def _kth(field: Field, terms: Sequence[Term], scores: Floats, k: int) -> float:
    """Return a lower bound of the k-th best score: the k best documents so far, with what other terms add to them."""
    tops = _tops(scores)
    documents = _from(scores, tops, _high(tops, k))
    if len(documents) < k:
        return 0.0
    if len(documents) > k:
        documents = np.sort(documents[np.argpartition(scores[documents], len(documents) - k)[-k:]])
    full = scores[documents]
    for term in terms:
        full += _looked_up(field, term, documents)
    return float(full.min()) * (1 - _SLACK)


def _looked_up(field: Field, term: Term, documents: Rows) -> Floats:
    """Return what a term adds to each of some documents, which ascend."""
    out = np.zeros(len(documents), dtype=np.float32)
    for segment, offset, place in zip(field.segments, field.offsets, term.places, strict=True):
        if place < 0:
            continue
        low, high = 0, len(documents)
        if len(field.segments) > 1:
            low, high = np.searchsorted(documents, (offset, offset + len(segment))).tolist()
        if low == high:
            continue
        first = int(segment.starts[place])
        listed = segment.documents[first : int(segment.starts[place + 1])]
        wanted = (documents[low:high] - offset).astype(np.uint32)  # of the list's own kind, or all of it is converted
        at = listed.searchsorted(wanted)
        at[at == len(listed)] = 0
        held = np.flatnonzero(listed[at] == wanted)
        f = segment.counts[first + at[held]].astype(np.float32)
        held += low
        out[held] = np.float32(term.weight * (K1 + 1)) * (f / (f + field.norm[documents[held]]))
    return out


def live_postings(segment: Segment, place: int, alive: Mask | None, dead: NDArray[np.uint32]) -> int:
    """Return how many live documents hold a term: all but the dead ones, which are looked up or counted."""
    listed = segment.documents[segment.starts[place] : segment.starts[place + 1]]
    if alive is None or not len(dead):
        return len(listed)
    if len(dead) * _LOOKUP < len(listed):
        at = np.minimum(np.searchsorted(listed, dead), len(listed) - 1)
        return len(listed) - int(np.count_nonzero(listed[at] == dead))
    return int(np.count_nonzero(alive[listed]))
