"""Filters as a tree that each engine writes in its own language; what is allowed is what `imi.store.filters` allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from imi.errors import UsageError
from imi.store.filters import compile_where
from imi.values import TIMES_END, as_date

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


@dataclass(frozen=True, slots=True)
class DateRange:
    """A field that says a date from a moment on and before another, ISO texts in UTC; None where there is no end."""

    name: str
    start: str | None
    end: str | None

    def holds(self, text: str) -> bool:
        """Whether a text says such a date."""
        period = as_date(text)
        if period is None:
            return False
        return (self.start is None or period[0] >= self.start) and (self.end is None or period[0] < self.end)


Filter = FieldComparison | DateRange | Both | Not


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
        return Not(_compare(name, "=", value))
    dates = _dates(name, operator, value)
    if dates and operator not in ("=", "in"):
        return dates[0]
    if dates:
        value = tuple(value) if operator == "in" else value
        return Both("or", (FieldComparison(name, operator, value), *dates))  # type: ignore[arg-type]  # validated
    return FieldComparison(name, operator, tuple(value) if operator == "in" else value)  # type: ignore[arg-type]  # validated


def _dates(name: str, operator: str, value: Any) -> list[DateRange]:
    """Return the ranges of dates that a comparison with texts that say dates means; none where it means texts."""
    found = []
    for one in value if operator == "in" else [value]:
        period = as_date(one) if isinstance(one, str) and operator != "contains" else None
        if period is None:
            continue
        start, end = period
        # After a month is after its end; from a month on is from its beginning.
        # Times of day and dates are of different kinds, and neither is before the other.
        first, last = (None, TIMES_END) if start < TIMES_END else (TIMES_END, None)
        bounds: dict[str, tuple[str | None, str | None]] = {
            "<": (first, start), "<=": (first, end), ">": (end, last), ">=": (start, last),
        }  # fmt: skip
        found.append(DateRange(name, *bounds.get(operator, (start, end))))
    return found


def _plain(value: Any) -> Any:
    """Return a number without the way in which it was typed: an engine compares like with like only."""
    return value if not hasattr(value, "typed") else int(value) if isinstance(value, int) else float(value)


def _joined(parts: Sequence[Filter], word: Literal["and", "or"]) -> Filter:
    return parts[0] if len(parts) == 1 else Both(word, tuple(parts))
