"""The kinds of things that the picture tower knows, by their words, and those words in the space of a text model.

A kind has levels: its own names, then what it is a kind of; each has English and Japanese words, perhaps a definition,
and a weight. A tabby is "tabby" and "トラネコ", and more than that "cat" and "猫".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imi.errors import DataError
from imi.types import Floats
from imi.vectors import normalize

Embed = Callable[[Sequence[str]], Floats]
LATER = 0.5
"""What a word counts that is not the first of its level, and a definition beside the words."""


@dataclass(frozen=True, slots=True)
class Level:
    """Words for a kind that count together."""

    weight: float
    english: tuple[str, ...]
    japanese: tuple[str, ...] = ()
    meaning: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that is embedded of it."""
        return (*self.english, *self.japanese, *([self.meaning] if self.meaning else []))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing, or an emoji: what it is called, and all that it is found by.

    levels: what it is. near: what it is not, and what a picture taken for it may show: no photo of a deer was seen, and
    what looks like a hartebeest may be one.
    """

    group: str
    english: str
    japanese: str
    levels: tuple[Level, ...]
    near: tuple[Level, ...] = ()

    @property
    def every(self) -> tuple[Level, ...]:
        """All levels that it is found by."""
        return (*self.levels, *self.near)

    def name(self, language: str) -> str:
        """Return its name in "ja" or "en"; one that Japanese has no word for keeps its English one."""
        return self.japanese if language == "ja" and self.japanese else self.english


def write_kinds(path: Path, kinds: Iterable[Kind]) -> None:
    """Write kinds as lines of JSON."""
    with path.open("w", encoding="utf-8") as file:
        for kind in kinds:
            levels, near = (
                [[one.weight, one.english, one.japanese, one.meaning] for one in each]
                for each in (kind.levels, kind.near)
            )
            line = [kind.group, kind.english, kind.japanese, levels, near]
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def read_kinds(path: Path) -> tuple[Kind, ...]:
    """Read what `write_kinds` wrote.

    Raises:
        DataError: it is not such a file.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return tuple(_kind(json.loads(line)) for line in file)
    except (OSError, ValueError, TypeError, IndexError) as broken:
        raise DataError(f"{path} does not hold kinds: {broken}", hint="copy the folder again") from broken


def _kind(line: Sequence[Any]) -> Kind:
    group, english, japanese, *levels = line
    read, near = (
        tuple(Level(float(weight), tuple(en), tuple(ja), str(told)) for weight, en, ja, told in each) for each in levels
    )
    return Kind(str(group), str(english), str(japanese), read, near)


def table(kinds: Sequence[Kind], embed: Embed) -> Floats:
    """Return the kinds as unit vectors in the space of a text model, (kinds, width) float32."""
    texts = list(dict.fromkeys(text for kind in kinds for level in kind.every for text in level.texts))
    vector = dict(zip(texts, embed(texts), strict=True))
    rows = [sum(level.weight * _of_level(level, vector) for level in kind.every) for kind in kinds]
    return normalize(np.asarray(rows, np.float32))


def _of_level(level: Level, vector: dict[str, Floats]) -> Floats:
    """Return the mean direction of the words of both languages, a language as much as the other, with the meaning."""
    parts = [_of_words(words, vector) for words in (level.english, level.japanese) if words]
    found = _unit(np.sum(parts, axis=0))
    return _unit(found + LATER * vector[level.meaning]) if level.meaning else found


def _of_words(words: Sequence[str], vector: dict[str, Floats]) -> Floats:
    first, *others = words
    return _unit(vector[first] + LATER * np.sum([vector[word] for word in others], axis=0) if others else vector[first])


def _unit(z: Floats) -> Floats:
    return np.asarray(z / max(float(np.linalg.norm(z)), 1e-9), np.float32)
