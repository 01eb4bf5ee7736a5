"""Words written in kana alone: ねこ is 猫, but a vocabulary learnt from running text splits it into ね and こ."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from imi.embedders.pieces import Pieces
from imi.evaluate.splits import read_lines
from imi.train.student import Student
from recipes.builtin.sources import to_hiragana

LIMIT = 1_200
_RUN = re.compile(r"[ぁ-んー]{2,}")
_LONGEST = 6
_OFTEN = 300
"""Kana that running text holds more often than this is mostly something else: the end of one word and the next."""


def whole_readings(data: Path, texts: Iterable[str], pieces: Pieces, *, limit: int = LIMIT) -> dict[str, str]:
    """Return readings in hiragana worth a piece of their own, each with the one common word that it is read of.

    Args:
        data: the folder with JMdict.
        texts: running text, which tells how common words are and which kana is met by chance.
        pieces: the vocabulary as trained; it keeps the word whole and splits its reading.
        limit: how many to return, those of the commonest words.
    """
    words: dict[str, set[str]] = defaultdict(set)
    for line in islice(read_lines(data / "jmdict" / "jmdict_en_2025-07.tsv.gz"), 1, None):
        row = line.split("\t")
        if row[4] == "1" and row[2] != row[1]:
            words[to_hiragana(row[2])].add(row[1])
    single = {
        kana: next(iter(heads))
        for kana, heads in words.items()
        if len(heads) == 1 and _RUN.fullmatch(kana) and len(kana) <= _LONGEST
    }
    heads = _lengths(pieces, single.values())
    split = _lengths(pieces, single)
    wanted = {kana: head for kana, head in single.items() if heads[head] == 1 and split[kana] > 1}
    met, common = _counts(texts, wanted)
    fit = [kana for kana in wanted if met[kana] <= _OFTEN]
    return {kana: wanted[kana] for kana in sorted(fit, key=lambda kana: (-common[wanted[kana]], kana))[:limit]}


def copy_rows(student: Student, readings: Mapping[str, str], pieces: Pieces) -> int:
    """Give each reading the row of its word, in place; returns how many."""
    with torch.no_grad():
        for kana, head in readings.items():
            student.rows[_one(pieces, kana)] = student.rows[_one(pieces, head)]
    return len(readings)


def _one(pieces: Pieces, word: str) -> int:
    bare = pieces.processor.piece_to_id("▁")
    ids = [one for one in pieces.split([word])[0].tolist() if one != bare]
    if len(ids) != 1:
        raise ValueError(f"{word!r} is split into {len(ids)} pieces, it must be one")
    return int(ids[0])


def _lengths(pieces: Pieces, words: Iterable[str]) -> dict[str, int]:
    """Return how many pieces each word is split into, a bare mark of the beginning not counted."""
    listed = list(dict.fromkeys(words))
    ids, offsets = pieces.split(listed)
    real = np.concatenate([[0], np.cumsum(ids != pieces.processor.piece_to_id("▁"))])[offsets]
    return dict(zip(listed, np.diff(real).tolist(), strict=True))


def _counts(texts: Iterable[str], wanted: Mapping[str, str]) -> tuple[Counter[str], Counter[str]]:
    """Return how often each reading is met inside kana, and how often each word is."""
    met: Counter[str] = Counter()
    common: Counter[str] = Counter()
    heads = frozenset(wanted.values())
    longest = max(map(len, heads), default=0)
    for text in texts:
        if text.isascii():
            continue
        for run in _RUN.findall(text):
            for start in range(len(run) - 1):
                for end in range(start + 2, min(start + _LONGEST, len(run)) + 1):
                    if run[start:end] in wanted:
                        met[run[start:end]] += 1
        for start in range(len(text)):
            for end in range(start + 1, min(start + longest, len(text)) + 1):
                if text[start:end] in heads:
                    common[text[start:end]] += 1
    return met, common
