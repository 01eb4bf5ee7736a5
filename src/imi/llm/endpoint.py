"""Requests to one OpenAI-compatible endpoint: keys, time-outs, retries with jitter, Retry-After, server-sent events."""

from __future__ import annotations

import json
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from imi.errors import MissingExtra, UsageError
from imi.llm.names import public_url
from imi.llm.replies import Refusal, refusal

if TYPE_CHECKING:
    import httpx

Read = TypeVar("Read")
OFFICIAL = "https://api.openai.com/v1"
LONGEST_WAIT = 120.0
"""Seconds; an endpoint that asks for more is given up, and the caller learns how long it wants."""


def split_name(name: str) -> tuple[str, str]:
    """Return model and base URL of `MODEL[@URL]`; without a URL that of OPENAI_BASE_URL, else the official one.

    Raises:
        UsageError: no model is named, or the URL is none.
    """
    model, at, url = name.partition("@http")
    url = f"http{url}" if at else os.environ.get("OPENAI_BASE_URL") or OFFICIAL
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not model or not usable:
        # What cannot be read may hold a password: it is not repeated.
        raise UsageError(
            f"{model!r} with a URL that cannot be read names no model and URL" if at else f"{name!r} names no model",
            hint="MODEL, or MODEL@http://localhost:8080/v1; special characters of a password as %XX",
        )
    return model, url.rstrip("/")


def is_configured(url: str) -> bool:
    """Whether a base URL is OpenAI's own or that of OPENAI_BASE_URL, which get the key whoever names them."""
    return url.rstrip("/") in (OFFICIAL, (os.environ.get("OPENAI_BASE_URL") or OFFICIAL).rstrip("/"))


