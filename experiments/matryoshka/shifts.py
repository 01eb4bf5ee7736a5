"""Inputs unlike the training ones: pictures noised, blurred, faded, moved; requests mistyped, shortened, reworded.

The paper asks ImageNet models about other collections of photos (Table 17). What these stand for is the same question:
is a nested embedding, at each size, as robust as one that was trained for the size?
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from imi.types import Floats

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_OPENINGS = ("hey", "um okay", "hello there", "listen", "excuse me", "so i was wondering")
_ENDINGS = ("please", "thanks a lot", "if you can", "right now", "i need this today")


def shift_pictures(x: Floats, *, seed: int = 0) -> dict[str, Floats]:
    """Return shifted copies of pictures (n, channels, height, width) that have mean 0 and spread 1.

    Args:
        x: the pictures.
        seed: of the noise.
    """
    random = np.random.default_rng(seed)
    by = max(1, round(x.shape[3] / 8))
    moved = np.pad(x, ((0, 0), (0, 0), (by, 0), (by, 0)), mode="edge")[:, :, : x.shape[2], : x.shape[3]]
    return {
        "noise": (x + random.normal(0, 0.6, x.shape)).astype(np.float32),
        "blur": _blurred(x),
        "contrast": (0.6 * x).astype(np.float32),
        "moved": np.ascontiguousarray(moved, dtype=np.float32),
    }


def _blurred(x: Floats) -> Floats:
    """Return pictures in which each dot is mixed with its neighbours, by weights of 1, 2, 1 across and down."""
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    high = (wide[:, :, :-2] + 2 * wide[:, :, 1:-1] + wide[:, :, 2:]) / 4
    out: Floats = ((high[..., :-2] + 2 * high[..., 1:-1] + high[..., 2:]) / 4).astype(np.float32)
    return out


def shift_requests(texts: Sequence[str], known: Mapping[str, Sequence[str]], *, seed: int = 0) -> dict[str, list[str]]:
    """Return the texts changed in several ways.

    Args:
        texts: lower-case requests.
        known: synonyms by word; without any, no text is reworded.
        seed: of what is changed.
    """
    random = np.random.default_rng(seed)
    out = {
        "typos": [" ".join(_mistyped(word, random) for word in text.split()) for text in texts],
        "words left out": [_shortened(text.split(), random) for text in texts],
        "words put in": [f"{random.choice(_OPENINGS)} {text} {random.choice(_ENDINGS)}" for text in texts],
    }
    if known:
        out["synonyms"] = [" ".join(_reworded(word, known, random) for word in text.split()) for text in texts]
    return out


def _mistyped(word: str, random: np.random.Generator) -> str:
    """Swap two letters, leave one out, double one or hit another key, in half of the words of four letters or more."""
    if len(word) < 4 or random.random() < 0.5:
        return word
    at = int(random.integers(1, len(word) - 1))
    other = _LETTERS[int(random.integers(len(_LETTERS)))]
    middles = (word[at + 1] + word[at], word[at + 1], word[at] * 2 + word[at + 1], other + word[at + 1])
    return word[:at] + middles[int(random.integers(4))] + word[at + 2 :]


def _shortened(words: Sequence[str], random: np.random.Generator) -> str:
    """Leave out each word with a chance of one in three; one at least stays."""
    stay = random.random(len(words)) > 1 / 3
    stay[int(random.integers(len(words)))] = True
    return " ".join(word for word, kept in zip(words, stay, strict=True) if kept)


def _reworded(word: str, known: Mapping[str, Sequence[str]], random: np.random.Generator) -> str:
    """Put a synonym in the place of half of the words that have one."""
    others = known.get(word, ())
    return word if not others or random.random() < 0.5 else others[int(random.integers(len(others)))]


def synonyms(path: Path) -> dict[str, tuple[str, ...]]:
    """Read synonyms by word from the lines of a wordnet: words of four letters or more that share a synset.

    A word of many meanings has synonyms of all of them: some put in are wrong, as in any careless rewording.
    """
    out: dict[str, set[str]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            members = [m.strip().lower() for m in line["members"].split(",")]
            plain = [m for m in members if m.isascii() and m.isalpha() and len(m) >= 4]
            for one in plain:
                out.setdefault(one, set()).update(other for other in plain if other != one)
    return {word: tuple(sorted(others)) for word, others in sorted(out.items()) if others}
