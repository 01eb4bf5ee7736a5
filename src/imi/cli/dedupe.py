"""`imi dedupe`: near duplicates, and which of them to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from imi.cli.opening import open_to_read
from imi.cli.output import note, progress, show
from imi.cli.task_options import TaskOptions
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class DedupeOptions(TaskOptions):
    """What `imi dedupe` takes."""

    threshold: Annotated[
        float, typer.Option("--threshold", metavar="COSINE", help="From this cosine on two rows are duplicates.")
    ] = 0.95


def dedupe(options: DedupeOptions) -> None:
    """Find near duplicates: in each group the longest text is kept; nothing is deleted."""
    from imi import tasks

    with open_to_read(options.collection) as collection, progress("comparing", quiet=options.quiet) as tell:
        result = tasks.dedupe(collection, options.threshold, dims=options.dims, progress=tell)
    if options.figure:
        result.figure(options.figure)
    found = result.to_dict()
    note(f"{len(found)} groups, {len(result.drop)} rows to drop", quiet=options.quiet)
    rows = [[one["keep"], " ".join(one["drop"]), one["similarity"]] for one in found]
    show(found, ["keep", "drop", "similarity"], rows, as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "dedupe", DedupeOptions, dedupe, example="imi dedupe reviews.imi --threshold .9")
