"""Copies folded: rows that say the same are one hit, with the ids of the others.

Two texts say the same when their letters and numbers agree, whatever their case, spaces and marks, or when nearly all
of their words do and every number does. Short texts must agree wholly: in them each word counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from imi.records import Hit, Hits
from imi.text.lexical import index_tokens
from imi.unicode_forms import normalize_form

_SHORT = 40
"""Tokens below which only texts that agree wholly are copies."""
_ALIKE = 0.95
"""The share of both texts' words together that each must have."""
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_MOST = 2000


class _Said:
    """What was seen so far, and which hit said it."""

    def __init__(self) -> None:
        self._exact: dict[str, int] = {}
        self._words: list[tuple[int, frozenset[str], tuple[str, ...]]] = []

    def place(self, text: str, at: int) -> int:
        """Return the place of the hit that said this, or the place given where none did."""
        key = "".join(filter(str.isalnum, normalize_form("NFKC", text).casefold())) or text
        if key in self._exact:
            return self._exact[key]
        found = at
        if text.isascii() and len(text) < 2 * _SHORT - 1:  # too short for so many words, however short they are
            self._exact[key] = found
            return found
        words = frozenset(index_tokens(text))
        numbers = tuple(_DIGITS.findall(normalize_form("NFKC", text)))
        if len(words) >= _SHORT:
            for place, other, others in self._words:
                low, high = sorted((len(words), len(other)))
                if low >= _ALIKE * high and numbers == others:
                    shared = len(words & other)
                    if shared >= _ALIKE * (len(words) + len(other) - shared):
                        found = place
                        break
        self._exact[key] = found
        if found == at and len(words) >= _ALIKE * _SHORT:
            self._words.append((at, words, numbers))
        return found


def fold(hits: Iterable[Hit]) -> list[Hit]:
    """Return hits without those that repeat an earlier one, which lists their ids in its `copies`."""
    kept: list[Hit] = []
    copies: list[list[str]] = []
    said = _Said()
    for hit in hits:
        place = len(kept) if hit.text is None else said.place(hit.text, len(kept))
        if place == len(kept):
            kept.append(hit)
            copies.append([])
        else:
            copies[place].append(hit.id)
    return [replace(hit, copies=(*hit.copies, *more)) if more else hit for hit, more in zip(kept, copies, strict=True)]


def search_folded(search: Callable[[int], Hits], k: int, offset: int = 0) -> Hits:
    """Return the hits of a search with copies folded; facets and counts stay those of all rows.

    Args:
        search: returns the first hits, as many as asked for.
        k: how many different ones.
        offset: how many different ones to leave out; what a page shows does not depend on those after it.
    """
    wanted = offset + k
    many = 4 * wanted + 20
    while True:
        hits = search(many)
        folded = fold(hits)
        if len(folded) >= wanted or len(hits) < many or many >= _MOST + wanted:
            break
        many *= 2
    return hits.of(folded[offset:wanted])
