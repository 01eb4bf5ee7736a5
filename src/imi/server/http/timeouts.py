"""The wire: uvicorn's HTTP protocol with patience that ends.

uvicorn waits for ever for the rest of a request's head and for a client that does not read its reply, and takes
heads of any length. Here each has a limit, so that slow or greedy clients cost a connection for some seconds at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from imi.server.http.responses import ApiError
from imi.server.settings import Limits

HEAD_BYTES = 64 * 1024


class Patient(HttpToolsProtocol):  # type: ignore[misc]  # untyped to us
    """One connection; `protocol_class` sets its limits."""

    limits = Limits()
    _timer: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request, or hang up where there are too many connections."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        self._wait(transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Give the head of a request its time."""
        super().on_message_begin()
        self._head = 0
        self._wait(self._give_up)

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        super().on_url(url)
        self._measure(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        super().on_header(name, value)
        self._measure(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """Hand the request to the application."""
        self._stop_waiting()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """Give a client that does not read its reply some time, then hang up."""
        super().pause_writing()
        self._wait(self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        self._stop_waiting()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(ApiError(400, msg, code="invalid_http"))

    def _measure(self, size: int) -> None:
        self._head += size
        if self._head > HEAD_BYTES:
            raise ValueError(f"the head of the request is longer than {HEAD_BYTES} bytes")

    def _give_up(self) -> None:
        self._refuse(ApiError(408, "The head of the request did not arrive in time.", code="request_timeout"))

    def _refuse(self, error: ApiError) -> None:
        if self.transport.is_closing():
            return
        body = error.body()
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[error.status] + head + body)
        self.transport.close()

    def _wait(self, then: Callable[[], None]) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(self.limits.stall_seconds, then)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def protocol_class(limits: Limits) -> type[asyncio.Protocol]:
    """Return the protocol for `uvicorn.Config(http=…)`."""
    return type("Patient", (Patient,), {"limits": limits})
