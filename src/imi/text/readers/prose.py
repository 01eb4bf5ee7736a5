"""Plain text, Markdown, reStructuredText and AsciiDoc: passages, or, for a list of one-line texts, a row a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from imi.errors import Failure
from imi.records import Document, with_facts
from imi.text.blocks import Block, Line
from imi.text.markup.asciidoc import asciidoc_blocks, asciidoc_header
from imi.text.markup.front_matter import front_matter
from imi.text.markup.markdown import markdown_blocks
from imi.text.markup.restructured import restructured_blocks
from imi.text.plain import is_list_of_lines, plain_blocks
from imi.text.readers.jsons import json_rows
from imi.text.readers.lines import Numbered, read_lines
from imi.text.readers.pieces import cut, passage_rows
from imi.text.readers.rows import ReadOptions, Row, place_id, refuse_columns
from imi.text.readers.ruby import without_readings

_LOOKED_AT = 65_536
"""How many of a text's first characters decide whether it is a list of lines."""
_FRONT = 500
Items = Iterator[Row | Failure]


def read_text(source: str, options: ReadOptions) -> Items:
    """Yield a list of one-line texts line by line, any other text in passages, unless `options.rows` says which."""
    refuse_columns(source, options)
    lines = read_lines(source, options.encoding, options.say)
    head = list(_head(lines))
    # Readings are told from the first lines, and left out of all.
    lines = without_readings(head, lines, source, options.say)
    by_line = options.rows == "lines" or (
        options.rows is None and is_list_of_lines([one[1] for one in head if not isinstance(one, Failure)])
    )
    if options.noted is not None and head and options.rows is None:
        options.noted(source, "lines" if by_line else "passages")
    if by_line:
        yield from _by_line(source, lines, options)
    else:
        yield from passage_rows(plain_blocks(placed(lines)), source, options)


def read_markdown(source: str, options: ReadOptions) -> Items:
    """Yield a Markdown file in passages, with the path of headings above each; its front matter is their metadata."""
    refuse_columns(source, options)
    lines = read_lines(source, options.encoding, options.say)
    if options.rows == "lines":
        yield from _by_line(source, lines, options)
        return
    head = list(islice(lines, _FRONT))
    metadata, taken = front_matter([one[1] for one in head if not isinstance(one, Failure)])
    title = metadata.get("title")
    rest = placed(chain(head, lines))
    blocks = markdown_blocks(islice(rest, taken, None), mdx=source.lower().endswith(".mdx"))
    yield from _titled(blocks, source, options, metadata, title if isinstance(title, str) else None)


def read_restructured(source: str, options: ReadOptions) -> Items:
    """Yield a reStructuredText file in passages."""
    refuse_columns(source, options)
    lines = read_lines(source, options.encoding, options.say)
    if options.rows == "lines":
        yield from _by_line(source, lines, options)
    else:
        yield from passage_rows(restructured_blocks(placed(lines)), source, options)


def read_asciidoc(source: str, options: ReadOptions) -> Items:
    """Yield an AsciiDoc file in passages; the attributes of its header are their metadata."""
    refuse_columns(source, options)
    lines = read_lines(source, options.encoding, options.say)
    if options.rows == "lines":
        yield from _by_line(source, lines, options)
        return
    head = list(islice(lines, _FRONT))
    metadata = asciidoc_header([one[1] for one in head if not isinstance(one, Failure)])
    yield from passage_rows(asciidoc_blocks(placed(chain(head, lines))), source, options, metadata=metadata)


def read_stdin(source: str, options: ReadOptions) -> Items:
    """Yield one document a line of standard input: JSON Lines where the first begins with a brace, else plain text."""
    lines = read_lines(source, options.encoding, options.say)
    first = next(lines, None)
    if first is None:
        return
    rest = chain([first], lines)
    if not isinstance(first, Failure) and first[1].lstrip().startswith("{"):
        yield from json_rows(source, rest, options)
        return
    refuse_columns("standard input", options)
    if options.rows == "passages":
        yield from passage_rows(plain_blocks(placed(rest)), "stdin", options)
    else:
        yield from _by_line(source, rest, options)


def _titled(
    blocks: Iterator[Block | Failure], source: str, options: ReadOptions, metadata: dict[str, Any], title: str | None
) -> Items:
    """Yield passages below a title, but where the first heading says it."""
    first = next(blocks, None)
    if first is None:
        return
    same = isinstance(first, Block) and first.kind == "heading" and first.text.strip() == (title or "").strip()
    yield from passage_rows(chain([first], blocks), source, options, metadata=metadata, title=None if same else title)


def placed(lines: Iterable[Numbered | Failure]) -> Iterator[Line | Failure]:
    """Yield lines with the characters at which they begin, each line's end counted as one."""
    start = 0
    for line in lines:
        if isinstance(line, Failure):
            yield line
            continue
        number, text = line
        yield Line(number, start, text)
        start += len(text) + 1


def _head(lines: Iterator[Numbered | Failure]) -> Iterator[Numbered | Failure]:
    size = 0
    while size < _LOOKED_AT:
        line = next(lines, None)
        if line is None:
            return
        size += 1 if isinstance(line, Failure) else len(line[1]) + 1
        yield line


def _by_line(source: str, lines: Iterable[Numbered | Failure], options: ReadOptions) -> Items:
    for line in lines:
        if isinstance(line, Failure):
            yield line
        elif line[1].strip():
            number, text = line[0], line[1].strip()
            metadata = with_facts({}, {"source": source, "line": number})
            yield from cut(Row(Document(place_id(source, number), text, metadata)), options)
