"""What a server is started with: one frozen record, checked before anything listens."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

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
    """Requests answered at once; the next one is told to come back."""
    connections: int = 2048
    stall_seconds: float = 20.0
    """How long a sender may be silent in the middle of a request."""
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


def is_loopback(host: str) -> bool:
    """Return whether a host name or address stands for this machine alone."""
    if host == "localhost":
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
