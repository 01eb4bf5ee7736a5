"""Unicode normalisation in linear time, whatever the text."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

_MOST = 30
"""Combining marks that follow one another; no script in use has more on one character (UAX 15, D4)."""
_MARK = re.compile(r"[^\w\s\x00-\u02ff]")
_LONG_RUN = re.compile(rf"{_MARK.pattern}{{{_MOST + 1},}}")


def normalize_form(form: Literal["NFC", "NFKC"], text: str) -> str:
    """Return `unicodedata.normalize(form, text)`, with longer runs of combining marks than any script has cut short.

    Marks are sorted one by one, which takes quadratic time on a long run of them.
    """
    if text.isascii():
        return text
    # Of a longer run at least one character is among every thirty-first of the text.
    if _MARK.search(text[_MOST :: _MOST + 1]):
        text = _LONG_RUN.sub(_cut, text)
    return unicodedata.normalize(form, text)


def _cut(run: re.Match[str]) -> str:
    kept, marks = [], 0
    for char in run[0]:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks <= _MOST:
            kept.append(char)
    return "".join(kept)
