"""Where a text may be cut: never inside what readers see as one character, and, where there is a choice, not in a word.

Own code rather than a library: the standard library has no segmentation, and of Unicode's rules only these few matter.
"""

from __future__ import annotations

import re
import unicodedata

_ZWJ = "\u200d"
_NUMBER_MARKS = ".,．，"
_RUBY = re.compile(
    r"[｜|]?[\u3005-\u3007\u4e00-\u9fff\u3400-\u4dbf]+(?:《[^》\n]{1,40}》|[（(][\u3041-\u30ff]{1,20}[）)])"
)
_REACH = 64
_LONGEST_WORD = 512


def splits_character(text: str, at: int, start: int = 0) -> bool:
    """Whether a cut before `text[at]` takes apart what readers see as one character: emoji sequences, accents, flags.

    Args:
        text: any text.
        at: the place.
        start: a place before it that is known to part characters; flags are counted from there.
    """
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if before.isascii() and after.isascii():
        return before == "\r" and after == "\n"
    if before == _ZWJ or after == _ZWJ or _extends(after):
        return True
    if _regional(before) and _regional(after):
        run = 1
        while at - 1 - run >= start and _regional(text[at - 1 - run]):
            run += 1
        return run % 2 == 1
    return _jamo(before, after)


def _extends(char: str) -> bool:
    code = ord(char)
    return (
        unicodedata.category(char) in ("Mn", "Me", "Mc")
        or 0x1F3FB <= code <= 0x1F3FF
        or 0xE0020 <= code <= 0xE007F
        or code in (0xFF9E, 0xFF9F, 0x0E33, 0x0EB3)
    )


def _regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _jamo(before: str, after: str) -> bool:
    """Whether two characters are letters of one Hangul syllable."""
    first, second = ord(before), ord(after)
    if 0x1100 <= first <= 0x115F:
        return 0x1100 <= second <= 0x11A7 or 0xAC00 <= second <= 0xD7A3
    if 0x1160 <= first <= 0x11A7 or 0xAC00 <= first <= 0xD7A3:
        return 0x1160 <= second <= 0x11FF
    return False


def splits_number(text: str, at: int) -> bool:
    """Whether a cut before `text[at]` takes a number apart, its decimal point and thousands separators included."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if before.isdigit() and after.isdigit():
        return True
    if before in _NUMBER_MARKS and after.isdigit():
        return at > 1 and text[at - 2].isdigit()
    return before.isdigit() and after in _NUMBER_MARKS and at + 1 < len(text) and text[at + 1].isdigit()


def splits_ruby(text: str, at: int) -> bool:
    """Whether a cut before `text[at]` parts a word from its reading: 漢字《かんじ》, 漢字（かんじ）."""
    start = max(0, at - _REACH)
    return any(start + one.start() < at < start + one.end() for one in _RUBY.finditer(text[start : at + _REACH]))


def splits_word(text: str, at: int) -> bool:
    """Whether a cut before `text[at]` stands between two letters of a script that puts spaces between words."""
    if not 0 < at < len(text):
        return False
    return _letter(text[at - 1]) and _letter(text[at])


def _letter(char: str) -> bool:
    return char.isalnum() and ord(char) < 0x0E00


def nearest_cut(text: str, start: int, end: int, wanted: int) -> int:
    """Return the best place for a cut inside (start, end), near `wanted`.

    Places that take a word, a number or a reading apart are taken only where there is no other; those inside one
    character only where the whole is one.
    """
    anyhow: int | None = None
    for at in _outwards(start, end, wanted):
        if splits_character(text, at, start):
            continue
        if not (splits_word(text, at) or splits_number(text, at) or splits_ruby(text, at)):
            return at
        anyhow = at if anyhow is None else anyhow
        if abs(at - wanted) > _LONGEST_WORD:
            break
    return wanted if anyhow is None else anyhow


def _outwards(start: int, end: int, middle: int) -> list[int]:
    """Return the places strictly inside, the nearest to the middle first."""
    places = []
    for step in range(max(middle - start, end - middle) + 1):
        places += [at for at in ((middle - step, middle + step) if step else (middle,)) if start < at < end]
    return places
