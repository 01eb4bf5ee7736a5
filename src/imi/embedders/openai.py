"""`openai:MODEL[@URL]`: vectors from any endpoint that speaks OpenAI's embeddings contract.

Texts are packed into requests by tokens and count, sent over several connections, and every reply is checked before a
vector is taken from it. A request that is refused for its texts is halved until the one bad text is alone.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi import vectors
from imi.embedders.embedding_reply import QUARTER, ParsedReply, read_embeddings
from imi.embedders.pieces import encodable
from imi.embedders.piecewise import Keep, gather
from imi.embedders.tokens import count_remote_tokens
from imi.errors import ImiError, UsageError
from imi.llm.budget import Budget
from imi.llm.endpoint import OFFICIAL, Endpoint, is_configured, split_name
from imi.llm.names import public_url
from imi.llm.replies import Refusal
from imi.progress import Progress
from imi.records import Kind, ModelInfo
from imi.types import Floats

# The sizes at which OpenAI publishes results for these models; the last one is the full width.
_DIMS = {
    "text-embedding-3-small": (512, 1536),
    "text-embedding-3-large": (256, 1024, 3072),
    "text-embedding-ada-002": (1536,),
}
_HOPELESS = 8
"""Texts refused one after another, with none accepted, after which the request and not the text is at fault."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How much goes into one request, and how many requests are under way at once."""

    texts: int
    tokens: int
    connections: int
    timeout: float


# OpenAI takes 2,048 texts and 300,000 tokens; counts are estimates, so a third is left free.
_OFFICIAL_LIMITS = RateLimits(texts=1024, tokens=200_000, connections=8, timeout=60.0)
# Servers of one's own are slower and take less; TEI's default of 32 texts is learnt from its refusal.
_OTHER_LIMITS = RateLimits(texts=128, tokens=32_000, connections=4, timeout=300.0)


