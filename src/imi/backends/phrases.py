"""Phrases for engines that know words but not their order: what has all the words is read and looked at here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from imi.backends.engine import IdRanking
from imi.fusion import expected_score
from imi.text.lexical import index_tokens

K1, B = 1.2, 0.75
MEAN_LENGTH = 40
"""Tokens of a text of mean length, for engines that weigh texts before they know the others."""


def contains_run(tokens: Sequence[str], part: Sequence[str]) -> bool:
    """Say whether the tokens of a part stand in a text one after the other."""
    first, length = part[0], len(part)
    wanted = list(part)
    return any(token == first and list(tokens[at : at + length]) == wanted for at, token in enumerate(tokens))


def rank_phrases(
    texts: Iterable[tuple[str, str | None]], parts: Sequence[tuple[str, ...]], keep: int, total: int
) -> IdRanking:
    """Return the texts, as (id, text), that contain every part; shorter ones first, as BM25 has it."""
    found: list[tuple[str, int]] = []
    for id_, text in texts:
        tokens = index_tokens(text or "")
        if all(contains_run(tokens, part) for part in parts):
            found.append((id_, len(tokens)))
    weight = len(parts) * expected_score([len(found)], total)
    mean = sum(length for _, length in found) / max(len(found), 1)
    ranked = [(id_, weight * (K1 + 1) / (1 + K1 * (1 - B + B * length / max(mean, 1)))) for id_, length in found]
    return sorted(ranked, key=lambda one: -one[1])[:keep]


def words_of(parts: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the words that a text with all parts must have, each once."""
    return list(dict.fromkeys(token for part in parts for token in part))


def sparse(tokens: Sequence[str]) -> dict[int, float]:
    """Return a text as a sparse vector: BM25 without the idf, under 32-bit numbers of its words.

    Two words with one number add up, which is once in four thousand millions of pairs.
    """
    counts: dict[int, int] = {}
    for token in tokens:
        number = word_number(token)
        counts[number] = counts.get(number, 0) + 1
    rise = K1 * (1 - B + B * len(tokens) / MEAN_LENGTH)
    return {number: count * (K1 + 1) / (count + rise) for number, count in sorted(counts.items())}


def word_number(token: str) -> int:
    """Return a word's number, below 2³² - 1."""
    return int.from_bytes(hashlib.blake2b(token.encode(), digest_size=4).digest(), "big") % (2**32 - 2)
