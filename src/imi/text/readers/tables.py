"""CSV, TSV and Parquet, row by row, with the line on which each row begins."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TextIO

from imi.errors import DataError, Failure, MissingExtra
from imi.text.readers.lines import open_text, stray_byte
from imi.text.readers.rows import ReadOptions, Row, RowReader

# A quote that is never closed would swallow the rest of the file; no cell of a table is that long.
_LONGEST_CELL = 16 * 2**20


def read_csv(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield the rows below the header of a comma-separated file (semicolons where the header has no comma)."""
    csv.field_size_limit(_LONGEST_CELL)
    with open_text(source, options.encoding) as file:
        lines = _Lines(file)
        header = next(lines, "")
        dialect = ";" if "," not in header and ";" in header else "\t" if "," not in header and "\t" in header else ","
        lines.push_back(header)
        rows = csv.reader(lines, delimiter=dialect, strict=True)
        yield from _rows(source, rows, lines, options)


def read_tsv(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield the rows below the header of a tab-separated file; quotes are letters there, as in most data sets."""
    csv.field_size_limit(_LONGEST_CELL)
    with open_text(source, options.encoding) as file:
        lines = _Lines(file)
        yield from _rows(source, csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE), lines, options)


class _Lines(Iterator[str]):
    """Counts the lines that the csv module takes and remembers those that belong to the current row."""

    def __init__(self, file: TextIO) -> None:
        self._file = iter(file)
        self._pushed: list[str] = []
        self.taken: list[str] = []
        self.number = 0

    def __next__(self) -> str:
        line = self._pushed.pop() if self._pushed else next(self._file)
        self.number += 1
        self.taken.append(line)
        return line

    def push_back(self, line: str) -> None:
        """Give a line back, to be read again."""
        if self.number:
            self._pushed.append(line)
            self.number -= 1
            self.taken.clear()


def _rows(source: str, rows: Iterator[list[str]], lines: _Lines, options: ReadOptions) -> Iterator[Row | Failure]:
    header = _header(source, rows, lines, options)
    reader = RowReader(source, header, options)
    while True:
        lines.taken.clear()
        first = lines.number + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as wrong:
            yield Failure(source, first, f"{wrong}".replace("'", '"'))
            continue
        wrong_byte = next(filter(None, (stray_byte(line, options.encoding) for line in lines.taken)), None)
        if not cells:
            continue  # an empty line
        if wrong_byte:
            yield Failure(source, first, wrong_byte)
        elif len(cells) != len(header):
            yield Failure(source, first, f"{len(cells)} columns, the header has {len(header)}")
        else:
            yield reader.row(first, dict(zip(header, cells, strict=True)))


def _header(source: str, rows: Iterator[list[str]], lines: _Lines, options: ReadOptions) -> list[str]:
    try:
        header = [name.strip() for name in next(rows)]
    except StopIteration:
        raise DataError(f"{source} is empty: a table begins with a line of column names") from None
    except csv.Error as wrong:
        raise DataError(f"{source}:1: the header cannot be read: {wrong}") from wrong
    wrong_byte = next(filter(None, (stray_byte(line, options.encoding) for line in lines.taken)), None)
    if wrong_byte:
        raise DataError(f"{source}:1: {wrong_byte}")
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{source} has two columns called {twice!r}", hint="give every column a name of its own")
    return header


def read_parquet(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield the rows of a Parquet file, a batch in memory at a time; the line is the row's number from 1.

    Raises:
        MissingExtra: pyarrow is not installed.
        DataError: it is no Parquet file.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as missing:
        raise MissingExtra("pyarrow", "tables") from missing
    try:
        file = pyarrow.parquet.ParquetFile(source)
    except FileNotFoundError as missing:
        raise DataError(f"{source}: no such file or directory") from missing
    except (pyarrow.ArrowException, OSError) as wrong:
        raise DataError(f"{source} is no Parquet file: {wrong}") from wrong
    with file:
        reader = RowReader(source, file.schema_arrow.names, options)
        number = 0
        for batch in file.iter_batches(batch_size=1024):
            for values in batch.to_pylist():
                number += 1
                yield reader.row(number, values)
