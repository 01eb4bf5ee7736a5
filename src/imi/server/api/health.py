"""What watches a server: /health, /ready and /metrics."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from imi._version import __version__
from imi.server.http.metrics import CONTENT_TYPE
from imi.server.http.responses import Json
from imi.server.state import State


class Health:
    """Answers whether the process lives, whether it takes work, and what it has done."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def health(self, request: Request) -> Response:
        """Answer while the process lives."""
        return Json({"status": "ok", "version": __version__})

    async def ready(self, request: Request) -> Response:
        """Answer 200 while requests are welcome, 503 while the server stops."""
        if self._state.stopping:
            return Json({"status": "stopping"}, status_code=503, headers={"retry-after": "5"})
        return Json({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """Answer in Prometheus' text format; a key learns of no collection that it may not read."""
        key = request.scope["imi.key"]
        text = self._state.metrics.exposition(lambda name: key is None or key.may("read", name))
        return Response(text, media_type=CONTENT_TYPE)


def health_routes(state: State) -> list[Route]:
    """Return the three routes."""
    health = Health(state)
    return [
        Route("/health", health.health, methods=["GET"]),
        Route("/ready", health.ready, methods=["GET"]),
        Route("/metrics", health.metrics, methods=["GET"]),
    ]