class OpenAI:
    """One remote embedding model."""

    def __init__(
        self,
        name: str,
        *,
        endpoint: Endpoint | None = None,
        budget: Budget | None = None,
        limits: RateLimits | None = None,
        send_key: bool = True,
    ) -> None:
        """Set up; nothing is sent before the first text, or before the width of an unknown model is asked for.

        Args:
            name: MODEL[@URL].
            endpoint: in place of one made from the URL and OPENAI_API_KEY.
            budget: in place of that of IMI_BUDGET and IMI_BUDGET_TOKENS.
            limits: of requests.
            send_key: whether a URL in the name gets OPENAI_API_KEY; OpenAI's own and OPENAI_BASE_URL always do.
        """
        self.model, self._address = split_name(name)
        self.url = public_url(self._address)
        self._send_key = send_key or is_configured(self._address)
        self.budget = budget or Budget.from_environment(self.model)
        self.limits = limits or (_OFFICIAL_LIMITS if self.url == OFFICIAL else _OTHER_LIMITS)
        self._given = endpoint
        self._encoding = "base64"
        # OpenAI's own models read all texts alike, and it refuses what it does not know.
        self.sends_kinds = self.url != OFFICIAL
        self._opening = threading.Lock()

    @cached_property
    def endpoint(self) -> Endpoint:
        """The connection, opened when first needed, so that costs can be estimated without a key."""
        key = None if self._send_key else ""
        return self._given or Endpoint(self._address, key=key, timeout=self.limits.timeout)

    @property
    def id(self) -> str:
        """Model and place: the same name elsewhere may be another model."""
        return f"openai:{self.model}" if self.url == OFFICIAL else f"openai:{self.model}@{self.url}"

    @property
    def known_width(self) -> int | None:
        """The width, where it is known without asking the endpoint."""
        known = _DIMS.get(self.model)
        return known[-1] if known else self.__dict__.get("width")

    @cached_property
    def width(self) -> int:
        """How many dimensions a vector has: known, or asked for once, as floats, so that no gateway can distort it."""
        known = _DIMS.get(self.model)
        if known:
            return known[-1]
        body = {"model": self.model, "input": ["imi"], "encoding_format": "float"}
        read = lambda value: read_embeddings(value, 1, None, self.url)  # noqa: E731
        return int(self.endpoint.post("embeddings", body, read).vectors.shape[1])

    @property
    def info(self) -> ModelInfo:
        """Who made these vectors; nobody outside knows the weights, so name and place stand for them."""
        with self._opening:
            width = self.width
        dims = _DIMS.get(self.model, (width,))
        tokens = 8192 if self.model in _DIMS else None
        return ModelInfo(self.id, width, dims, weights="remote", max_tokens=tokens, source=self.url)

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = "document",
        dims: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Floats:
        """Embed texts as (n, dims) float32 unit rows; an empty text is sent as a space, which the contract needs.

        Raises:
            BadTexts: the endpoint refused some texts; the others' vectors are in the error.
            EndpointError: the endpoint failed; UsageError: the budget does not suffice.
        """
        width = self.info.width
        if dims is not None and not 1 <= dims <= width:
            raise UsageError(f"dims is {dims!r}, allowed are whole numbers from 1 to the width, {width}")
        return gather(self, texts, kind, dims or width, progress)

    def embed_each(
        self, texts: Sequence[str], kind: Kind, keep: Keep, *, dims: int | None = None, progress: Progress | None = None
    ) -> Mapping[int, str]:
        """Hand every vector to `keep` as its reply comes in; return the rows of refused texts with the reasons.

        After an error or an interruption, requests under way are still waited for and kept: they are paid for.
        """
        run = _Run(self, encodable(texts), kind, dims, keep, progress)
        run.go()
        return run.refused

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how many tokens each text has, (n,) int64; see `count_remote_tokens`."""
        return count_remote_tokens(self.model, texts)

    def request_count(self, texts: Sequence[str]) -> int:
        """Return how many requests these texts take."""
        return sum(
            1 for _ in _batches(self.count_tokens(texts).tolist(), lambda: self.limits.texts, self.limits.tokens)
        )

    def ask(
        self, texts: Sequence[str], width: int, dims: int | None, stopped: threading.Event, kind: Kind = "document"
    ) -> ParsedReply:
        """Send one request and return its checked reply.

        Questions are said to be some by `input_type`, for models that read them differently; a document is what all
        endpoints take a text for, so that nothing is said of it. An endpoint that does not know the key is asked
        without from then on.
        """
        coded, told = self._encoding, self.sends_kinds and kind == "query"
        body: dict[str, Any] = {"model": self.model, "input": [text or " " for text in texts], "encoding_format": coded}
        if dims is not None and dims != width:
            body["dimensions"] = dims
        if told:
            body["input_type"] = kind
        try:
            return self.endpoint.post(
                "embeddings", body, lambda value: read_embeddings(value, len(texts), width, self.url, dims), stopped
            )
        except Refusal as refused:
            if refused.code == QUARTER and coded == "base64":
                # A gateway between takes lists of floats for base64; asked for floats, it has nothing to decode.
                self._encoding = "float"
                return self.ask(texts, width, dims, stopped, kind)
            if told and refused.status in (400, 422):
                # Not all say which key they do not know: that the same passes without it says it.
                reply = self.ask(texts, width, dims, stopped)
                self.sends_kinds = False
                return reply
            if "dimensions" in body and re.search("matryoshka|dimension", refused.message, re.IGNORECASE):
                raise UsageError(
                    f"{self.id} does not make shorter vectors: {refused.message}",
                    hint=f"leave --dims out, or use all {width} dimensions",
                ) from refused
            raise


def _batches(counts: Sequence[int], most_texts: Any, most_tokens: int) -> Iterator[range]:
    """Yield runs of rows that fit one request; `most_texts()` is asked each time, since refusals lower it."""
    first = 0
    while first < len(counts):
        end, tokens, limit = first, 0, most_texts()
        while end < len(counts) and end - first < limit and (end == first or tokens + counts[end] <= most_tokens):
            tokens += counts[end]
            end += 1
        yield range(first, end)
        first = end


class _Run:
    """One call of `embed_each`: several threads that take batches from one queue."""

    def __init__(
        self,
        owner: OpenAI,
        texts: Sequence[str],
        kind: Kind,
        dims: int | None,
        keep: Keep,
        progress: Progress | None,
    ) -> None:
        self._owner, self._texts, self._kind, self._dims = owner, texts, kind, dims
        self._width = owner.info.width
        self._keep, self._progress = keep, progress
        self._counts = owner.count_tokens(texts).tolist()
        self._limit = owner.limits.texts
        self._queue = _batches(self._counts, lambda: self._limit, owner.limits.tokens)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._done = 0
        self._failure: BaseException | None = None
        self.refused: dict[int, str] = {}

    def go(self) -> None:
        """Run to the end, or to the first error that concerns more than one text."""
        if not self._texts:
            return
        workers = min(self._owner.limits.connections, len(self._texts))
        # Leaving the block waits for the requests under way, also when Ctrl-C was pressed.
        with ThreadPoolExecutor(workers, thread_name_prefix="imi-embed") as pool:
            try:
                for future in [pool.submit(self._work) for _ in range(workers)]:
                    future.result()
            finally:
                self._stopped.set()
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        while not self._stopped.is_set():
            with self._lock:
                batch = next(self._queue, None)
            if batch is None:
                return
            try:
                self._send(batch)
            except BaseException as failure:
                with self._lock:
                    self._failure = self._failure or failure
                self._stopped.set()
                return

    def _send(self, batch: range) -> None:
        if len(batch) > self._limit:
            for first in range(batch.start, batch.stop, self._limit):
                self._send(range(first, min(first + self._limit, batch.stop)))
            return
        estimate = sum(self._counts[batch.start : batch.stop])
        self._owner.budget.reserve(estimate)
        try:
            texts = self._texts[batch.start : batch.stop]
            reply = self._owner.ask(texts, self._width, self._dims, self._stopped, self._kind)
        except ImiError as error:
            self._owner.budget.settle(estimate, 0)
            if not isinstance(error, Refusal) or not error.about_input or self._stopped.is_set():
                raise
            self._split(batch, error)
            return
        self._owner.budget.settle(estimate, reply.tokens)
        z = reply.vectors
        self._keep(batch, vectors.normalize(z) if self._dims is None else vectors.truncate(z, self._dims))
        self._advance(len(batch))

    def _split(self, batch: range, error: Refusal) -> None:
        if len(batch) == 1:
            with self._lock:
                self.refused[batch.start] = "longer than the model reads" if error.too_long else error.message
                hopeless = self._done == len(self.refused) - 1 and len(self.refused) >= _HOPELESS
            if hopeless:
                raise error
            self._advance(1)
            return
        middle = batch.start + len(batch) // 2
        if error.too_many:
            with self._lock:
                self._limit = min(self._limit, middle - batch.start)
        self._send(range(batch.start, middle))
        self._send(range(middle, batch.stop))

    def _advance(self, count: int) -> None:
        with self._lock:
            self._done += count
            if self._progress is not None:
                self._progress(self._done, len(self._texts))
