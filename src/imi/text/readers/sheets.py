"""Spreadsheets (.xlsx): each sheet a table, each row a document; texts stay texts, dates become ISO dates."""

from __future__ import annotations

import os
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO, Any

from imi.errors import Failure, MissingExtra, UsageError
from imi.text.readers.cells import cell_value
from imi.text.readers.headers import Record, find_header
from imi.text.readers.hollow import without_empty_cells
from imi.text.readers.reasons import reason_of
from imi.text.readers.rows import ReadOptions, Row
from imi.text.readers.sheet_size import WorkbookSize, size_of
from imi.text.readers.tables import table_rows
from imi.text.readers.workbooks import read_workbook

_SMALL = 8 * 2**20
"""Bytes of a file up to which merged cells are looked for, which takes the sheets whole into memory."""
_PADDING = 256
"""Columns to which rows that end earlier are filled, where the sheet cannot be trusted with how wide it is."""
_TEXT = 2**28
"""Characters that the cells of a sheet may have; a text that many cells share is written once."""


def read_xlsx(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield the rows of each sheet, with the sheet's name and the row's number; empty sheets hold none.

    Raises:
        MissingExtra: openpyxl is not installed.
    """
    try:
        import openpyxl  # noqa: F401
    except ImportError as missing:
        raise MissingExtra("openpyxl", "office") from missing
    size = _size(source)
    if isinstance(size, Failure):
        yield size
        return
    try:
        file, book, written = _opened(source, size, options)
    except Exception as broken:
        # What a damaged file does to a parser cannot be listed; another may be more lenient.
        options.say(source, None, f"openpyxl cannot read it: {reason_of(broken)}; it is read by calamine")
        yield from read_workbook(source, options)
        return
    found, tables = False, 0
    refused: list[tuple[str, UsageError]] = []
    for sheet in book.worksheets:
        try:
            records = list(_records(sheet, None if written is None else written[sheet.title], options, source))
        except Exception as broken:
            yield Failure(source, None, f"the sheet {sheet.title!r} cannot be read: {reason_of(broken)}")
            continue
        if not records:
            continue
        width = max(len(cells) for _, cells in records)
        width = min(width, _PADDING) if size.sparse else width
        records = [(at, [*cells, *[None] * (width - len(cells))]) for at, cells in records]
        found = True
        records = _one_header(records, sheet, options)
        facts = {"sheet": sheet.title}
        if sheet.sheet_state != "visible":
            options.say(source, None, f"the sheet {sheet.title!r} is hidden in the file, and is read all the same")
        try:
            yield from table_rows(source, partial(_again, records), options, typed=True, facts=facts)
        except UsageError as lacking:
            # A workbook may have sheets beside the table that was meant.
            refused.append((sheet.title, lacking))
            tables += 1
            continue
        tables += 1
    book.close()
    file.close()
    if refused and len(refused) == tables:
        raise refused[0][1]
    for title, refusal in refused:
        options.say(source, None, f"the sheet {title!r} was left out: {refusal.message}")
    if not found:
        yield Failure(source, None, "the spreadsheet holds no rows")


def _opened(source: str, size: WorkbookSize, options: ReadOptions) -> tuple[IO[bytes], Any, Any]:
    """Return the file, its workbook, and once more with the formulas where there are some."""
    import openpyxl

    small = os.path.getsize(source) <= _SMALL and size.fits_memory
    if size.merged and not small:
        options.say(source, None, "the workbook is too large for its merged cells to be filled")
    with warnings.catch_warnings():
        # What openpyxl does not know of (charts, checks of cells) holds no text.
        warnings.simplefilter("ignore")
        # By what is in it, whatever its name ends in.
        file = without_empty_cells(source, size.with_cells) if size.hollow else open(source, "rb")  # noqa: SIM115
        try:
            book = openpyxl.load_workbook(file, data_only=True, read_only=not small, keep_links=False)
            return file, book, openpyxl.load_workbook(file, read_only=True) if size.formulas else None
        except BaseException:
            file.close()
            raise


def _size(source: str) -> WorkbookSize | Failure:
    """Return how large a workbook is, or why it is not opened; of a damaged one openpyxl says what is wrong."""
    try:
        return size_of(source)
    except ValueError as bomb:
        return Failure(source, None, f"no spreadsheet that can be read: {reason_of(bomb)}")
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError):
        return WorkbookSize()


def _again(records: list[Record], width: int) -> Iterator[Record]:
    return iter(records)


def _records(sheet: Any, written: Any, options: ReadOptions, source: str) -> Iterator[Record]:
    """Yield the rows that hold anything, with merged cells filled."""
    rows = dict(_rows(sheet))
    spread: dict[int, dict[int, Any]] = {}
    for merged in getattr(getattr(sheet, "merged_cells", None), "ranges", ()):
        value = _value(sheet.cell(merged.min_row, merged.min_col))
        for row in range(merged.min_row, merged.max_row + 1):
            spread.setdefault(row, {}).update(dict.fromkeys(range(merged.min_col, merged.max_col + 1), value))
    formulas = {} if written is None else dict(_rows(written))
    characters = 0
    for number in sorted({*rows, *spread}):
        cells, filled = rows.get(number, {}), spread.get(number, {})
        values = {at: _value(cell) for at, cell in cells.items()} | filled
        for at, cell in formulas.get(number, {}).items():
            if getattr(cell, "data_type", "") == "f" and values.get(at) is None:
                where = f"{sheet.title}!{cell.coordinate}"
                options.say(source, number, f"the formula in {where} was saved without its value, and is left out")
        if any(value is not None and value != "" for value in values.values()):
            characters += sum(len(value) for value in values.values() if isinstance(value, str))
            if characters > _TEXT:
                raise ValueError(f"its cells hold more than {_TEXT:,} characters")
            yield number, [values.get(at) for at in range(1, max(values) + 1)]


def _rows(sheet: Any) -> Iterator[tuple[int, dict[int, Any]]]:
    """Yield the rows of a sheet with their cells by column: those that there are, not all that its size spans."""
    if hasattr(sheet, "reset_dimensions"):
        sheet.reset_dimensions()
        for number, cells in enumerate(sheet.iter_rows(), 1):
            held = {cell.column: cell for cell in cells if cell.value is not None}
            if held:
                yield number, held
        return
    found: dict[int, dict[int, Any]] = {}
    for (row, column), cell in sheet._cells.items():
        if cell.value is not None:
            found.setdefault(row, {})[column] = cell
    yield from found.items()


def _value(cell: Any) -> Any:
    return cell_value(cell.value, str(cell.number_format))


def _one_header(records: list[Record], sheet: Any, options: ReadOptions) -> list[Record]:
    """Make one row of a header of two, where a merged cell of the first spans several of the second."""
    wide = [
        merged
        for merged in getattr(getattr(sheet, "merged_cells", None), "ranges", ())
        if merged.max_col > merged.min_col and merged.min_row == merged.max_row
    ]
    found = find_header(records[:60], options.asked, options.header)
    header, line = found.names, found.line
    if found.missing or not any(
        merged.min_row == line and merged.max_col - merged.min_col + 1 < len(header) for merged in wide
    ):
        return records
    at = next(n for n, (number, _) in enumerate(records) if number == line)
    below = records[at + 1] if at + 1 < len(records) else None
    if below is None or not all(cell is None or isinstance(cell, str) for cell in below[1]):
        return records
    first: Sequence[Any] = records[at][1]
    names = []
    for top, under in zip(first, below[1], strict=False):
        parts = dict.fromkeys(str(one).strip() for one in (top, under) if one is not None)
        names.append(" ".join(parts))
    return [*records[:at], (below[0], names), *records[at + 2 :]]
