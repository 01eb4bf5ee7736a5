"""What source and questions are compared by: names cut at case and underscore, as words or as their stems."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import chain

PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_A-Za-z]+")
_IDENTIFIER = re.compile(r"\w+")
# Of ASCII, which most source is, cutting at the other characters is half again as quick as matching these.
_OTHERS = {at: " " for at in range(128) if not (chr(at).isalnum() or chr(at) == "_")}
# fmt: off
_ENDINGS = (
    ("izations", 3), ("ization", 3), ("ations", 3), ("ation", 3), ("ings", 3), ("ing", 3), ("ions", 3), ("ion", 3),
    ("ers", 3), ("er", 3), ("ors", 3), ("or", 3), ("ies", 2), ("ied", 2), ("ed", 3), ("es", 3), ("s", 3), ("e", 3),
    ("y", 3),
)
# fmt: on
_MOST_NAMES = 100_000


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Return an English word without its ending, so that connection, connecting and connections are one."""
    if len(word) <= 3 or not word.isascii():
        return word
    for ending, least in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= least:
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return word[:-2] if len(word) > 5 and word.endswith(("at", "iz")) else word


class _Terms(dict[str, tuple[str, ...]]):
    """The stems of a name's parts, and the whole name where it has several, by the name: most are met again."""

    def __missing__(self, identifier: str) -> tuple[str, ...]:
        return _cut(identifier)[0]


class _Words(dict[str, str]):
    """A name's parts as words, by the name."""

    def __missing__(self, identifier: str) -> str:
        return _cut(identifier)[1]


_TERMS = _Terms()
_WORDS = _Words()


def _cut(identifier: str) -> tuple[tuple[str, ...], str]:
    """Remember a name's terms and words."""
    parts = [part.lower() for part in PARTS.findall(identifier)]
    stems = tuple(map(stem, parts))
    if len(_TERMS) >= _MOST_NAMES:
        _TERMS.clear()
        _WORDS.clear()
    _TERMS[identifier] = (*stems, identifier.lower()) if len(parts) > 1 else stems
    _WORDS[identifier] = " ".join(parts)
    return _TERMS[identifier], _WORDS[identifier]


def _names(text: str) -> list[str]:
    return text.translate(_OTHERS).split() if text.isascii() else _IDENTIFIER.findall(text)


def terms(text: str) -> list[str]:
    """Return what source or a question is compared by."""
    return list(chain.from_iterable(map(_TERMS.__getitem__, _names(text))))


def as_words(source: str) -> str:
    """Return source as words: readTextFile and read_text_file both become "read text file"; symbols go."""
    return " ".join(filter(None, map(_WORDS.__getitem__, _names(source))))
