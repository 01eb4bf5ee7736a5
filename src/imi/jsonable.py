"""Values as any reader of JSON takes them: what came in by one way must not spoil what goes out by another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

DEEPEST = 200
"""Levels of nesting that are shown; readers of JSON give up between two hundred and a thousand."""
_LONGEST_INTEGER = 13_000  # bits: what Python writes as digits


def jsonable(value: Any, levels: int = DEEPEST) -> Any:
    """Return a value as JSON can say it: lone surrogates replaced, not-a-number and what nests too deeply null.

    Whole numbers keep all their digits; beyond some thousand of them they become hexadecimal, as a text.

    Raises:
        TypeError: it is nothing that JSON could say.
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _LONGEST_INTEGER else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not levels:
        return None
    if isinstance(value, Mapping):
        return {jsonable(str(key)): jsonable(one, levels - 1) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [jsonable(one, levels - 1) for one in value]
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return jsonable(value.tolist(), levels)
    raise TypeError(f"{type(value).__name__} is not JSON")
