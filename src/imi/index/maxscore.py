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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

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
"""Postings from which what a term adds is remembered: it takes half the time to add."""
_KEPT = 16_000_000
"""Postings that are remembered in all: 64 MB."""
_GROUP = 64
"""Documents in a group, of which the best stands for all when a high score is looked for."""
_LEAST = 1e-30
_SLACK = 1e-4
"""What rounding may move a float32 score by, in parts of the score."""


class Parts:
    """What a term adds to each document that holds it, but for its weight, of the long terms that were asked last."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._kept: OrderedDict[tuple[int, int], Floats] = OrderedDict()
        self._postings = 0
        self._lock, self._pid = threading.Lock(), os.getpid()

    def get(self, key: tuple[int, int], make: Callable[[], Floats]) -> Floats:
        """Return a term's parts in a segment, made when they are not there."""
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
                self._postings += len(made)
            while self._postings > _KEPT and len(self._kept) > 1:
                self._postings -= len(self._kept.popitem(last=False)[1])
        return made


@dataclass(frozen=True)
class Field:
    """Segments side by side: a document's number is its place in its segment plus the segment's offset.

    norm: (n,) float32, BM25's norm of every document at the mean length of the live ones. alive: (n,) bool, None for
    all. parts: of long terms, remembered.
    """

    segments: Sequence[Segment]
    offsets: Sequence[int]
    norm: Floats
    alive: Mask | None
    mean: float
    parts: Parts = field(repr=False, compare=False, default_factory=Parts)

    def __len__(self) -> int:
        return len(self.norm)

    def parts_of(self, number: int, place: int, documents: NDArray[np.intp]) -> Floats:
        """Return f / (f + norm) of each posting of a term in a segment, whose documents are given."""
        segment = self.segments[number]
        span = slice(int(segment.starts[place]), int(segment.starts[place + 1]))

        def made() -> Floats:
            f = segment.counts[span].astype(np.float32)
            return np.asarray(f / (f + self.norm[documents]), dtype=np.float32)

        return made() if len(documents) < _LONG else self.parts.get((number, place), made)


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
        found, documents = _pruned(field, ordered, k, mask)
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


def _pruned(field: Field, terms: Sequence[Term], k: int, mask: Mask | None) -> tuple[Floats, Rows]:
    """Return documents with their scores, the k best among them."""
    scores = np.zeros(len(field), dtype=np.float32)
    rest = [*np.cumsum([term.most for term in reversed(terms)])[::-1].tolist(), 0.0]
    left = sum(term.postings for term in terms)
    bar, at, seen, probe = 0.0, 0, 0, _FIRST_PROBE
    while at < len(terms) and bar <= rest[at]:
        _add_all(field, terms[at], scores, mask)
        seen, left = seen + terms[at].postings, left - terms[at].postings
        at += 1
        if seen >= probe and left > _WORTH:
            bar = max(bar, _kth(field, terms[at:], scores, k))
            probe = 4 * seen
    least = bar - rest[at] if at < len(terms) else _high(scores, k)
    documents = np.flatnonzero(scores >= max(least, _LEAST))
    for here in range(at, len(terms)):
        found = scores[documents]
        if len(documents) > k:
            bar = max(bar, float(np.partition(found, len(found) - k)[-k]) * (1 - _SLACK))
            documents = documents[found > bar - rest[here]]
        if len(documents) * _LOOKUP < terms[here].postings:
            scores[documents] += _looked_up(field, terms[here], documents)
        else:
            _add_all(field, terms[here], scores, mask)
    return scores[documents], documents


def _add_all(field: Field, term: Term, scores: Floats, mask: Mask | None) -> None:
    """Add a term's part to every document that holds it."""
    for number, place in enumerate(term.places):
        if place < 0:
            continue
        segment, offset = field.segments[number], field.offsets[number]
        documents = segment.documents[int(segment.starts[place]) : int(segment.starts[place + 1])].astype(np.intp)
        if offset:
            documents += offset
        parts = field.parts_of(number, place, documents)
        if mask is not None:
            passing = mask[documents]
            documents, parts = documents[passing], parts[passing]
        # Unlike `scores[documents] += …` this reads and writes each place once, and takes half the time.
        np.add.at(scores, documents, np.float32(term.weight * (K1 + 1)) * parts)


def _high(scores: Floats, k: int) -> float:
    """Return a lower bound of the k-th best score so far: k groups of documents have one as good."""
    groups = len(scores) // _GROUP
    if groups <= k:
        return 0.0
    tops = scores[: groups * _GROUP].reshape(_GROUP, groups).max(axis=0)  # the other axis takes fifteen times as long
    return float(np.partition(tops, groups - k)[-k])


def _kth(field: Field, terms: Sequence[Term], scores: Floats, k: int) -> float:
    """Return a lower bound of the k-th best score: the k best documents so far, with what other terms add to them."""
    documents = np.flatnonzero(scores >= max(_high(scores, k), _LEAST))
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
