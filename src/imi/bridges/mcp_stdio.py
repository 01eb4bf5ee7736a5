"""The Model Context Protocol on standard input and output, with an answer to each request, whatever it holds.

The SDK's reader drops what it cannot read, a text cut inside an emoji or values nested two hundred deep, without a
word, and the agent waits for its answer. Here such lines are mended, or refused with their id.
"""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from typing import Any, BinaryIO, TextIO

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server
from mcp.types import JSONRPCNotification, jsonrpc_message_adapter


async def converse(server: MCPServer[Any]) -> None:
    """Answer on standard input and output until the client closes them, every message that asks for it."""
    # The server's own way, with a reader between that answers what the protocol's reader drops without a word.
    out = _Whole(sys.stdout.buffer, encoding="utf-8", errors="replace", newline="")
    lines = Lines(sys.stdin.buffer, out)
    inner = server._lowlevel_server  # the SDK has no public way to give it other streams
    async with stdio_server(anyio.wrap_file(lines), anyio.wrap_file(out)) as (reading, writing):  # type: ignore[arg-type]
        await inner.run(reading, writing, inner.create_initialization_options())


class _Whole(io.TextIOWrapper):
    """Standard output, on which two threads may write: each writes whole lines."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._writing = threading.Lock()

    def write(self, text: str) -> int:
        """Write a line and send it off."""
        with self._writing:
            count = super().write(text)
            self.flush()
            return count

    def close(self) -> None:
        """Leave the stream below open: it is the process's, not ours."""
        self.detach()


class Lines:
    """The lines that a client sends, without those that the protocol's reader cannot take, which are answered here."""

    def __init__(self, source: BinaryIO, out: TextIO) -> None:
        self._source = source
        self._out = out

    def readline(self) -> str:
        """Return the next line that is a message; empty at the end."""
        while line := self._source.readline(_LONGEST_LINE):
            whole = line.endswith(b"\n") or len(line) < _LONGEST_LINE
            if not whole:
                self._skip()
            if not line.strip():
                continue
            text = line.decode("utf-8", "replace") if whole else ""
            sound = _mended(text)
            if sound is not None:
                return sound + "\n"
            self._refuse(text or line[:_BEGINNING].decode("utf-8", "replace"), whole)
        return ""

    def close(self) -> None:
        """Leave standard input open: it is the process's, not ours."""

    def _skip(self) -> None:
        while (part := self._source.readline(_LONGEST_LINE)) and not part.endswith(b"\n"):
            pass

    def _refuse(self, text: str, whole: bool) -> None:
        """Answer a message that cannot be taken, each of a batch; notifications get no answer."""
        why = "it is nested too deeply, or not a message of the protocol" if whole else "the message is too long"
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            asked: list[Any] = [_id_in(text)]
            code = _PARSE_ERROR if whole else _INVALID_REQUEST
        else:
            messages = value if isinstance(value, list) else [value]
            asked = [
                one.get("id") for one in messages if isinstance(one, dict) and ("id" in one or "method" not in one)
            ]
            asked = asked if messages and isinstance(messages[0], dict) else [None]
            code = _INVALID_REQUEST
        for id_ in asked:
            id_ = id_ if isinstance(id_, str | int | float) and not isinstance(id_, bool) else None
            error = {"code": code, "message": f"The message cannot be taken: {why}."}
            self._out.write(json.dumps({"jsonrpc": "2.0", "id": id_, "error": error}) + "\n")


def _mended(text: str) -> str | None:
    """Return a line as the protocol's reader takes it, lone surrogates replaced; None where it takes it in no way."""
    for mended in (False, True):
        candidate = _without_lone(text) if mended else text
        try:
            message = jsonrpc_message_adapter.validate_json(candidate, by_name=False)
        except ValueError:
            continue
        if isinstance(message, JSONRPCNotification) and "id" in json.loads(candidate):
            return None  # an id that the protocol does not know makes a request a notification, which is not answered
        return candidate.rstrip("\r\n")
    return None


def _id_in(text: str) -> str | int | None:
    """Return the id of a message that is not JSON, or too deep, as far as one can be seen."""
    found = _ID.search(text[:_BEGINNING]) or _ID.search(text[-_BEGINNING:])
    if found is None:
        return None
    try:
        value = json.loads(found[1])
    except ValueError:
        return None
    return value if isinstance(value, str | int) else None


_LONGEST_LINE = 64 * 1024 * 1024
_BEGINNING = 64 * 1024
_PARSE_ERROR, _INVALID_REQUEST = -32700, -32600
_ID = re.compile(r'"id"\s*:\s*("(?:[^"\\]|\\.){0,1000}"|-?\d{1,18})')
# An escape of any character: pairs of surrogates and escaped backslashes are taken whole, and what is left alone shows.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL
)


def _without_lone(text: str) -> str:
    """Return JSON whose lone surrogates are U+FFFD."""
    return _ESCAPE.sub(lambda found: r"\ufffd" if re.fullmatch(r"\\u[dD][89a-fA-F]..", found[0]) else found[0], text)
