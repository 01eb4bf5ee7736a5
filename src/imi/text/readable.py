"""Documents as people read them: a title apart, no words of a template, no markup of web pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imi.records import Document, Hit, facts_of
from imi.text.labels import BODIES, labelled_parts, without_markup

TITLES = tuple(
    """
    title summary subject headline heading name product_name label 題名 タイトル 件名 見出し 表題 名前 名称 品名 商品名
    """.split()  # noqa: SIM905 — a list of one word a line would hide the code
)
"""Columns whose short texts are what a document is called, the likeliest first."""
_TITLE = 140


@dataclass(frozen=True, slots=True)
class Readable:
    """A document's title, None where it has none, and its text as it is read."""

    title: str | None
    body: str


def readable(document: Hit | Document) -> Readable:
    """Return a document as it is read: its title apart, no words of a template, line breaks as such."""
    text = document.text or ""
    title = _named_title(document.metadata)
    parts = labelled_parts(text)
    if parts and (";" in text or parts[0][0].casefold() in (*TITLES, *BODIES)):
        named = next((value for name, value in parts if name.casefold() in TITLES and 0 < len(value) <= _TITLE), None)
        title = title or named
        kept = [(name, value) for name, value in parts if value and " ".join(value.split()) != title]
        text = "\n".join(value if name.casefold() in BODIES else f"{name}: {value}" for name, value in kept)
    body = without_markup(text)
    title = None if title is None else without_markup(title).strip() or None
    if title and body.startswith(title):
        rest = body[len(title) :]
        # A passage of a file begins with its heading; a text that only begins with the same words goes on in its line.
        body = rest.lstrip() if not rest.strip() or rest.lstrip(" ").startswith("\n") else body
    return Readable(title, body) if body or not text else Readable(None, without_markup(text))


def _named_title(metadata: Mapping[str, Any]) -> str | None:
    folded = {name.casefold(): name for name in metadata}
    for wanted in TITLES:
        value = metadata.get(folded.get(wanted, ""))
        if isinstance(value, str) and value.strip() and len(value) <= _TITLE:
            return " ".join(value.split())
    facts = facts_of(metadata)
    value = facts.get("heading") or facts.get("title")
    return value if isinstance(value, str) and value.strip() and len(value) <= _TITLE else None
