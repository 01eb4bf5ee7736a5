"""CSV, TSV and Parquet, row by row, with the line on which each row begins.

A file of separated values is read twice: to find its header and what its columns hold, and for the rows.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, TextIO

from imi.errors import DataError, Failure, MissingExtra
from imi.text.readers.columns import Columns, columns_of
from imi.text.readers.encodings import STRAY
from imi.text.readers.headers import SAMPLE, Header, Record, blank, column_names, find_header
from imi.text.readers.limits import RATIO, WHOLE, too_much
from imi.text.readers.lines import Text, open_text, stray_byte
from imi.text.readers.rows import TEXT_COLUMNS, Naming, ReadOptions, Row, RowReader

# A quote that is never closed would swallow the rest of the file; no cell of a table is that long.
_LONGEST_CELL = 16 * 2**20
_SEPARATORS = (",", "\t", ";", "|")
_RARE = ("^", "~", "\x01", "，", "；")
_NONE = "\x1f"
_RESYNCS = 50
"""Quotes that are never closed, each over a megabyte, after which quotes are letters."""
_BATCH = 256
_UNPACKED, _VALUES = 2**28, 2**30
"""Bytes of a Parquet file's values that are unpacked at once and all together, where it is small."""
_ROWS, _ROWS_A_BYTE = 2**20, 64
_KEPT = 2**24
"""Bytes that the cells of a table may take in memory, roughly, for it to be read once."""
Records = Callable[[int], Iterator[Record | Failure]]


def read_csv(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield the rows below the header of a file of values separated by commas, semicolons, tabs or bars."""
    csv.field_size_limit(_LONGEST_CELL)
    with open_text(source, options.encoding, options.say) as file:
        layout = _layout(_sample(file))
        yield from _read(source, file, layout, options)


def read_tsv(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield the rows below the header of a tab-separated file; quotes are letters there, as in most data sets."""
    csv.field_size_limit(_LONGEST_CELL)
    with open_text(source, options.encoding, options.say) as file:
        quoting = csv.QUOTE_MINIMAL if _is_quoted(_sample(file)) else csv.QUOTE_NONE
        yield from _read(source, file, _Layout("\t", quoting, 0), options)


def _is_quoted(lines: Sequence[str]) -> bool:
    """Whether quotes enclose cells, as spreadsheets write them: each one that begins a cell ends it."""
    quoted = [cell for line in lines for cell in line.rstrip("\r\n").split("\t") if cell.startswith('"')]
    if quoted and all(len(cell) > 1 and cell.endswith('"') and cell.count('"') % 2 == 0 for cell in quoted):
        return True
    try:
        widths = {len(cells) for cells in csv.reader(lines, delimiter="\t", strict=True) if cells}
    except csv.Error:
        return False
    return bool(quoted) and len(widths) == 1 and len({line.count("\t") for line in lines if line.strip()}) > 1


@dataclass(frozen=True, slots=True)
class _Layout:
    """The separator of a file, whether quotes mean something, and the lines before its table begins.

    padded: whether there are blanks between separators and quotes.
    """

    separator: str
    quoting: int
    skipped: int
    quote: str = '"'
    padded: bool = False


def _sample(file: Text) -> list[str]:
    lines = list(islice(file, SAMPLE))
    file.seek(0)
    return lines


def _layout(lines: Sequence[str]) -> _Layout:
    first = lines[0].strip().strip('"') if lines else ""
    # What Excel writes above a table to say how it is separated.
    if first.lower().startswith("sep=") and len(first) <= 5:
        return _Layout(first[4:] or "\t", csv.QUOTE_MINIMAL, 1)
    head = next((line.strip() for line in lines if line.strip()), "")
    if head.strip('"').lower() in TEXT_COLUMNS and not any(one in head for one in _SEPARATORS):
        return _Layout(_NONE, csv.QUOTE_MINIMAL, 0)
    best, chosen = (0.0, 0), _NONE if not any(one in head for one in _SEPARATORS) else ","
    for separator in (*_SEPARATORS, *(one for one in _RARE if one in head)):
        widths = [sum(map(bool, cells)) and len(cells) for cells in _lenient(lines, separator)]
        widths = [width for width in widths if width]
        counts = Counter(width for width in widths if width > 1)
        if not counts:
            continue
        width, often = counts.most_common(1)[0]
        if separator not in head and often * 10 < counts.total() * 7:
            continue  # a header of one name, and below it texts with a comma here and there
        # Of two that divide the rows evenly, the one that divides the header.
        score = (often / len(widths) + 0.5 * (separator in head), min(width, 2))
        if score > best:
            best, chosen = score, separator
    quote = "'" if _is_single_quoted(head, chosen) else '"'
    return _Layout(chosen, csv.QUOTE_MINIMAL, 0, quote, _is_padded(lines, chosen))


def _is_padded(lines: Sequence[str], separator: str) -> bool:
    """Whether there are blanks between separators and quotes, so that only without them all rows are equally wide."""
    if not any(f'{separator} "' in line for line in lines):
        return False
    as_written = {len(cells) for cells in _lenient(lines, separator) if cells}
    with suppress(csv.Error):
        without = {len(cells) for cells in csv.reader(lines, delimiter=separator, skipinitialspace=True) if cells}
        return len(without) == 1 and len(as_written) > 1
    return False


def _is_single_quoted(head: str, separator: str) -> bool:
    cells = head.split(separator)
    return all(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in map(str.strip, cells))


def _lenient(lines: Iterable[str], separator: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=separator))
    except csv.Error:
        return [line.rstrip("\r\n").split(separator) for line in lines]


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

    def push_back(self, lines: Sequence[str]) -> None:
        """Give lines back, to be read again."""
        self._pushed += reversed(lines)
        self.number -= len(lines)
        del self.taken[len(self.taken) - len(lines) :]


