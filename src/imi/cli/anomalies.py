"""`imi anomalies`: the rows that stand apart, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.output import note, progress, show
from imi.cli.task_options import TaskOptions
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class AnomaliesOptions(TaskOptions):
    """What `imi anomalies` takes."""

    share: Annotated[
        float | None, typer.Option("--share", metavar="SHARE", help="Flag this share; by default what stands out.")
    ] = None


def anomalies(options: AnomaliesOptions) -> None:
    """Find the rows that stand apart from all others, and say why."""
    from imi import tasks

    with open_to_read(options.collection) as collection, progress("comparing", quiet=options.quiet) as tell:
        how: Any = {"dims": options.dims, "seed": options.seed, "progress": tell}
        result = tasks.anomalies(collection, options.share, **how)
    if options.figure:
        result.figure(options.figure)
    found = result.to_dict()
    note(f"{len(found)} of {len(result.score)} rows stand out", quiet=options.quiet)
    rows = [[one["id"], one["score"], one["reason"], " ".join(one["nearest"])] for one in found]
    show(found, ["id", "score", "reason", "nearest"], rows, as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "anomalies", AnomaliesOptions, anomalies, example="imi anomalies reviews.imi --share .05")
