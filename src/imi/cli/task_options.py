"""The options that the tasks share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from imi.cli.options import CollectionName, Dims, Figure, Seed, Trusting

Report = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE", help="One HTML page to send on: texts, figures, settings, both languages."
    ),
]


@dataclass(frozen=True, kw_only=True)
class TaskOptions(Trusting):
    """What every task on a collection takes."""

    collection: CollectionName
    dims: Dims = None
    seed: Seed = 0
    figure: Figure = None


@dataclass(frozen=True, kw_only=True)
class ReportedTaskOptions(TaskOptions):
    """A task whose findings can be sent on as one page."""

    report: Report = None

    def __post_init__(self) -> None:
        """Refuse a report that could not be written before anything is computed."""
        check_reported(self.report)


def check_reported(report: Path | None) -> None:
    """Raise UsageError where a report was asked for that cannot be written."""
    if report is not None:
        from imi.tasks.report import check_report

        check_report(report)


Sentences = Annotated[
    bool | None,
    typer.Option(
        "--sentences/--no-sentences",
        help="Read texts also sentence by sentence, by the model; by default where they are long.",
    ),
]


Test = Annotated[float, typer.Option("--test", metavar="SHARE", help="The share of the rows held out to judge by.")]
