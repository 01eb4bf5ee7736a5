"""How unusual texts are in the way they are written: their script, their length and their spelling.

A vector says what a text means, and a multilingual model puts a Japanese request for a new card beside the English
ones. A person who reads the list sees at once that it is in another language, ten pages long, or no language at all.
Each view here is zero for nearly every text and grows only where a text is far outside what the collection holds, so
that none of them drowns the meaning.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imi.tasks.report import Phrase
from imi.text.lexical import normalize_text

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

_SCRIPTS = (
    ("Latin", re.compile("[A-Za-z\u00c0-\u024f]"), 1),
    ("Japanese or Chinese", re.compile("[\u3040-\u30ff\u3400-\u9fff]"), 2),
    ("Hangul", re.compile("[\uac00-\ud7af]"), 2),
    ("Cyrillic", re.compile("[\u0400-\u04ff]"), 1),
    ("Arabic", re.compile("[\u0600-\u06ff]"), 1),
    ("Greek", re.compile("[\u0370-\u03ff]"), 1),
    ("Hebrew", re.compile("[\u0590-\u05ff]"), 1),
    ("Indic", re.compile("[\u0900-\u0dff]"), 1),
    ("Thai", re.compile("[\u0e00-\u0e7f]"), 1),
)
_IN_JAPANESE = {
    "Latin": "ラテン文字",
    "Japanese or Chinese": "日本語または中国語の文字",
    "Hangul": "ハングル",
    "Cyrillic": "キリル文字",
    "Arabic": "アラビア文字",
    "Greek": "ギリシャ文字",
    "Hebrew": "ヘブライ文字",
    "Indic": "インド系文字",
    "Thai": "タイ文字",
}
_READABLE = re.compile(r"[^\W_]|[\u2190-\u2bff\U0001f000-\U0001faff]")
_ENOUGH = 10
"""Letters, of which a kanji or kana counts as two, before a text is said to be in a script, or characters in none."""
_RARE = 5.0
"""Bits: a script that less than one text in 32 is written in is unusual."""
_PER_BIT = 2.0
_SLOPE = 8.0
_LENGTH_FROM, _SPELLING_FROM = 1.6, 3.0
"""How many times as far from the middle as one text in forty lies."""
_TRIMMED = 0.05
"""Share of the texts, the strangest, that others' spelling is not compared with: odd texts would excuse each other."""
_READ = 400
"""Characters of a text whose spelling is read."""
_BUCKETS = 1 << 22
_PART = 1 << 18
"""Characters that are read at once."""


@dataclass(frozen=True)
class TextOddness:
    """What each of n texts has of each view, ≥ 0, and the words that say why."""

    script: Doubles
    length: Doubles
    spelling: Doubles
    scripts: tuple[str, ...]
    shares: Doubles
    characters: Ints
    bits: Doubles

    @property
    def total(self) -> Doubles:
        """Return the sum of the views, (n,)."""
        return self.script + self.length + self.spelling

    def reason(self, row: int) -> str:
        """Return in English why this text is unusual, "" where it is not; see `says`."""
        return self.says(row).en

    def says(self, row: int) -> Phrase:
        """Return why this text is unusual, "" where it is not: its script if that is, else the stronger view."""
        if self.total[row] <= 0:
            return Phrase("", "")
        if self.script[row] > 0:
            name, share = self.scripts[row], f"{self.shares[row]:.2%}"
            if name == "none":
                return Phrase(f"holds no word, like {share} of the texts", f"単語がない（全テキストの {share}）")
            return Phrase(
                f"written in {name} script, like {share} of the texts",
                f"{_IN_JAPANESE[name]}で書かれている（全テキストの {share}）",
            )
        brief = self.characters[row] < _ENOUGH and self.length[row] > 0  # too short for its spelling to say much
        if brief or self.length[row] >= self.spelling[row]:
            usual, own = int(np.median(self.characters)), int(self.characters[row])
            return Phrase(
                f"unusually {'long' if own > usual else 'short'}: {own:,} characters, usual are {usual:,}",
                f"極端に{'長い' if own > usual else '短い'}：{own:,} 文字（中央値 {usual:,}）",
            )
        return self.spelled(row)

    def spelled(self, row: int) -> Phrase:
        """Return how unusually this text is spelled."""
        bits, middle = f"{self.bits[row]:.1f}", f"{float(np.median(self.bits)):.1f}"
        return Phrase(
            f"spelled like none of the others: {bits} bits a character, usual are {middle}",
            f"つづりがほかと違う：1 文字あたり {bits} ビット（中央値 {middle}）",
        )


def text_oddness(texts: Sequence[str]) -> TextOddness:
    """Measure how unusual each text is among all by script, length and spelling.

    Args:
        texts: n texts; an empty one is judged by its length alone.
    """
    named = [_script(text) for text in texts]
    names, place, counts = np.unique(np.array(named), return_inverse=True, return_counts=True)
    shares = (counts / len(texts))[place]
    known = np.array([name != "" for name in names], dtype=bool)[place]
    script = np.where(known, _PER_BIT * np.maximum(-np.log2(shares) - _RARE, 0), 0.0)
    characters = np.array([len(text.strip()) for text in texts], dtype=np.int64)
    lengths = np.log1p(characters.astype(np.float64))
    bits = _bits(texts)
    length = _SLOPE * np.maximum(np.maximum(_outside(lengths, 0.4), _outside(-lengths, 0.4)) - _LENGTH_FROM, 0)
    spelling = _SLOPE * np.maximum(_outside(bits, 1.0) - _SPELLING_FROM, 0)
    return TextOddness(script, length, spelling, tuple(named), shares, characters, bits)


