"""Opposites: words that say the reverse of each other about the same things, and what they are said of.

A sum of rows puts "quick service" and "slow service" close together, as most of both is the service, and learns from
pairs of like texts that words of one field belong together. Here it learns that within a field the sides differ.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

Side = tuple[str, ...]

FIELDS = Path(__file__).with_name("opposites.txt")
KEPT_BACK = Path(__file__).with_name("opposites-kept-back.txt")
"""Fields that are never taught: what the lesson is measured by."""
_GOOD = ("positive", "ポジティブ", "a good review", "良い評価")
_BAD = ("negative", "ネガティブ", "a bad review", "悪い評価")
_FRAMES = {
    ("en", ""): ("{0} {1}", "the {1} was {0}", "this {1} is {0}", "{1}: {0}"),
    ("en", "v"): ("the {1} {0}", "this {1} {0}", "{1} {0}"),
    ("en", "o"): ("I {0} this {1}", "they {0} the {1}", "{0} the {1}"),
    ("ja", ""): ("{0}{1}", "{1}は{2}", "{1}が{2}", "この{1}は{2}", "{0}{1}でした"),
    ("ja", "o"): ("{1}を{0}", "この{1}を{0}"),
}
"""{0}: the word; {1}: the thing; {2}: the Japanese word as a sentence ends with it."""


@dataclass(frozen=True, slots=True)
class Field:
    """Two sides with the things that both are said of; judging: the first side praises, the second one blames."""

    sides: tuple[Side, Side]
    things: Side
    judging: bool
    frames: Side

    @classmethod
    def of(cls, line: str) -> Field:
        """Read a line of the list."""
        both, things = line.split(" : ")
        kind, both = both.split(" ", 1)
        language = "en" if both.isascii() else "ja"
        one, other = (tuple(side.strip().split(", ")) for side in both.split("|"))
        return cls((one, other), tuple(things.split(", ")), kind[0] == "+", _FRAMES[language, kind[1:]])


def fields(path: Path = FIELDS) -> list[Field]:
    """Return all fields of a list."""
    return [Field.of(line) for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


@dataclass(frozen=True, slots=True)
class Contrast:
    """A text, one that says the same in other words, one that says the opposite; what the first one judges to be.

    labels: what it should be nearer to and what not, both empty where it does not judge.
    """

    text: str
    same: str
    opposite: str
    labels: tuple[str, str]


def contrasts(chance: random.Random, known: Sequence[Field] = ()) -> Iterator[Contrast]:
    """Yield contrasts without end: a thing, said of it one of a side, another one of that side, one of the other."""
    known = known or fields()
    while True:
        field = chance.choice(known)
        at = chance.randrange(2)
        words = [*chance.sample(field.sides[at], 2), chance.choice(field.sides[1 - at])]
        # Several words go behind the thing: "the soup was not tasty".
        whole = any(" " in word for word in words) and "{0} {1}" in field.frames
        frame = chance.choice(field.frames[whole:])
        thing = chance.choice(field.things)
        text, same, opposite = (frame.format(word, thing, _predicate(word)) for word in words)
        labels = (_GOOD, _BAD) if at == 0 else (_BAD, _GOOD)
        number = chance.randrange(len(_GOOD))
        yield Contrast(text, same, opposite, (labels[0][number], labels[1][number]) if field.judging else ("", ""))


def _predicate(word: str) -> str:
    return word[:-1] + "だ" if word.endswith(("な", "の")) else word
