"""What the metadata of many documents holds, column by column: what a filter needs to know."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imi.records import FACTS

MOST_COLUMNS = 200
LISTED = 40
"""Values that are listed with their counts; a column with more of them is searched by a part of its text."""
_COUNTED = 10_000


@dataclass(slots=True)
class _Column:
    filled: int = 0
    numbers: int = 0
    low: float = math.inf
    high: float = -math.inf
    whole: bool = True
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
        self._count(value)

    def _count(self, value: Any) -> None:
        # True and 1 are equal to a counter and different in a filter.
        key = ("truth", value) if isinstance(value, bool) else value
        if key in self.values or len(self.values) < _COUNTED:
            self.values[key] += 1
        else:
            self.more += 1

    def to_dict(self, name: str) -> dict[str, Any]:
        kind = next(iter(self.kinds)) if len(self.kinds) == 1 else "other"
        told: dict[str, Any] = {
            "name": name,
            "kind": kind,
            "filled": self.filled,
            "distinct": len(self.values) + self.more,
        }
        if kind == "number":
            told |= {"low": _as_float(self.low), "high": _as_float(self.high), "whole": self.whole}
        few = len(self.values) <= LISTED and max(map(_length, self.values), default=0) <= 80
        repeated = self.filled > len(self.values)
        if few and repeated and kind in ("text", "truth", "list", "number"):
            ranked = sorted(self.values.items(), key=lambda one: (-one[1], str(one[0])))
            told["values"] = [[value[1] if isinstance(value, tuple) else value, count] for value, count in ranked]
        return told


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

    Each has `name`, `kind` (number, text, truth, list or other), how many rows have it (`filled`), and, where there
    are few, its `values` with counts, the most frequent first; numbers have `low` and `high`. `distinct` counts the
    different values, beyond ten thousand of them every further one as another.
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
