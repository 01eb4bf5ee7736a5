"""Phrase search for engines that index words without their order: texts with all the words are checked here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from imi.backends.engine import IdRanking
from imi.fusion import expected_score
from imi.text.lexical import index_tokens

K1, B = 1.2, 0.75
MEAN_LENGTH = 40
"""The mean length of a text, in tokens, assumed for engines that weigh each text before they know the others."""


def contains_run(tokens: Sequence[str], part: Sequence[str]) -> bool:
    """Say whether the tokens of a part follow one another in a text."""
    first, length = part[0], len(part)
    wanted = list(part)
    return any(token == first and list(tokens[at : at + length]) == wanted for at, token in enumerate(tokens))


def rank_phrases(
    texts: Iterable[tuple[str, str | None]], parts: Sequence[tuple[str, ...]], keep: int, total: int
) -> IdRanking:
    """Return the ids and BM25 scores of the texts, given as (id, text), that contain every part; shorter ones first.

    A part is a run of tokens; `total` is how many texts there are, `keep` how many to return.
    """
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
    """Return the tokens of all parts, each once: a text with every part has them all."""
    return list(dict.fromkeys(token for part in parts for token in part))


def sparse(tokens: Sequence[str]) -> dict[int, float]:
    """Return a text as a sparse vector: BM25 without the idf, keyed by a 32-bit hash of each token.

    Tokens with the same hash add up, which happens to one pair in four billion.
    """
    counts: dict[int, int] = {}
    for token in tokens:
        number = word_number(token)
        counts[number] = counts.get(number, 0) + 1
    rise = K1 * (1 - B + B * len(tokens) / MEAN_LENGTH)
    return {number: count * (K1 + 1) / (count + rise) for number, count in sorted(counts.items())}


def word_number(token: str) -> int:
    """Return a token's hash, below 2³² - 2."""
    return int.from_bytes(hashlib.blake2b(token.encode(), digest_size=4).digest(), "big") % (2**32 - 2)
