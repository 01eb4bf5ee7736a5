"""When two texts are the same but for the way they are typed: case, width, marks, white space, kana."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from imi.text.lexical import normalize_text

_KANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
# What carries meaning although Unicode calls it punctuation: 5 %, C#, A&B, a@b, 3*4, a/b.
_MEANINGFUL = frozenset("%#&@*/\\+<>=|$_")
_WITHIN_NUMBERS = frozenset(".,:-/ ")
_SIGN = frozenset("-−")
_JOINER = "\u200d"


def typed_alike(text: str) -> str:
    """Return what is left of a text when nothing but typing is taken off; equal results are the same text.

    Case and width are folded (NFKC), katakana reads as hiragana, and white space, quotes, brackets, dashes, full stops
    and other marks are dropped. What would change the meaning stays: the point in 3.5, a minus, %, #, &, @, +, emoji. A
    text of marks alone keeps its marks.
    """
    folded = normalize_text(text).translate(_KANA)
    if folded.isalnum():
        return folded
    kept: list[str] = []
    for at, character in enumerate(folded):
        if character.isalnum() or character in _MEANINGFUL:
            kept.append(character)
        elif _belongs_to_number(folded, at):
            kept.append("-" if character in _SIGN else character)
        elif not _is_mark(character):
            kept.append(character)
    return "".join(kept) or "".join(folded.split())


def _is_mark(character: str) -> bool:
    """Return whether a character is white space, punctuation, a mark of its own or invisible."""
    kind = unicodedata.category(character)
    if character == _JOINER:
        return False
    return character.isspace() or kind[0] in "PZ" or kind in ("Cf", "Cc", "Sk") or character in "~\ufe0e\ufe0f"


def _belongs_to_number(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if not after.isdigit():
        return False
    if text[at] in _WITHIN_NUMBERS and before.isdigit():
        return True
    return text[at] in _SIGN and (not before or before.isspace())


def same_texts(texts: Sequence[str]) -> dict[str, list[int]]:
    """Return the rows of each typed form that two texts or more share, by the form; empty texts are of none."""
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        form = typed_alike(text)
        if form:
            rows.setdefault(form, []).append(row)
    return {form: found for form, found in rows.items() if len(found) > 1}
