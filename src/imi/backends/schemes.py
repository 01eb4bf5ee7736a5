"""Which names are URLs of engines: the one question that every command asks, apart from what reads such a URL."""

from __future__ import annotations

import re
from typing import Literal, get_args

EngineName = Literal["postgresql", "qdrant", "milvus"]
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?")
_ALIASES = {"postgres": "postgresql"}


def is_address(text: str) -> bool:
    """Say whether a name is a URL; anything else is a path."""
    found = SCHEME.match(text)
    if found is None:
        return False
    # One letter is a drive, and a path may hold a colon: without // only the engines' own names count.
    return bool(found[2]) or engine_of(found[1]) in get_args(EngineName)


def engine_of(scheme: str) -> str:
    """Return the engine that a URL's scheme names."""
    return _ALIASES.get(scheme.lower(), scheme.lower())
