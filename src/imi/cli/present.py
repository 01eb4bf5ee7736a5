"""How a task's result is shown: sentences and tables on a terminal, one JSON value, a figure, a page to send on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

from imi.cli.output import note, one_line, show, show_json
from imi.language import language

if TYPE_CHECKING:
    from pathlib import Path

    from imi.tasks.report import Findings, Phrase, Reported, ReportTable

_WIDE = 200
_SIDE = 96
"""Pixels of a side of a picture in a report."""


class Shown(Protocol):
    """The options that say how a result is shown; `figure` too, where the verb has one."""

    @property
    def collection(self) -> str:
        """Return which collection the result is of."""

    @property
    def as_json(self) -> bool:
        """Return whether JSON is asked for."""

    @property
    def quiet(self) -> bool:
        """Return whether only the result is."""

    @property
    def report(self) -> Path | None:
        """Return where the report goes."""


def present(result: Reported, options: Shown, value: Any = None, findings: Findings | None = None) -> None:
    """Show a result as it was asked for.

    Args:
        result: what a task returned.
        options: those of the verb; all that were given are shown in the report.
        value: what --json prints; None for the result's own.
        findings: what to show; None for the result's own.
    """
    found = findings or result.findings()
    if drawn := getattr(options, "figure", None):
        result.figure(drawn)  # type: ignore[attr-defined]
    if options.report:
        from imi.tasks.report import write_report

        write_report(
            options.report, found, getattr(result, "figure", None), settings_of(options), _pictures(options, found)
        )
        note(f"the report is in {options.report}", quiet=options.quiet)
    spoken = language()
    if not options.as_json or not options.quiet:
        for phrase in found.says:
            note(phrase.in_language(spoken), quiet=options.quiet)
    if options.as_json:
        show_json(result if value is None else value)
        return
    for at, table in enumerate(found.tables):
        _show_table(table, spoken, first=at == 0)


def _pictures(options: Shown, findings: Findings) -> dict[str, bytes]:
    """Return the pictures of the rows that tables name, small, by id."""
    from imi.backends.schemes import is_address
    from imi.cli.opening import open_to_read
    from imi.collection.pictures import small_pictures

    if is_address(str(options.collection)):
        return {}  # an engine keeps no pictures, and one in a folder is not opened twice
    said = [cell for table in findings.tables for row in table.rows for cell in row if isinstance(cell, str)]
    named = {*said, *(id_ for cell in said for id_ in cell.split())}
    with open_to_read(options.collection) as collection:
        return small_pictures(collection.store, named, _SIDE)


def settings_of(options: Shown) -> dict[str, Any]:
    """Return what the verb was called with, without what only says how to show it, and without passwords and keys."""
    from imi.backends.address import read_address
    from imi.backends.schemes import is_address

    hidden = {"as_json", "quiet", "figure", "report", "trust"}
    found = {name: value for name, value in vars(options).items() if name not in hidden and value not in (None, [])}
    where = str(options.collection)
    return {**found, "collection": read_address(where).shown} if is_address(where) else found


def _show_table(table: ReportTable, spoken: str, *, first: bool) -> None:
    from imi.tasks.report import Phrase as Both

    def cell(value: Any) -> Any:
        if isinstance(value, Both):
            value = value.in_language(spoken)
        return one_line(value, _WIDE) if isinstance(value, str) else value

    if sys.stdout.isatty():  # a pipe has every column, so that what reads it can count on them
        if not table.rows:
            return
        table = table.for_people()
    rows = [[cell(value) for value in row] for row in table.rows]
    heads = [_name(column, spoken) for column in table.columns]
    title = None if table.title is None else table.title.in_language(spoken)
    show(None, heads, rows, as_json=False, title=title, headed=not first, given=True)


def _name(phrase: Phrase, spoken: str) -> str:
    return phrase.in_language(spoken)
