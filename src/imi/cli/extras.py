"""Packages that a verb needs and that are not part of the base installation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imi.errors import MissingExtra


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Import within this context; what is not installed is reported with the extra that brings it.

    Raises:
        MissingExtra: a package outside imi is missing.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] == "imi":
            raise
        raise MissingExtra(str(missing.name).split(".")[0], extra) from missing
