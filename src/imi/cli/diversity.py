"""`imi diversity`: how different the rows are, and the subset that differs most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from imi.cli.opening import open_to_read
from imi.cli.present import present
from imi.cli.task_options import ReportedTaskOptions
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class DiversityOptions(ReportedTaskOptions):
    """What `imi diversity` takes."""

    subset: Annotated[
        int | None, typer.Option("--subset", metavar="N", help="Choose this many rows, as different as possible.")
    ] = None


def diversity(options: DiversityOptions) -> None:
    """Say how different the rows are from each other, and choose the most different ones."""
    from imi import tasks
    from imi.tasks.diversity import with_subset

    with open_to_read(options.collection) as collection:
        result = tasks.diversity(collection, dims=options.dims, seed=options.seed)
        if options.subset is not None:
            result = with_subset(result, collection, options.subset, dims=options.dims, seed=options.seed)
    present(result, options)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "diversity", DiversityOptions, diversity, example="imi diversity reviews.imi --subset 5")
