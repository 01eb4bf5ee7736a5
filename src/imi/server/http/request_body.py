"""Reading what a client sends: never more and never longer than allowed, and only JSON that means something."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from imi.server.http.responses import ApiError, overloaded
from imi.server.settings import Limits

_CLOSE = {"connection": "close"}
BODIES = "imi.bodies"
"""Where a request's scope holds the `Bodies` of its server."""
_HELD = "imi.held"
LONG = 64 * 1024
"""Bytes from which on a body is read on a thread."""
MOST_VALUES, MOST_NAMES, MOST_GROUPS = 1_000_000, 200_000, 100_000
_MARKS = (b",", b":", b"[", b"{")
_GRACE = 1.0
"""Seconds that a body has before it may be given up for another."""
DEEPEST = 64
"""Levels of nesting in what is kept; SQLite reads JSON to 1,000, and nobody means more than a few."""


class Arriving:
    """One body on its way, counted inside its block."""

    __slots__ = ("_all", "began", "size", "wait")

    def __init__(self, all_: set[Arriving]) -> None:
        self._all = all_
        self.began = time.monotonic()
        self.size = 0
        self.wait: asyncio.Timeout | None = None  # for its next part

    def __enter__(self) -> Arriving:
        self._all.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._all.discard(self)

    def pace(self, now: float) -> float:
        """Return its bytes a second."""
        return self.size / max(now - self.began, 1e-3)


class Bodies:
    """All request bodies that one server holds: limited in number and in bytes."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._arriving: set[Arriving] = set()
        self.held = 0

    def __len__(self) -> int:
        return len(self._arriving)

    def arriving(self, announced: int) -> Arriving:
        """Return what counts a body while it arrives; where there are too many, the slowest of the others is given up.

        Raises:
            ApiError: 503 when there is no room.
        """
        if self.held + announced > self._limits.held_bytes:
            raise self._full()
        if len(self._arriving) >= self._limits.receiving and not self._give_up_one():
            raise self._full()
        return Arriving(self._arriving)

    def _give_up_one(self) -> bool:
        now = time.monotonic()
        slow = [one for one in self._arriving if one.wait is not None and now - one.began > _GRACE]
        if not slow:
            return False
        slowest = min(slow, key=lambda one: one.pace(now))
        if slowest.wait is not None and not slowest.wait.expired():
            slowest.wait.reschedule(0)
        self._arriving.discard(slowest)
        return True

    def hold(self, scope: Scope, size: int) -> None:
        """Count bytes until the request is answered.

        Raises:
            ApiError: 503 when they are more than there is room for.
        """
        self.held += size
        scope[_HELD] = scope.get(_HELD, 0) + size
        if self.held > self._limits.held_bytes:
            raise self._full()

    def release(self, scope: Scope) -> None:
        """Count a request's bytes no more."""
        self.held -= scope.pop(_HELD, 0)

    @staticmethod
    def _full() -> ApiError:
        refused = overloaded("The server is receiving as much as it can; please come again.")
        refused.headers |= _CLOSE
        return refused


_JSON = "application/json"


def check_json_type(request: Request) -> None:
    """Refuse a body of another type than JSON, which a page of another site can send without asking first.

    Raises:
        ApiError: 415.
    """
    kind = _type_of(request)
    if kind != _JSON:
        raise unsupported(kind, _JSON)


def _type_of(request: Request) -> str:
    for name, value in request.scope["headers"]:
        if name == b"content-type":
            kind: str = value.decode("latin-1")
            return kind if kind == _JSON else kind.partition(";")[0].strip().lower()
    return ""


async def read_object(request: Request, limits: Limits) -> dict[str, Any]:
    """Return the JSON object of a request's body.

    Raises:
        ApiError: it has another type, is too long, too slow, or not a JSON object.
    """
    kind = _type_of(request)
    if kind and kind != _JSON:
        raise unsupported(kind, _JSON)
    value = await parsed(await read_body(request, limits))
    if not isinstance(value, dict):
        raise ApiError(400, f"The body must be a JSON object, it is {kind_of(value)}.", code="invalid_type")
    if not kind:  # said last: something else may be wrong with the body
        raise unsupported(kind, _JSON)
    return value


def unsupported(given: str, wanted: str) -> ApiError:
    """Return the refusal of a content type."""
    return ApiError(
        415,
        f"The content type is {given[:100]!r}, it must be {wanted}.",
        code="unsupported_media_type",
        headers=_CLOSE,
    )


async def read_body(request: Request, limits: Limits) -> bytes:
    """Return the whole body.

    Raises:
        ApiError: 413 when it is longer than allowed, 408 when it comes too slowly, 503 when there is no room for it.
        ClientDisconnect: the client has gone.
    """
    bodies: Bodies = request.scope[BODIES]
    announced = _announced(request)
    if announced > limits.body_bytes:
        raise _too_large(limits)
    with bodies.arriving(announced) as one:
        message = await _next(request, limits.stall_seconds, one)
        body: bytes = message.get("body", b"")
        bodies.hold(request.scope, len(body))
        if message.get("more_body"):
            try:
                async with asyncio.timeout(limits.body_seconds):
                    body = await _rest(request, body, limits, one)
            except TimeoutError:
                raise _too_slow(limits.body_seconds) from None
    if len(body) > limits.body_bytes:
        raise _too_large(limits)
    return body


