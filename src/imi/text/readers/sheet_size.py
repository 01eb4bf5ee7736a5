"""How large the sheets of a workbook are, counted from their XML before openpyxl makes cells of them.

A sheet of two cells may say that it goes to row 1,048,576 and column XFD, and openpyxl makes seventeen thousand
million cells for it; a merged range is as short to write.
"""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from imi.text.readers.limits import refuse_workbook

_ROWS, _COLUMNS = 2**20, 2**14
"""Excel's own limits."""
_WALKED = 2**24
"""Cells that are gone through at most, those that are only there because a later one of their row is."""
_MANY = 2**16
_WHOLE_AREA, _MERGED = 2**21, 2**20
_PLACE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})\Z", re.ASCII)


@dataclass
class WorkbookSize:
    """What the sheets of a workbook hold, all together."""

    cells: int = 0
    area: int = 0
    walked: int = 0
    merged: int = 0
    sheets: int = 0
    formulas: bool = False
    filled: int = 0
    verbatim: bool = False
    with_cells: set[str] = field(default_factory=set)

    @property
    def hollow(self) -> bool:
        """Whether most of many cells hold nothing but a style, and can be left out of the file as it is written."""
        return self.cells > _MANY and self.filled * 2 < self.cells and not self.verbatim

    @property
    def sparse(self) -> bool:
        """Whether the sheets say that they go far beyond their cells."""
        return self.area > _WHOLE_AREA and self.area > 16 * self.cells

    @property
    def fits_memory(self) -> bool:
        """Whether the sheets can be read whole, with their merged cells."""
        return max(self.cells, self.area) <= _WHOLE_AREA and self.merged <= _MERGED


def size_of(source: str) -> WorkbookSize:
    """Return how large a workbook is.

    Raises:
        ValueError: it would unpack to too much, declares a document type, or has more or other cells than Excel could.
        zipfile.BadZipFile, OSError: it is damaged.
    """
    with zipfile.ZipFile(source) as archive:
        parts = [one for one in archive.infolist() if one.filename.lower().endswith((".xml", ".rels"))]
        refuse_workbook(archive, parts, os.path.getsize(source))
        size = WorkbookSize()
        for one in parts:
            _Part(size).read(archive, one)
    named = sum(one.filename.lower().endswith(".xml") for one in parts)
    if size.sheets > named:
        raise ValueError(f"it names {size.sheets:,} sheets and has {named:,} parts")
    if size.walked > max(_WALKED, 16 * size.cells):
        raise ValueError(f"its {size.cells:,} cells are spread over {size.walked:,}")
    return size


class _Part:
    """Counts what one part of a workbook holds."""

    def __init__(self, size: WorkbookSize) -> None:
        self._size = size
        self._columns: dict[str, int] = {}
        self._row = self._column = self._widest = 0

    def read(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        """Go through a part, piece by piece."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._element
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartCdataSectionHandler = parser.CommentHandler = self._as_written
        with archive.open(member) as file:
            try:
                while piece := file.read(2**18):
                    parser.Parse(piece, False)
                parser.Parse(b"", True)
            except expat.ExpatError as damaged:
                raise ValueError(f"{member.filename} in it is damaged") from damaged
        self._end_row()
        if self._widest:
            self._size.with_cells.add(member.filename)
        self._size.area += self._row * self._widest

    def _element(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "c":
            self._cell(attributes.get("r"))
        elif name in ("v", "is"):
            self._size.filled += 1
        elif name == "row":
            self._end_row()
            said = attributes.get("r", "")
            row = int(said) if said.isascii() and said.isdigit() and len(said) < 8 else 0 if said else self._row + 1
            if not self._row <= row <= _ROWS or not row:
                raise ValueError(f"row {said[:20]!r} follows row {self._row:,}")
            self._row = row
        elif name == "f":
            self._size.formulas = True
        elif name == "mergeCell":
            self._size.merged += _area(attributes.get("ref", ""))
        elif name == "dimension":
            self._size.area += _area(attributes.get("ref", ""))
        elif name == "sheet":
            self._size.sheets += 1

    def _cell(self, said: str | None) -> None:
        column = self._column + 1
        if said is not None:
            letters = said.rstrip("0123456789")
            column = self._columns.get(letters, 0) if 0 < len(said) - len(letters) < 8 else 0
            if not column:
                place = _PLACE.match(said)
                column = self._columns[letters] = 0 if place is None else _column(place[1])
        if not 0 < column <= _COLUMNS:
            raise ValueError(f"no sheet has a cell {str(said)[:20]!r}")
        self._column = column
        self._widest = max(self._widest, column)
        self._size.cells += 1

    def _end_row(self) -> None:
        self._size.walked += self._column
        self._column = 0

    def _as_written(self, *_: Any) -> None:
        self._size.verbatim = True

    @staticmethod
    def _doctype(*_: Any) -> None:
        raise ValueError("it declares a document type, which no office program writes")


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def _area(reference: str) -> int:
    ends = [_PLACE.match(one) for one in reference.split(":", 1)]
    if not all(ends):
        return 0
    (left, top), (right, bottom) = ((_column(one[1]), int(one[2])) for one in (ends[0], ends[-1]) if one is not None)
    return max(0, right - left + 1) * max(0, bottom - top + 1)
