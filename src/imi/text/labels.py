"""Texts as people read them: without the words of a template around their values, and without a web page's markup."""

from __future__ import annotations

import html
import re

_LABEL = re.compile(r"(?:^|;\s|\n)([^\W\d][\w ]{0,24}): ")
_BREAK = re.compile(r"(?<![ \t])[ \t]*+<br\s*+/?>[ \t]*+", re.IGNORECASE)
_BREAKS = re.compile(r"\n{3,}")
_TAG = re.compile(r"</?(?:p|b|i|em|strong|u)>|<a\s[^<>]{0,500}>|</a>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:amp|quot|apos|nbsp|lt|gt|#39|#34|#x27);")

BODIES = frozenset({"content", "text", "body", "review", "description", "combined", "本文", "内容", "テキスト", "説明"})
"""Names of the field that holds what a text made by a template says."""
_SAID = re.compile(r"[。！？]$|[^\W\d]{2} \S.{0,60}[.!?]$")
_CELL = 60
"""Characters of a table's cell; a longer value is prose."""


def labelled_parts(text: str) -> list[tuple[str, str]]:
    """Return the names and values of a text made by a template, "Title: …; Content: …"; empty for any other text."""
    labels = list(_LABEL.finditer(text))
    if len(labels) < 2 or labels[0].start() != 0:
        return []
    ends = [one.start() for one in labels[1:]] + [len(text)]
    return [(one[1], text[one.end() : end].rstrip("; \n")) for one, end in zip(labels, ends, strict=True)]


def unlabelled(text: str) -> str:
    """Return a text without the words of a template, "Title: …; Content: …", each of its values on a line.

    A row of a table stays one: a price alone tells nothing. So do somebody's lines, "Dentist: Dr. Alvarez".
    """
    parts = labelled_parts(text)
    if parts and not any(name.casefold() in BODIES for name, _ in parts) and _in_lines(text):
        return text
    if parts and not any(name.casefold() in BODIES or len(value) > _CELL for name, value in parts):
        return "; ".join(f"{name}: {value}" for name, value in parts if value)
    return "\n".join(value for _, value in parts) or text


def _in_lines(text: str) -> bool:
    """Whether each name and value of a text has a line of its own, and some value is prose or somebody's words."""
    labels = list(_LABEL.finditer(text))
    long = any(len(value) > _CELL or _SAID.search(value) for _, value in labelled_parts(text))
    return long and not any(one[0].startswith(";") for one in labels)


def without_markup(text: str) -> str:
    """Return a text with line breaks and plain emphasis as they look that were written as HTML; other tags stay.

    What a text says about tags must stay readable: only those that reviews and comments are full of are taken away.
    """
    if "<" in text:
        text = _BREAKS.sub("\n\n", _BREAK.sub("\n", text))
        text = _TAG.sub("", text)
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text