class _Separated:
    """The records of a file of separated values: cells with the line that they begin on, or why a line gives none."""

    def __init__(self, source: str, file: Text, layout: _Layout, options: ReadOptions) -> None:
        self._source = source
        self._file = file
        self._layout = layout
        self._options = options

    def __call__(self, width: int = 0) -> Iterator[Record | Failure]:
        """Begin at the top; `width` is how many cells a row has, 0 where it is not known."""
        self._file.seek(0)
        lines = _Lines(self._file)
        for _ in range(self._layout.skipped):
            next(lines, None)
        layout, long, seen = self._layout, 0, False
        form: dict[str, Any] = {"delimiter": layout.separator, "quotechar": layout.quote, "quoting": layout.quoting}
        form["skipinitialspace"] = layout.padded
        rows = csv.reader(lines, strict=True, **form)
        while True:
            lines.taken.clear()
            first = lines.number + 1
            try:
                cells: list[str] | None = next(rows)
            except StopIteration:
                break
            except csv.Error:
                cells = self._repaired(lines.taken)
                if cells is not None:
                    self._options.say(self._source, first, "its quotes follow no rule and were read as they are")
            taken = lines.taken
            if cells is None or (len(taken) > 1 and len(cells) != width and self._are_rows(taken[1:], width)):
                yield Failure(self._source, first, _refused(taken))
                long += sum(map(len, taken)) > 2**20
                if long > _RESYNCS:
                    rows = csv.reader(lines, delimiter=layout.separator, quoting=csv.QUOTE_NONE)
                lines.push_back(taken[1:])
            elif cells:
                wrong = self._stray(taken)
                if wrong is not None and not seen:
                    self._options.say(self._source, first, f"the header is read without what cannot be: {wrong}")
                    wrong, cells = None, [STRAY.sub("\ufffd", cell) for cell in cells]
                seen = True
                yield (first, cells) if wrong is None else Failure(self._source, first, wrong)
        if self._file.broken:
            yield Failure(self._source, lines.number + 1, self._file.broken)

    def _stray(self, taken: Sequence[str]) -> str | None:
        bad = [line for line in taken if not line.isascii() and STRAY.search(line)]
        return stray_byte(bad[0], self._file.known) if bad else None

    def _repaired(self, taken: Sequence[str]) -> list[str] | None:
        """Return the cells of a single line whose quotes are odd but close; None where one does not."""
        line = taken[0]
        if len(taken) > 1:
            return None
        if '\\"' in line:
            form: dict[str, Any] = {"delimiter": self._layout.separator, "escapechar": "\\", "doublequote": False}
            with suppress(csv.Error, StopIteration):
                return next(csv.reader([line], strict=True, **form))
        if line.count('"') % 2:
            return None
        try:
            return next(csv.reader([line], delimiter=self._layout.separator))
        except (csv.Error, StopIteration):
            return None

    def _are_rows(self, lines: Sequence[str], width: int) -> bool:
        """Whether lines inside of a cell look like separate rows: then its quote was never closed."""
        if not width:
            return False
        some = _lenient(lines[:20], self._layout.separator)
        return sum(len(cells) == width for cells in some) * 2 > len(some) and len(lines) > 1


