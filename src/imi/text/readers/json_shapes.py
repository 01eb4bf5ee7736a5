"""Shapes in which programs write tables as one JSON value: rows below a key, columns as lists or dicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imi.text.readers.rows import TEXT_COLUMNS

Rows = Sequence[Mapping[str, Any]]


def rows_inside(value: Mapping[str, Any], asked: Sequence[str]) -> tuple[Rows, str] | None:
    """Return the rows that an object is a table of, and what is to be said; None where it is one row itself.

    Args:
        value: the only value of a file.
        asked: columns that are asked for by name: an object that has them is a row.
    """
    if not value or (asked and all(name in value for name in asked)):
        return None
    if any(name.lower() in TEXT_COLUMNS and isinstance(inner, str) for name, inner in value.items()):
        return None
    found = _split(value) or _below_a_key(value) or _columns(value) or _by_key(value)
    if found is None and len(value) == 1:
        # What programs answer: rows below a key below a key.
        name, inner = next(iter(value.items()))
        if isinstance(inner, dict) and (below := _below_a_key(inner)) is not None:
            return below[0], f"below {name!r}, {below[1]}"
    return found


def _split(value: Mapping[str, Any]) -> tuple[Rows, str] | None:
    """Read what data frames write with orient="split"."""
    names: Any = value.get("columns")
    data: Any = value.get("data")
    if not (_are(names, str) and _are(data, list) and set(value) <= {"columns", "data", "index", "index_names"}):
        return None
    return [dict(zip(names, cells, strict=False)) for cells in data], "its columns and data are read as a table"


def _below_a_key(value: Mapping[str, Any]) -> tuple[Rows, str] | None:
    lists = [name for name, inner in value.items() if _are(inner, dict)]
    if len(lists) != 1 or any(isinstance(inner, list) and inner for name, inner in value.items() if name != lists[0]):
        return None
    others = [name for name in value if name != lists[0]]
    left = f"; {', '.join(map(repr, others))} beside it are left out" if others else ""
    return value[lists[0]], f"its rows are those below {lists[0]!r}{left}"


def _columns(value: Mapping[str, Any]) -> tuple[Rows, str] | None:
    """Read columns that are lists of one length, or dicts of row numbers, as data frames write them."""
    inner = list(value.values())
    said = "its fields are read as columns"
    if len(inner) > 1 and all(_are(one, object) for one in inner) and len(set(map(len, inner))) == 1:
        return [dict(zip(value, cells, strict=True)) for cells in zip(*inner, strict=True)], said
    if not all(isinstance(one, dict) and one and all(key.isdigit() for key in one) for one in inner):
        return None
    keys = dict.fromkeys(key for one in inner for key in one)
    return [{name: one[key] for name, one in value.items() if key in one} for key in keys], said


def _by_key(value: Mapping[str, Any]) -> tuple[Rows, str] | None:
    """Read objects by their keys, each a row that the others share fields with."""
    inner = list(value.values())
    if len(inner) < 2 or not all(isinstance(one, dict) and one for one in inner):
        return None
    if not set(inner[0]).intersection(*inner[1:]):
        return None
    return [{"key": key, **one} for key, one in value.items()], "its fields are read as rows, their names as 'key'"


def _are(value: Any, kind: type) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, kind) for one in value)
