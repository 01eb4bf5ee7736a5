"""Addresses of collections on engines: read from a URL, shown without their secrets.

postgresql://user:secret@host/db?collection=reviews      also postgres://; what is not ours goes to libpq
qdrant://host:6333?collection=reviews&api_key=secret     qdrant:FOLDER?collection=… and qdrant://memory?collection=…
milvus://user:secret@host:19530?collection=reviews       milvus:FILE.db?collection=… is milvus-lite
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from imi.backends.schemes import SCHEME, EngineName, engine_of
from imi.errors import UsageError

_OURS = frozenset(
    {"collection", "dtype", "partitions", "prefixes", "quantization", "patience", "api_key", "token", "tls"}
)
_SECRET = frozenset({"password", "api_key", "token", "sslpassword", "passfile"})
MASK = "***"


@dataclass(frozen=True)
class Address:
    """Where a collection lies; `repr` and `shown` carry no secret.

    url: what the engine's client connects to, our own options taken out. place: host and port, or a path.
    given: the URL as it was read, with its secrets.
    """

    engine: EngineName
    name: str
    shown: str
    place: str
    local: bool
    options: Mapping[str, str] = field(repr=False)
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False, default=())
    given: str = field(repr=False, default="")

    def scrub(self, text: object) -> str:
        """Return what a driver said, on one line, with every secret masked."""
        said = " ".join(str(text).split())
        for secret in self.secrets:
            said = said.replace(secret, MASK)
        return said

    def number(self, option: str, default: int, least: int = 0) -> int:
        """Return an option that is a whole number.

        Raises:
            UsageError: it is none, or below `least`.
        """
        given = self.options.get(option)
        if given is None:
            return default
        if not given.isascii() or not given.isdigit() or int(given) < least:
            raise UsageError(f"{option} is {given!r}, allowed are whole numbers from {least}", hint=f"{option}=10")
        return int(given)

    def choice(self, option: str, allowed: tuple[str, ...]) -> str:
        """Return an option that is one of `allowed`, the first where it is not given.

        Raises:
            UsageError: it is another.
        """
        given = self.options.get(option, allowed[0])
        if given not in allowed:
            raise UsageError(f"{option} is {given!r}, allowed are {', '.join(allowed)}")
        return given

    def numbers(self, option: str) -> tuple[int, ...] | None:
        """Return an option that is a list of whole numbers from 1, None where it is not given."""
        given = self.options.get(option)
        if given is None:
            return None
        parts = [part.strip() for part in given.split(",")]
        if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
            raise UsageError(f"{option} is {given!r}, allowed are whole numbers separated by commas", hint="64,128")
        return tuple(sorted({int(part) for part in parts}))


def read_address(text: str) -> Address:
    """Read a URL.

    Raises:
        UsageError: the engine is not known, or the URL names no collection; the message shows no secret.
    """
    found = SCHEME.match(text)
    engine = engine_of(found[1]) if found else ""
    if found is None or engine not in get_args(EngineName):
        raise UsageError(
            f"the engine {engine!r} is not known",
            hint=f"a path such as reviews.imi, or a URL that begins with {', '.join(get_args(EngineName))}",
        )
    try:
        parts = urlsplit(text[len(found[1]) + 1 :], scheme=engine)
        port = parts.port
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        # What the parser complains of may be the password.
        raise UsageError(
            "the URL cannot be read", hint=f"{engine}://host/…?collection=NAME, special characters as %XX"
        ) from None
    options = {key: value for key, value in given.items() if key in _OURS}
    name = options.get("collection", "")
    secrets = {given[key] for key in given if key in _SECRET and given[key]}
    secrets |= {part for part in (parts.password, unquote(parts.password or "")) if part}
    secrets |= {quote(one, safe="") for one in secrets}
    local = not found[2] or (engine == "qdrant" and parts.netloc == "memory")
    rest = {key: value for key, value in given.items() if key not in _OURS}
    address = Address(
        engine=engine,  # type: ignore[arg-type]  # checked above
        name=name,
        shown=_shown(engine, parts, given, found[2] is None),
        place=unquote(parts.path) if found[2] is None else _host(parts.hostname, port),
        local=local,
        options=options,
        url=f"{engine}://{parts.netloc}{parts.path}" + (f"?{urlencode(rest, quote_via=quote)}" if rest else ""),
        secrets=tuple(sorted(secrets, key=len, reverse=True)),
        given=text,
    )
    if not name:
        raise UsageError(f"{address.shown} names no collection", hint=f"add ?collection=NAME to {address.shown}")
    if engine != "postgresql" and rest:
        raise UsageError(f"the option {min(rest)!r} is not known", hint=f"allowed: {', '.join(sorted(_OURS))}")
    return address


def _host(host: str | None, port: int | None) -> str:
    shown = f"[{host}]" if host and ":" in host else host or ""
    return shown if port is None else f"{shown}:{port}"


def _shown(engine: str, parts: SplitResult, given: Mapping[str, str], bare: bool) -> str:
    user = f"{parts.username}:{MASK}@" if parts.password else f"{parts.username}@" if parts.username else ""
    kept = {key: MASK if key in _SECRET else value for key, value in given.items()}
    query = f"?{urlencode(kept, quote_via=quote, safe=MASK + ',/')}" if kept else ""
    return f"{engine}:{'' if bare else '//'}{user}{_host(parts.hostname, parts.port)}{parts.path}{query}"
