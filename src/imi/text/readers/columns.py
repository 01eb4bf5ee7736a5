"""What the columns of a table of texts hold, decided over the whole table: numbers, amounts, truth, vectors or texts.

A column of numbers in which a single cell would lose a digit (007, 3.10 beside 3.9, twenty digits) is one of texts. A
cell that is not a number in a column of numbers stays the text that it is. Amounts of one currency, and percents, are
numbers too; their sign is in the row's text, and a notice names it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from imi.amounts import Amount, Style, read_amount
from imi.text.readers.vectors import looks_like_vector
from imi.values import TRUTHS, as_number

Kind = Literal["number", "whole", "amount", "truth", "vector", "text"]
_WHOLES = re.compile(r"(?:-?(?:0|[1-9]\d{0,17})\n)+\Z", re.ASCII)
_LONG = re.compile(r"-?[1-9]\d{18,}\Z", re.ASCII)
_DECIMAL = re.compile(r"-?\d+\.(\d+)(?:[eE][-+]?\d+)?\Z", re.ASCII)
_ZEROS = re.compile(r"-?0\d+(?:\.\d+)?\Z", re.ASCII)
_DIGIT = re.compile(r"\d")
_LOOKED_AT = 4096
"""Cells after which a column that held hardly anything but texts is one of texts."""
_PAIRS = tuple(frozenset(pair) for pair in (("yes", "no"), ("y", "n"), ("はい", "いいえ"), ("有", "無"), ("on", "off")))


@dataclass(slots=True)
class ColumnCensus:
    """What was seen of a column so far."""

    filled: int = 0
    wholes: int = 0
    numbers: int = 0
    amounts: int = 0
    bracketed: int = 0
    powers: int = 0
    unclear: bool = False
    truths: int = 0
    vectors: int = 0
    words: Counter[str] = field(default_factory=Counter)
    places: set[int] = field(default_factory=set)
    units: set[str] = field(default_factory=set)
    styles: set[Style] = field(default_factory=set)
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
            self.wholes += len(cells)
            return
        for cell in cells:
            self._take(cell.strip())
        seen = self.numbers + self.amounts + self.truths + self.vectors + self.words.total()
        self.settled = self.keeps_text or (self.filled >= _LOOKED_AT and seen * 20 < self.filled)

    def _take(self, cell: str) -> None:
        if not cell:
            self.filled -= 1
        elif cell[0] == "[":
            self.vectors += looks_like_vector(cell)
        elif len(cell) <= 5 and (word := cell.lower()) in TRUTHS:
            if word in ("true", "false"):
                self.truths += 1
            else:
                self.words[word] += 1
        elif len(cell) < 60:
            if as_number(cell) is not None:
                self.numbers += 1
                decimal = _DECIMAL.match(cell)
                if "," in cell and (grouped := read_amount(cell)) and grouped.style:
                    self.styles.add(grouped.style)
                if decimal:
                    self.places.add(len(decimal[1]) if decimal[1][-1] != "0" else -len(decimal[1]))
                    if len(decimal[1]) != 3:
                        self.styles.add("point")
            elif _ZEROS.match(cell) or _LONG.match(cell):
                # 007 is no 7: neither are its neighbours, for a column has one type.
                self.keeps_text = True
            elif _DIGIT.search(cell) and (amount := read_amount(cell)):
                self._take_amount(cell, amount)

    def _take_amount(self, cell: str, amount: Amount) -> None:
        self.amounts += 1
        self.bracketed += amount.bracketed
        self.units.add(amount.unit)
        self.powers += not amount.unit and "e" in cell.lower()
        if amount.style is not None:
            self.styles.add(amount.style)
        self.unclear = self.unclear or (amount.style is None and "." in cell)

    def kind(self, comma: bool = True) -> Kind:
        """Return what the column holds.

        Args:
            comma: whether a comma without a currency may begin a fraction; no, where commas separate the cells.
        """
        if self.vectors and self.vectors * 2 >= self.filled:
            return "vector"
        if self.truths * 2 > self.filled or self._is_pair:
            return "truth"
        if self.keeps_text:
            return "text"
        if self.amounts:
            return "amount" if self._are_amounts(comma) else "number" if self._are_numbers else "text"
        if self.wholes == self.filled and self.filled:
            return "whole"
        return "number" if self._are_numbers else "text"

    @property
    def _is_pair(self) -> bool:
        """Whether every cell is one of two words for yes and no, and both of them occur: NO alone may be Norway."""
        return self.words.total() == self.filled > 1 and frozenset(self.words) in _PAIRS

    @property
    def _are_numbers(self) -> bool:
        # 3.10 beside 3.9 is not a price but a version: as a number it would lose its zero.
        loses = any(places < 0 for places in self.places) and len({abs(places) for places in self.places}) > 1
        return self.numbers * 2 > self.filled and not loses

    def _are_amounts(self, comma: bool) -> bool:
        units = self.units - {""}
        if len(units) > 1 or len(self.styles) > 1 or self.bracketed * 2 > self.numbers + self.amounts:
            return False
        if units == {"%"} and (self.numbers or "" in self.units):
            return False  # .3 beside 30 % may be the same
        if units and self.unclear and not self.styles:
            return False  # €1.200 may be either
        if units:
            return (self.numbers + self.amounts) * 2 > self.filled
        if "comma" in self.styles and not comma:
            return False
        if self.powers and not self.places:
            return False  # 1e5 is a code as well, but for where there are fractions beside it
        # Without a sign that says what they are, all of them must be numbers.
        return self.numbers + self.amounts == self.filled

    @property
    def unit(self) -> str:
        """The sign of the amounts, or the signs, of a column that holds hardly anything else; else an empty text."""
        units = sorted(self.units - {""})
        return " and ".join(units) if (self.numbers + self.amounts) * 2 > self.filled else ""

    @property
    def style(self) -> Style:
        """What divides the whole from the fraction."""
        return "comma" if "comma" in self.styles else "point"


@dataclass(frozen=True, slots=True)
class Columns:
    """The kinds of a table's columns, and how many rows it has.

    units: the sign of each column of amounts; styles: what divides the whole from the fraction there.
    """

    kinds: Mapping[str, Kind]
    rows: int
    units: Mapping[str, str] = field(default_factory=dict)
    styles: Mapping[str, Style] = field(default_factory=dict)
    converters: Mapping[str, Callable[[str], Any]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Note how the cells of columns that do not hold texts become values."""
        made: dict[str, Callable[[str], Any]] = {}
        for name, kind in self.kinds.items():
            if kind == "amount":
                made[name] = partial(_amount, style=self.styles.get(name, "point"))
            elif kind in _CONVERTERS:
                made[name] = _CONVERTERS[kind]
        object.__setattr__(self, "converters", made)

    @property
    def vectors(self) -> frozenset[str]:
        """The columns of vectors."""
        return frozenset(name for name, kind in self.kinds.items() if kind == "vector")

    def renamed(self, names: Sequence[str]) -> Columns:
        """Return the same under names instead of places; a column whose name is "" is left out."""
        kept = [(str(at), name) for at, name in enumerate(names) if name]
        return Columns(
            {name: self.kinds[at] for at, name in kept},
            self.rows,
            {name: self.units[at] for at, name in kept if at in self.units},
            {name: self.styles[at] for at, name in kept if at in self.styles},
        )

    def notes(self) -> Iterator[str]:
        """Yield what to say of columns whose values are not kept as they are written."""
        for name, unit in self.units.items():
            if self.kinds[name] == "amount" and unit:
                what = "percents" if unit == "%" else f"amounts in {unit}"
                yield f"the column {name!r} holds {what}: kept as numbers, without the sign"
            elif self.kinds[name] == "text" and len(unit) > 1:
                yield f"the column {name!r} holds amounts in {unit}: kept as texts"
        for name, style in self.styles.items():
            if self.kinds[name] == "amount" and style == "comma":
                yield f"the column {name!r} has a comma before its fractions: 1,5 is read as 1.5"


