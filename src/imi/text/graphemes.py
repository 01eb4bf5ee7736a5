"""Where a text may be cut: never inside what readers see as one character, and, where there is a choice, not in a word.

Own code rather than a library: the standard library has no segmentation, and of Unicode's rules only these few matter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

_ZWJ = "\u200d"
_NUMBER_MARKS = ".,．，"
_RUBY = re.compile(
    r"[｜|]?[\u3005-\u3007\u4e00-\u9fff\u3400-\u4dbf]+(?:《[^》\n]{1,40}》|[（(][\u3041-\u30ff]{1,20}[）)])"
)
_REACH = 64
_LONGEST_WORD = 512
_AT_ONCE = 8
"""How far from the wanted place each one is looked at, before all words around it are."""
_WORD = re.compile(r"(?:[^\W_\u0e00-\U0010ffff]|(?<=\d)[.,．，](?=\d)){2,}")
"""Letters and digits between which no cut is a good one, and the marks within numbers."""
_REGIONALS = "".join(map(chr, range(0x1F1E6, 0x1F200)))


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
        return _regionals(text, start, at) % 2 == 1
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


def _regionals(text: str, start: int, end: int) -> int:
    """Return how many letters of flags stand side by side before a place."""
    reach = _REACH
    while True:
        before = text[max(start, end - reach) : end]
        run = len(before) - len(before.rstrip(_REGIONALS))
        if run < len(before) or end - reach <= start:
            return run
        reach *= 4


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


def nearest_cut(text: str, start: int, end: int, wanted: int) -> int | None:
    """Return the best place for a cut inside (start, end), near `wanted`; None where the whole is one character.

    Places inside a word, a number or a reading are used only where nothing else is within reach.
    """
    first = _first(text, start, _outwards(start, end, wanted, 0, _AT_ONCE), whole=True)
    if first is not None:
        return first
    anyhow = _first(text, start, _outwards(start, end, wanted, 0, _LONGEST_WORD), whole=False)
    near = _first(text, start, _between_words(text, start, end, wanted), whole=True)
    if near is not None:
        return near
    for at in _outwards(start, end, wanted, _LONGEST_WORD + 1, max(wanted - start, end - wanted)):
        if not splits_character(text, at, start):
            return at if anyhow is None or not _splits(text, at) else anyhow
    return anyhow


def _splits(text: str, at: int) -> bool:
    return splits_word(text, at) or splits_number(text, at) or splits_ruby(text, at)


def _first(text: str, start: int, places: Iterable[int], *, whole: bool) -> int | None:
    """Return the first of some places that takes no character apart, and, if `whole`, nothing else."""
    return next(
        (at for at in places if not splits_character(text, at, start) and not (whole and _splits(text, at))), None
    )


def _between_words(text: str, start: int, end: int, middle: int) -> list[int]:
    """Return the places within reach that are not within a word or a number, the nearest to the middle first."""
    low, high = max(start + 1, middle - _LONGEST_WORD), min(end - 1, middle + _LONGEST_WORD)
    places: list[int] = []
    at = low
    for run in _WORD.finditer(text, low - 1, high + 1):
        places += range(at, min(run.start(), high) + 1)
        at = run.end()
    places += range(at, high + 1)
    return sorted(places, key=lambda place: (abs(place - middle), place))


def _outwards(start: int, end: int, middle: int, least: int, most: int) -> Iterator[int]:
    """Yield the places strictly inside that are so far from the middle, the nearest first."""
    for step in range(least, most + 1):
        if start < middle - step < end:
            yield middle - step
        if step and start < middle + step < end:
            yield middle + step
