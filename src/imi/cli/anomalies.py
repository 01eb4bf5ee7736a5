"""`imi anomalies`: the rows that stand apart, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.output import progress
from imi.cli.present import present
from imi.cli.task_options import ReportedTaskOptions
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class AnomaliesOptions(ReportedTaskOptions):
    """What `imi anomalies` takes."""

    share: Annotated[
        float | None, typer.Option("--share", metavar="SHARE", help="Flag this share; by default what stands out.")
    ] = None
    method: Annotated[
        str,
        typer.Option(
            "--method", metavar="NAME", help="views; or a plain one: mean (of nearest distances), iforest, lof."
        ),
    ] = "views"


def anomalies(options: AnomaliesOptions) -> None:
    """Find the rows that stand apart from all others by meaning, script, length or spelling, and say why."""
    from imi import tasks

    with open_to_read(options.collection) as collection, progress("comparing", quiet=options.quiet) as tell:
        how: Any = {"dims": options.dims, "seed": options.seed, "progress": tell, "method": options.method}
        result = tasks.anomalies(collection, options.share, **how)
    present(result, options)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "anomalies", AnomaliesOptions, anomalies, example="imi anomalies reviews.imi --share .05")
