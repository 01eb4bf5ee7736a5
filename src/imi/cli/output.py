"""How results are shown: a table on a terminal, tab-separated lines in a pipe, one JSON value on demand.

Only results go to standard output; progress, warnings and hints go to standard error.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from imi.cli.terminal import say, say_json, visible
from imi.language import local
from imi.progress import Progress

_LONG, _WORD = 60, 14
"""Columns of the terminal from which a cell is a text, and up to which it is a word that is not cut."""
_STEPS = ((_WORD, 24), (8, 24), (8, 16), (6, 16), (4, 12), (0, 8))
"""What heads and texts keep of the terminal at least, tried in turn until a table fits."""


def show(
    value: Any,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    as_json: bool,
    title: str | None = None,
    headed: bool = False,
    given: bool = False,
) -> None:
    """Show one result: `value` with --json, else `rows` under `columns`.

    In a pipe the columns are not named, unless the table is a further one (`headed`): a line then keeps it apart.
    Columns are named in the language of whoever reads them, unless their names are data themselves (`given`).
    """
    if not given:
        columns = [local(name) for name in columns]
    if as_json:
        show_json(value)
    elif sys.stdout.isatty():
        _show_rich(columns, rows, title)
    else:
        if headed:
            print()
            print("\t".join(_flat(name) for name in columns))
        for row in rows:
            say("\t".join(_flat(cell) for cell in row))


def named(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return rows whose first cells say what the others are, with those in the language of whoever reads them."""
    return [[local(name), *rest] for name, *rest in rows]


def show_json(value: Any) -> None:
    """Print one JSON value; what is not a number in JSON becomes null."""
    # What reads a stream of another encoding cannot have every character, but JSON can always be escaped.
    say_json(json.dumps(plain(value), ensure_ascii=not _takes_all(), allow_nan=False))


def _takes_all() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("_", "-").startswith("utf")


def forgive_characters() -> None:
    """Write what an output of another encoding than UTF-8 cannot show as an escape, instead of breaking off."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and not (stream.encoding or "utf-8").lower().startswith("utf"):
            stream.reconfigure(errors="backslashreplace")


def plain(value: Any) -> Any:
    """Return `value` made of JSON types only: arrays become lists, not-a-number becomes None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)


def note(message: str, *, quiet: bool = False) -> None:
    """Say something beside the result, in the language of whoever reads it."""
    if not quiet:
        say(local(message), to=sys.stderr)


@contextmanager
def progress(label: str, *, quiet: bool = False) -> Iterator[Progress | None]:
    """Give a function `progress(done, total)` that draws a bar on standard error; None where nobody looks.

    A total of 0 means that the end is not known.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(local(label), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def one_line(text: str | None, width: int = 160) -> str:
    """Return a text on one line, cut to `width` characters."""
    flat = " ".join((text or "").split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def number(value: float | None, digits: int = 3) -> str:
    """Return a score as people read it; an empty cell where there is none."""
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def _flat(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:.6g}"
    return "" if cell is None else " ".join(str(cell).replace("\t", " ").splitlines())


def _show_rich(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from imi.cli.wrapped import Wrapped

    console = Console()
    if title is not None:
        console.print(Text(visible(title), style="italic"))  # not the table's own, which is broken at its width
    table = Table(box=SIMPLE_HEAD)
    columns_of = [[row[at] for row in rows] for at in range(len(columns))]
    numeric = [all(isinstance(cell, int | float) or cell is None for cell in cells) for cells in columns_of]
    widest = [max((cell_len(_shown(cell)) for cell in cells), default=0) for cells in columns_of]
    widths = _widths(list(map(cell_len, columns)), widest, console.width - 3 * len(columns) - 1)
    for name, right, width in zip(columns, numeric, widths, strict=True):
        table.add_column(
            Wrapped(visible(name)), justify="right" if right else "left", overflow="fold", width=width, no_wrap=False
        )
    for row in rows:
        # Text, not str: square brackets in a document are not markup.
        table.add_row(*(Wrapped(visible(_shown(cell))) for cell in row))
    console.print(table)


def _widths(heads: Sequence[int], cells: Sequence[int], space: int) -> Sequence[int | None]:
    """Return how wide the columns of a table are to be, None where Rich may choose.

    Where there is too little space, heads and texts are broken into lines before any figure or word is, and a text
    keeps some space beside them.
    """
    whole = list(map(max, heads, cells))
    for head, room in _STEPS:
        least = [
            max(cell if cell <= _WORD else room if cell > _LONG else min(_WORD, room), min(head, name))
            for name, cell in zip(heads, cells, strict=True)
        ]
        if sum(whole) > space >= sum(least):
            rest, wanted = space - sum(least), sum(whole) - sum(least)
            return [low + rest * (full - low) // wanted for low, full in zip(least, whole, strict=True)]
    return [None] * len(heads)


def _shown(cell: Any) -> str:
    return number(cell) if isinstance(cell, float) else _flat(cell)
