"""Chat and responses: sent on to the language model that the server was given, else refused with a clear 501."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from imi.llm.endpoint import split_name
from imi.server.http.middleware import require_llm
from imi.server.http.request_body import read_object
from imi.server.http.responses import ApiError, overloaded, to_json
from imi.server.state import State

if TYPE_CHECKING:
    import httpx

_PATHS = ("responses", "chat/completions")
_SECONDS = 600.0
"""The longest silence of a model that thinks before it answers."""
_PASSED = ("content-type", "retry-after", "x-should-retry", "openai-processing-ms")


class Forward:
    """Passes requests and replies through as they are, streams included; only the model's name is replaced."""

    def __init__(self, state: State) -> None:
        """Read the configured model.

        Raises:
            UsageError: the setting names no model and URL.
        """
        self._state = state
        llm = state.settings.llm
        self._target = None if llm is None else split_name(llm.removeprefix("openai:"))
        self._client: httpx.AsyncClient | None = None
        self._streams = 0

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route(f"/v1/{path}", partial(self.forward, path), methods=["POST"]) for path in _PATHS]

    async def forward(self, path: str, request: Request) -> Response:
        """Send one request on, to a path of our own: nothing that a client sends chooses where it goes."""
        require_llm(request.scope["imi.key"])
        body = await read_object(request, self._state.settings.limits)
        if self._target is None:
            raise ApiError(
                501,
                f"This server embeds and searches; no language model is configured for /v1/{path}. Start it with --llm "
                "MODEL@URL, such as --llm llama3@http://localhost:8080/v1.",
                code="no_llm",
                headers={"x-should-retry": "false"},
            )
        if self._streams >= self._state.settings.limits.receiving:
            raise overloaded("The language model is answering as many requests as the server passes on.", seconds=5)
        model, url = self._target
        return await self._ask(f"{url}/{path}", body | {"model": model}, request)

    async def _ask(self, url: str, body: dict[str, Any], request: Request) -> Response:
        import httpx

        client = self._connected()
        try:
            asked = client.build_request("POST", url, content=to_json(body), headers=_headers())
            reply = await client.send(asked, stream=True)
            if reply.is_success and reply.headers.get("content-type", "").startswith("text/event-stream"):
                return _Stream(reply, request, self._count)
            content = await reply.aread()
            await reply.aclose()
        except httpx.TimeoutException:
            raise ApiError(504, "The language model did not answer in time.", type="server_error",
                           code="upstream_timeout") from None  # fmt: skip
        except httpx.HTTPError as broken:
            raise ApiError(
                502,
                f"The language model cannot be reached ({type(broken).__name__}).",
                type="server_error",
                code="upstream_error",
            ) from None
        if not reply.is_success and b'"error"' not in content:
            raise ApiError(
                reply.status_code if reply.status_code >= 400 else 502,
                f"The language model refused with status {reply.status_code}.",
                type="server_error",
                code="upstream_error",
            )
        return Response(content, reply.status_code, headers=_passed(reply))

    def _count(self, more: int) -> None:
        self._streams += more

    def _connected(self) -> httpx.AsyncClient:
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(timeout=httpx.Timeout(_SECONDS, connect=10.0))
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()


class _Stream(Response):
    """A stream of server-sent events, passed through as it comes; ends when the client goes."""

    def __init__(self, reply: httpx.Response, request: Request, count: Callable[[int], None]) -> None:
        super().__init__(headers=_passed(reply))
        del self.headers["content-length"]
        self._count = count
        self._reply = reply
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._count(1)
        try:
            await send({"type": "http.response.start", "status": self._reply.status_code, "headers": self.raw_headers})
            async for part in self._reply.aiter_raw():
                if await self._request.is_disconnected():
                    return
                await send({"type": "http.response.body", "body": part, "more_body": True})
        finally:
            self._count(-1)
            await self._reply.aclose()
        await send({"type": "http.response.body", "body": b""})


def _headers() -> dict[str, str]:
    key = os.environ.get("OPENAI_API_KEY")
    # Compressed streams could not be passed on without their encoding header.
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    return headers | {"authorization": f"Bearer {key}"} if key else headers


def _passed(reply: httpx.Response) -> dict[str, str]:
    return {name: reply.headers[name] for name in _PASSED if name in reply.headers}
