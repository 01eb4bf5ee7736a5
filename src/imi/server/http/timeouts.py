"""The wire: uvicorn's HTTP protocol with patience that ends.

uvicorn waits for ever for the rest of a request's head and for a client that does not read its reply, takes heads of
any length, and reads on for ever where a body goes on after its answer. Here each has a limit, so that slow, greedy
or silent clients cost a connection for some seconds at most, and where there is no connection left, the one that has
been quiet for longest makes room.
"""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from imi.server.http.responses import ApiError
from imi.server.settings import Limits

HEAD_BYTES = 64 * 1024
_LOOKS = 20
"""Looks at every connection in the time for which one may be silent; what is overdue is found so much too early."""
_PROGRESS = 32 * 1024
"""Bytes that a client has to take of its reply in that time, where so many wait for it."""
_TRAILING = 1024 * 1024
"""Bytes of a body that are read and thrown away after its request was answered."""
_QUIET = 2.0
"""Seconds without a byte after which a connection may have to make room in the middle of a request."""


class Wire:
    """The connections of one server, those that were quiet for longest first."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._all: OrderedDict[Patient, None] = OrderedDict()
        self._unsent = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._all)

    def welcome(self, one: Patient) -> None:
        """Take a new connection; where there are too many, one makes room or the new one is hung up on."""
        self._all[one] = None
        if self._timer is None:
            self._timer = one.loop.call_later(self.limits.stall_seconds / _LOOKS, self._look, one.loop)
        if len(self._all) > self.limits.connections:
            now = one.loop.time()
            next((other for other in self._all if other is not one and other.may_go(now)), one).hang_up()

    def heard(self, one: Patient) -> None:
        """Note that a connection is not quiet."""
        if one in self._all:
            self._all.move_to_end(one)

    def forget(self, one: Patient) -> None:
        """Take a connection that is gone off the list."""
        self._all.pop(one, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hang up on whoever was silent for too long; and on the first of those who leave too much unread."""
        self._timer = None
        if not self._all:
            return
        now = loop.time()
        for one in [*self._all]:
            one.look(now)
        over = sum(one.unsent() for one in self._all) - self.limits.unsent_bytes
        if over > 0:
            for one in self._longest_unread():
                over -= one.unsent()
                one.hang_up()
                if over <= 0:
                    break
        self._timer = loop.call_later(self.limits.stall_seconds / _LOOKS, self._look, loop)

    def _longest_unread(self) -> Iterator[Patient]:
        waiting = [(one.unread_since, at, one) for at, one in enumerate(self._all) if one.unread_since is not None]
        return (one for _, _, one in sorted(waiting))


class Patient(HttpToolsProtocol):  # type: ignore[misc]  # untyped to us
    """One connection; `protocol_class` gives it the list of all and their limits."""

    wire: Wire
    _since: float | None = (
        None  # when the wait for a request, or the rest of its head, began; None while one is answered
    )
    _in_head = False
    _head = 0
    _trailing = 0
    _left = 0  # bytes not taken when the last progress was seen, or more that came since
    _closing: float | None = None
    _last = 0.0
    unread_since: float | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._asked: list[Any] = []  # requests that are not answered yet, and the last one
        self._since = self._last = self.loop.time()
        self.wire.welcome(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.wire.forget(self)
        super().connection_lost(exc)
        self._nobody_reads()

    def data_received(self, data: bytes) -> None:
        """Take some bytes; empty lines between requests are none, and leave the time of the wait as it is."""
        self._last = self.loop.time()
        self.wire.heard(self)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Give the head of a request its time."""
        super().on_message_begin()
        self._head = 0
        self._in_head = True
        self._since = self._last

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
        self._in_head = False
        self._since = None
        self._trailing = 0
        super().on_headers_complete()
        self._asked = [one for one in self._asked if not one.response_complete]
        self._asked.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Take a part of a body; of one that was answered already only so much."""
        if self.cycle.response_complete:
            self._trailing += len(body)
            if self._trailing > _TRAILING:
                self.hang_up()
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, or for the end of this one."""
        super().on_response_complete()
        if not self.pipeline:
            self._since = self.loop.time()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        self._refuse(ApiError(400, msg, code="invalid_http"))

    def look(self, now: float) -> None:
        """Hang up where the other side was silent for too long."""
        limits = self.wire.limits
        # The next look comes too late for what would be overdue by then.
        patience = limits.stall_seconds * (1 - 1 / _LOOKS)
        unsent = self.unsent() + self._unacknowledged()
        if unsent == 0:
            self.unread_since = None
        elif self.unread_since is None or unsent <= self._left - _PROGRESS:
            self.unread_since, self._left = now, unsent
        elif now - self.unread_since >= patience:
            self.hang_up()
            return
        else:
            self._left = max(self._left, unsent)
        if self.transport.is_closing():
            # What is not taken within the time is thrown away, and with it what was written after the last look.
            self._closing = self._closing or now
            if now - self._closing >= patience and unsent:
                self.hang_up()
        elif self._since is not None and (self.cycle is None or self.cycle.response_complete):
            self._look_at_wait(now - self._since, patience)

    def _look_at_wait(self, waited: float, patience: float) -> None:
        """Give up on a head that does not end, on a connection that never asked, and on one that asks no more."""
        if self._in_head and waited >= patience:
            self._refuse(ApiError(408, "The head of the request did not arrive in time.", code="request_timeout"))
        elif waited >= (patience if self.cycle is None else self.wire.limits.idle_seconds):
            self.transport.close()

    def unsent(self) -> int:
        """Return the bytes of replies that the other side has not taken yet."""
        return 0 if self.transport is None else int(self.transport.get_write_buffer_size())

    def _unacknowledged(self) -> int:
        """Return the bytes that the system holds because the other side takes no more; 0 where it does not say."""
        if sys.platform != "linux":
            return 0
        import fcntl
        import termios

        with suppress(OSError, ValueError, AttributeError):
            number = self.transport.get_extra_info("socket").fileno()
            return int.from_bytes(fcntl.ioctl(number, termios.TIOCOUTQ, b"\0\0\0\0"), sys.byteorder)
        return 0

    def may_go(self, now: float) -> bool:
        """Return whether this connection is idle, does not read, or has fallen silent in the middle of a request."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or self.flow.write_paused or self.transport.is_closing():
            return True
        return bool(cycle.more_body) and now - self._last > _QUIET

    def hang_up(self) -> None:
        """End the connection at once, whatever was still to be sent."""
        self.wire.forget(self)
        self.transport.abort()
        self._nobody_reads()

    def _nobody_reads(self) -> None:
        """Let what is answered just now end in silence; uvicorn says so to the request that came last alone."""
        for one in self._asked:
            if not one.response_complete:
                one.disconnected = True
                one.message_event.set()

    def _measure(self, size: int) -> None:
        self._head += size
        if self._head > HEAD_BYTES:
            raise ValueError(f"the head of the request is longer than {HEAD_BYTES} bytes")

    def _refuse(self, error: ApiError) -> None:
        if self.transport.is_closing():
            return
        body = error.body()
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[error.status] + head + body)
        self.transport.close()
        self._nobody_reads()


def protocol_class(limits: Limits) -> type[asyncio.Protocol]:
    """Return the protocol for `uvicorn.Config(http=…)`."""
    return type("Patient", (Patient,), {"wire": Wire(limits)})