def _whole(cell: str) -> Any:
    try:
        return int(cell)
    except ValueError:
        return cell


def _number(cell: str) -> Any:
    number = as_number(cell.strip())
    return cell if number is None else number


def _truth(cell: str) -> Any:
    return TRUTHS.get(cell.strip().lower(), cell)


def _amount(cell: str, style: Style) -> Any:
    plain = cell.strip()
    if style == "point" and (number := as_number(plain)) is not None:
        return number
    amount = read_amount(plain, style) if len(plain) > 1 else None
    return amount.value if amount is not None else int(plain) if plain.isascii() and plain.isdigit() else cell


_CONVERTERS: dict[str, Callable[[str], Any]] = {"whole": _whole, "number": _number, "truth": _truth}


def columns_of(names: Sequence[str], batches: Iterable[Sequence[Sequence[str]]], *, comma: bool = True) -> Columns:
    """Return the kinds of columns, from all rows of a table in batches of rows, each as long as the names.

    Args:
        names: of the columns.
        batches: the rows.
        comma: whether a comma without a currency may begin a fraction; no, where commas separate the cells.
    """
    columns = [ColumnCensus() for _ in names]
    rows = 0
    for batch in batches:
        rows += len(batch)
        for column, cells in zip(columns, zip(*batch, strict=False), strict=False):
            column.take(cells)
    named = list(zip(names, columns, strict=True))
    return Columns(
        {name: column.kind(comma) for name, column in named},
        rows,
        {name: column.unit for name, column in named if column.unit},
        {name: column.style for name, column in named if column.amounts},
    )
