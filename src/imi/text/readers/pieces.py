"""From one long text to rows that a model reads whole, with page, line and heading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.records import Document, own_facts, with_facts
from imi.text.chunking import Count, chunk
from imi.text.readers.rows import ReadOptions, Row

LONGEST = 4000
"""Characters from which a line, a paragraph or a section is cut; shorter ones stay as they stand in their file."""


def rough_tokens(texts: Sequence[str]) -> NDArray[np.int64]:
    """Count a token a Han character or kana and every three letters, where no model is asked, (n,) int64."""
    return np.fromiter((len(text.encode("utf-8", "replace")) // 3 + 1 for text in texts), np.int64, len(texts))


def rows_of(
    text: str,
    parent: str,
    metadata: Mapping[str, Any],
    options: ReadOptions,
    *,
    lines: bool = True,
    first_line: int = 1,
) -> Iterator[Row]:
    """Yield the chunks of a text; `parent`, `start` and `end` of each say where in the text it stands.

    Args:
        text: the whole, from which `text[start:end]` gives a chunk.
        parent: the id of the whole; a chunk's own is this and its place.
        metadata: of every chunk.
        options: with the size of chunks and the model's count of tokens.
        lines: whether lines mean something in the source; then a chunk tells its first one.
        first_line: the number of the text's first line.
    """
    count = options.count_tokens or rough_tokens
    limit = options.limit() if options.limit is not None else None
    size = options.size if limit is None else min(options.size, limit)
    line, seen = first_line, 0
    for number, one in enumerate(chunk(text, count, size=size, overlap=size // 8), 1):
        line, seen = line + text.count("\n", seen, one.start), one.start
        told = with_facts(metadata, {"line": line if lines else None, "heading": one.heading or None})
        body = text[one.start : one.end]
        # A chunk from the middle of a section says what the section is about.
        shown = f"{one.heading}\n{body}" if one.heading and not body.startswith("#") else body
        if limit is not None and shown != body and _tokens(shown, count) > limit:
            shown = body
        yield Row(Document(f"{parent}#{number}", shown, told, parent, one.start, one.end))


def cut(row: Row, options: ReadOptions) -> Iterator[Row]:
    """Yield a row, or its pieces where its text is longer than texts should be, or than its model reads."""
    document = row.document
    if document.text is None or (len(document.text) <= LONGEST and not _exceeds(document.text, options)):
        yield row
        return
    line = own_facts(document.metadata).get("line")
    first = line if isinstance(line, int) else 1
    yield from rows_of(document.text, document.id, document.metadata, options, first_line=first)


def _exceeds(text: str, options: ReadOptions) -> bool:
    """Whether a text has more tokens than the model reads; counted only where it has as many bytes."""
    limit = options.limit() if options.limit is not None else None
    # Two are what models put at a text's ends.
    if limit is None or len(text.encode("utf-8", "replace")) + 2 <= limit:
        return False
    return _tokens(text, options.count_tokens or rough_tokens) > limit


def _tokens(text: str, count: Count) -> int:
    return int(count([text])[0])
