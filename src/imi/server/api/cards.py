"""Documents as cards: a title, a piece of the text with what was found in it marked, and how near it comes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePath
from typing import Any

import numpy as np

from imi.collection import Collection
from imi.embedders.base import Embedder
from imi.errors import ImiError
from imi.records import Document, Hit, facts_of
from imi.tasks.compare import scale_of
from imi.tasks.explain import Explaining
from imi.text.highlight import READ, piece_of, spans_of
from imi.text.lexical import normalize_text
from imi.text.sentences import sentence_spans
from imi.types import Floats
from imi.vectors import normalize

WORD, MEANT = 1, 2
"""What a part of a text is marked as: words that were asked for, or what means what was asked for."""
_SENTENCES = 24
_SENTENCE = 600
_LIKE_BEST = 0.45
_LEAST_SHARE = 0.08
_LIKELY = 2.2
"""Standard deviations above the mean cosine of unrelated texts, beyond which a cosine says something."""
_FULL = 0.7
_SAMPLE = 256
Part = tuple[str, int]


def place_of(document: Hit | Document) -> str | None:
    """Return where a document was read from, as people say it: the file's name, and a page or line."""
    facts = facts_of(document.metadata)
    source = facts.get("source")
    if not isinstance(source, str) or not source:
        return None
    name = PurePath(source.replace("\\", "/")).name or source
    place = facts.get("page") or facts.get("line")
    return f"{name}:{place}" if place and not isinstance(place, bool) else name


@dataclass(slots=True)
class Asked:
    """What was asked, and what is needed to say how near documents come to it."""

    collection: Collection
    terms: list[str]
    query: str | None = None
    vector: Floats | None = None
    model: Embedder | None = None
    low: float = 0.0
    mean: float = 0.0
    crowd: Floats | None = field(default=None, repr=False)
    """Vectors of pictures, whose cosines with words lie on a different scale."""
    sentences: SentenceVectors | None = field(default=None, repr=False)

    def near(self, hits: Sequence[Hit], pictured: frozenset[str]) -> dict[str, float]:
        """Return how near each hit comes, from 0, as far as anything, to 1; below `weak` it says nothing."""
        if self.vector is None:
            return {}
        vector, rows = self.vector, self.collection.vectors_by_id([hit.id for hit in hits])
        crowd = None if self.crowd is None else self.crowd @ vector
        found = {}
        for hit in hits:
            row = rows.get(hit.id)
            if row is None or len(row) != len(vector):
                continue
            cosine = float(row @ vector / max(float(np.linalg.norm(row)), 1e-9))
            if crowd is not None and hit.id in pictured and not hit.text:
                away = (cosine - float(crowd.mean())) / max(float(crowd.std()), 1e-6)
                found[hit.id] = min(1.0, max(0.0, away / 4.5))
            else:
                found[hit.id] = min(1.0, max(0.0, (cosine - self.mean) / (_FULL * (1 - self.mean))))
        return found

    @property
    def weak(self) -> float:
        """Below this a hit is as far as texts on other things are."""
        return max(0.0, (self.low - self.mean) / (_FULL * (1 - self.mean)))


class SentenceVectors:
    """Vectors of sentences that were shown lately: two ways of searching, and a slider, show the same ones again."""

    def __init__(self, most: int = 4096) -> None:
        """Keep at most this many, 2 KB each."""
        self._most = most
        self._kept: dict[tuple[str, str], Floats] = {}

    def of(self, model: Embedder, said: Sequence[str]) -> Floats:
        """Return the vectors of sentences under a model, (n, d)."""
        kept, fingerprint = self._kept, model.info.fingerprint
        found = {one: kept.get((fingerprint, one)) for one in said}
        fresh = [one for one, vector in found.items() if vector is None]
        if fresh:
            made = dict(zip(fresh, model.embed(fresh), strict=True))
            found |= made
            if len(kept) + len(made) > self._most:  # another dict, as other threads may be reading this one
                kept = self._kept = {}
            kept.update(((fingerprint, one), vector) for one, vector in made.items())
        return np.stack([vector for one in said if (vector := found[one]) is not None])


class Scales:
    """How far unrelated things are under each model, measured once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, float]] = {}
        self._crowds: dict[str, tuple[str, Floats | None]] = {}
        self._sentences = SentenceVectors()

    def asked(self, collection: Collection, query: str, terms: list[str]) -> Asked:
        """Return a question with its vector, where a model that answers in microseconds can read it."""
        model = _model_of(collection)
        # Any other model may take long, or cost money, for each text that it reads.
        if model is None or not isinstance(model, Explaining):
            return Asked(collection, terms, query)
        fingerprint = model.info.fingerprint
        if fingerprint not in self._known:
            scale = scale_of(model)
            self._known[fingerprint] = (scale.mean, scale.mean + _LIKELY * scale.spread)
        mean, low = self._known[fingerprint]
        vector = model.embed([query], kind="query")[0]
        return Asked(collection, terms, query, vector, model, low, mean, self.crowd(collection), self._sentences)

    def crowd(self, collection: Collection) -> Floats | None:
        """Return some vectors of a collection that holds pictures alone, None for any other."""
        info = collection.info
        place = str(getattr(collection, "folder", info.name))
        kept = self._crowds.get(place)
        if kept is None or kept[0] != info.version:
            kept = self._crowds[place] = (info.version, _crowd(collection))
        return kept[1]


def _model_of(collection: Collection) -> Embedder | None:
    """Return the model of a collection; None for vectors of one's own, or where the model is not there."""
    try:
        return collection.model
    except ImiError:
        return None


