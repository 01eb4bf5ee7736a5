"""Spreadsheets of OpenDocument (.ods) and of older Excels (.xls, .xlsb): each sheet a table, as in .xlsx."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any
from xml.parsers import expat

from imi.errors import Failure, MissingExtra, UsageError
from imi.text.readers.cells import cell_value
from imi.text.readers.grid_size import check_grid
from imi.text.readers.headers import Record, blank
from imi.text.readers.reasons import reason_of
from imi.text.readers.rows import ReadOptions, Row
from imi.text.readers.tables import table_rows

WORKBOOKS = (".ods", ".xls", ".xlsb")
_MOST_CELLS = 50_000_000
"""Cells from the first to the last of a sheet, which are all held at once."""


def read_workbook(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield the rows of each sheet, with the sheet's name and the row's number.

    Raises:
        MissingExtra: python-calamine is not installed.
    """
    try:
        import python_calamine
    except ImportError as missing:
        raise MissingExtra("python-calamine", "office") from missing
    try:
        if zipfile.is_zipfile(source):
            check_grid(source)
    except (ValueError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error, expat.ExpatError) as bomb:
        yield Failure(source, None, f"no spreadsheet that can be read: {reason_of(bomb)}")
        return
    try:
        # By what is in it, whatever its name ends in.
        with open(source, "rb") as file:
            book = python_calamine.CalamineWorkbook.from_filelike(file)
    except python_calamine.PasswordError:
        yield Failure(source, None, "the spreadsheet is locked by a password; save it without one")
        return
    except Exception as broken:
        # What a damaged file does to a parser cannot be listed.
        yield Failure(source, None, f"no spreadsheet that can be read: {reason_of(broken)}; save it as .xlsx or .csv")
        return
    tables = 0
    refused: list[tuple[str, UsageError]] = []
    for sheet in book.sheets_metadata:
        records = _records(book, sheet.name, source)
        if isinstance(records, Failure):
            yield records
            continue
        if not records:
            continue
        tables += 1
        if sheet.visible != python_calamine.SheetVisibleEnum.Visible:
            options.say(source, None, f"the sheet {sheet.name!r} is hidden in the file, and is read all the same")
        try:
            yield from table_rows(source, partial(_again, records), options, typed=True, facts={"sheet": sheet.name})
        except UsageError as lacking:
            refused.append((sheet.name, lacking))
    if refused and len(refused) == tables:
        raise refused[0][1]
    for title, refusal in refused:
        options.say(source, None, f"the sheet {title!r} was left out: {refusal.message}")
    if not tables:
        yield Failure(source, None, "the spreadsheet holds no rows")


def _records(book: Any, name: str, source: str) -> list[Record] | Failure:
    """Return the rows of a sheet that hold anything, or why it cannot be read."""
    try:
        sheet = book.get_sheet_by_name(name)
        if sheet.total_height * sheet.total_width > _MOST_CELLS:
            spans = f"{sheet.total_height:,} rows and {sheet.total_width:,} columns"
            return Failure(source, None, f"the sheet {name!r} spans {spans}; save it as .xlsx or .csv")
        cells = sheet.to_python(skip_empty_area=False)
    except Exception as broken:
        return Failure(source, None, f"the sheet {name!r} cannot be read: {reason_of(broken)}")
    records = [(at, [cell_value(cell) for cell in row]) for at, row in enumerate(cells, 1)]
    return [one for one in records if not all(map(blank, one[1]))]


def _again(records: list[Record], width: int) -> Iterator[Record]:
    return iter(records)
