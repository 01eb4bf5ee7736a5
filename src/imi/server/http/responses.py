"""Replies: JSON written fast, and every error in the one shape that OpenAI's clients read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import orjson
from starlette.responses import Response

from imi.errors import (
    CollectionError,
    Damaged,
    DataError,
    EndpointError,
    Gone,
    ImiError,
    Locked,
    MissingExtra,
    ModelMismatch,
    NotFound,
    UsageError,
)
from imi.jsonable import jsonable

INVALID = "invalid_request_error"
_LONGEST_MESSAGE, _LONGEST_PARAM = 2000, 200
_PATH = re.compile(r"(?<![\w/:.])(?:[A-Za-z]:)?(?:[/\\][\w.@+~-]+)+[/\\]([\w.@+~-]+)")
_URL = re.compile(r"\b[a-z]{2,12}://\S+")


class ApiError(Exception):
    """A refusal: its HTTP status and the four keys of an error body."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = INVALID,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        details: Any = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = shortened(message)
        self.type = type
        self.param = None if param is None else param[:_LONGEST_PARAM]
        self.code = code
        self.headers = dict(headers or {})
        self.details = details

    def to_dict(self) -> dict[str, Any]:
        """Return the body's value: all four keys are always there, and details where there are some."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": error if self.details is None else error | {"details": self.details}}

    def body(self) -> bytes:
        """Return the reply's body."""
        return to_json(self.to_dict())

    def response(self) -> Response:
        """Return the reply."""
        return Response(self.body(), self.status, headers=self.headers, media_type="application/json")


class Json(Response):
    """A JSON reply; arrays of numpy are written as they are."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return content if isinstance(content, bytes) else to_json(content)


def to_json(value: Any) -> bytes:
    """Return a value as JSON; not-a-number becomes null."""
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except (TypeError, RecursionError):  # what it cannot write, though JSON can say it
        return json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False).encode()


def in_parts(value: Any, levels: int = 3) -> bytes:
    """Return a value as JSON, long lists and objects a part at a time: nobody else runs while one part is written.

    Args:
        value: what to write; to be called on a thread where it may be long.
        levels: of lists and objects within it that are looked at.
    """
    if not levels or not isinstance(value, dict | list | tuple) or not value:
        return to_json(value)
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            return to_json(value)
        if len(value) <= _PART:
            members = (to_json(name) + b":" + in_parts(one, levels - 1) for name, one in value.items())
            return b"{%b}" % b",".join(members)
        pairs = iter(value.items())
        return b"{%b}" % b",".join(to_json(dict(some))[1:-1] for some in _batches(pairs))
    if len(value) <= _PART and levels > 1:
        return b"[%b]" % b",".join(in_parts(one, levels - 1) for one in value)
    return b"[%b]" % b",".join(to_json(some)[1:-1] for some in _batches(iter(value)))


def _batches(items: Iterator[Any]) -> Iterator[list[Any]]:
    while some := list(islice(items, _PART)):
        yield some


_PART = 1000
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def unknown_url(method: str, path: str) -> ApiError:
    """Return the refusal of a path that is not served, in OpenAI's words."""
    return ApiError(
        404,
        f"Unknown request URL: {method} {path}. Please check the URL for typos; /openapi.json lists what is served.",
        code="unknown_url",
    )


def overloaded(message: str, seconds: int = 1) -> ApiError:
    """Return the refusal that asks a client to come again after some seconds."""
    return ApiError(503, message, type="server_error", code="overloaded", headers={"retry-after": str(seconds)})


def shortened(message: str) -> str:
    """Return a message that quotes no more of what was sent than helps."""
    if len(message) <= _LONGEST_MESSAGE:
        return message
    half = _LONGEST_MESSAGE // 2
    return f"{message[:half]} … {message[-half:]}"


def discreet(message: str, private: Mapping[str, str]) -> str:
    """Return a message without places of this machine or its network, which are nobody's business.

    Args:
        message: what the library says to who runs it.
        private: texts that must not be shown, each with its replacement.
    """
    for text in sorted(private, key=len, reverse=True):
        message = message.replace(text, private[text])
    # Shortened before it is searched: what a message quotes may be as long as a body.
    return _URL.sub("its address", _PATH.sub(r"…/\1", shortened(message)))


def internal_error() -> ApiError:
    """Return the refusal for what nobody foresaw."""
    return ApiError(
        500, "The server had an error while processing your request.", type="server_error", code="internal_error"
    )


def from_imi(error: ImiError, private: Mapping[str, str]) -> ApiError:
    """Return the refusal for an error of the library; what it says of a fix goes with it.

    Args:
        error: what the library says.
        private: texts that must not be shown, each with its replacement.
    """
    message = error.message if error.hint is None else f"{error.message} (try: {error.hint})"
    message = discreet(message, private)
    if isinstance(error, NotFound):
        return ApiError(404, discreet(error.message, private), param="id", code="document_not_found")
    if isinstance(error, UsageError):
        return ApiError(400, message)
    if isinstance(error, DataError):
        failures = [failure.to_dict() for failure in error.failures[:100]]
        return ApiError(422, message, code="bad_rows", details=failures)
    if isinstance(error, Locked):
        return ApiError(503, message, type="server_error", code="locked", headers={"retry-after": "1"})
    if isinstance(error, Damaged):
        return ApiError(500, message, type="server_error", code="damaged")
    if isinstance(error, ModelMismatch):
        return ApiError(409, message, code="model_mismatch", headers={"x-should-retry": "false"})
    if isinstance(error, MissingExtra):
        return ApiError(501, message, code="missing_extra", headers={"x-should-retry": "false"})
    if isinstance(error, EndpointError):
        return ApiError(502, message, type="server_error", code="upstream_error")
    if isinstance(error, Gone):
        return ApiError(404, "The collection was moved, deleted or replaced.", code="collection_not_found")
    if isinstance(error, CollectionError):
        return ApiError(409, message, code="collection_error", headers={"x-should-retry": "false"})
    return ApiError(400, message)
