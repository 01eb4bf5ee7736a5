"""`imi deepen`: let the finer model read a collection that another model filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from imi.cli.opening import open_existing
from imi.cli.options import CollectionName, Output
from imi.cli.output import named, note, number, progress, show
from imi.cli.parameters import Option
from imi.cli.verbs import verb

if TYPE_CHECKING:
    import typer


@dataclass(frozen=True, kw_only=True)
class DeepenOptions(Output):
    """What `imi deepen` takes."""

    collection: CollectionName
    budget: Annotated[
        float | None, Option("--budget", metavar="MS", help="Stop after so many milliseconds; else read all rows.")
    ] = None


def deepen(options: DeepenOptions) -> None:
    """Let the model deep read all rows, so that hybrid searches order their first hits by it at once.

    Without it, a search reads the rows that it meets, as far as its own --budget goes. Interrupted, the same
    command goes on where it stopped.
    """
    with open_existing(options.collection) as collection:
        with progress("deepening", quiet=options.quiet) as bar:
            done = collection.deepen(options.budget, progress=bar)
        left = done.rows - done.deep
    rows: list[list[Any]] = [
        ["rows", done.rows],
        ["read now", done.read],
        ["with a second vector", done.deep],
        ["seconds", number(done.seconds, 1)],
    ]
    show(done, ["what", "value"], named(rows), as_json=options.as_json)
    if left and options.budget is not None and done.seconds * 1000 >= options.budget:
        note(f"next: imi deepen {options.collection}", quiet=options.quiet)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "deepen", DeepenOptions, deepen, example="imi deepen reviews.imi")
