"""`imi migrate`: fewer dimensions, or another model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from imi.cli.opening import open_existing
from imi.cli.options import CollectionName, Output
from imi.cli.output import named, number, progress, show
from imi.cli.verbs import verb
from imi.language import local


@dataclass(frozen=True, kw_only=True)
class MigrateOptions(Output):
    """What `imi migrate` takes."""

    collection: CollectionName
    dims: Annotated[int | None, typer.Option("--dims", metavar="N", help="Numbers to keep of each vector.")] = None
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Another model: every text is embedded again.")
    ] = None
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would take.")] = False


def migrate(options: MigrateOptions) -> None:
    """Move a collection to fewer dimensions, or to another model; searches go on meanwhile."""
    with open_existing(options.collection) as collection, progress("migrating", quiet=options.quiet) as bar:
        done = collection.migrate(options.dims, options.model, estimate=options.estimate, progress=bar)
    rows: list[list[Any]] = [
        ["rows", done.rows],
        ["seconds", number(done.seconds, 1)],
        ["money", local("nothing") if done.cost is None else number(done.cost, 2)],
        ["nearest ten that stay", number(done.overlap)],
        ["dimensions", done.dims],
        ["model", done.model],
    ]
    rows = [row for row in rows if row[1] != ""]
    show(done, ["what", "value"], named(rows), as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "migrate", MigrateOptions, migrate, example="imi migrate reviews.imi --dims 32 --estimate")
