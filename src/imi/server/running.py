"""Running a server: what it may listen on, and how it starts and stops."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable
from dataclasses import replace

import uvicorn
from starlette.types import ASGIApp

from imi.errors import UsageError
from imi.server.app import build_app, build_state
from imi.server.http.keys import Keys
from imi.server.http.timeouts import protocol_class
from imi.server.settings import Limits, Settings
from imi.server.state import State


def check_exposure(settings: Settings) -> None:
    """Refuse to listen beyond this machine while anybody could use the server.

    Raises:
        UsageError: the host is not this machine's own and there is no key.
    """
    if not settings.loopback and not len(Keys(settings.keys_file)):
        raise UsageError(
            f"the host {settings.host!r} can be reached from other machines, and there is no key",
            hint="imi keys add NAME makes one; or leave --host out to serve this machine alone",
        )


def configure(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """Return how uvicorn runs the application."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=protocol_class(settings.limits),
        loop="auto",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(settings.limits.idle_seconds) or 1,
        timeout_graceful_shutdown=30,
    )


def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Listen until the process is asked to stop; requests in progress are answered first.

    Args:
        settings: what to serve and where.
        on_ready: called with the address once the server listens.

    Raises:
        ImiError: something cannot be opened, or the address cannot be had.
    """
    check_exposure(settings)
    settings = replace(settings, limits=within_files(settings.limits, open_files()))
    listener = _listen(settings)
    try:
        state = build_state(settings)
        # What is loaded now stays: the collector of garbage need not look at it again, which would hold everybody up.
        gc.collect()
        gc.freeze()
        where = address(settings, listener)
        Server(configure(build_app(state), settings), state, lambda: on_ready(where)).run(sockets=[listener])
    finally:
        listener.close()


def open_files() -> int:
    """Return how many files this process may open, after asking for as many as the system allows it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return _MOST_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return most
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (ValueError, OSError):
        return soft
    return most


_MOST_FILES = 65_536


def within_files(limits: Limits, files: int) -> Limits:
    """Return limits that leave room among the files of a process for everything that needs one."""
    own = min(160, files // 4)  # models, logs, connections to a language model
    collections = max(1, min(limits.collections, (files - own) // 2 // limits.files_each))
    connections = max(8, min(limits.connections, files - own - collections * limits.files_each))
    return replace(limits, collections=collections, connections=connections)


class Server(uvicorn.Server):  # type: ignore[misc]  # untyped to us
    """uvicorn's server, which says when it listens, and tells long uploads when it is to stop."""

    def __init__(self, config: uvicorn.Config, state: State, on_ready: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._state = state
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing new, and answer what is under way."""
        self._state.stopping = True
        await super().shutdown(sockets)


def _listen(settings: Settings) -> socket.socket:
    """Bind before the model is loaded, so that a port in use is reported at once."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, where = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
    except OSError as taken:
        raise UsageError(
            f"cannot listen on {settings.host}:{settings.port}: {taken.strerror or taken}",
            hint="choose another with --port; --port 0 takes a free one",
        ) from taken
    listener.set_inheritable(True)
    return listener


def address(settings: Settings, listener: socket.socket) -> str:
    """Return the URL at which a browser on this machine finds the server."""
    port = listener.getsockname()[1]
    host = settings.host
    if host in ("0.0.0.0", "::"):  # noqa: S104  read, not listened on: a browser finds it on this machine
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
