"""Where a table of cells begins: titles above its header, the header, or rows at once where it has none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from imi.errors import DataError
from imi.records import composed
from imi.text.readers.rows import TEXT_COLUMNS
from imi.text.readers.vectors import looks_like_vector
from imi.values import as_date, as_number

SAMPLE = 60
"""Lines by which the separator and the header are found."""
_KNOWN = (*TEXT_COLUMNS, "id", "name", "title", "label", "date", "url", "email", "品名", "名前", "氏名", "本文", "日付")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+\Z|[^@\s]+@[^@\s]+\.[A-Za-z]{2,}\Z|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-")
_AMOUNT = re.compile(r"[-+]?[$€£¥￥]?\s?\d[\d,.]*\s?(?:%|円|kg|km|cm)?\Z", re.ASCII)
_SENTENCE = re.compile(r".{20,}[.!。！…]\s*\Z|.{120,}", re.DOTALL)

Record = tuple[int, list[Any]]


@dataclass(frozen=True, slots=True)
class Header:
    """The beginning of a table.

    above: lines that stand over it; names: of the columns, "" where one has none; line: the last one that is not a
    row; missing: whether the table has no header, so that the names are made up.
    """

    above: Sequence[Record]
    names: Sequence[str]
    line: int
    missing: bool = False


def find_header(records: Sequence[Record], asked: Iterable[str] = (), given: bool | None = None) -> Header:
    """Return where a table begins.

    A header fills its columns; above it may stand titles: lines of which hardly a cell is filled. Where its cells are
    values as those below them are, it is a row.

    Args:
        records: the first lines.
        asked: columns that are asked for by name: a line that has them is the header.
        given: whether there is a header, where that was said.
    """
    filled = [(at, cells, sum(not blank(cell) for cell in cells)) for at, cells in records]
    filled = [one for one in filled if one[2]]
    if not filled:
        return Header([], [], 0)
    start = 0 if given is False else _titles(filled)
    above = [(at, cells) for at, cells, _ in filled[:start]]
    at, cells, _ = filled[start]
    below = [cells for _, cells, _ in filled[start + 1 : start + 31]]
    names = _widened(cells, below)
    found = Header(above, names, at)
    wanted = {composed(name) for name in asked}
    if given or (given is None and wanted and wanted <= {composed(name) for name in names}):
        return found
    if given is False or is_row(cells, below):
        width = max(len(names), *(_filled_to(one) for one in below)) if given is False and below else len(names)
        return replace(found, names=[f"column {n}" for n in range(1, width + 1)], line=at - 1, missing=True)
    return found


def _titles(filled: Sequence[tuple[int, list[Any], int]]) -> int:
    """Return how many of the first lines are titles."""
    most = max((count for _, _, count in filled[: SAMPLE // 2]), default=0)
    start = 0
    while start + 1 < len(filled):
        _, cells, count = filled[start]
        below = max(count for _, _, count in filled[start + 1 : start + 6])
        # A cell that was merged over several columns is one.
        count = len({str(cell) for cell in cells if not blank(cell)})
        title = (count == 1 and (len(cells) == 1 or most > 2)) or count * 2 < below
        if not title or below < 2 or (count == 1 and str(cells[0]).strip().lower() in TEXT_COLUMNS):
            break
        start += 1
    return start


def _widened(cells: Sequence[Any], below: Sequence[Sequence[Any]]) -> list[str]:
    """Return the names in a header, as many as the rows below it have cells."""
    named = ["" if cell is None else str(cell).strip() for cell in cells]
    last = _filled_to(cells)
    reach = max((_filled_to(one) for one in below), default=last)
    if reach <= last:
        return named[: max(last, 1)]
    if len(named) > last:
        # Cells below the empty end of a header are those of columns without a name.
        return named[: max(last, min(reach, len(named)))]
    wider = [_filled_to(one) for one in below if _filled_to(one) > last]
    width = max(wider, default=last)
    if len(wider) * 2 <= len(below):
        return named  # a few rows that are too long are broken ones
    counts = [as_number(str(one[0]).strip()) for one in below]
    if width == last + 1 and all(isinstance(one, int) for one in counts):
        # As R writes it: the numbers of the rows have no name.
        return ["", *named]
    return [*named, *[""] * (width - last)]


def _filled_to(cells: Sequence[Any]) -> int:
    return max((n for n, cell in enumerate(cells, 1) if not blank(cell)), default=0)


def is_row(first: Sequence[Any], below: Sequence[Sequence[Any]]) -> bool:
    """Whether the first line of a table holds values as the lines below it do, and so is a row and not a header."""
    if any(str(cell).strip().lower() in _KNOWN for cell in first if cell is not None):
        return False
    if below and _counts_up(first):
        return False
    values = 0
    for at, cell in enumerate(first):
        kind = _common(one[at] for one in below if at < len(one)) if below else _kind(cell)
        if kind is None:
            continue
        if _kind(cell) != kind:
            return False
        values += 1
    return values > 0


def _counts_up(cells: Sequence[Any]) -> bool:
    """Whether columns are called by numbers in order: years, months, or 0, 1, 2 as data frames do."""
    numbers = [as_number(str(cell).strip()) for cell in cells if not blank(cell)]
    whole = [one for one in numbers if isinstance(one, int)]
    return len(whole) > 1 and all(after - one == 1 for one, after in pairwise(whole))


def _common(cells: Iterable[Any]) -> str | None:
    kinds = [_kind(cell) for cell in cells if not blank(cell)]
    if not kinds:
        return None
    kind, often = Counter(kinds).most_common(1)[0]
    return kind if often * 5 >= len(kinds) * 4 else None


def _kind(cell: Any) -> str | None:
    """Return what kind of value a cell is; None for words, which may be a name as well."""
    if cell is None or isinstance(cell, bool):
        return None if cell is None else "truth"
    if isinstance(cell, int | float):
        return "number"
    text = str(cell).strip()
    if len(text) < 60:
        if as_number(text) is not None or _AMOUNT.match(text):
            return "number"
        if as_date(text) is not None:
            return "date"
        if text.lower() in ("true", "false"):
            return "truth"
    if _ADDRESS.match(text):
        return "address"
    if text.startswith("[") and looks_like_vector(text):
        return "vector"
    return "sentence" if _SENTENCE.match(text) else None


def column_names(source: str, names: Sequence[str], asked: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the names of columns, each once, and what is to be said of those that occur twice.

    Raises:
        DataError: a column that is asked for occurs twice.
    """
    wanted = {composed(name) for name in asked}
    found: list[str] = []
    said: list[str] = []
    every = [composed(name) for name in names]
    for name in every:
        if not name or name not in found:
            found.append(name)
            continue
        if name in wanted:
            raise DataError(f"{source} has two columns called {name!r}", hint="give every column a name of its own")
        other = next(one for n in range(2, len(every) + 2) if (one := f"{name} {n}") not in every and one not in found)
        said.append(f"two columns are called {name!r}: the second is called {other!r}")
        found.append(other)
    return found, said


def blank(cell: Any) -> bool:
    """Whether a cell holds nothing."""
    return cell is None or (isinstance(cell, str) and not cell.strip())
