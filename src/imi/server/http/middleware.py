"""The gate: what every request passes first and last. Who is asking, may they, how often, and how did it end."""

from __future__ import annotations

import secrets
import time
import traceback
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imi.server.http.keys import Key, Right
from imi.server.http.logs import Log
from imi.server.http.responses import ApiError, overloaded
from imi.server.settings import is_loopback
from imi.server.state import State

OPEN_PATHS = frozenset({"/health", "/ready"})
"""Answered without a key, so that whoever watches the server needs none; the page's files are, too."""

_SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_CSP = b"content-security-policy"


class Gate:
    """Wraps the application: keys, limits, headers, counts, a line of log a request, and no traceback ever outside."""

    def __init__(self, app: ASGIApp, state: State, log: Log) -> None:
        self._app = app
        self._state = state
        self._log = log
        # A server that began with keys, or listens beyond this machine, never opens because its keys went away.
        self._always_keys = len(state.keys) > 0 or not state.settings.loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        metrics = self._state.metrics
        passage = _Passage(send)
        start = time.perf_counter()
        metrics.in_flight += 1
        try:
            await self._answer(scope, receive, passage)
        except Exception as error:
            # The text of an exception may hold what a user wrote; where it happened does not.
            frames = traceback.extract_tb(error.__traceback__)
            self._log.error(type(error).__name__, [f"{one.filename}:{one.lineno} {one.name}" for one in frames[-8:]])
            if not passage.started:
                await _send(_internal(), scope, receive, passage)
        finally:
            metrics.in_flight -= 1
            seconds = time.perf_counter() - start
            route = _route_of(scope)
            metrics.requests.add(1, route, scope["method"] if route != "other" else "-", str(passage.status))
            metrics.seconds.add(seconds, route)
            self._log.request(scope, route, passage.status, seconds, passage.sent, passage.id)

    async def _answer(self, scope: Scope, receive: Receive, passage: _Passage) -> None:
        try:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            if self._state.metrics.in_flight > self._state.settings.limits.in_flight:
                raise overloaded("The server is answering as many requests as it can; please come again.")
            caller = self._admit(scope, headers)
            scope["imi.key"] = caller
            if scope["path"] not in OPEN_PATHS:
                name = caller.name if caller is not None else str((scope.get("client") or ("-",))[0])
                passage.add(self._state.limiter.take(name))
        except ApiError as refused:
            await _send(refused, scope, receive, passage)
            return
        await self._app(scope, receive, passage)

    def _admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Key | None:
        """Return the caller's key, None where no keys are asked for.

        Raises:
            ApiError: 401 without a key that is known, 403 for a request that a web page of elsewhere may have sent.
        """
        keys = self._state.keys
        keys.refresh()
        if not (self._always_keys or len(keys)):
            self._check_origin(headers)
            return None
        path: str = scope["path"]
        if path in OPEN_PATHS or not path.startswith(("/v1/", "/api/", "/metrics", "/openapi.json", "/docs")):
            return None
        given = headers.get(b"authorization", b"").decode("latin-1")
        scheme, _, secret = given.partition(" ")
        key = keys.find(secret.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise _unauthorized(bool(given))
        return key

    def _check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse what a page of another site could send to an open server on this machine.

        A name that was made to point at 127.0.0.1 shows in `Host`; a request that a page sent shows in `Origin`.
        """
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        named = [host] if host else []
        if origin:
            named.append(origin.partition("://")[2] or origin)
        for name in named:
            if not is_loopback(_without_port(name)):
                raise ApiError(
                    403,
                    f"This server has no keys and answers this machine alone; the request names {name[:100]!r}.",
                    code="forbidden_origin",
                )


class _Passage:
    """Sends a reply on, with the headers that all replies carry, and remembers what it was."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._extra: list[tuple[bytes, bytes]] = []
        self.id = "req_" + secrets.token_hex(12)
        self.started = False
        self.status = 499  # nothing was sent: the client has gone
        self.sent = 0

    def add(self, headers: Mapping[str, str]) -> None:
        """Have these headers sent, too."""
        self._extra += [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, message: Message) -> None:
        """Send one message."""
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            sent = message["headers"]
            own_policy = any(name == _CSP for name, _ in sent)
            message["headers"] = [
                *sent,
                *(_SAFE[:-1] if own_policy else _SAFE),
                *self._extra,
                (b"x-request-id", self.id.encode()),
            ]
        else:
            self.sent += len(message.get("body", b""))
        await self._send(message)


def require(key: Key | None, right: Right, collection: str) -> None:
    """Refuse what a caller's key does not allow; without keys everything is allowed.

    Raises:
        ApiError: 403.
    """
    if key is not None and not key.may(right, collection):
        raise ApiError(
            403,
            f"The key {key.name!r} may not {right} the collection {collection!r}.",
            code="insufficient_permissions",
        )


def _unauthorized(given: bool) -> ApiError:
    message = (
        "Incorrect API key provided."
        if given
        else "You didn't provide an API key. Provide it in an Authorization header using Bearer auth "
        "(i.e. Authorization: Bearer YOUR_KEY)."
    )
    return ApiError(401, message, code="invalid_api_key", headers={"www-authenticate": "Bearer"})


def _internal() -> ApiError:
    return ApiError(
        500, "The server had an error while processing your request.", type="server_error", code="internal_error"
    )


async def _send(error: ApiError, scope: Scope, receive: Receive, send: Any) -> None:
    await error.response()(scope, receive, send)


def _route_of(scope: Scope) -> str:
    route = scope.get("route")
    path = getattr(route, "path", None)
    return path if isinstance(path, str) else "other"


def _without_port(name: str) -> str:
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0]
