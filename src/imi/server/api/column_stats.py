"""What the metadata of many documents holds, column by column: what a filter, a card and a map need to know."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imi.records import FACTS
from imi.text.readable import TITLES

MOST_COLUMNS = 200
LISTED = 40
"""Values that are listed with their counts; a column with more of them is searched by a part of its text."""
_COUNTED = 10_000
_SHORT = 60
"""Characters of a value, on average, beyond which a column is text to read and not to choose from."""
_PLACES = frozenset({"source", "line", "paragraph", "page", "start", "end", "chunk", "row", "width", "height"})
COLOURS = ("rating", "group", "number", "date")
"""Roles of columns that points can be coloured by, the likeliest first."""
_NAMED_ID = re.compile(r"(?i:(?:^|[_\-. ])(?:id|key|uuid|guid|sku|isbn|asin)$)|[a-z](?:ID|Id)$|番号$|コード$")
_NAMED_DATE = re.compile(r"(?i)time|date|created|updated|modified|published|taken|日時|日付|時刻|年月日|_at$|_on$")
_NAMED_RATING = re.compile(r"score|rating|stars?$|grade|評価|評点|点数|星", re.IGNORECASE)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?$")
_SECONDS = (1e8, 4.2e9)
_MILLISECONDS = (1e11, 4.2e12)
_MOST_STARS = 10
_YEAR = 31_556_952
"""Seconds of a year of the Gregorian calendar, on average."""


@dataclass(slots=True)
class _Column:
    filled: int = 0
    numbers: int = 0
    low: float = math.inf
    high: float = -math.inf
    whole: bool = True
    characters: int = 0
    dates: int = 0
    kinds: set[str] = field(default_factory=set)
    values: Counter[Any] = field(default_factory=Counter)
    more: int = 0

    def take(self, value: Any) -> None:
        if isinstance(value, dict):
            self.kinds.add("other")
            return
        self.filled += 1
        if isinstance(value, list):
            self.kinds.add("list")
            for member in value:
                if isinstance(member, str | int | float) and not isinstance(member, bool):
                    self._count(member)
            return
        self.kinds.add("truth" if isinstance(value, bool) else "text" if isinstance(value, str) else "number")
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.numbers += 1
            self.low, self.high = min(self.low, value), max(self.high, value)
            self.whole = self.whole and (isinstance(value, int) or value.is_integer())
        elif isinstance(value, str):
            self.characters += len(value)
            self.dates += bool(_ISO.match(value))
        self._count(value)

    def _count(self, value: Any) -> None:
        # True and 1 are equal to a counter and different in a filter.
        key = ("truth", value) if isinstance(value, bool) else value
        if key in self.values or len(self.values) < _COUNTED:
            self.values[key] += 1
        else:
            self.more += 1

    @property
    def distinct(self) -> int:
        """How many different values there are, beyond ten thousand every further one counted as another."""
        return len(self.values) + self.more

    def _kind(self) -> str:
        return next(iter(self.kinds)) if len(self.kinds) == 1 else "other"

    def unit(self, name: str) -> str | None:
        """Return how dates are written: "s" or "ms" since 1970, or "iso"; None where these are not dates."""
        kind = self._kind()
        if kind == "text" and self.dates == self.filled:
            return "iso"
        if kind != "number" or not _NAMED_DATE.search(name):
            return None
        for unit, (low, high) in (("s", _SECONDS), ("ms", _MILLISECONDS)):
            if low <= self.low and self.high <= high:
                return unit
        return None

    def role(self, name: str) -> str:
        """Return what a column is for: title, date, rating, group, number, text, id, place or other."""
        kind = self._kind()
        if kind == "other" or name in _PLACES:
            return "place" if name in _PLACES else "other"
        if self.unit(name):
            return "date"
        named_id = bool(_NAMED_ID.search(name))
        if kind == "number":
            if self.distinct == self.filled and self.whole and (named_id or self._counts_up()):
                return "id"
            if _NAMED_RATING.search(name) and self.whole and self.low >= 0 and self.high <= _MOST_STARS:
                return "rating"
            return "id" if named_id and self.distinct > LISTED else "number"
        if kind != "text":
            return "group"
        average = self.characters / max(1, self.filled)
        if name.casefold() in TITLES and average <= 2 * _SHORT and self.distinct > self.filled / 2:
            return "title"
        if average > _SHORT:
            return "text"
        if self.distinct > max(1, self.filled / 2) or (named_id and self.distinct > min(12, self.filled / 4)):
            return "id" if named_id or average < 24 else "text"
        return "group"

    def _counts_up(self) -> bool:
        """Whether these number the rows: whole numbers one after the other, each once."""
        return self.filled > LISTED and self.high - self.low + 1 == self.distinct

    def to_dict(self, name: str) -> dict[str, Any]:
        """Return what `columns_of` says of a column."""
        kind, role = self._kind(), self.role(name)
        result: dict[str, Any] = {
            "name": name,
            "kind": kind,
            "role": role,
            "filled": self.filled,
            "distinct": self.distinct,
        }
        if role == "date":
            low, high = (self.low, self.high) if kind == "number" else (min(self.values), max(self.values))
            result |= {"low": _as_float(low) if kind == "number" else low, "high": high, "unit": self.unit(name)}
        elif kind == "number":
            result |= {"low": _as_float(self.low), "high": _as_float(self.high), "whole": self.whole}
        few = len(self.values) <= LISTED and max(map(_length, self.values), default=0) <= 80
        repeated = self.filled > len(self.values)
        if few and repeated and kind in ("text", "truth", "list", "number"):
            ranked = sorted(self.values.items(), key=lambda one: _order(one, kind, role))
            result["values"] = [[value[1] if isinstance(value, tuple) else value, count] for value, count in ranked]
        return result


def _order(one: tuple[Any, int], kind: str, role: str) -> tuple[Any, ...]:
    """Return what values are sorted by: numbers and dates by themselves, texts by how often they occur."""
    value, count = one
    if kind == "number":
        return (value,)
    if kind == "truth":
        return (value[1],)
    if isinstance(value, str) and role == "date":
        return (value,)
    return (-count, str(value))


def _as_float(value: float) -> float:
    """Return a number as a filter compares it: the nearest that double precision has."""
    try:
        return float(value)
    except OverflowError:
        return sys.float_info.max if value > 0 else -sys.float_info.max


def _length(value: Any) -> int:
    """Return about how many characters a value takes; of huge numbers without writing them."""
    return value.bit_length() // 3 if isinstance(value, int) else len(str(value))


def columns_of(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the columns in the order of their names.

    Each has `name`, `kind` (number, text, truth, list or other), what it is for (`role`), how many rows have it
    (`filled`), and, where there are few, its `values` with counts: numbers and dates in their order, others the most
    frequent first. Numbers have `low` and `high`, dates `unit`, too: "s" or "ms" since 1970, or "iso". `distinct`
    counts the different values, beyond ten thousand of them every further one as another.
    """
    columns: dict[str, _Column] = {}
    for metadata in rows:
        for name, value in metadata.items():
            if value is None or name == FACTS:
                continue
            column = columns.get(name)
            if column is None:
                if len(columns) >= MOST_COLUMNS:
                    continue
                column = columns[name] = _Column()
            column.take(value)
    return [columns[name].to_dict(name) for name in sorted(columns)]


def colouring(values: Mapping[str, Sequence[Any]], columns: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    """Return the columns that are worth colouring points by, the likeliest first; dates as years.

    Args:
        values: a value a row, by column.
        columns: what `columns_of` says of them.
    """
    result = {one["name"]: one for one in columns if one["role"] in COLOURS and one["distinct"] > 1}
    ranked = sorted(result.values(), key=lambda one: (COLOURS.index(one["role"]), one["distinct"], one["name"]))
    return {one["name"]: _years(values[one["name"]], one.get("unit")) for one in ranked if one["name"] in values}


def _years(values: Sequence[Any], unit: str | None) -> Sequence[Any]:
    """Return dates as years, with decimals, and anything else as it is."""
    if unit is None:
        return values
    return [None if value is None else _year(value, unit) for value in values]


def _year(value: Any, unit: str) -> float | None:
    if unit == "iso":
        try:
            return round(int(value[:4]) + (int(value[5:7]) - 1) / 12 + (int(value[8:10]) - 1) / 365, 3)
        except (TypeError, ValueError):
            return None
    return round(1970 + float(value) / (1 if unit == "s" else 1000) / _YEAR, 3)
