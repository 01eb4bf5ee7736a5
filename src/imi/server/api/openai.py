"""OpenAI's routes: embeddings, the old engines route, and models."""

from __future__ import annotations

import binascii
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from imi.errors import MissingExtra, UsageError
from imi.server.api.embeddings_request import Wanted, read_wanted
from imi.server.api.openai_tokens import Table, encoding_for
from imi.server.http.request_body import read_object
from imi.server.http.responses import ApiError, Json, to_json
from imi.server.models import Served
from imi.server.state import State
from imi.vectors import truncate

Floats = NDArray[np.float32]


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
        wanted = read_wanted(body, limits, engine)
        served = self._state.models.get(wanted.model)
        dims = _checked_dims(wanted.dims, served)
        texts, tokens = self._texts_of(wanted, served)
        z = await served.embed(texts)
        if dims is not None:
            z = truncate(z, dims)
        self._state.metrics.tokens.add(tokens)
        headers = {"x-imi-model": _ascii(served.info.id), "x-imi-fingerprint": served.info.fingerprint}
        return Json(embeddings_body(z, served.info.id, tokens, base64=wanted.base64), headers=headers)

    async def models(self, request: Request) -> Response:
        """List the models by every name that is answered."""
        return Json({"object": "list", "data": [self._described(name) for name in self._state.models.names()]})

    async def model(self, request: Request) -> Response:
        """Describe one model."""
        name = request.path_params["model"]
        self._state.models.get(name)
        return Json(self._described(name))

    def _described(self, name: str) -> dict[str, Any]:
        models = self._state.models
        answering = models.get(name).info.id
        owner = "imi" if name not in models.aliases else f"imi ({answering})"
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
            counts = (
                [table.count(text) for text in texts]
                if table is not None
                else served.embedder.count_tokens(texts).tolist()
            )
            self._check_counts(counts, self._state.settings.limits.input_tokens)
        most = served.info.max_tokens
        if most is not None and most < self._state.settings.limits.input_tokens:
            # A model that reads less would cut the text silently, and its vector would be of the beginning alone.
            self._check_counts(served.embedder.count_tokens(texts).tolist(), most)
        return texts, sum(counts)

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
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return to_json({"object": "list", "data": rows, "model": model, "usage": usage})
    # One view over contiguous memory, cut a row at a time; base64 needs no escaping, so bytes are joined as they are.
    memory = np.ascontiguousarray(z, dtype="<f4").data.cast("B")
    width = 4 * z.shape[1]
    data = b",".join(
        b'{"object":"embedding","index":%d,"embedding":"%b"}'
        % (at, binascii.b2a_base64(memory[at * width : (at + 1) * width], newline=False))
        for at in range(len(z))
    )
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
            f"be shortened. Leave 'dimensions' out for its {served.info.width} numbers.",
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
