"""The gate: what every request passes first and last. Who is asking, may they, how often, and how did it end."""

from __future__ import annotations

import secrets
import time
import traceback
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imi.server.http.keys import Key, Right
from imi.server.http.logs import Log
from imi.server.http.request_body import BODIES
from imi.server.http.responses import ApiError, internal_error, overloaded
from imi.server.settings import is_loopback
from imi.server.state import State

OPEN_PATHS = frozenset({"/health", "/ready"})
"""Answered without a key, so that whoever watches the server needs none; the page's files are, too."""
_VISITED = frozenset({"/", "/docs"})
"""Pages that a link anywhere may lead to: a browser that goes there shows them and does nothing else."""
_KEYED = ("/v1/", "/api/", "/metrics", "/openapi.json", "/docs")
_ONCE = frozenset({b"host", b"origin", b"authorization", b"content-type", b"content-length", b"sec-fetch-site"})
"""Headers that mean something here, which two readers of a request could read differently if they came twice."""
_EXPOSED = (
    "x-request-id",
    "x-imi-model",
    "x-imi-fingerprint",
    "retry-after",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
)

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
        self._always_keys = state.keys.asked or not state.settings.loopback
        self._cors = frozenset(state.settings.cors)
        self._shared = CORSMiddleware(
            self._answer,
            allow_origins=sorted(self._cors),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=_EXPOSED,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = self._state
        metrics = state.metrics
        passage = _Passage(send, state)
        scope["imi.passage"] = passage
        scope[BODIES] = state.bodies
        start = time.perf_counter()
        metrics.in_flight += 1
        state.busy += 1
        state.begun += 1
        try:
            if self._cors and _header(scope, b"origin") in self._cors:
                await self._shared(scope, receive, passage)
            else:
                await self._answer(scope, receive, passage)
        except Exception as error:
            # The text of an exception may hold what a user wrote; where it happened does not.
            frames = traceback.extract_tb(error.__traceback__)
            self._log.error(type(error).__name__, [f"{one.filename}:{one.lineno} {one.name}" for one in frames[-8:]])
            if not passage.started:
                await _send(internal_error(), scope, receive, passage)
        finally:
            passage.answered()
            state.bodies.release(scope)
            metrics.in_flight -= 1
            seconds = time.perf_counter() - start
            route = _route_of(scope)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics.requests.add(1, route, method if route != "other" else "-", str(passage.status))
            metrics.seconds.add(seconds, route)
            self._log.request(scope, route, passage.status, seconds, passage.sent, passage.id)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            if len(headers) != len(scope["headers"]):
                _check_once(scope["headers"])
            if self._state.busy > self._state.settings.limits.in_flight and scope["path"] not in OPEN_PATHS:
                raise overloaded("The server is answering as many requests as it can; please come again.")
            caller = self._admit(scope, headers)
            scope["imi.key"] = caller
            if scope["path"] not in OPEN_PATHS:
                name = caller.name if caller is not None else str((scope.get("client") or ("-",))[0])
                scope["imi.passage"].add(self._state.limiter.take(name))
        except ApiError as refused:
            await _send(refused, scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Key | None:
        """Return the caller's key, None where no keys are asked for.

        Raises:
            ApiError: 401 without a key that is known, 403 for a request that a web page of elsewhere may have sent,
                503 while the file of keys cannot be read.
        """
        keys = self._state.keys
        keys.refresh()
        path: str = scope["path"]
        keyed = self._always_keys or keys.asked
        if not keyed or self._state.settings.token is not None:
            _check_host(headers)
        if path not in OPEN_PATHS:
            self._check_origin(scope, headers, keyed)
        if not keyed or not path.startswith(_KEYED):
            return None
        if keys.broken:
            raise ApiError(
                503, "The server's file of keys cannot be read, so no key is good; its operator has to mend it.",
                type="server_error", code="keys_unreadable", headers={"retry-after": "60"},
            )  # fmt: skip
        given = headers.get(b"authorization", b"").decode("latin-1")
        scheme, _, secret = given.partition(" ")
        if not given and self._state.settings.token is not None:
            secret, scheme = _token_in(scope), "bearer"
        key = keys.find(secret.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise _unauthorized(bool(given))
        return key

    def _check_origin(self, scope: Scope, headers: Mapping[bytes, bytes], keyed: bool) -> None:
        """Refuse what a page of another origin sends, another port of this machine included, unless it is allowed.

        A browser says in `Sec-Fetch-Site` how a request came about, which no page can change, and in `Origin` which
        page sent it. Programs that are not browsers send neither.

        Raises:
            ApiError: 403.
        """
        site = headers.get(b"sec-fetch-site")
        origin = headers.get(b"origin")
        if site is None and origin is None:
            return
        if origin is not None and origin.decode("latin-1") in self._cors:
            return
        foreign = site is not None and site not in (b"same-origin", b"none")
        if foreign and origin is None and _is_visit(scope, headers):
            return
        if origin is not None and not foreign:
            # Behind a proxy Host may name the proxy's target; there the browser's word and a key are enough.
            result = site == b"same-origin" and keyed
            foreign = not result and not _same_origin(origin, headers.get(b"host", b""))
        if foreign:
            named = repr(origin.decode("latin-1")[:100]) if origin is not None else "another site"
            raise ApiError(
                403,
                f"A page of {named} may not use this server; imi serve --cors ORIGIN allows one.",
                code="forbidden_origin",
            )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _check_once(headers: Iterable[tuple[bytes, bytes]]) -> None:
    seen = set()
    for name, _ in headers:
        if name in _ONCE and name in seen:
            raise ApiError(400, f"The header {name.decode('ascii')} was sent twice.", code="invalid_http")
        seen.add(name)


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for one, value in scope["headers"] if one == name), "")


def _token_in(scope: Scope) -> str:
    """Return the token of an address as `imi browse` prints it."""
    query: bytes = scope["query_string"]
    return parse_qs(query.decode("latin-1")).get("token", [""])[0]


def _check_host(headers: Mapping[bytes, bytes]) -> None:
    """Refuse a name that was made to point at 127.0.0.1, which shows in `Host`; an open server has its own names only.

    Raises:
        ApiError: 403.
    """
    host = headers.get(b"host", b"").decode("latin-1")
    if host and not is_loopback(_without_port(host)):
        raise ApiError(
            403,
            f"This server has no keys and answers this machine alone; the request names {host[:100]!r}.",
            code="forbidden_origin",
        )


def _is_visit(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a browser goes to the page itself, by a link or a bookmark."""
    return (
        scope["method"] in ("GET", "HEAD")
        and scope["path"] in _VISITED
        and headers.get(b"sec-fetch-mode") == b"navigate"
        and headers.get(b"sec-fetch-dest", b"document") == b"document"
    )


def _same_origin(origin: bytes, host: bytes) -> bool:
    """Return whether an origin is that of the server as the request names it."""
    scheme, found, place = origin.lower().partition(b"://")
    if not found or scheme not in (b"http", b"https") or not host:
        return False
    port = b":80" if scheme == b"http" else b":443"
    return place.removesuffix(port) == host.lower().removesuffix(port)


class _Passage:
    """Sends a reply on, with the headers that all replies carry, and remembers what it was."""

    def __init__(self, send: Send, state: State) -> None:
        self._send = send
        self._state = state
        self._busy = True
        self._extra: list[tuple[bytes, bytes]] = []
        self.id = "req_" + secrets.token_hex(12)
        self.started = False
        self.status = 499  # nothing was sent: the client has gone
        self.sent = 0

    def add(self, headers: Mapping[str, str]) -> None:
        """Have these headers sent, too."""
        self._extra += [(name.encode(), value.encode()) for name, value in headers.items()]

    def answered(self) -> None:
        """Count the request as worked on no more: from here on it waits for its reader alone."""
        if self._busy:
            self._busy = False
            self._state.busy -= 1

    async def __call__(self, message: Message) -> None:
        """Send one message."""
        if message["type"] == "http.response.start":
            self.answered()
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


def require_llm(key: Key | None) -> None:
    """Refuse what would cost the language model's owner something, unless the caller's key allows it.

    Raises:
        ApiError: 403.
    """
    if key is not None and not key.llm:
        raise ApiError(
            403,
            f"The key {key.name!r} may not use the language model; imi keys add NAME --llm makes one that may.",
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
