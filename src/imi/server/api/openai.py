"""OpenAI's routes: embeddings, the old engines route, and models."""

from __future__ import annotations

import asyncio
import binascii
from typing import Any, NamedTuple

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from imi.errors import MissingExtra, UsageError
from imi.records import Kind
from imi.server.api.embeddings_request import Wanted, read_wanted
from imi.server.api.openai_tokens import Table, encoding_for
from imi.server.http.request_body import is_long, read_object
from imi.server.http.responses import ApiError, Json, to_json
from imi.server.models import Served
from imi.server.state import State
from imi.types import Floats
from imi.vectors import truncate

_CHARACTERS = 16
"""Characters of a token at most, as far as models' own counts go; a text of more times the limit is over it."""
_MANY = 64
"""A reply of more vectors is written on a thread, this many at a time."""


class _Order(NamedTuple):
    """A request that makes sense."""

    served: Served
    texts: list[str]
    tokens: int
    dims: int | None
    base64: bool
    kind: Kind

    def reply(self, z: Floats) -> bytes:
        """Return the reply's body."""
        if self.dims is not None:
            z = truncate(z, self.dims)
        return embeddings_body(z, self.served.info.id, self.tokens, base64=self.base64)


class OpenAIRoutes:
    """The routes under /v1 that are answered here."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._tables: dict[str, Table | None] = {}
        for name in state.models.names():
            self._table(encoding_for(name, state.settings.encoding))  # loading takes a moment: now, not in a request

    def routes(self) -> list[Route]:
        """Return the routes, the most used one first."""
        return [
            Route("/v1/embeddings", self.embeddings, methods=["POST"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{model:path}", self.model, methods=["GET"]),
            Route("/v1/engines/{engine:path}/embeddings", self.engine, methods=["POST"]),
        ]

    async def embeddings(self, request: Request) -> Response:
        """Embed the inputs of a request."""
        return await self._embed(request, None)

    async def engine(self, request: Request) -> Response:
        """Embed by the old route, which says the model in its path."""
        return await self._embed(request, request.path_params["engine"])

    async def _embed(self, request: Request, engine: str | None) -> Response:
        limits = self._state.settings.limits
        body = await read_object(request, limits)
        await self._state.models.ready(body.get("model") if engine is None else engine)
        order = await asyncio.to_thread(self._read, body, engine) if is_long(request) else self._read(body, engine)
        z = await order.served.embed(order.texts, order.kind)
        self._state.metrics.tokens.add(order.tokens)
        reply = await asyncio.to_thread(order.reply, z) if len(z) > _MANY else order.reply(z)
        info = order.served.info
        return Json(reply, headers={"x-imi-model": _ascii(info.id), "x-imi-fingerprint": info.fingerprint})

    def _read(self, body: dict[str, Any], engine: str | None) -> _Order:
        wanted = read_wanted(body, self._state.settings.limits, engine)
        served = self._state.models.get(wanted.model)
        dims = _checked_dims(wanted.dims, served)
        texts, tokens = self._texts_of(wanted, served)
        return _Order(served, texts, tokens, dims, wanted.base64, wanted.kind)

    async def models(self, request: Request) -> Response:
        """List the models by every name that is answered."""
        return Json({"object": "list", "data": [self._described(name) for name in self._state.models.names()]})

    async def model(self, request: Request) -> Response:
        """Describe one model."""
        name = request.path_params["model"]
        if name not in self._state.models.names():
            self._state.models.get(name)
        return Json(self._described(name))

    def _described(self, name: str) -> dict[str, Any]:
        models = self._state.models
        owner = f"imi ({models.get(name).info.id})" if name in models.aliases else "imi"
        return {"id": name, "object": "model", "created": models.created, "owned_by": owner}

    # --- tokens ---

    def _texts_of(self, wanted: Wanted, served: Served) -> tuple[list[str], int]:
        """Return the texts to embed and how many tokens they are, refusing what is too long."""
        encoding = encoding_for(wanted.model, self._state.settings.encoding)
        if wanted.tokens is not None:
            counts = [len(ids) for ids in wanted.tokens]
            self._check_counts(counts, self._state.settings.limits.input_tokens)
            texts = self._decoded(wanted.tokens, encoding)
        else:
            texts = wanted.texts or []
            table = self._table(encoding)
            counts = self._counts(texts, table, served)
            self._check_counts(counts, self._state.settings.limits.input_tokens)
        most = served.info.max_tokens
        if most is not None and most < self._state.settings.limits.input_tokens:
            # A model that reads less would cut the text silently, and its vector would be of the beginning alone.
            self._check_counts(served.embedder.count_tokens(texts).tolist(), most)
        return texts, sum(counts)

    def _counts(self, texts: list[str], table: Table | None, served: Served) -> list[int]:
        """Count the tokens of texts, no further than is needed to refuse them."""
        limits = self._state.settings.limits
        counts: list[int] = []
        total, at = 0, 0
        while at < len(texts) and total <= limits.request_tokens:
            if table is not None:
                more = [table.count(texts[at], limits.input_tokens)]
            else:
                some = [text[: _CHARACTERS * limits.input_tokens] for text in texts[at : at + _MANY]]
                more = served.embedder.count_tokens(some).tolist()
            counts += more
            total += sum(more)
            at += len(more)
        return counts

    def _check_counts(self, counts: list[int], most: int) -> None:
        longest = max(counts)
        if longest > most:
            raise ApiError(
                400,
                f"This model's maximum context length is {most} tokens, however you requested {longest} tokens "
                f"({longest} in your prompt; 0 for the completion). Please reduce your prompt; or completion length.",
            )
        total, allowed = sum(counts), self._state.settings.limits.request_tokens
        if total > allowed:
            raise ApiError(
                400,
                f"Requested {total} tokens, max {allowed} tokens per request",
                type="max_tokens_per_request",
                code="max_tokens_per_request",
            )

    def _decoded(self, tokens: list[list[int]], encoding: str) -> list[str]:
        table = self._table(encoding)
        if table is None:
            raise ApiError(
                400,
                f"Token ids need the table {encoding}, which is not installed on this server: pip install "
                "'imi[tokens]'. Send text instead (LangChain: check_embedding_ctx_length=False).",
                param="input",
                code="tokens_unsupported",
            )
        try:
            return [table.text_of(ids) for ids in tokens]
        except UsageError as unknown:
            raise ApiError(400, f"Invalid 'input': {unknown.message}.", param="input", code="invalid_token") from None

    def _table(self, encoding: str) -> Table | None:
        if encoding not in self._tables:
            try:
                self._tables[encoding] = Table(encoding)
            except MissingExtra:
                self._tables[encoding] = None
        return self._tables[encoding]


def embeddings_body(z: Floats, model: str, tokens: int, *, base64: bool) -> bytes:
    """Return the reply of an embeddings request.

    Args:
        z: (n, dims) unit rows.
        model: the id of the model that answered.
        tokens: of all inputs.
        base64: little-endian float32 in base64 instead of numbers.
    """
    if not base64:
        rows = [
            {"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(np.ascontiguousarray(z))
        ]
        # Some rows at a time: nobody else runs while a part is written.
        data = b",".join(to_json(rows[at : at + _MANY])[1:-1] for at in range(0, len(rows), _MANY))
        return _list_of(data, model, tokens)
    # One view over contiguous memory, cut a row at a time; base64 needs no escaping, so bytes are joined as they are.
    memory = np.ascontiguousarray(z, dtype="<f4").data.cast("B")
    width = 4 * z.shape[1]
    data = b",".join(
        b'{"object":"embedding","index":%d,"embedding":"%b"}'
        % (at, binascii.b2a_base64(memory[at * width : (at + 1) * width], newline=False))
        for at in range(len(z))
    )
    return _list_of(data, model, tokens)


def _list_of(data: bytes, model: str, tokens: int) -> bytes:
    return b'{"object":"list","data":[%b],"model":%b,"usage":{"prompt_tokens":%d,"total_tokens":%d}}' % (
        data,
        to_json(model),
        tokens,
        tokens,
    )


def _checked_dims(dims: int | None, served: Served) -> int | None:
    if dims is None or dims == served.info.width:
        return None
    if not served.info.matryoshka:
        raise ApiError(
            400,
            f"This model does not support specifying dimensions: the vectors of {served.info.id} were not trained to "
            f"be shortened. Leave 'dimensions' out for its {served.info.width} dimensions.",
            param="dimensions",
            code="unsupported_parameter",
        )
    if dims > served.info.width:
        raise ApiError(
            400,
            f"Invalid value for 'dimensions' = {dims}. Must be less than or equal to {served.info.width}.",
            param="dimensions",
            code="integer_above_max_value",
        )
    return dims


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()
