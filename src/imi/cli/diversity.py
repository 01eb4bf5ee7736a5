"""`imi diversity`: how different the rows are, and the subset that differs most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from imi.cli.opening import open_to_read
from imi.cli.output import number, show
from imi.cli.task_options import TaskOptions
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class DiversityOptions(TaskOptions):
    """What `imi diversity` takes."""

    subset: Annotated[
        int | None, typer.Option("--subset", metavar="N", help="Choose this many rows, as different as possible.")
    ] = None


def diversity(options: DiversityOptions) -> None:
    """Say how different the rows are from each other, and choose the most different ones."""
    from imi import tasks

    with open_to_read(options.collection) as collection:
        result = tasks.diversity(collection, dims=options.dims, seed=options.seed)
        chosen = None if options.subset is None else tasks.subset(collection, options.subset, dims=options.dims)
    if options.figure:
        result.figure(options.figure)
    low, high = result.interval
    rows = [
        ["mean distance", number(result.mean_distance), f"{low:.3f} to {high:.3f}"],
        ["Vendi score", number(result.vendi, 1), ""],
    ]
    if chosen is not None:
        rows.append(["subset", " ".join(chosen), ""])
    show(result.to_dict() | {"subset": chosen}, ["", "value", "95 %"], rows, as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "diversity", DiversityOptions, diversity, example="imi diversity reviews.imi --subset 5")
