"""Cutting long texts into pieces that a model reads whole: at headings, sentence ends, then wherever it must be.

Own code rather than a library, because offsets must be exact, sizes are the model's own tokens, and Japanese sentence
ends with their brackets count as ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.text.cuts import Cuts
from imi.text.sentences import sentence_spans

Count = Callable[[Sequence[str]], NDArray[np.int64]]
_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_CLOSING = re.compile(r"(^|[ \t])#+$")
_LONGEST_TOKEN = 64
"""Characters that no token has, but runs of spaces and of what a model does not know."""
_FENCE = re.compile(r"\s*(```|~~~)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a text: `text[start:end]` is it, exactly; `heading` is the path of headings above it."""

    start: int
    end: int
    heading: str


def chunk(text: str, count_tokens: Count, *, size: int = 256, overlap: int = 32) -> list[Chunk]:
    """Cut a text into chunks of at most `size` tokens.

    Args:
        text: any text; headings are those of Markdown.
        count_tokens: the model's own count, for a list of texts.
        size: most tokens a chunk may have; only a single character may have more.
        overlap: tokens of whole sentences that a chunk repeats from the one before, within a section.

    Returns:
        Chunks in order, without white space around them; together they hold all that is not white space.

    Raises:
        UsageError: size below 1, or overlap not below it.
    """
    if size < 1 or not 0 <= overlap < size:
        raise UsageError(f"size is {size} and overlap {overlap}; allowed are size >= 1 and 0 <= overlap < size")
    chunks: list[Chunk] = []
    cuts = Cuts(text)
    for heading, spans in _sections(text):
        units = fitting(text, spans, count_tokens, size, cuts)
        for start, end in _packed(text, units, count_tokens, size, overlap):
            trimmed = _trim(text, start, end)
            if trimmed is not None:
                chunks.append(Chunk(*trimmed, heading))
    return chunks


def _sections(text: str) -> list[tuple[str, list[tuple[int, int]]]]:
    """Return the sentences of each section with the path of its headings; a heading's line begins its section."""
    sections: list[tuple[str, list[tuple[int, int]]]] = [("", [])]
    path: list[tuple[int, str]] = []
    fenced = False
    for start, end in sentence_spans(text):
        piece = text[start:end]
        if _FENCE.match(piece):
            fenced = not fenced
        heading = None if fenced or (start and text[start - 1] != "\n") else _HEADING.match(piece)
        if heading:
            title = _CLOSING.sub("", heading[2].rstrip()).rstrip()
            path = [one for one in path if one[0] < len(heading[1])] + [(len(heading[1]), title)]
            sections.append((" > ".join(title for _, title in path), []))
        sections[-1][1].append((start, end))
    return [section for section in sections if section[1]]


def fitting(
    text: str, spans: Sequence[tuple[int, int]], count_tokens: Count | None, size: int, cuts: Cuts | None = None
) -> list[tuple[int, int, int]]:
    """Return (start, end, tokens) of units that fit: sentences, those that are too long halved at the best place.

    Args:
        text: the text.
        spans: its sentences.
        count_tokens: the model's own count; None counts characters.
        size: most tokens of a unit.
        cuts: of this text, where there were some before.
    """
    cuts = cuts or Cuts(text)
    units: list[tuple[int, int, int]] = []
    pending = list(spans)
    while pending:
        counts = _counts(text, pending, count_tokens, size)
        units += [
            (*span, count)
            for span, count in zip(pending, counts, strict=True)
            if count <= size or span[1] - span[0] == 1
        ]
        long = [span for span, count in zip(pending, counts, strict=True) if count > size and span[1] - span[0] > 1]
        pending = [half for start, end in long for half in cuts.halves(start, end)]
    return sorted(units)


def _counts(text: str, spans: Sequence[tuple[int, int]], count_tokens: Count | None, size: int) -> list[int]:
    """Count the tokens of each span; one that is far too long is not, as that would take its length each time."""
    if count_tokens is None:
        return [end - start for start, end in spans]
    far = size * _LONGEST_TOKEN
    counted = iter(count_tokens([text[start:end] for start, end in spans if end - start <= far]).tolist())
    return [next(counted) if end - start <= far else end - start for start, end in spans]


def _packed(
    text: str, units: Sequence[tuple[int, int, int]], count_tokens: Count, size: int, overlap: int
) -> list[tuple[int, int]]:
    # White space alone is nothing that a chunk could hold or repeat.
    units = [unit for unit in units if not text[unit[0] : unit[1]].isspace()]
    packed: list[tuple[int, int]] = []
    first, new = 0, 0
    while new < len(units):
        last, total = first, 0
        while last < len(units) and (last == first or total + units[last][2] <= size):
            total += units[last][2]
            last += 1
        # A sum of parts is nearly always at least the whole's count; where it is not, the last parts go.
        while last - first > 1 and int(count_tokens([text[units[first][0] : units[last - 1][1]]])[0]) > size:
            last -= 1
        if last <= new and first < new:
            first += 1  # what is repeated leaves no room for anything new: repeat less
            continue
        packed.append((units[first][0], units[last - 1][1]))
        back, repeated = last, 0
        while back - 1 > first and repeated + units[back - 1][2] <= overlap:
            back -= 1
            repeated += units[back][2]
        first, new = back, last
    return packed


def _trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    piece = text[start:end]
    stripped = piece.strip()
    if not stripped:
        return None
    start += len(piece) - len(piece.lstrip())
    return start, start + len(stripped)
