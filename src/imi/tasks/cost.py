"""What embedding would cost, before it is spent: tokens, requests, money, minutes, and what is cached already."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from imi.embedders.base import Embedder
from imi.embedders.cache import Cached
from imi.embedders.openai import OpenAI
from imi.llm.budget import price_of

SECONDS_A_REQUEST = 1.5
"""A guess for a full request to a hosted model; what this machine computes itself is measured."""
_SLICE = 4096
_SAMPLE = 256


@dataclass(frozen=True, slots=True)
class Cost:
    """What embedding texts would take; `money` is US dollars, None where the price is not known.

    `tokens` are those of all texts; `requests`, `money` and `minutes` leave out the texts that are `cached`.
    """

    texts: int
    tokens: int
    requests: int
    money: float | None
    minutes: float
    cached: int

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return asdict(self)


def cost(texts: Iterable[str], model: Embedder) -> Cost:
    """Return what embedding texts would cost; a remote model is sent nothing.

    Args:
        texts: read once, a slice at a time.
        model: a remote one's tokens are counted or estimated; a local one embeds a sample of the texts, to be timed.
    """
    remote = model.inner if isinstance(model, Cached) else model
    if isinstance(remote, OpenAI):
        return _remote(texts, remote, model if isinstance(model, Cached) else None)
    count = tokens = sampled = 0
    seconds = 0.0
    for part in _slices(texts):
        sizes = model.count_tokens(part)
        if not count:
            sample = part[:_SAMPLE]
            model.embed(sample[:1])  # loading at the first call does not count towards the pace
            began = time.perf_counter()
            model.embed(sample)
            seconds, sampled = time.perf_counter() - began, max(1, int(sizes[: len(sample)].sum()))
        count, tokens = count + len(part), tokens + int(sizes.sum())
    return Cost(count, tokens, 0, 0.0, tokens / max(1, sampled) * seconds / 60, 0)


def _remote(texts: Iterable[str], remote: OpenAI, cached: Cached | None) -> Cost:
    count = tokens = known = unpaid = requests = 0
    for part in _slices(texts):
        sizes = remote.count_tokens(part)
        here = cached.known(remote.id, part) if cached is not None else [False] * len(part)
        new = [text for text, found in zip(part, here, strict=True) if not found]
        count, tokens = count + len(part), tokens + int(sizes.sum())
        known += len(part) - len(new)
        unpaid += int(sum(size for size, found in zip(sizes.tolist(), here, strict=True) if not found))
        requests += remote.request_count(new)
    price = price_of(remote.model)
    minutes = requests * SECONDS_A_REQUEST / remote.limits.connections / 60
    return Cost(count, tokens, requests, None if price is None else unpaid * price / 1e6, minutes, known)


def _slices(texts: Iterable[str]) -> Iterable[list[str]]:
    source = iter(texts)
    while part := list(islice(source, _SLICE)):
        yield part
