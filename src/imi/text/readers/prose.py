"""Plain text and Markdown: a document a line, a paragraph or a section."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from imi.errors import Failure
from imi.records import Document, with_facts
from imi.text.readers.jsons import json_rows
from imi.text.readers.lines import Numbered, read_lines
from imi.text.readers.rows import ReadOptions, Row, place_id, refuse_columns

_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*$")
_FENCE = re.compile(r"\s*(```|~~~)")
_WRAPPED = 100
_LONGEST_SECTION = 2000
_LONGEST_BLOCK = 200


def read_text(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield one document a line; where empty lines part paragraphs that were wrapped by hand, one a paragraph."""
    refuse_columns(source, options)
    for block in _blocks(read_lines(source, options.encoding)):
        if isinstance(block, Failure):
            yield block
        elif block.parted and _is_wrapped(block.lines):
            yield _row(source, block.lines[0][0], " ".join(line.strip() for _, line in block.lines))
        else:
            yield from (_row(source, number, line.strip()) for number, line in block.lines)


def read_stdin(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield one document a line of standard input: JSON Lines where the first begins with a brace, else plain text."""
    lines = read_lines(source, options.encoding)
    first = next(lines, None)
    if first is None:
        return
    rest = chain([first], lines)
    if not isinstance(first, Failure) and first[1].lstrip().startswith("{"):
        yield from json_rows(source, rest, options)
        return
    refuse_columns("standard input", options)
    for line in rest:
        if isinstance(line, Failure):
            yield line
        elif line[1].strip():
            yield _row(source, line[0], line[1].strip())


def _is_wrapped(block: list[Numbered]) -> bool:
    # Hand-wrapped lines fill most of a width that they share, all but the last; lists and poems do not.
    lengths = [len(line.rstrip()) for _, line in block[:-1]]
    return bool(lengths) and 0.7 * max(lengths) <= min(lengths) and 40 <= max(lengths) <= _WRAPPED


def read_markdown(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield one document a section, with the path of headings above it as `heading`; long ones by paragraph."""
    refuse_columns(source, options)
    path: list[tuple[int, str]] = []
    pending: list[Numbered] = []
    fenced = False
    for line in read_lines(source, options.encoding):
        if isinstance(line, Failure):
            yield line
            continue
        number, text = line
        fenced ^= bool(_FENCE.match(text))
        heading = None if fenced else _HEADING.match(text)
        if heading is None:
            pending.append(line)
            continue
        yield from _section(source, path, pending)
        level = len(heading[1])
        path = [(above, title) for above, title in path if above < level] + [(level, heading[2])]
        pending = [(number, "")]
    yield from _section(source, path, pending)


def _section(source: str, path: list[tuple[int, str]], lines: list[Numbered]) -> Iterator[Row]:
    heading = " > ".join(title for _, title in path)
    size = sum(len(text) for _, text in lines)
    if size <= _LONGEST_SECTION:
        pieces = [lines]
    else:
        pieces = [block.lines for block in _blocks(lines) if not isinstance(block, Failure)]
    for piece in pieces:
        body = "\n".join(text for _, text in piece).strip()
        if body:
            # The headings say what the paragraph is about: they belong to its meaning.
            text = f"{heading}\n{body}" if heading else body
            start = next(number for number, line in piece if line.strip())
            yield _row(source, start, text, heading=heading or None)


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines without an empty one between them; parted tells whether an empty one stands before or after."""

    lines: list[Numbered]
    parted: bool


def _blocks(lines: Iterable[Numbered | Failure]) -> Iterator[_Block | Failure]:
    block: list[Numbered] = []
    parted = False
    for line in lines:
        if isinstance(line, Failure):
            if block:
                yield _Block(block, parted)
                block = []
            yield line
        elif line[1].strip():
            block.append(line)
            # A file of a million lines without an empty one is no paragraph.
            if len(block) >= _LONGEST_BLOCK:
                yield _Block(block, False)
                block = []
        elif block:
            parted = True
            yield _Block(block, parted)
            block = []
    if block:
        yield _Block(block, parted)


def _row(source: str, line: int, text: str, *, heading: str | None = None) -> Row:
    return Row(
        Document(place_id(source, line), text, with_facts({}, {"source": source, "line": line, "heading": heading}))
    )
