"""How long work reports how far it is, and is ended early."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]
"""Called as progress(done, total)."""


class EndedEarly(Exception):
    """Work was left because somebody asked for it."""


_ASKED: ContextVar[threading.Event | None] = ContextVar("asked to end", default=None)


@contextmanager
def until(asked: threading.Event) -> Iterator[None]:
    """Let the work in the block end early, by EndedEarly, once the event is set."""
    before = _ASKED.set(asked)
    try:
        yield
    finally:
        _ASKED.reset(before)


def asked_to_end() -> bool:
    """Return whether somebody asked for the work to end early; work that can be left half done returns what is."""
    asked = _ASKED.get()
    return asked is not None and asked.is_set()


def may_end() -> None:
    """Leave the work here if somebody asked for that; long work calls it between its steps.

    Raises:
        EndedEarly: somebody did.
    """
    if asked_to_end():
        raise EndedEarly


def part_of(progress: Progress | None, begins: float, ends: float) -> Progress | None:
    """Return a progress for a part of some work, which goes from one share to another of the whole, in per cent."""
    if progress is None:
        return None
    whole = progress
    return lambda done, total: whole(round(100 * (begins + (ends - begins) * done / max(1, total))), 100)
