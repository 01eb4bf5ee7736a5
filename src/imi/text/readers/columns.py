"""What the columns of a table of texts hold, decided over the whole table: numbers, truth, vectors or texts.

A column of numbers in which a single cell would lose a digit (007, 3.10 beside 3.9, twenty digits) is one of texts. A
cell that is not a number in a column of numbers stays the text that it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from imi.text.readers.vectors import looks_like_vector
from imi.values import as_number

Kind = Literal["number", "truth", "vector", "text"]
_WHOLES = re.compile(r"(?:-?(?:0|[1-9]\d{0,17})\n)+\Z", re.ASCII)
_LONG = re.compile(r"-?[1-9]\d{18,}\Z", re.ASCII)
_DECIMAL = re.compile(r"-?\d+\.(\d+)(?:[eE][-+]?\d+)?\Z", re.ASCII)
_ZEROS = re.compile(r"-?0\d+(?:\.\d+)?\Z", re.ASCII)
_TRUTH = {"true": True, "false": False}
_LOOKED_AT = 4096
"""Cells after which a column that held hardly anything but texts is one of texts."""


@dataclass(slots=True)
class ColumnCensus:
    """What was seen of a column so far."""

    filled: int = 0
    numbers: int = 0
    truths: int = 0
    vectors: int = 0
    places: set[int] = field(default_factory=set)
    keeps_text: bool = False
    settled: bool = False

    def take(self, cells: Sequence[str]) -> None:
        """Look at more cells of the column."""
        if self.settled:
            return
        cells = [cell for cell in cells if cell]
        self.filled += len(cells)
        if cells and _WHOLES.match("\n".join(cells) + "\n") and "-0" not in cells:
            self.numbers += len(cells)
            return
        for cell in cells:
            self._take(cell.strip())
        self.settled = self.keeps_text or (
            self.filled >= _LOOKED_AT and (self.numbers + self.truths + self.vectors) * 20 < self.filled
        )

    def _take(self, cell: str) -> None:
        if not cell:
            self.filled -= 1
        elif cell[0] == "[":
            self.vectors += looks_like_vector(cell)
        elif len(cell) <= 5 and cell.lower() in _TRUTH:
            self.truths += 1
        elif len(cell) < 60:
            if as_number(cell) is not None:
                self.numbers += 1
                decimal = _DECIMAL.match(cell)
                if decimal:
                    self.places.add(len(decimal[1]) if decimal[1][-1] != "0" else -len(decimal[1]))
            elif _ZEROS.match(cell) or _LONG.match(cell):
                # 007 is no 7: neither are its neighbours, for a column has one type.
                self.keeps_text = True

    @property
    def kind(self) -> Kind:
        """What the column holds."""
        if self.vectors and self.vectors * 2 >= self.filled:
            return "vector"
        if self.truths * 2 > self.filled:
            return "truth"
        # 3.10 beside 3.9 is not a price but a version: as a number it would lose its zero.
        loses = any(places < 0 for places in self.places) and len({abs(places) for places in self.places}) > 1
        return "number" if self.numbers * 2 > self.filled and not self.keeps_text and not loses else "text"


@dataclass(frozen=True, slots=True)
class Columns:
    """The kinds of a table's columns, and how many rows it has."""

    kinds: Mapping[str, Kind]
    rows: int
    typed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Note the columns whose cells are not texts."""
        names = frozenset(name for name, kind in self.kinds.items() if kind in ("number", "truth"))
        object.__setattr__(self, "typed", names)

    @property
    def vectors(self) -> frozenset[str]:
        """The columns of vectors."""
        return frozenset(name for name, kind in self.kinds.items() if kind == "vector")

    def value(self, name: str, cell: Any) -> Any:
        """Return a cell as the value that its column says it is."""
        if not isinstance(cell, str):
            return cell
        kind = self.kinds.get(name)
        if kind == "number":
            number = as_number(cell.strip())
            return cell if number is None else number
        return _TRUTH.get(cell.strip().lower(), cell) if kind == "truth" else cell


def columns_of(names: Sequence[str], batches: Iterable[Sequence[Sequence[str]]]) -> Columns:
    """Return the kinds of columns, from all rows of a table in batches of rows, each as long as the names."""
    columns = [ColumnCensus() for _ in names]
    rows = 0
    for batch in batches:
        rows += len(batch)
        for column, cells in zip(columns, zip(*batch, strict=False), strict=False):
            column.take(cells)
    return Columns({name: column.kind for name, column in zip(names, columns, strict=True)}, rows)