def _crowd(collection: Collection) -> Floats | None:
    first = next(iter(collection.documents(limit=1)), None)
    if first is None or first.text:
        return None
    with contextlib.suppress(ImiError):
        if collection.thumbnail(first.id) is not None:
            ids = collection.ids(with_vector=True)
            some = [ids[at] for at in np.unique(np.linspace(0, len(ids) - 1, _SAMPLE).astype(int))] if ids else []
            return normalize(collection.vectors(some))
    return None


def meant_spans(asked: Asked, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
    """Return, for each text, the places that mean what was asked: words of the sentence that comes nearest to it."""
    found: list[list[tuple[int, int]]] = [[] for _ in texts]
    model = asked.model
    if asked.vector is None or not asked.query or model is None or not isinstance(model, Explaining):
        return found
    spans = [
        [one for one in sentence_spans(text[:READ])[:_SENTENCES] if one[1] - one[0] <= _SENTENCE] for text in texts
    ]
    said = [text[start:end] for text, own in zip(texts, spans, strict=True) for start, end in own]
    if not said:
        return found
    cosines = (asked.sentences or SentenceVectors()).of(model, said) @ asked.vector
    whole = model.rows([number for _, number in model.tokens(asked.query)]).sum(axis=0)
    at = 0
    for row, own in enumerate(spans):
        if own:
            best = int(np.argmax(cosines[at : at + len(own)]))
            if cosines[at + best] >= asked.low:
                start, end = own[best]
                found[row] = _telling_words(model, whole, texts[row][start:end], start)
        at += len(own)
    return found


def _telling_words(model: Explaining, whole: Floats, said: str, offset: int) -> list[tuple[int, int]]:
    """Return where the words of a sentence stand that carry most of its similarity with a question's sum of rows."""
    folded = normalize_text(said)
    if len(folded) != len(said):  # places would shift
        return [(offset, offset + len(said.rstrip()))]
    pieces = model.tokens(said)
    rows = model.rows([number for _, number in pieces])
    lengths = float(np.linalg.norm(rows.sum(axis=0)) * np.linalg.norm(whole))
    shares = rows @ whole / max(lengths, 1e-9)
    least = max(_LIKE_BEST * float(shares.max(initial=0.0)), _LEAST_SHARE)
    at, found = 0, []
    for (piece, _), share in zip(pieces, shares.tolist(), strict=True):
        name = normalize_text(piece.replace("▁", ""))
        place = folded.find(name, at) if name else -1
        if place < 0:
            continue
        at = place + len(name)
        if share >= least and any(map(str.isalnum, name)):
            found.append(_whole_word(said, place, at, offset))
    return found


def _whole_word(text: str, begin: int, end: int, offset: int) -> tuple[int, int]:
    """Return a place grown to the word of Latin letters that it is part of."""

    def inside(at: int) -> bool:
        return 0 <= at < len(text) and text[at].isascii() and (text[at].isalnum() or text[at] == "'")

    while inside(begin - 1) and inside(begin):
        begin -= 1
    while inside(end) and inside(end - 1):
        end += 1
    return offset + begin, offset + end


def marked_piece(text: str, terms: Sequence[str], meant: Sequence[tuple[int, int]], most: int) -> dict[str, Any]:
    """Return a piece of a text in parts, each with its mark; it begins near what was found."""
    words, _ = spans_of(text, terms)
    if not words and meant and len(text) > most and meant[0][0] > most * 3 // 4:
        piece = piece_of(text, [], most, max(0, meant[0][0] - most // 4))
    else:
        piece = piece_of(text, terms, most)
    start, end = piece.start, min(len(text), piece.start + most)
    marks = np.zeros(end - start, np.int8)
    for spans, mark in ((meant, MEANT), (words, WORD)):
        for a, b in spans:
            marks[max(0, a - start) : max(0, b - start)] = mark
    edges = [0, *(np.flatnonzero(np.diff(marks)) + 1).tolist(), len(marks)]
    parts: list[Part] = [(text[start + a : start + b], int(marks[a])) for a, b in pairwise(edges) if b > a]
    return {"parts": parts, "start": start, "characters": len(text)}