def _refused(taken: Sequence[str]) -> str:
    """Return why lines give no row."""
    if not any('"' in line for line in taken):
        return f"a cell has more than {_LONGEST_CELL:,} characters"
    lines = len(taken)
    return "a quote is opened and never closed" + (
        f"; the {lines - 1} lines after it are read as separate rows" if lines > 1 else ""
    )


def _read(source: str, file: Text, layout: _Layout, options: ReadOptions) -> Iterator[Row | Failure]:
    if layout.skipped:
        options.say(source, 1, f"the line says that {layout.separator!r} separates, and is not a row")
    records = _Separated(source, file, layout, options)
    for item in records():
        if isinstance(item, Failure):
            raise DataError(f"{source}:{item.line}: the header cannot be read: {item.reason}")
        break
    else:
        raise DataError(f"{source} is empty: a table begins with a line of column names")
    yield from table_rows(source, records, options, comma=layout.separator != ",")


def table_rows(
    source: str,
    records: Records,
    options: ReadOptions,
    *,
    typed: bool = False,
    facts: dict[str, Any] | None = None,
    comma: bool = True,
) -> Iterator[Row | Failure]:
    """Yield the rows of a table of cells: below its header, by its columns, without its titles, blank rows and footers.

    Args:
        source: the file.
        records: begins at the top, given how many cells a row has (0: not known), and yields lines with their cells.
        options: what becomes of the columns.
        typed: whether cells have types; else they are texts, and what they are is decided by column.
        facts: what else imi notes of each row.
        comma: whether a comma without a currency may begin a fraction; no, where commas separate the cells.
    """
    records = records if typed or options.decided is None else _Kept(records)
    key = _key(source, facts)
    table = None if options.decided is None else options.decided.get(key)
    if table is None:
        table = _looked_through(source, records, options, typed=typed, comma=comma)
        if options.decided is not None and key is not None:
            options.decided[key] = table
    header, columns, width = table.header, table.columns, len(table.columns)
    named: Naming = "none" if header.missing else "table" if facts else "field"
    names = [name for name in columns if name]
    reader = RowReader(source, names, options, table.kinds, facts=facts, named=named)
    found, all_named = False, len(names) == width
    for item in body(source, _filled_up(records(width), table.least, width), header.line, width, options):
        if isinstance(item, Failure):
            yield item
            continue
        found = True
        at, cells = item
        if all_named:
            yield reader.row(at, dict(zip(columns, cells, strict=True)))
        else:
            yield reader.row(at, {name: cell for name, cell in zip(columns, cells, strict=True) if name})
    if not found:
        options.say(source, header.line, "below the header there is no row")


@dataclass(frozen=True, slots=True)
class _Table:
    """What was found out of a table: its header, its columns' names ("": left out) and kinds, and its least width."""

    header: Header
    columns: Sequence[str]
    kinds: Columns | None
    least: int


