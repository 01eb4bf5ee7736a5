"""Where the rows of a table begin: below titles and a header, or at the first line where there is no header."""

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
"""How many of the first lines are read to find the separator and the header."""
_KNOWN = (*TEXT_COLUMNS, "id", "name", "title", "label", "date", "url", "email", "品名", "名前", "氏名", "本文", "日付")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+\Z|[^@\s]+@[^@\s]+\.[A-Za-z]{2,}\Z|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-")
_AMOUNT = re.compile(r"[-+]?[$€£¥￥]?\s?\d[\d,.]*\s?(?:%|円|kg|km|cm)?\Z", re.ASCII)
_SENTENCE = re.compile(r".{20,}[.!。！…]\s*\Z|.{120,}", re.DOTALL)

Record = tuple[int, list[Any]]
"""A line number from 1, and the cells of that line."""


@dataclass(frozen=True, slots=True)
class Header:
    """How a table begins.

    above: the lines before the header; names: of the columns, "" for a column without one; line: the number of the last
    line before the rows; missing: whether the table has no header, so that the names are made up.
    """

    above: Sequence[Record]
    names: Sequence[str]
    line: int
    missing: bool = False


def find_header(records: Sequence[Record], asked: Iterable[str] = (), given: bool | None = None) -> Header:
    """Return the header of a table.

    A header fills its columns; titles may come above it: lines with hardly a cell filled. A first line whose cells are
    values of the same kinds as those below is a row, and the table has no header.

    Args:
        records: the first lines.
        asked: column names the caller wants: a line that has all of them is the header.
        given: whether there is a header, if the caller knows; None to find out.
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
        # A cell merged over several columns is repeated in each of them: count it once.
        count = len({str(cell) for cell in cells if not blank(cell)})
        title = (count == 1 and (len(cells) == 1 or most > 2)) or count * 2 < below
        if not title or below < 2 or (count == 1 and str(cells[0]).strip().lower() in TEXT_COLUMNS):
            break
        start += 1
    return start


def _widened(cells: Sequence[Any], below: Sequence[Sequence[Any]]) -> list[str]:
    """Return the names in a header, padded with "" to as many as the rows below have cells."""
    named = ["" if cell is None else str(cell).strip() for cell in cells]
    last = _filled_to(cells)
    reach = max((_filled_to(one) for one in below), default=last)
    if reach <= last:
        return named[: max(last, 1)]
    if len(named) > last:
        # Rows that reach below the header's empty cells fill columns without a name.
        return named[: max(last, min(reach, len(named)))]
    wider = [_filled_to(one) for one in below if _filled_to(one) > last]
    width = max(wider, default=last)
    if len(wider) * 2 <= len(below):
        return named  # where only a few rows are longer than the header, those are broken
    counts = [as_number(str(one[0]).strip()) for one in below]
    if width == last + 1 and all(isinstance(one, int) for one in counts):
        # R writes row numbers first, and no name for them in the header.
        return ["", *named]
    return [*named, *[""] * (width - last)]


def _filled_to(cells: Sequence[Any]) -> int:
    return max((n for n, cell in enumerate(cells, 1) if not blank(cell)), default=0)


def is_row(first: Sequence[Any], below: Sequence[Sequence[Any]]) -> bool:
    """Whether the first line of a table holds values like those below it, which makes it a row and not a header."""
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
    """Whether columns are named by consecutive numbers: years, months, or a data frame's 0, 1, 2."""
    numbers = [as_number(str(cell).strip()) for cell in cells if not blank(cell)]
    whole = [one for one in numbers if isinstance(one, int)]
    return len(whole) > 1 and all(after - one == 1 for one, after in pairwise(whole))


def _common(cells: Iterable[Any]) -> str | None:
    """Return the kind that at least four of five filled cells share; None where they share none."""
    kinds = [_kind(cell) for cell in cells if not blank(cell)]
    if not kinds:
        return None
    kind, often = Counter(kinds).most_common(1)[0]
    return kind if often * 5 >= len(kinds) * 4 else None


def _kind(cell: Any) -> str | None:
    """Return what kind of value a cell holds; None for a few words, which may as well be a column's name."""
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
    """Return column names made unique, and a note for each one that had to be renamed.

    Raises:
        DataError: a column in `asked` occurs twice.
    """
    wanted = {composed(name) for name in asked}
    found: list[str] = []
    notes: list[str] = []
    every = [composed(name) for name in names]
    for name in every:
        if not name or name not in found:
            found.append(name)
            continue
        if name in wanted:
            raise DataError(f"{source} has two columns called {name!r}", hint="give every column a different name")
        other = next(one for n in range(2, len(every) + 2) if (one := f"{name} {n}") not in every and one not in found)
        notes.append(f"two columns are called {name!r}: the second is called {other!r}")
        found.append(other)
    return found, notes


def blank(cell: Any) -> bool:
    """Whether a cell is empty or holds only white space."""
    return cell is None or (isinstance(cell, str) and not cell.strip())
