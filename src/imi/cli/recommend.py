"""`imi recommend`: rows like the liked ones and unlike the disliked ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import Dims, K, Output, Where
from imi.cli.output import note, one_line, show
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


def recommend(options: RecommendOptions) -> None:
    """Find rows like the liked ones, unlike the disliked ones, and not all the same."""
    from imi import tasks
    from imi.tasks.recommend import reasons

    with open_to_read(options.collection) as collection:
        how: Any = {"where": parse_where(options.where), "dims": options.dims}
        found: Any = tasks.recommend(collection, options.like, options.dislike, options.k, options.diversity, **how)
        why = reasons(collection, found, options.like, options.dislike, dims=options.dims)
    against = "" if not options.dislike else f" and unlike {', '.join(options.dislike)}"
    note(f"like {', '.join(options.like)}{against}; plain rank: by nearness to the liked alone", quiet=options.quiet)
    value = [
        hit | {"reason": one.to_dict(), "baseline": {"method": "nearest", "rank": one.plain}}
        for hit, one in zip(found.to_dicts(), why, strict=True)
    ]
    rows = [
        [hit.score, hit.id, one_line(hit.text), one.liked, ", ".join(one.words), one.disliked, one.plain]
        for hit, one in zip(found, why, strict=True)
    ]
    columns = ["score", "id", "text", "nearest liked", "words in common", "to the disliked", "plain rank"]
    show(value, columns, rows, as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "recommend", RecommendOptions, recommend, example="imi recommend reviews.imi --like 1 --dislike 4 -k 3")
