"""OpenAI's token tables, cl100k and o200k: token ids back to text, and counts as OpenAI bills them.

The tables come with the package `bpe-openai`; nothing is downloaded.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from imi.errors import MissingExtra, UsageError

ENCODINGS = ("cl100k_base", "o200k_base")


class Table:
    """One token table."""

    def __init__(self, name: str) -> None:
        """Load a table.

        Raises:
            MissingExtra: the package with the tables is not installed.
            UsageError: the name is not known.
        """
        if name not in ENCODINGS:
            raise UsageError(f"the token table {name!r} is not known", hint=f"allowed are {', '.join(ENCODINGS)}")
        with warnings.catch_warnings():
            # It opens its tables by a function that Python 3.11 calls deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                import bpe_openai
            except ImportError as missing:
                raise MissingExtra("bpe-openai", "tokens") from missing
            self._encoding: Any = bpe_openai.get_encoding(name)
        self.name = name
        self._last: int = self._encoding.max_token_value

    def count(self, text: str, most: int | None = None) -> int:
        """Return how many tokens a text has; a special token's name counts as the text that it is.

        Args:
            text: the text.
            most: counting may end once it has found more than this.
        """
        if len(text) < _PART:
            return len(self._encoding.encode_ordinary(text))
        # The package refuses a million characters; cuts every so often are off by a token each at most.
        total = 0
        for at in range(0, len(text), _PART):
            total += len(self._encoding.encode_ordinary(text[at : at + _PART]))
            if most is not None and total > most:
                break
        return total

    def text_of(self, ids: Sequence[int]) -> str:
        """Return the text of token ids; bytes that are not UTF-8 become U+FFFD.

        Raises:
            UsageError: an id that the table does not have.
        """
        for id_ in ids:
            if not 0 <= id_ <= self._last:
                raise self._unknown(id_)
        try:
            return str(self._encoding.decode(ids))
        except KeyError:
            raise self._unknown(next(id_ for id_ in ids if not self._has(id_))) from None

    def _has(self, id_: int) -> bool:
        try:
            self._encoding.decode_single_token_bytes(id_)
        except KeyError:
            return False
        return True

    def _unknown(self, id_: int) -> UsageError:
        return UsageError(f"the token id {id_} is not in {self.name}, whose ids go from 0 to {self._last}")


_PART = 50_000


def encoding_for(model: str, default: str) -> str:
    """Return the table that OpenAI's libraries use for a model's name; `default` for names that they do not know."""
    if model.startswith(("text-embedding-", "gpt-4-", "gpt-3.5")) or model == "gpt-4":
        return "cl100k_base"
    if model.startswith(("gpt-4o", "gpt-4.", "gpt-5", "o1", "o3", "o4")):
        return "o200k_base"
    return default
