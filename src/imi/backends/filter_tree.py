"""Filters as a tree that each engine writes in its own language; what is allowed is what `imi.store.filters` allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from imi.errors import UsageError
from imi.store.filters import compile_where

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class FieldComparison:
    """One field against one value; for "in" the value is a tuple."""

    name: str
    operator: Literal["=", "!=", "<", "<=", ">", ">=", "in", "contains"]
    value: Any


@dataclass(frozen=True, slots=True)
class Both:
    """All parts hold ("and"), or any does ("or")."""

    word: Literal["and", "or"]
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold, or says nothing of the row."""

    part: Filter


Filter = FieldComparison | Both | Not


def read_where(where: Mapping[str, Any] | None, known: Sequence[str], label: str) -> Filter | None:
    """Read a filter and check its fields against those that rows have ever had.

    Raises:
        UsageError: the filter is malformed, or names a field that no row has; in the words of the embedded store.
    """
    if where is None:
        return None
    check_known(compile_where(where).fields, known, label)
    return _all(where)


def check_known(names: frozenset[str] | set[str], known: Sequence[str], label: str) -> None:
    """Refuse fields that no row has ever had.

    Raises:
        UsageError: a field is unknown; the hint names those that there are.
    """
    unknown = sorted(names.difference(known))
    if unknown:
        raise UsageError(
            f"no row of {label} has the field {unknown[0]!r}",
            hint=f"fields here: {', '.join(sorted(known)) if known else 'none at all'}",
        )


def _all(where: Mapping[str, Any]) -> Filter:
    return _joined([_one(name, wanted) for name, wanted in where.items()], "and")


def _one(name: str, wanted: Any) -> Filter:
    if name in ("and", "or") and isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return _joined([_all(part) for part in wanted], "and" if name == "and" else "or")
    if name == "not" and isinstance(wanted, Mapping):
        return Not(_all(wanted))
    if not isinstance(wanted, Mapping):
        return _compare(name, "=", wanted)
    return _joined([_compare(name, str(operator), value) for operator, value in wanted.items()], "and")


def _compare(name: str, operator: str, value: Any) -> Filter:
    value = [_plain(one) for one in value] if operator == "in" else _plain(value)
    if operator == "!=":
        return Not(FieldComparison(name, "=", value))
    return FieldComparison(name, operator, tuple(value) if operator == "in" else value)  # type: ignore[arg-type]  # validated


def _plain(value: Any) -> Any:
    """Return a number without the way in which it was typed: an engine compares like with like only."""
    return value if not hasattr(value, "typed") else int(value) if isinstance(value, int) else float(value)


def _joined(parts: Sequence[Filter], word: Literal["and", "or"]) -> Filter:
    return parts[0] if len(parts) == 1 else Both(word, tuple(parts))
