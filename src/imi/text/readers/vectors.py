"""Vectors in the cells of tables: lists, their literal form as data frames write it, and as numpy prints them."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAST = 8
"""Numbers from which a list is taken for a vector."""
_PRINTED = re.compile(r"\[\s*-?\d[\d.eE+\-\s]*\]\Z", re.ASCII)
_SHORTENED = re.compile(r"\[\s*+-?[\d.](?=[^\]]*\.\.\.)[\d.eE+\-\s,]*+\]\Z", re.ASCII)


def parse_vector(value: Any) -> NDArray[np.float32]:
    """Return (d,) float32 from a list, from its literal form as `DataFrame.to_csv` writes it, or as numpy prints it.

    Raises:
        ValueError: it is not a list of finite numbers.
    """
    if isinstance(value, str):
        value = _listed(value.strip())
    try:
        vector = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"{str(value)[:40]!r} is not a list of numbers") from None
    if vector.ndim != 1 or not len(vector) or not np.isfinite(vector).all():
        raise ValueError("it is not a list of finite numbers")
    return vector


def _listed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if _PRINTED.match(text):
        return [float(number) for number in text[1:-1].split()]
    if _SHORTENED.match(text):
        raise ValueError("numpy left numbers out when it printed this vector (...): write it with tolist()")
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise ValueError(f"{text[:40]!r} is not a list of numbers") from None


def looks_like_vector(value: Any) -> bool:
    """Whether a cell holds a vector: eight numbers or more; also one that numpy shortened as it printed it."""
    if isinstance(value, str):
        text = value.strip()
        if not (len(text) > 20 and text.startswith("[") and text.endswith("]")):
            return False
        if _SHORTENED.match(text):
            return True
        try:
            return "." in text[:200] and len(parse_vector(text)) >= _LEAST
        except ValueError:
            return False
    if isinstance(value, np.ndarray):
        return value.ndim == 1 and len(value) >= _LEAST and value.dtype.kind == "f"
    return (
        isinstance(value, list | tuple)
        and len(value) >= _LEAST
        and all(isinstance(item, float) for item in value[:_LEAST])
    )
