"""Where sentences end, in scripts with and without spaces."""

from __future__ import annotations

import re

# Japanese and Chinese ends need no space behind them and keep their closing brackets; a Latin full stop needs one.
_END = re.compile(
    r"[。．！？｡]+[」』）】〕〉》”’)\"']*\s*|(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?:\s++|$)|(?<![^\S\n])[^\S\n]*+\n\s*+"
)


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of each sentence; together they are the whole text, white space behind an end included."""
    spans, start = [], 0
    for match in _END.finditer(text):
        if match.end() > start:
            spans.append((start, match.end()))
            start = match.end()
    if start < len(text):
        spans.append((start, len(text)))
    return spans


def sentences(text: str) -> list[str]:
    """Return the sentences of a text without the white space around them; empty ones are left out."""
    return [stripped for start, end in sentence_spans(text) if (stripped := text[start:end].strip())]