class _Kept:
    """Records that are kept in memory as they are first read to the end, where they are few."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._kept: list[Record | Failure] | None = None

    def __call__(self, width: int) -> Iterator[Record | Failure]:
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[Record | Failure] = []
        room = _KEPT if width else 0
        for item in self._records(width):
            if room > 0:
                room -= 0 if isinstance(item, Failure) else 50 * len(item[1]) + sum(map(len, item[1]))
                kept.append(item)
            yield item
        if room > 0:
            self._kept = kept


def _key(source: str, facts: dict[str, Any] | None) -> Hashable | None:
    """Return what a table is known by as long as its file stays as it is; None where it is not in one."""
    try:
        about = os.stat(source)
    except OSError:
        return None
    return (source, about.st_ino, about.st_size, about.st_mtime_ns, *(facts or {}).items())


def _looked_through(source: str, records: Records, options: ReadOptions, *, typed: bool, comma: bool) -> _Table:
    """Read a table once, and return its header and what its columns hold."""
    top = (one for one in records(0) if not isinstance(one, Failure))
    header = find_header(list(islice(top, SAMPLE)), options.asked, options.header)
    for at, cells in header.above:
        options.say(source, at, f"the line is above the header and not a row: {_shown(cells)}")
    width, line = len(header.names), header.line
    # Cells below the nameless end of a header may be there or not.
    least = max((at for at, name in enumerate(header.names, 1) if name), default=width)
    empty = [True] * width
    batches = _batches(_filled_up(records(width), least, width), line, width, empty)
    whole: Columns | None = None
    if typed:
        for batch in batches:
            del batch
    else:
        whole = columns_of([*map(str, range(width))], batches, comma=comma)
    columns = _named(source, header, empty, whole, options)
    kinds = None if whole is None else whole.renamed(columns)
    for note in () if kinds is None else kinds.notes():
        options.say(source, None, note)
    return _Table(header, columns, kinds, least)


def _filled_up(records: Iterator[Record | Failure], least: int, width: int) -> Iterator[Record | Failure]:
    if least == width:
        return records
    return (
        item
        if isinstance(item, Failure) or not least <= len(item[1]) < width
        else (item[0], [*item[1], *[""] * (width - len(item[1]))])
        for item in records
    )


def _batches(
    records: Iterator[Record | Failure], line: int, width: int, empty: list[bool]
) -> Iterator[list[list[Any]]]:
    """Yield the rows below the header in batches, and note which columns hold anything."""
    batch: list[list[Any]] = []
    waiting = set(range(width))
    for item in records:
        if isinstance(item, Failure) or item[0] <= line or len(item[1]) < width:
            continue
        cells = item[1]
        batch.append(cells)
        if waiting:
            for at in [at for at in waiting if not blank(cells[at])]:
                empty[at] = False
                waiting.discard(at)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch


def _named(
    source: str, header: Header, empty: Sequence[bool], whole: Columns | None, options: ReadOptions
) -> list[str]:
    """Return a name for each column, "" for those that are left out.

    Raises:
        DataError: two columns have the name that is asked for, or all of a member of an archive have one name.
    """
    line = header.line
    if header.missing:
        why = "" if options.header is False else "; if it holds column names, --header says so"
        options.say(source, line + 1, f"the table has no header: its columns are called 'column 1' and so on{why}")
        return list(header.names)
    if options.inside and len(header.names) > 1 and len(set(header.names)) == 1 and header.names[0]:
        raise DataError(
            f"{source}: all its {len(header.names)} columns are called {header.names[0]!r}: nothing tells them apart",
            hint="unpack it and add it by itself to have them numbered",
        )
    names, twice = column_names(source, header.names, options.asked)
    for said in twice:
        options.say(source, line, said)
    for at, name in enumerate(names):
        if name or empty[at]:
            continue
        counted = at == 0 and (whole is None or whole.kinds[str(at)] in ("number", "whole"))
        if counted and len(names) > 1:
            options.say(source, line, "the first column has no name and counts the rows: it is left out")
            continue
        names[at] = next(one for one in (f"column {at + 1}", f"column {at + 1}.") if one not in names)
        options.say(source, line, f"column {at + 1} has no name: it is called {names[at]!r}")
    return names


def body(
    source: str, records: Iterator[Record | Failure], line: int, width: int, options: ReadOptions
) -> Iterator[Record | Failure]:
    """Yield the records below the header, each as wide as it; blank lines and notes below the table are left out."""
    gaps: list[int] = []
    notes: list[Record] = []
    for item in records:
        if isinstance(item, Failure):
            yield item
            continue
        at, cells = item
        if at <= line:
            continue
        if len(cells) == width and (not blank(cells[0]) or not all(map(blank, cells))):
            if notes:
                yield from (_too_few(source, note, width) for note in notes)
                notes = []
            yield item
            continue
        if all(map(blank, cells)):
            gaps.append(at)
        elif len(cells) > width and all(map(blank, cells[width:])):
            yield at, cells[:width]
        elif sum(not blank(cell) for cell in cells) == 1 and len(cells) < width and width > 2:
            notes.append(item)
        else:
            yield _too_few(source, item, width)
    for at, cells in notes:
        options.say(source, at, f"the line is below the table and not a row: {_shown(cells)}")
    if gaps:
        some = ", ".join(map(str, gaps[:5])) + (" …" if len(gaps) > 5 else "")
        options.say(source, gaps[0], f"{'1 row is' if len(gaps) == 1 else f'{len(gaps)} rows are'} blank: {some}")


def _too_few(source: str, item: Record, width: int) -> Failure:
    return Failure(source, item[0], f"{len(item[1])} columns, the header has {width}")


def _shown(cells: Sequence[Any]) -> str:
    # A title over merged cells is in each of them.
    text = ", ".join(one for one, _ in groupby(str(cell).strip() for cell in cells if not blank(cell)))
    return repr(text if len(text) <= 60 else f"{text[:59]}…")


def read_parquet(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield the rows of a Parquet file, a batch in memory at a time; the line is the row's number from 1.

    Raises:
        MissingExtra: pyarrow is not installed.
        DataError: it is not a Parquet file, or would unpack to too much.
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
        raise DataError(f"{source} is not a Parquet file: {wrong}") from wrong
    with file:
        size = os.path.getsize(source)
        most = max(_VALUES, RATIO * size)
        together = _batch_size(source, size, file.metadata)
        reader = RowReader(source, file.schema_arrow.names, options)
        number = held = 0
        try:
            for batch in file.iter_batches(batch_size=together):
                for values in batch.to_pylist():
                    number += 1
                    held += sum(len(value) for value in values.values() if isinstance(value, str | bytes))
                    if held > most:
                        reason = f"its values take more than {most:,} bytes; the rest is left out"
                        yield Failure(source, number, reason)
                        return
                    yield reader.row(number, values)
        except (pyarrow.ArrowException, OSError) as wrong:
            yield Failure(source, number + 1, f"the rest of the Parquet file is damaged: {wrong}")


def _batch_size(source: str, size: int, about: Any) -> int:
    """Return how many rows of a Parquet file are unpacked at once.

    A value that many rows share is kept once, so a row may take all the bytes that a part of its file does.

    Raises:
        DataError: it would unpack to too much.
    """
    groups = [about.row_group(at) for at in range(about.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    if too_much(size, unpacked, small=WHOLE):
        raise DataError(
            f"{source} would unpack from {size:,} to {unpacked:,} bytes; allowed is {RATIO} times its size",
            hint="write it again with less compression",
        )
    if about.num_rows > max(_ROWS, _ROWS_A_BYTE * size):
        raise DataError(
            f"{source} says that {about.num_rows:,} rows stand in {size:,} bytes; allowed are {_ROWS_A_BYTE} a byte",
            hint="write out the rows that differ",
        )
    largest = max((group.total_byte_size for group in groups), default=0)
    return max(16, min(1024, _UNPACKED // max(1, largest)))
