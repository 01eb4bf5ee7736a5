"""How many tokens a remote model will count: exactly where its vocabulary is here, else estimated on the safe side."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Against cl100k: English abstracts have 5.3 letters a token and Japanese paragraphs .88 characters, so that these
# are .8 and .25 too many; code and digits come out a tenth short, which requests leave room for. Emoji take up to four.
_ASCII_A_TOKEN = 3.0
_TOKENS_A_WIDE = 1.5
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_CL100K = {"text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"}


def estimate_tokens(text: str) -> int:
    """Return a number of tokens that common vocabularies rarely exceed; words are not counted, Japanese has none."""
    if text.isascii():
        return int(len(text) / _ASCII_A_TOKEN) + 1
    plain = len(text.encode("ascii", "ignore"))
    astral = len(_ASTRAL.findall(text))
    return int(plain / _ASCII_A_TOKEN + (len(text) - plain - astral) * _TOKENS_A_WIDE + 4 * astral) + 1


def count_remote_tokens(model: str, texts: Sequence[str]) -> NDArray[np.int64]:
    """Return the tokens of each text, (n,) int64: counted for OpenAI's models where `bpe-openai` is installed."""
    counter = _counter() if model in _CL100K else None
    count = estimate_tokens if counter is None else counter
    return np.fromiter((max(1, count(text)) for text in texts), np.int64, len(texts))


def _counter() -> Any:
    with warnings.catch_warnings():
        # It opens its table by a function that Python 3.11 calls deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            import bpe_openai
        except ImportError:
            return None
        encoding = bpe_openai.get_encoding("cl100k_base")
    return lambda text: len(encoding.encode_ordinary(text))