def _outside(values: Doubles, least: float) -> Doubles:
    """Return how far above the middle each value is, in units of where one text in forty begins, but of `least`.

    That is judged from where one in twenty begins (1.19 times as far in a normal spread, more in others), so that odd
    texts, of which there may be one in forty, do not hide each other.
    """
    middle = float(np.median(values))
    begins = 1.25 * (float(np.quantile(values, 0.95)) - middle)
    return np.asarray((values - middle) / max(begins, least), dtype=np.float64)


def _script(text: str) -> str:
    """Return the script of four fifths of a text's letters, "none" without a letter, "" where neither is clear."""
    head = text[:2000]
    if len("".join(head.split())) >= _ENOUGH and not _READABLE.search(head):
        return "none"
    counts = [len(letters.findall(head)) * weight for _, letters, weight in _SCRIPTS]
    total = sum(counts)
    if total < _ENOUGH or max(counts) < 0.8 * total:
        return ""
    return _SCRIPTS[int(np.argmax(counts))][0]


def _bits(texts: Sequence[str]) -> Doubles:
    """Return each text's bits a character under the trigrams of all other texts, (n,).

    Trigrams back off to bigrams and these to characters, with two texts' worth of prior each (Witten and Bell 1991 in
    spirit). Equal texts count once, and a text's own characters are taken off before it is read. A second reading
    leaves the strangest texts of the first out of what is counted, so that a family of odd texts does not learn from
    itself.
    """
    different: dict[str, int] = {}
    same = np.array([different.setdefault(normalize_text(text)[:_READ], len(different)) for text in texts])
    parts = _parts(list(different))
    letters = len(set().union(*different)) + 5000.0
    counted = np.ones(len(different), np.int32)
    bits = np.zeros(len(different))
    for _ in range(2):
        totals = _tallied(parts, counted)
        everything = float(totals[0].sum())
        for some, texts_of in parts:
            read = _characters(texts_of)
            lost = _lost(read, counted[some], totals, letters, everything)
            sizes = np.maximum(np.bincount(read.owner, minlength=len(texts_of)), 1)
            bits[some] = np.bincount(read.owner, weights=lost, minlength=len(texts_of)) / sizes
        counted = (bits <= np.quantile(bits, 1 - _TRIMMED)).astype(np.int32)
    return np.asarray(bits[same], dtype=np.float64)


def _tallied(parts: Sequence[tuple[slice, Sequence[str]]], counted: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return how often each hash occurs, (5, buckets), each text as often as is counted.

    In whole numbers: float32 stops counting at 16.8 million, which the spaces of a quarter of a million texts reach.
    """
    totals = np.zeros((5, _BUCKETS), np.int32)
    for some, texts in parts:
        read = _characters(texts)
        for total, hashed in zip(totals, read.hashed, strict=True):
            np.add.at(total, hashed, counted[some][read.owner])
    return totals


def _parts(texts: Sequence[str]) -> list[tuple[slice, Sequence[str]]]:
    """Return the texts in parts of few characters, with where they stand: reading one takes a hundred bytes."""
    ends = np.cumsum([len(text) + 1 for text in texts])
    edges = [0, *(1 + np.flatnonzero(np.diff(ends // _PART))).tolist(), len(texts)]
    return [(slice(low, high), texts[low:high]) for low, high in itertools.pairwise(edges) if low < high]


@dataclass(frozen=True)
class _Characters:
    """The characters of some texts, each ended by one that is not of it: whose they are, and what they follow.

    hashed: of each character alone, with the one before and the two before, then the one and the two before alone.
    """

    owner: Ints
    hashed: tuple[Ints, ...]


def _characters(texts: Sequence[str]) -> _Characters:
    joined = "".join(text + "\x02" for text in texts)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.int64)
    owner = np.repeat(np.arange(len(texts)), [len(text) + 1 for text in texts])
    second, third = np.roll(codes, 1), np.roll(codes, 2)
    starts = owner != np.roll(owner, 1)
    starts[0] = True
    second[starts] = 1
    third[starts | np.roll(starts, 1)] = 1
    keys = _hashed(codes), _hashed(codes, second), _hashed(codes, second, third)
    return _Characters(owner, (*keys, _hashed(second), _hashed(second, third)))


def _lost(
    read: _Characters, counted: NDArray[np.int32], totals: NDArray[np.int32], letters: float, everything: float
) -> Doubles:
    """Return the bits that each place's character costs under the texts that are counted, less its own text."""
    ones, twos, threes, one_before, two_before = (
        _others(hashed, total, read.owner, counted) for hashed, total in zip(read.hashed, totals, strict=True)
    )
    first = (ones + 0.5) / (everything + 0.5 * letters)
    pair = (twos + 2 * first) / (one_before + 2)
    triple = (threes + 2 * pair) / (two_before + 2)
    return np.asarray(-np.log2(np.clip(triple, 1e-9, 1.0)), dtype=np.float64)


def _hashed(*columns: Ints) -> Ints:
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        mixed = (mixed ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return np.asarray(mixed % np.uint64(_BUCKETS), dtype=np.int64)


def _others(hashed: Ints, total: NDArray[np.int32], owner: Ints, counted: NDArray[np.int32]) -> Doubles:
    """Return, for each place, how often its hash occurs in other texts than its own, by what is counted."""
    _, place, own = np.unique(owner * _BUCKETS + hashed, return_inverse=True, return_counts=True)
    return np.asarray(total[hashed] - own[place.ravel()] * counted[owner], dtype=np.float64)
