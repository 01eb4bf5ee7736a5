"""Columns of metadata fields in memory: a filter is compared with each distinct value once, instead of with every row.

A field's column holds which of its distinct values each row has. What a filter says of a value is asked of SQLite, by
one row that has it, so that it is compared as everywhere; comparisons between numbers alone are arithmetic. Where a
field has nearly as many values as rows, which are not all numbers, SQLite is asked about every row as before, and so it
is for the first filter on a field.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.store.filters import Condition
from imi.store.store import Store
from imi.types import Rows

_MOST_FIELDS = 16
_FEW = 1000
_EXACT = 2**53
"""Whole numbers up to which a double is exact."""
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class FieldColumn:
    """One field of every row, as it was at one state of the collection.

    rows: (n,) their numbers, ascending. codes: (n,) int32, which value each has. values: as JSON text, None for no such
    field. numbers: (m,) float64 of the values, NaN where a value is not one; None where one is too large to be exact.
    state: of the file, and how often metadata was changed in place. changes and deletion: the last that it knows.
    """

    rows: Rows
    codes: NDArray[np.int32]
    values: dict[str | None, int]
    numbers: NDArray[np.float64] | None
    state: tuple[str, int | None]
    changes: int
    deletion: int

    @property
    def is_short(self) -> bool:
        """Whether values are so few that each is asked about."""
        return len(self.values) <= max(_FEW, len(self.rows) // 4)


class FieldColumns:
    """The columns of one collection; not safe to share by threads."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._fields: dict[str, FieldColumn] = {}
        self._asked: set[str] = set()

    def rows_of(self, store: Store, condition: Condition) -> Rows:
        """Return the rows that pass, ascending, as `Store.rows_of` does; must run inside `reading()`."""
        columns = {name: column for name in sorted(condition.fields) if (column := self._column(store, name))}
        if not columns:
            return store.rows_of(condition)
        rows = next(iter(columns.values())).rows
        if any(not np.array_equal(one.rows, rows) for one in columns.values()):
            return store.rows_of(condition)
        return rows[_mask(store, condition, columns, rows)]

    def _column(self, store: Store, name: str) -> FieldColumn | None:
        """Return a field's column in the state that is read now, None where it has none."""
        state = (store.line, store.edits)
        if name not in self._asked:  # a single filter is answered sooner by SQLite
            self._asked.add(name)
            return None
        column = self._fields.pop(name, None)
        if column is None or column.state != state or store.edits is None:
            no_rows = np.empty(0, dtype=np.int64)
            column = FieldColumn(no_rows, np.empty(0, np.int32), {}, np.empty(0), state, -1, 0)
        if column.changes > store.changes:  # an older state is read, beside a newer one
            self._fields[name] = column
            return None
        if column.changes < store.changes:
            brought = _brought_up(store, name, column)
            if brought is None:
                return None
            column = brought
        self._fields[name] = column  # the one that was asked for last stays longest
        while len(self._fields) > _MOST_FIELDS:
            del self._fields[next(iter(self._fields))]
        return column


def _brought_up(store: Store, name: str, column: FieldColumn) -> FieldColumn | None:
    """Return a column without what was deleted and with what was added since."""
    deletion, gone = store.deletions(column.deletion)
    rows, codes = column.rows, column.codes
    if len(gone) and len(rows):
        kept = ~np.isin(rows, gone)
        rows, codes = rows[kept], codes[kept]
    read = store.raw_values(name, int(column.rows[-1]) if len(column.rows) else 0)
    if read is None:
        return None
    values = dict(column.values)
    number = values.setdefault
    more = np.fromiter((number(value, len(values)) for value in read[1]), dtype=np.int32)
    numbers = column.numbers
    if numbers is not None and len(values) > len(numbers):
        new = [_number(value) for value in list(values)[len(numbers) :]]
        numbers = None if None in new else np.concatenate([numbers, np.array(new, dtype=np.float64)])
    rows, codes = np.concatenate([rows, read[0]]), np.concatenate([codes, more])
    return FieldColumn(rows, codes, values, numbers, column.state, store.changes, deletion)


def _mask(store: Store, condition: Condition, columns: dict[str, FieldColumn], rows: Rows) -> Mask:
    """Return which rows pass; a comparison of which nothing is known does not hold, and `not` turns that around."""
    column = columns.get(next(iter(condition.fields))) if len(condition.fields) == 1 else None
    if column is not None and column.numbers is not None and condition.number is not None:
        than, number = condition.number
        if abs(number) < _EXACT:
            return np.asarray(_COMPARE[than](column.numbers, number)[column.codes])
    if column is not None and column.is_short:
        return _by_values(store, condition, column)
    if condition.word:
        masks = [_mask(store, part, columns, rows) for part in condition.parts]
        if condition.word == "NOT":
            return ~masks[0]
        return np.asarray((np.logical_and if condition.word == "AND" else np.logical_or).reduce(masks))
    mask = np.zeros(len(rows), dtype=bool)
    mask[np.searchsorted(rows, store.rows_of(condition))] = True
    return mask


def _by_values(store: Store, condition: Condition, column: FieldColumn) -> Mask:
    """Ask for one row of each value."""
    one = np.full(len(column.values), -1, dtype=np.int64)
    one[column.codes[::-1]] = np.arange(len(column.rows) - 1, -1, -1)
    there = np.flatnonzero(one >= 0)
    asked = column.rows[one[there]]
    hit = np.zeros(len(column.values), dtype=bool)
    hit[there] = np.isin(asked, store.rows_of(condition, among=asked))
    return hit[column.codes]


def _number(value: str | None) -> float | None:
    """Return a JSON text as a number, NaN where it is none, None where a double does not hold it."""
    if value is None or not (value[0] == "-" or value[0].isdigit()):
        return float("nan")
    read = float(value)
    return None if abs(read) >= _EXACT else read
