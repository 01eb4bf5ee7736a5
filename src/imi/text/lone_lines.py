"""Lines that each say a matter of their own, and are no paragraph that was wrapped to a width: 6/1 東京着, 6/3 帰り.

Itineraries, chats, addresses, shopping lists, labelled values and verse are written so, in Markdown too, where lines
one after another are a paragraph. What was wrapped shows it: its lines fill a width, and sentences go on over their
ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from imi.patterns import Pattern
from imi.text.blocks import Edit, joins, width

_NUMERAL = "[0-9０-９〇一二三四五六七八九十]{1,4}"
_MONTH = "(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}"
_DAY = "(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}"
_LEADS = (
    # A time of the day or a date, a message's in brackets.
    Pattern(
        rf"[\[(（【]?(?:{_NUMERAL}[:：時h][0-9０-９]{{0,2}}|(?:{_NUMERAL}[年月日]){{1,3}}+(?![にはのかまとでご、])"
        r"|[0-9]{1,4}[/.\-][0-9]{1,2}(?![0-9])"
        rf"|(?i:{_DAY}|{_MONTH})\b[.,]? ?(?:[0-9]|[—–:\-] ?)|(?i:[0-9]{{1,2}} {_MONTH})\b"
        r"|[月火水木金土日](?:曜|[ 　（(:：]))"
    ),
    # A name and a colon: who speaks, or of what it is the value.
    Pattern(r"[^\s:：。．.!?！？、,，][^\s:：。！？、]{0,19}(?: [^\s:：。.!?！？、,]{1,20}){0,2}(?: ?: |：)"),
    Pattern(r"(?:【[^】]{1,20}】|\[[^\]]{1,20}\](?!\()|〒[0-9])"),
)
"""What a line that is a matter of its own may begin with; those of one paragraph begin alike."""
_COLUMNS = re.compile(r"[^\s.!?:。！？：](?:  |\t| ?　)[ \t　]*+\S")
"""Cells of a table that spaces were put between."""
_WRAPS_AT = 36
"""Columns that lines which were wrapped fill at least."""
_LACKING = re.compile(
    r"\b(?i:a|an|the|and|or|but|of|in|on|at|to|for|by|with|from|as|that|which|is|are|was|were|be|not|than|its|their"
    r"|his|her|my|our|your|this|these)$"
)
"""A last word that another must follow."""
_GOES_ON = re.compile(r"[、，,;；—–\-(（「『/・]$|[をはの]$|(?<![\u3041-\u3096])[がにでと]$")
"""How a line ends inside a sentence."""
_GOING_ON = re.compile(
    r"(?i:and|or|but|of|in|on|at|to|for|by|with|from|as|that|which|is|are|was|were|be|not|than)\b"
    r"|[を、。，．）」』]|で[すしあはも]|ます|まし|ませ|から|まで|った|って|てい"
)
"""How a line begins inside a sentence."""
_ENDS = re.compile(r"[。．！？｡.!?…][」』）】〉》”’)\"']*$")
_WORDS = 3
"""Words of a line without a capital that is an item: oat milk."""
_VERSE = 3
"""Lines that begin with a capital each, where a wrapped sentence's would not."""
_INSIDE = re.compile(
    r"(?:And|But|Or|Of|In|On|At|To|For|By|With|From|As|That|Is|Are|Was|Were|The|An?|Nor|Who|When|Where)\b"
)
"""Words that have a capital inside a sentence only where a line of verse begins."""
_WIDEST = 72
"""Columns of a line of verse."""


def lone_lines(lines: Sequence[str]) -> frozenset[int]:
    """Return the numbers of those lines, from 1 on, that begin a matter of their own; none in a wrapped paragraph.

    Args:
        lines: one after another, without an empty one between them.
    """
    texts = [line.strip() for line in lines]
    if len(texts) < 2 or not all(texts):
        return frozenset()
    every = frozenset(range(1, len(texts)))
    for lead in _LEADS:
        led = [lead.match(text) is not None and not (at and _runs_on(texts[at - 1])) for at, text in enumerate(texts)]
        if led[0] and sum(led) >= max(2, len(texts) / 2):
            return frozenset(at for at in every if led[at])
    if all(_COLUMNS.search(text) for text in texts):
        return every
    return every if _are_short(texts) or _are_verse(texts) else frozenset()


def _runs_on(line: str) -> bool:
    return bool(_GOES_ON.search(line) or _LACKING.search(line))


def _are_short(texts: Sequence[str]) -> bool:
    """Whether lines are too short to be wrapped, and none ends or begins inside a sentence."""
    if max(map(width, texts)) >= _WRAPS_AT or _ENDS.search(texts[-1]):
        return False
    if any(map(_runs_on, texts[:-1])) or any(map(_GOING_ON.match, texts[1:])):
        return False
    small = any(text[0].islower() for text in texts[1:])
    return not small or all(len(text.split()) <= _WORDS for text in texts)


def _are_verse(texts: Sequence[str]) -> bool:
    """Whether each line begins with a capital, where no sentence begins, or though its first word had fitted above.

    A paragraph with a sentence a line is none.
    """
    longest = max(map(width, texts))
    if longest > _WIDEST or not all(text.lstrip("\"'“‘(*_")[:1].isupper() for text in texts):
        return False
    if all(map(_ENDS.search, texts)) or any(map(_LACKING.search, texts[:-1])):
        return False
    if any(_INSIDE.match(after) and not _ENDS.search(one) for one, after in pairwise(texts)):
        return True
    room = [width(one) + 1 + width(after.split()[0]) < longest for one, after in pairwise(texts)]
    return len(texts) >= _VERSE and sum(room) * 3 >= len(room)


def joins_within(lines: Sequence[str], *, hyphens: bool = False) -> list[Edit]:
    """Return the edits of `joins`, but for those before lines that begin a matter of their own.

    Args:
        lines: of a paragraph, without their ends.
        hyphens: whether a hyphen at a line's end was put there by the wrapping.
    """
    apart = lone_lines(lines)
    return [edit for at, edit in enumerate(joins(lines, hyphens=hyphens), 1) if at not in apart]
