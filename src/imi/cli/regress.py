"""`imi regress`: predict a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.present import present
from imi.cli.task_options import ReportedTaskOptions, Sentences, Test
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class RegressOptions(ReportedTaskOptions):
    """What `imi regress` takes."""

    column: Annotated[str, typer.Option("--column", metavar="NUMBER", help="The metadata column with the number.")]
    test: Test = 0.2
    sentences: Sentences = None
    method: Annotated[
        str, typer.Option("--method", metavar="NAME", help="vectors; or a plain one: words (TF-IDF), mean.")
    ] = "vectors"


def regress(options: RegressOptions) -> None:
    """Learn the number in a column and say how far predictions are off, next to always predicting the mean."""
    from imi import tasks

    with open_to_read(options.collection) as collection:
        how: Any = {"test": options.test, "seed": options.seed, "dims": options.dims, "sentences": options.sentences}
        how["method"] = options.method
        result = tasks.regress(collection, options.column, **how)
    present(result, options)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "regress", RegressOptions, regress, example="imi regress reviews.imi --column Score")
