"""The log: one JSON object a line on standard error, and never a word of what users write or ask."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

import orjson
from starlette.types import Scope


class Log:
    """Writes log lines; where silenced, only errors."""

    def __init__(self, out: TextIO | None = None, *, requests: bool = True) -> None:
        self._out = out or sys.stderr
        self._requests = requests

    def event(self, name: str, **values: Any) -> None:
        """Write down that something happened to the server."""
        if self._requests:
            self._write("info", name, values)

    def error(self, name: str, where: list[str]) -> None:
        """Write down an error that no client's request should have caused: its kind and where it happened."""
        self._write("error", "error", {"kind": name, "where": where})

    def request(self, scope: Scope, route: str, status: int, seconds: float, size: int, id: str) -> None:
        """Write down one request; its route instead of its path, which may hold a document's id."""
        if not self._requests:
            return
        key = scope.get("imi.key")
        self._write(
            "info",
            "request",
            {
                "id": id,
                "method": scope["method"][:16],
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 3),
                "bytes": size,
                "client": (scope.get("client") or (None,))[0],
                "key": key.name if key is not None else None,
            },
        )

    def _write(self, level: str, event: str, values: dict[str, Any]) -> None:
        line = {"time": round(time.time(), 3), "level": level, "event": event} | values
        self._out.write(orjson.dumps(line).decode() + "\n")
        if level == "error":
            self._out.flush()
