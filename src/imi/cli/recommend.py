"""`imi recommend`: rows like the liked ones and unlike the disliked ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import Dims, K, Output, Where
from imi.cli.present import present
from imi.cli.task_options import Report, check_reported
from imi.cli.verbs import verb
from imi.cli.where import parse_where


@dataclass(frozen=True, kw_only=True)
class RecommendOptions(Output):
    """What `imi recommend` takes."""

    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="A collection: its path or URL.")]
    like: Annotated[list[str], typer.Option("--like", metavar="ID", help="What is liked; may be given many times.")]
    dislike: Annotated[
        list[str], typer.Option("--dislike", metavar="ID", help="What is disliked; may be given many times.")
    ] = field(default_factory=list)
    k: K = 10
    diversity: Annotated[
        float, typer.Option("--diversity", metavar="0..1", help="0 for the nearest, towards 1 for variety.")
    ] = 0.3
    where: Where = field(default_factory=list)
    dims: Dims = None
    report: Report = None

    def __post_init__(self) -> None:
        """Refuse a report that could not be written before anything is computed."""
        check_reported(self.report)


def recommend(options: RecommendOptions) -> None:
    """Find rows like the liked ones, unlike the disliked ones, and not all the same."""
    from imi import tasks
    from imi.tasks.recommend import Recommended, reasons

    with open_to_read(options.collection) as collection:
        how: Any = {"where": parse_where(options.where), "dims": options.dims}
        found: Any = tasks.recommend(collection, options.like, options.dislike, options.k, options.diversity, **how)
        why = reasons(collection, found, options.like, options.dislike, dims=options.dims)
    present(Recommended(found, tuple(why), tuple(options.like), tuple(options.dislike)), options)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "recommend", RecommendOptions, recommend, example="imi recommend reviews.imi --like 1 --dislike 4 -k 3")
