"""Blocks of a text: headings, paragraphs, lists, tables and code, without markup, each with its place in the source.

What reads a format yields these; `imi.text.passages` makes passages of them, by one rule for all formats.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from imi.errors import Failure

Kind = Literal["heading", "prose", "list", "table", "code", "verse"]
_WIDE = re.compile(
    "[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]"
)
UNSPACED = "\u3000-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60"
"""Characters of scripts that put no space where a line is wrapped, for a class of a pattern."""
_UNSPACED = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a source, without its end: its number from 1, and where it begins, in characters."""

    number: int
    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a text that belongs together.

    text: what is read, without markup.
    start, end: its place in the source.
    line: the number of its first line, 0 where the source has none.
    level: of a heading; smaller is higher, and 0 is the title.
    soft: a heading that was only guessed from how it looks.
    page: where the source has pages.
    places: (offset in the text, offset in the source), ascending, where markup was taken out; the first is (0, start).
    """

    kind: Kind
    text: str
    start: int
    end: int
    line: int = 0
    level: int = 0
    soft: bool = False
    page: int | None = None
    places: tuple[tuple[int, int], ...] = ()

    @property
    def exact(self) -> bool:
        """Whether the source says the text character by character."""
        return len(self.places) <= 1 and self.end - self.start == len(self.text)

    def place(self, at: int) -> int:
        """Return where in the source a character of the text stands; the text's end is the block's."""
        if at >= len(self.text):
            return self.end
        if not self.places:
            return self.start + at
        offset, source = self.places[bisect_right(self.places, (at, 1 << 62)) - 1]
        return min(source + at - offset, self.end)


@dataclass(frozen=True, slots=True)
class Edit:
    """What stands in the place of `text[start:end]`."""

    start: int
    end: int
    text: str = ""


def edited(text: str, edits: Iterable[Edit], base: int = 0) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return a text with edits made, and the places of what stayed, for `Block.places`.

    Args:
        text: the original.
        edits: in any order; of two that overlap the one that begins first is made.
        base: where the original begins in its source.
    """
    pieces: list[str] = []
    places = [(0, base)]
    at, length = 0, 0
    for edit in sorted(edits, key=lambda one: (one.start, -one.end)):
        if edit.start < at:
            continue
        pieces += (text[at : edit.start], edit.text)
        length += edit.start - at + len(edit.text)
        at = edit.end
        places.append((length, base + at))
    pieces.append(text[at:])
    return "".join(pieces), tuple(places)


def text_lines(text: str) -> Iterator[Line]:
    """Yield the lines of a text."""
    start = 0
    for number, line in enumerate(text.split("\n"), 1):
        yield Line(number, start, line)
        start += len(line) + 1


def made(kind: Kind, lines: Sequence[Line], edits: Iterable[Edit] = ()) -> Block | None:
    """Return a block of lines with edits made to them, joined by line ends; None where nothing is left of it."""
    whole = "\n".join(line.text for line in lines)
    base = lines[0].start
    text, places = edited(whole, edits, base)
    body = text.strip("\n") if kind == "code" else text.strip()
    if not body.strip():
        return None
    lead = text.index(body)
    block = Block(kind, text, base, base + len(whole), places=places)
    start = block.place(lead)
    end = block.place(lead + len(body) - 1) + 1
    number = lines[0].number + whole.count("\n", 0, max(0, start - base))
    moved = tuple((offset - lead, source) for offset, source in places if lead < offset <= lead + len(body))
    return Block(kind, body, start, end, number, places=((0, start), *moved) if len(places) > 1 else ())


_SHARED = re.compile(r"\s*(?:and|or|to|und|oder|et|ou)\b")
"""Behind a hyphen that two words share: English- and German-speaking."""


def joins(lines: Sequence[str], *, hyphens: bool = False) -> list[Edit]:
    """Return the edits that make one line of lines that were wrapped: a space, or nothing where a script has none.

    Args:
        lines: without their ends.
        hyphens: whether a hyphen at a line's end was put there by the wrapping.
    """
    edits: list[Edit] = []
    at = 0
    for line, following in pairwise(lines):
        end = at + len(line)
        kept = line.rstrip(" \t\\")
        begins = end + 1 + len(following) - len(following.lstrip())
        head = following.lstrip()[:1]
        cut, between = at + len(kept), " "
        if not kept or not head or (_UNSPACED.match(kept[-1]) and _UNSPACED.match(head)):
            between = ""
        elif kept[-1].isdigit() and head.isdigit() and _UNSPACED.search(kept):
            between = ""  # a number that a line of Japanese was broken in
        elif kept.endswith("-") and kept[-2:-1].isalpha() and head.islower() and not _SHARED.match(following):
            cut, between = (cut - 1 if hyphens else cut), ""
        edits.append(Edit(cut, begins, between))
        at = end + 1
    return edits


def width(text: str) -> int:
    """Return how many columns a text takes where characters of East Asia take two."""
    return len(text) if text.isascii() else len(text) + len(_WIDE.findall(text))


def stanzas(lines: Iterable[Line | Failure], most: int) -> Iterator[list[Line] | Failure]:
    """Yield runs of lines without an empty one between them, of at most so many lines."""
    run: list[Line] = []
    for line in lines:
        if isinstance(line, Failure):
            yield line
        elif line.text.strip():
            run.append(line)
            if len(run) >= most:
                yield run
                run = []
        elif run:
            yield run
            run = []
    if run:
        yield run


def letters(text: str) -> bool:
    """Whether a text holds anything that could be read aloud: letters, numbers, emoji."""
    return any(unicodedata.category(char)[0] in "LN" or unicodedata.category(char) == "So" for char in text)
