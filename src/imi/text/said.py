"""Which words of a question each sentence of some texts has, for all texts at once.

The texts are joined and looked through for the question's words; reading each of their words takes four times as long.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from imi.patterns import Pattern
from imi.text.lexical import is_word
from imi.text.word_forms import base_form

_WORD = Pattern(r"[^\W_]+")
_END = Pattern(r"[。!?\n.…](?:(?<=[。!?])[。!?]*|(?<=\n)\s*+|(?<![.…][.…])(?<=[.…])[.…]*+[\"'”’)\]]*+\s+)")
"""Where sentences end, near enough for counting their words: marks of an end, full stops before a space, new lines.

It begins with a set of characters, as such expressions are looked for five times as fast as others.
"""
_BETWEEN = "\n\x00\n"
"""Between texts: an end of a sentence on both sides, also beside spaces and empty texts."""


class Sentences:
    """The sentences of some texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Set up.

        Args:
            texts: in plain letters (`imi.text.word_forms.plain_letters`).
        """
        self._joined = _BETWEEN.join(texts)
        self._ends = [match.start() for match in _END.compiled.finditer(self._joined)]
        lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + len(_BETWEEN)
        self._first = np.searchsorted(self._ends, np.cumsum(lengths) - lengths)
        """Of each text, its first sentence."""

    def best(self, words: Sequence[str], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for each text the most that the words of one sentence weigh together, (n,).

        Args:
            words: in their base forms; words count where they stand in any form, pieces of a script without spaces
                wherever they are.
            weights: theirs.
        """
        has = np.zeros((len(self._ends) + 1, len(words)), np.bool_)
        pieces = {word: at for at, word in enumerate(words) if not is_word(word)}
        for at, word in enumerate(words):
            if word not in pieces and _WORD.compiled.fullmatch(word):
                has[list(self._with_word(word)), at] = True
        if pieces:
            places, which = self._pieces(pieces)
            has[np.searchsorted(self._ends, places), which] = True
        return np.maximum.reduceat(has @ weights, self._first)

    def _with_word(self, form: str) -> Iterator[int]:
        """Yield the sentences that hold a word in any of its forms, which begin alike."""
        text, ends = self._joined, self._ends
        # Cities and carried are forms of words on y.
        beginning = form[:-1] if len(form) > 3 and form[-1] == "y" else form
        at = text.find(beginning)
        while at >= 0:
            after = _WORD.compiled.match(text, at)
            stop = at + 1 if after is None else after.end()
            if (at == 0 or not text[at - 1].isalnum()) and base_form(text[at:stop]) == form:
                sentence = bisect_left(ends, at)
                yield sentence
                if sentence == len(ends):
                    return
                stop = ends[sentence]
            at = text.find(beginning, stop)

    def _pieces(self, pieces: dict[str, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where characters and bigrams stand, and the number of each."""
        joined = np.frombuffer(self._joined.encode("utf-32-le", "surrogatepass"), np.uint32)
        known = {char: at for at, char in enumerate(dict.fromkeys("".join(pieces)), 1)}
        highest = max(map(ord, known)) + 1
        number_of = np.zeros(highest + 1, np.intp)
        number_of[[ord(char) for char in known]] = [*known.values()]
        numbers = number_of[np.minimum(joined, highest)]
        many = len(known) + 1
        piece_of = np.full((many, many), -1)
        """By a character and the one after it; 0 in the second place is for characters that are pieces alone."""
        for piece, at in pieces.items():
            piece_of[known[piece[0]], known[piece[1]] if len(piece) > 1 else 0] = at
        here = np.flatnonzero(numbers)
        single = piece_of[numbers[here], 0]
        after = np.append(numbers, 0)[here + 1]
        double = np.where(after > 0, piece_of[numbers[here], after], -1)
        places, which = np.concatenate([here, here]), np.concatenate([single, double])
        return places[which >= 0], which[which >= 0]
