"""`imi regress`: predict a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.output import show
from imi.cli.task_options import Sentences, TaskOptions, Test
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class RegressOptions(TaskOptions):
    """What `imi regress` takes."""

    column: Annotated[str, typer.Option("--column", metavar="NUMBER", help="The metadata column with the number.")]
    test: Test = 0.2
    sentences: Sentences = False


def regress(options: RegressOptions) -> None:
    """Learn the number in a column and say how far predictions are off, beside always saying the mean."""
    from imi import tasks

    with open_to_read(options.collection) as collection:
        how: Any = {"test": options.test, "seed": options.seed, "dims": options.dims, "sentences": options.sentences}
        result = tasks.regress(collection, options.column, **how)
    if options.figure:
        result.figure(options.figure)
    rows = [
        ["mean squared error", result.mse, result.dummy["mse"]],
        ["mean absolute error", result.mae, result.dummy["mae"]],
    ]
    show(result.to_dict(), ["", "predicted", "mean alone"], rows, as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "regress", RegressOptions, regress, example="imi regress reviews.imi --column Score")
