"""Cells of spreadsheets as JSON has them: dates as ISO writes them, whole numbers whole."""

from __future__ import annotations

import datetime
import re
from typing import Any

_PADDED = re.compile(r"0{2,}\Z")
_WIDEST = 64
"""Digits that a format may ask for."""


def cell_value(value: Any, shape: str = "") -> Any:
    """Return what a cell shows, as nearly as JSON can: a number under a format (`shape`) of zeros keeps them."""
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and _PADDED.match(shape):
        return str(value).zfill(min(len(shape), _WIDEST))
    return value
