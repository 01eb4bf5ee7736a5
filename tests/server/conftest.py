"""A real server on a real port, in a thread of the test process or in a process of its own."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra `server` is not installed")

import httpx

from imi.embedders.testing import HashEmbedder
from imi.server.app import build_app, build_state
from imi.server.running import Server, configure
from imi.server.settings import Settings
from imi.server.state import State


class Watched(Server):
    """A server whose event loop can be looked at."""

    loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)


@dataclass
class Running:
    url: str
    state: State
    http: httpx.Client
    server: Any = None

    def connections(self) -> int:
        """Return how many connections the server holds."""
        return len(self.server.server_state.connections)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def raw(self, data: bytes, *, timeout: float = 10.0) -> bytes:
        """Send bytes as they are and return all that comes back until the server hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            connection.sendall(data)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
        return b"".join(parts)


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Iterator[Callable[..., Running]]:
    """Return a function that starts a server with settings, and stop all of them in the end."""
    started: list[tuple[Server, threading.Thread, httpx.Client, socket.socket]] = []

    def begin(embedders: dict[str, Any] | None = None, headers: dict[str, str] | None = None, **values: Any) -> Running:
        settings = Settings(**{"keys": tmp_path_factory.mktemp("keys") / "keys.json", "log": False, "port": 0} | values)
        state = build_state(settings, embedders or {"hash": HashEmbedder()})
        listener = socket.create_server(("127.0.0.1", 0))
        server = Watched(configure(build_app(state), settings), state)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = httpx.Client(base_url=url, headers=headers, timeout=30, verify=False)  # no certificates are loaded
        started.append((server, thread, client, listener))
        return Running(url, state, client, server)

    yield begin
    for server, _, client, _ in started:
        client.close()
        server.should_exit = True
    for _, thread, _, listener in started:
        thread.join(10)
        listener.close()


@pytest.fixture(scope="module")
def served(start) -> Running:
    """Return a server of the test embedder that also answers to the name text-embedding-3-small."""
    return start(aliases={"text-embedding-3-small": "hash", "text-embedding-ada-002": "hash"})


def error_of(response: httpx.Response) -> dict[str, Any]:
    """Return an error body after checking its shape."""
    body = response.json()
    assert set(body) == {"error"}
    assert {"message", "type", "param", "code"} <= set(body["error"])
    assert isinstance(body["error"]["message"], str)
    assert body["error"]["message"]
    assert isinstance(body["error"]["type"], str)
    assert response.headers["x-request-id"].startswith("req_")
    return body["error"]
