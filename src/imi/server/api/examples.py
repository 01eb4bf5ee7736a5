"""Questions to begin with, made from what a collection holds: one for each of its larger groups."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from imi.collection import Collection
from imi.errors import ImiError
from imi.records import Document
from imi.tasks.keywords import distinctive_words, words_of
from imi.tasks.kmeans import by_size, spherical_kmeans
from imi.text.readable import readable
from imi.text.sentences import sentences
from imi.types import Floats
from imi.vectors import normalize

MOST = 5
_READ = 600
_LONGEST = 44
_SHORTEST = 4
_NEAREST = 12
_FEW = 12


def examples_of(collection: Collection) -> list[str]:
    """Return up to five short questions, of different groups; fewer where there is little to ask for."""
    ids = collection.ids()
    some = [ids[at] for at in np.unique(np.linspace(0, len(ids) - 1, min(_READ, len(ids))).astype(int))] if ids else []
    documents = collection.get(some) if some else []
    written = [one for one in documents if (one.text or "").strip()]
    if not written:
        return _of_columns(documents)
    read = [readable(one) for one in written]
    shown = [f"{one.title or ''} {one.body[:400]}" for one in read]
    phrases = [_phrases(one.title, one.body) for one in read]
    z: Floats | None = None
    with contextlib.suppress(ImiError):
        vectors = collection.vectors_by_id([one.id for one in written])
        if len(vectors) == len(written) and len(written) > _FEW:
            z = normalize(np.stack([vectors[one.id] for one in written]))
    if z is None:
        step = max(1, len(written) // MOST)
        return _different([own[0] for own in phrases[::step] if own])
    groups, centres = by_size(*spherical_kmeans(z, min(MOST, len(z) // 4), tries=1))
    names = distinctive_words(shown, groups, len(centres), words=4)
    found = []
    for group, words in enumerate(names):
        rows = np.flatnonzero(groups == group)
        near = rows[np.argsort(-(z[rows] @ centres[group]), kind="stable")][:_NEAREST]
        found += [_best([phrase for row in near for phrase in phrases[row]], words)]
    return _different(found)


def _phrases(title: str | None, body: str) -> list[str]:
    """Return what of a document is short enough to ask for."""
    said = [title or "", *sentences(body[:600])]
    return [
        one for one in (" ".join(each.split()).rstrip("。.!！…") for each in said) if _SHORTEST <= len(one) <= _LONGEST
    ]


def _best(phrases: Sequence[str], words: Sequence[str]) -> str:
    """Return the phrase that says most of what sets a group apart, else the words that do."""
    scored = [(len(set(words_of(phrase)) & set(words)), -at, phrase) for at, phrase in enumerate(phrases)]
    best = max(scored, default=(0, 0, ""))
    return best[2] if best[0] else " ".join(words[:2])


def _different(phrases: Sequence[str]) -> list[str]:
    kept: dict[str, str] = {}
    for phrase in phrases:
        if phrase:
            kept.setdefault(phrase.casefold(), phrase)
    return list(kept.values())[:MOST]


def _of_columns(documents: Sequence[Document]) -> list[str]:
    """Return values that many rows without a text share, such as the folders of pictures."""
    counts: Counter[str] = Counter()
    for document in documents:
        counts.update({leaf for value in document.metadata.values() for leaf in _leaf(value)})
    shared = [value for value, count in counts.most_common(60) if 2 <= count < 0.9 * len(documents)]
    return shared[:MOST]


def _leaf(value: Any) -> list[str]:
    if not isinstance(value, str) or not value or "." in value or value.startswith("/"):
        return []
    name = PurePath(value.replace("\\", "/")).name
    return [name.replace("_", " ").replace("-", " ")] if 2 < len(name) <= 24 and not name.isdigit() else []
