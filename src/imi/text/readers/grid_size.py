"""How large the sheets of .ods and .xlsb files are, counted before they are unrolled.

A row or a cell of OpenDocument may say that it stands a million times, and a cell of .xlsb that it is the last of a
sheet of seventeen thousand million.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat

from imi.text.readers.limits import refuse_workbook

_AREA, _TEXT = 2**22, 2**28
"""Cells of sheets that hold far fewer, and characters of their cells."""
_FEW, _A_BYTE = 2**20, 2
"""Records of .xlsb in a sheet, and for each byte of the file."""
_ROW_HEADER, _LAST_CELL = 0, 11
"""Kinds of records in .xlsb: the head of a row, and those of cells from 1 on."""


def check_grid(source: str) -> None:
    """Look at a packed workbook before it is unrolled.

    Raises:
        ValueError: it would unpack to too much, has more elements than a file of its size, or far more cells than are
            written in it.
        zipfile.BadZipFile, OSError, expat.ExpatError: it is damaged.
    """
    size = os.path.getsize(source)
    with zipfile.ZipFile(source) as archive:
        parts = archive.infolist()
        refuse_workbook(archive, parts, size)
        area = cells = characters = 0
        for one in parts:
            if one.filename == "content.xml":
                grid = _Repeated()
                grid.read(archive, one)
                area, cells, characters = area + grid.area, cells + grid.cells, characters + grid.characters
            elif one.filename.lower().endswith(".bin") and "worksheets/" in one.filename.lower():
                if one.file_size > _TEXT:
                    raise ValueError(f"{one.filename} would unpack to more than {_TEXT:,} bytes")
                more, written = _binary(archive.read(one), max(_FEW, _A_BYTE * size))
                area, cells = area + more, cells + written
    if area > max(_AREA, 16 * cells):
        raise ValueError(f"its {cells:,} cells are spread over {area:,}")
    if characters > _TEXT:
        raise ValueError(f"its cells hold more than {_TEXT:,} characters")


class _Repeated:
    """Counts the cells of OpenDocument's tables: those that are written, and those that they stand for."""

    def __init__(self) -> None:
        self.area = self.cells = self.characters = 0
        self._height = self._filled_to = self._widest = 0
        self._rows = self._width = self._filled = self._said = 0
        self._times = 1

    def read(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        """Go through a document, piece by piece."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        with archive.open(member) as file:
            while piece := file.read(2**18):
                parser.Parse(piece, False)
            parser.Parse(b"", True)

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name in ("table-cell", "covered-table-cell"):
            self._times = _times(attributes, "number-columns-repeated") if attributes else 1
            self._width += self._times
            self.cells += 1
            if attributes and any(key.endswith("value-type") for key in attributes):
                self._filled = self._width
        elif name == "table-row":
            self._rows, self._width, self._filled, self._said = _times(attributes, "number-rows-repeated"), 0, 0, 0

    def _text(self, text: str) -> None:
        self._said += len(text) * self._times

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        if name == "table-row":
            self._height += self._rows
            if self._filled or self._said:
                self._filled_to = self._height
                self._widest = max(self._widest, self._filled)
                self.characters += self._said * self._rows
        elif name in ("table-cell", "covered-table-cell"):
            self._times = 1
        elif name == "table":
            self.area += self._filled_to * self._widest
            self._height = self._filled_to = self._widest = 0

    @staticmethod
    def _doctype(*_: Any) -> None:
        raise ValueError("it declares a document type, which no office program writes")


def _times(attributes: dict[str, str], name: str) -> int:
    said = next((value for key, value in attributes.items() if key.endswith(name)), "1")
    if not (said.isascii() and said.isdigit() and len(said) < 10):
        raise ValueError(f"a cell stands {said[:20]!r} times")
    return max(1, int(said))


def _binary(sheet: bytes, most: int) -> tuple[int, int]:
    """Return how many cells the rectangle around the cells of a sheet has, and how many are written.

    Raises:
        ValueError: it has more records than that.
    """
    first = left = 2**31
    last = right = -1
    cells = row = 0
    for number, (kind, at, size) in enumerate(_records(sheet)):
        if number >= most:
            raise ValueError(f"a sheet has more than {most:,} records")
        if size < 4 or kind > _LAST_CELL:
            continue
        place = int.from_bytes(sheet[at : at + 4], "little")
        if kind == _ROW_HEADER:
            row = place
            continue
        cells += 1
        first, last = row if row < first else first, row if row > last else last
        left, right = place if place < left else left, place if place > right else right
    return ((last - first + 1) * (right - left + 1), cells) if cells else (0, 0)


def _records(sheet: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the kind of each record, where it begins, and its bytes."""
    at = 0
    while at < len(sheet):
        kind, at = _number(sheet, at, 2)
        size, at = _number(sheet, at, 4)
        yield kind, at, min(size, len(sheet) - at)
        at += size


def _number(sheet: bytes, at: int, most: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and the place behind it."""
    number = 0
    for step, byte in enumerate(sheet[at : at + most]):
        number |= (byte & 0x7F) << 7 * step
        if byte < 0x80:
            return number, at + step + 1
    return number, at + most
