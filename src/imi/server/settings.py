"""What a server is started with: one frozen record, checked before anything listens."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from imi.errors import UsageError

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one client may ask for; everything beyond is refused with a reply that says the limit."""

    body_bytes: int = 8 * MEGABYTE
    line_bytes: int = 4 * MEGABYTE
    """The longest line of a streamed ingest, which has no limit as a whole."""
    inputs: int = 2048
    input_tokens: int = 8192
    request_tokens: int = 300_000
    in_flight: int = 512
    """Requests worked on at once; the next one gets a 503. A reply that waits for its reader is not among them."""
    receiving: int = 256
    """Bodies that arrive at once; of more than these the slowest is refused."""
    held_bytes: int = 256 * MEGABYTE
    """Bodies in memory, arriving or being worked on."""
    unsent_bytes: int = 256 * MEGABYTE
    """Replies that their readers have not taken; of more than these the oldest are hung up on."""
    connections: int = 2048
    """Connections at once, idle ones too; the one that was quiet for longest makes room for the next."""
    collections: int = 100
    """Collections that are open at once; the one that was not used for longest is closed for the next."""
    files_each: int = 24
    """Files that an open collection may need: database, log and shared memory for each thread, and its index."""
    stall_seconds: float = 20.0
    """How long a sender may be silent in the middle of a request, and a reader may take nothing of a reply."""
    idle_seconds: float = 30.0
    """How long a connection may wait for its next request."""
    body_seconds: float = 120.0
    """How long a whole body may take; a streamed ingest is only bound by `stall_seconds`."""
    per_minute: int | None = None
    """Requests a minute for each key, or each address where there are no keys."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen, what to serve, and whom to let in."""

    collections: tuple[str, ...] = field(default=(), repr=False)
    """Paths and URLs; a URL may hold a password, which nothing may print."""
    root: Path | None = None
    """The folder in which new collections may be made; None refuses to make any."""
    model: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Names such as text-embedding-3-small, and the model of ours that answers for each."""
    encoding: str = "cl100k_base"
    """The table of token ids, which also counts tokens where it is installed."""
    llm: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    keys: Path | None = None
    cors: tuple[str, ...] = ()
    """Origins whose pages may use the server, exactly as browsers write them."""
    token: str | None = field(default=None, repr=False)
    """The one key that is good, instead of those in the file; it may do everything."""
    limits: Limits = field(default_factory=Limits)
    log: bool = True

    @property
    def keys_file(self) -> Path:
        """Where the hashed keys lie: the file given, else keys.json in the folder of IMI_HOME."""
        return self.keys or home() / "keys.json"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


def home() -> Path:
    """Return the folder for what belongs to a user rather than to a collection: IMI_HOME, else ~/.imi."""
    return Path(os.environ.get("IMI_HOME") or Path.home() / ".imi")


@lru_cache(256)  # each request names its host
def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine alone."""
    host = host.lower()
    if host in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse_aliases(given: tuple[str, ...] | list[str]) -> dict[str, str]:
    """Read aliases such as text-embedding-3-small=built-in.

    Raises:
        UsageError: one has no equals sign, or a side is empty.
    """
    aliases = {}
    for text in given:
        name, equals, model = text.partition("=")
        if not (name and equals and model):
            raise UsageError(f"the alias {text!r} is not NAME=MODEL", hint="--alias text-embedding-3-small=built-in")
        aliases[name] = model
    return aliases


def parse_origins(given: Iterable[str]) -> tuple[str, ...]:
    """Return origins as browsers write them: lower case, without the port that goes without saying.

    Raises:
        UsageError: one is not a scheme and a host, with a port where that is not the usual one.
    """
    return tuple(dict.fromkeys(map(_origin, given)))


def _origin(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    plain = not (parts.path.rstrip("/") or parts.query or parts.fragment or parts.username or parts.password)
    if not (_SCHEME.fullmatch(parts.scheme) and _HOST.fullmatch(host) and plain):
        raise UsageError(
            f"the origin {text!r} is not SCHEME://HOST[:PORT]; exact origins are allowed, no patterns",
            hint="--cors http://localhost:3000",
        )
    host = f"[{host}]" if ":" in host else host
    usual = port is None or port == _PORTS.get(parts.scheme)
    return f"{parts.scheme}://{host}" if usual else f"{parts.scheme}://{host}:{port}"


_SCHEME = re.compile("[a-z][a-z0-9+.-]*")
_HOST = re.compile(r"[a-z0-9:]([a-z0-9._:-]*[a-z0-9])?|[0-9a-f:.]+")
_PORTS = {"http": 80, "https": 443}
