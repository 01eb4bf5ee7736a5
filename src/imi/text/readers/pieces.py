"""From one long text to rows that a model reads whole, with page, line and heading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import Failure
from imi.records import Document, own_facts, with_facts
from imi.text.blocks import Block
from imi.text.chunking import Count, chunk
from imi.text.passages import Passage, passages
from imi.text.readers.rows import ReadOptions, Row

LONGEST = 4000
"""Characters from which a line of a list is cut; shorter ones stay as they stand in their file."""
_LONGEST_HEADING = 300


def rough_tokens(texts: Sequence[str]) -> NDArray[np.int64]:
    """Count a token a Han character or kana and every three letters, where no model is asked, (n,) int64."""
    return np.fromiter((len(text.encode("utf-8", "replace")) // 3 + 1 for text in texts), np.int64, len(texts))


def passage_rows(
    blocks: Iterable[Block | Failure],
    source: str,
    options: ReadOptions,
    *,
    metadata: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Iterator[Row | Failure]:
    """Yield the passages of a text as rows; `parent`, `start` and `end` of each say where in the text it stands.

    Args:
        blocks: of the text.
        source: the file, which is the passages' parent; an id is the source and a page, line or number.
        options: with the size of passages and the model's count of tokens.
        metadata: of every row.
        title: of the whole, where its headings do not say it.
    """
    count, limit = options.count_tokens or rough_tokens, _limit(options)
    fits = None if limit is None else lambda text: _tokens(text, count) <= limit
    numbers: dict[str, int] = {}
    for one in passages(blocks, options.passage, fits=fits):
        if isinstance(one, Failure):
            yield one
            continue
        place = _place(source, one)
        number = numbers[place] = numbers.get(place, 0) + 1
        counted = one.page is not None or not one.line
        identity = f"{place}#{number}" if counted or number > 1 else place
        facts = {
            "source": source,
            "page": one.page,
            "line": one.line or None,
            "title": title,
            "heading": one.heading or None,
        }
        text = _headed(one, title, count, limit)
        yield Row(Document(identity, text, with_facts(metadata or {}, facts), source, one.start, one.end))


def _place(source: str, one: Passage) -> str:
    if one.page is not None:
        return f"{source}:p{one.page}"
    return f"{source}:{one.line}" if one.line else source


def _headed(one: Passage, title: str | None, count: Count, limit: int | None) -> str:
    """Return a passage below its headings, which say what it is about; without them where it would be too long."""
    above = " > ".join(dict.fromkeys(part for part in (title, one.heading) if part))
    if not above or len(above) > _LONGEST_HEADING:
        return one.text
    headed = f"{above}\n{one.text}"
    return headed if limit is None or _tokens(headed, count) <= limit else one.text


def _limit(options: ReadOptions) -> int | None:
    return options.limit() if options.limit is not None else None


def rows_of(
    text: str,
    parent: str,
    metadata: Mapping[str, Any],
    options: ReadOptions,
    *,
    first_line: int = 1,
) -> Iterator[Row]:
    """Yield the chunks of a source file or of a long line; `parent`, `start` and `end` say where each one stands.

    Args:
        text: the whole, from which `text[start:end]` gives a chunk.
        parent: the id of the whole; a chunk's own is this and its place.
        metadata: of every chunk.
        options: with the size of chunks and the model's count of tokens.
        first_line: the number of the text's first line.
    """
    count, limit = options.count_tokens or rough_tokens, _limit(options)
    size = options.size if limit is None else min(options.size, limit)
    line, seen = first_line, 0
    for number, one in enumerate(chunk(text, count, size=size, overlap=size // 8), 1):
        line, seen = line + text.count("\n", seen, one.start), one.start
        result = with_facts(metadata, {"line": line})
        yield Row(Document(f"{parent}#{number}", text[one.start : one.end], result, parent, one.start, one.end))


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
    limit = _limit(options)
    # Two are what models put at a text's ends.
    if limit is None or len(text.encode("utf-8", "replace")) + 2 <= limit:
        return False
    return _tokens(text, options.count_tokens or rough_tokens) > limit


def _tokens(text: str, count: Count) -> int:
    return int(count([text])[0])