async def _rest(request: Request, first: bytes, limits: Limits, one: Arriving) -> bytes:
    bodies: Bodies = request.scope[BODIES]
    body = bytearray(first)
    while True:
        message = await _next(request, limits.stall_seconds, one)
        part: bytes = message.get("body", b"")
        body += part
        bodies.hold(request.scope, len(part))
        if len(body) > limits.body_bytes:
            raise _too_large(limits)
        if not message.get("more_body"):
            return bytes(body)


async def stream_body(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    """Yield the body as it comes, asking for more only when the last part was taken; so a slow reader slows its sender.

    Raises:
        ApiError: 408 when the sender falls silent, 503 when too many send.
        ClientDisconnect: the upload was cut.
    """
    bodies: Bodies = request.scope[BODIES]
    with bodies.arriving(0) as one:
        while True:
            message = await _next(request, limits.stall_seconds, one)
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                return


def _announced(request: Request) -> int:
    announced = request.headers.get("content-length", "")
    # Python reads no number of more than some thousand digits; a body of twenty digits is too long in any case.
    return int(announced[:20]) if announced.isascii() and announced.isdigit() else 0


async def _next(request: Request, seconds: float, one: Arriving) -> Any:
    try:
        async with asyncio.timeout(seconds) as one.wait:
            message = await request.receive()
    except TimeoutError:
        raise _too_slow(seconds) from None
    finally:
        one.wait = None
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    one.size += len(message.get("body", b""))
    return message


def parse_json(body: bytes) -> Any:
    """Return the JSON value of a body.

    Raises:
        ApiError: 400 for what is not JSON: NaN, numbers beyond double precision, invalid UTF-8, depth beyond 1,024.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise ApiError(400, f"We could not parse the JSON body of your request: {wrong}", code="invalid_json") from None


def is_long(request: Request) -> bool:
    """Return whether the body that was read is long enough to be worked on by a thread."""
    return bool(request.scope.get(_HELD, 0) > LONG)


async def parsed(body: bytes) -> Any:
    """Return the JSON value of a body; a long one is read on a thread, and only if it has not too many values.

    Raises:
        ApiError: 400 for what is not JSON, 413 for more values than can be read without holding up others.
    """
    if len(body) <= LONG:
        return parse_json(body)
    return await asyncio.to_thread(_parse_long, body)


def _parse_long(body: bytes) -> Any:
    check_values(body)
    return parse_json(body)


def check_values(body: bytes) -> None:
    """Refuse JSON with too many values: reading it would hold the interpreter for long.

    Raises:
        ApiError: 413.
    """
    # Commas and brackets inside texts are counted, too, at first: that is quick, and nearly always few enough.
    if _within(*(body.count(mark) for mark in _MARKS)):
        return
    if not _within(*_marks_outside_texts(body)):
        raise ApiError(
            413,
            f"The body holds more than {MOST_VALUES:,} values, {MOST_NAMES:,} names, or {MOST_GROUPS:,} lists and "
            "objects; send it in parts.",
            code="request_too_large",
        )


def _within(commas: int, colons: int, lists: int, objects: int) -> bool:
    return commas <= MOST_VALUES and colons <= MOST_NAMES and lists + objects <= MOST_GROUPS


def _marks_outside_texts(body: bytes) -> list[int]:
    """Count commas, colons and opening brackets outside of texts, by numpy, which lets other threads run meanwhile."""
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    characters = np.frombuffer(plain, np.uint8)
    outside = np.cumsum(characters == ord('"'), dtype=np.int64) % 2 == 0
    return [int(np.count_nonzero(outside & (characters == ord(mark)))) for mark in _MARKS]


def too_deep(value: Any, levels: int = DEEPEST) -> bool:
    """Return whether a JSON value is nested deeper than `levels`."""
    at = [value]
    for _ in range(levels):
        at = [
            inner
            for outer in at
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not at:
            return False
    return True


def kind_of(value: Any) -> str:
    """Return what a JSON value is, as a message says it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names = {str: "a string", int: "an integer", float: "a decimal number", list: "an array", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def _too_large(limits: Limits) -> ApiError:
    return ApiError(
        413,
        f"The request body is larger than {limits.body_bytes} bytes.",
        code="request_too_large",
        headers=_CLOSE,
    )


def _too_slow(seconds: float) -> ApiError:
    return ApiError(
        408,
        f"The request body did not arrive within {seconds:g} seconds.",
        code="request_timeout",
        headers=_CLOSE | {"x-should-retry": "false"},
    )