class Endpoint:
    """One base URL with its key; safe to share between threads."""

    def __init__(
        self, url: str, *, key: str | None = None, timeout: float = 60.0, retries: int = 5, first_wait: float = 0.5
    ) -> None:
        """Set up; nothing is sent yet.

        Args:
            url: the base, such as http://localhost:8080/v1.
            key: the bearer key; None for OPENAI_API_KEY, an empty text for none at all.
            timeout: seconds without a byte after which a try is given up.
            retries: how often a try is repeated after 408, 409, 429, 5xx, a cut or no connection.
            first_wait: seconds before the first repetition; doubled each time up to 8, with jitter.

        Raises:
            MissingExtra: httpx is not installed.
            UsageError: the official endpoint, and no key.
        """
        try:
            import httpx
        except ImportError as missing:
            raise MissingExtra("httpx", "remote") from missing
        self.url = public_url(url)
        parts = urlsplit(url)
        self._query = f"?{parts.query}" if parts.query else ""
        user, _, password = parts.netloc.rpartition("@")[0].partition(":")
        key = os.environ.get("OPENAI_API_KEY") if key is None else key
        if not key and self.url == OFFICIAL:
            raise UsageError(
                "OPENAI_API_KEY is not set", hint="export OPENAI_API_KEY=…, or name another endpoint: @URL"
            )
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            auth=(unquote(user), unquote(password)) if user or password else None,
            timeout=httpx.Timeout(timeout, connect=min(10.0, timeout)),
            limits=httpx.Limits(max_connections=64),
        )
        # Nobody closes a model: its connections end with it.
        weakref.finalize(self, self._client.close)
        self._retries, self._first_wait = retries, first_wait

    def __repr__(self) -> str:
        return f"<Endpoint {self.url}>"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def post(
        self, path: str, body: Mapping[str, Any], read: Callable[[Any], Read], stopped: threading.Event | None = None
    ) -> Read:
        """Send JSON and return what `read` makes of the reply's JSON value.

        Args:
            path: below the base URL.
            body: what to send.
            read: takes the value apart and checks it; a `Refusal` from it is tried again like one from the server.
            stopped: once set, nothing is tried again and no wait goes on.

        Raises:
            EndpointError: no usable reply after all tries; its status is None where none came at all.
        """
        attempt = 0
        while True:
            try:
                with self._reply(path, body) as reply:
                    return read(_decoded(self._at(path), reply.read()))
            except Refusal as error:
                self._wait_or_raise(error, attempt, stopped or threading.Event())
            attempt += 1

    def stream(self, path: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Send JSON and yield the JSON values of the server-sent events of the reply, as they come.

        A try is repeated only while nothing was yielded: what a reader has seen is not said twice.

        Raises:
            EndpointError: no usable reply, or one that broke off.
        """
        attempt = 0
        while True:
            begun = False
            try:
                with self._reply(path, body) as reply:
                    for event in _events(self._at(path), reply):
                        begun = True
                        yield event
                return
            except Refusal as error:
                if begun:
                    raise
                self._wait_or_raise(error, attempt, threading.Event())
            attempt += 1

    @contextmanager
    def _reply(self, path: str, body: Mapping[str, Any]) -> Iterator[httpx.Response]:
        import httpx

        url = self._at(path)
        content, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        try:
            with self._client.stream("POST", url + self._query, content=content, headers=headers) as reply:
                if not reply.is_success:
                    answer = reply.headers
                    should_retry = answer.get("x-should-retry")
                    raise refusal(url, reply.status_code, reply.read(), retry_after(answer), should_retry)
                yield reply
        except httpx.InvalidURL as wrong:
            raise UsageError(f"the URL {url!r} cannot be used: {wrong}") from wrong
        except httpx.TimeoutException as slow:
            raise Refusal(f"{url} did not answer in time ({type(slow).__name__})", again=True) from slow
        except httpx.TransportError as broken:
            what = str(broken) or type(broken).__name__
            raise Refusal(
                f"{url}: {what}", hint="check that the server runs and that the URL is right", again=True
            ) from broken

    def _at(self, path: str) -> str:
        return f"{self.url.partition('?')[0]}/{path.lstrip('/')}"

    def _wait_or_raise(self, error: Refusal, attempt: int, stopped: threading.Event) -> None:
        if not error.again or attempt >= self._retries or stopped.is_set():
            raise error
        wait = error.retry_after
        if wait is not None and wait > LONGEST_WAIT:
            raise error
        if wait is None:
            # Full doubling with a quarter of jitter, so that many clients do not come back at the same moment.
            wait = min(8.0, self._first_wait * 2**attempt) * (1 - 0.25 * random.random())  # noqa: S311  nobody guards it
        if stopped.wait(wait):
            raise error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a reply asks to wait: retry-after-ms, or Retry-After as seconds or as a date."""
    from email.utils import parsedate_to_datetime

    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        text = headers.get("retry-after")
        if text is None:
            return None
        if text.strip().replace(".", "", 1).isdigit():
            return float(text)
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _decoded(url: str, raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError as wrong:
        raise Refusal(f"{url} sent what is not JSON: {raw[:80]!r}", status=200, again=True) from wrong


def _events(url: str, reply: httpx.Response) -> Iterator[dict[str, Any]]:
    ended = False
    for line in reply.iter_lines():
        if not line.startswith("data:"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            ended = True
            break
        try:
            value = json.loads(data)
        except ValueError as wrong:
            raise Refusal(f"{url} sent an event that is not JSON: {data[:80]!r}", status=200, again=True) from wrong
        if isinstance(value, dict):
            if isinstance(value.get("error"), dict):
                raise refusal(url, 200, data.encode())
            ended = ended or _is_last(value)
            yield value
    if not ended:
        raise Refusal(f"{url} broke off in the middle of its answer", status=200, again=True)


def _is_last(event: Mapping[str, Any]) -> bool:
    """Whether an event ends a chat answer or a response, for servers that do not send [DONE]."""
    choices = event.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0].get("finish_reason") is not None
    return event.get("type") in ("response.completed", "response.incomplete")
