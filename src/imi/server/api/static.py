"""The page at / and its files: packaged, typed, and allowed to talk to this server alone."""

from __future__ import annotations

from collections.abc import Collection
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}


class Pages:
    """Serves the folder `web` of the package and the map's modules; a file of a kind not listed is not there."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, str]] = {}
        self._collect(files("imi.server") / "web", "")
        self._collect(files("imi.tasks.map_page"), "map/", (".js", ".css"))

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/", self.page, methods=["GET"]),
            Route("/web/{path:path}", self.page, methods=["GET"]),
        ]

    async def page(self, request: Request) -> Response:
        """Return one file."""
        found = self._files.get(request.path_params.get("path", "index.html"))
        if found is None:
            raise HTTPException(404)
        content, kind = found
        return Response(
            content,
            headers={"content-type": kind, "content-security-policy": POLICY, "cache-control": "no-cache"},
        )

    def _collect(self, folder: Traversable, before: str, kinds: Collection[str] = frozenset(TYPES)) -> None:
        for entry in folder.iterdir():
            name = f"{before}{entry.name}"
            suffix = "." + entry.name.rpartition(".")[2]
            if entry.is_dir():
                self._collect(entry, f"{name}/", kinds)
            elif suffix in kinds:
                self._files[name] = (entry.read_bytes(), TYPES[suffix])
