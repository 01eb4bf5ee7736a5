"""Emoji and symbols by what Unicode calls them: 🍣 is "sushi" to a model that knows words better than signs."""

from __future__ import annotations

import re
import unicodedata

_NAMED = re.compile("[\u2200-\u22ff\u2300-\u23ff\u2600-\u27bf\u2900-\u2bff\U0001f300-\U0001f3fa\U0001f400-\U0001faff]")
"""Operators of mathematics, and pictures; no arrows, lines and bullets, which stand between words, and no flags."""
_JOINING = re.compile("[\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")
"""What only says how a sign is drawn, or that it is one with the next."""


def spelled_out(text: str) -> str:
    """Return a text with its emoji and symbols as words; itself where it has none."""
    if text.isascii() or not _NAMED.search(text):
        return text
    plain = _NAMED.sub(lambda found: f" {unicodedata.name(found[0], found[0]).lower()} ", _JOINING.sub("", text))
    return " ".join(plain.split())
