"""Reading what a client sends: never more and never longer than allowed, and only JSON that means something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from imi.server.http.responses import ApiError
from imi.server.settings import Limits

_CLOSE = {"connection": "close"}
DEEPEST = 64
"""Levels of nesting in what is kept; SQLite reads JSON to 1,000, and nobody means more than a few."""


async def read_body(request: Request, limits: Limits) -> bytes:
    """Return the whole body.

    Raises:
        ApiError: 413 when it is longer than allowed, 408 when it comes too slowly.
        ClientDisconnect: the client has gone.
    """
    announced = request.headers.get("content-length")
    if announced is not None and announced.isdigit() and int(announced) > limits.body_bytes:
        raise _too_large(limits)
    message = await _next(request, limits.stall_seconds)
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        try:
            async with asyncio.timeout(limits.body_seconds):
                body = await _rest(request, body, limits)
        except TimeoutError:
            raise _too_slow(limits.body_seconds) from None
    if len(body) > limits.body_bytes:
        raise _too_large(limits)
    return body


async def _rest(request: Request, first: bytes, limits: Limits) -> bytes:
    parts, size = [first], len(first)
    while True:
        message = await _next(request, limits.stall_seconds)
        part: bytes = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limits.body_bytes:
            raise _too_large(limits)
        if not message.get("more_body"):
            return b"".join(parts)


async def stream_body(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    """Yield the body as it comes, asking for more only when the last part was taken; so a slow reader slows its sender.

    Raises:
        ApiError: 408 when the sender falls silent.
        ClientDisconnect: the upload was cut.
    """
    while True:
        message = await _next(request, limits.stall_seconds)
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


async def _next(request: Request, seconds: float) -> Any:
    try:
        async with asyncio.timeout(seconds):
            message = await request.receive()
    except TimeoutError:
        raise _too_slow(seconds) from None
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message


def parse_json(body: bytes) -> Any:
    """Return the JSON value of a body.

    Raises:
        ApiError: 400 for what is no JSON: NaN, numbers beyond double precision, invalid UTF-8, depth beyond 1,024.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise ApiError(400, f"We could not parse the JSON body of your request: {wrong}", code="invalid_json") from None


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        ApiError: 400 for anything else.
    """
    value = parse_json(body)
    if not isinstance(value, dict):
        raise ApiError(400, f"The body must be a JSON object, it is {kind_of(value)}.", code="invalid_type")
    return value


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
