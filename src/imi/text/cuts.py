"""Where one text is cut in halves: behind a comma or a space near the middle, else between words, else characters.

What is looked for in the whole text is looked for once, so that a line of many megabytes takes a time like its length.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Sequence

from imi.text.graphemes import nearest_cut, splits_character, splits_number, splits_ruby

_MARKS = (re.compile("[、，,;；:：]"), re.compile("[ \t\u3000]"))
_READING = "《"


class Cuts:
    """The places where a text may be cut."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._behind: dict[re.Pattern[str], Sequence[int]] = {}
        self._one: set[tuple[int, int]] = set()

    def halves(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the two halves of a span of more than one character."""
        middle = (start + end) // 2
        if (start, end) in self._one:
            return self._of_one(start, middle, end)
        reach = max(1, (end - start) // 4)
        low, high = max(start, middle - reach) + 1, min(end - 1, middle + reach)
        for marks in _MARKS:
            best = self._nearest(marks, low, high, middle)
            if best is not None:
                return [(start, best), (best, end)]
        best = nearest_cut(self._text, start, end, middle)
        if best is None:
            return self._of_one(start, middle, end)
        return [(start, best), (best, end)]

    def _of_one(self, start: int, middle: int, end: int) -> list[tuple[int, int]]:
        """Return the halves of what is one character to readers, and longer than anything may be: so are they."""
        halves = [(start, middle), (middle, end)]
        self._one.update(halves)
        return halves

    def _nearest(self, marks: re.Pattern[str], low: int, high: int, middle: int) -> int | None:
        places = self._places(marks)
        right = bisect_left(places, middle)
        near = [places[at] for at in (right - 1, right) if 0 <= at < len(places) and low <= places[at] <= high]
        return min(near, key=lambda at: abs(at - middle), default=None)

    def _places(self, marks: re.Pattern[str]) -> Sequence[int]:
        """Return the places behind marks of a kind, but for those within a number, a reading or a character."""
        if marks not in self._behind:
            text = self._text
            reads = _READING in text
            found = (mark.end() for mark in marks.finditer(text))
            within = (splits_number, splits_character, splits_ruby) if reads else (splits_number, splits_character)
            self._behind[marks] = array("q", (at for at in found if not any(splits(text, at) for splits in within)))
        return self._behind[marks]
