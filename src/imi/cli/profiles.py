"""`imi profiles`: users and products as vectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import Column
from imi.cli.output import show
from imi.cli.task_options import TaskOptions
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class ProfilesOptions(TaskOptions):
    """What `imi profiles` takes."""

    by: Annotated[str, typer.Option("--by", metavar="A,B", help="The columns whose values own rows.")]
    column: Column = None
    like: Annotated[
        list[str], typer.Option("--like", metavar="NAME", help="Who is like this one, by the first column.")
    ] = field(default_factory=list)


def profiles(options: ProfilesOptions) -> None:
    """Sum users and products up as vectors, and say how well these foretell a number."""
    from imi import tasks

    by = [one.strip() for one in options.by.split(",") if one.strip()]
    with open_to_read(options.collection) as collection:
        result = tasks.profiles(collection, by, options.column, dims=options.dims, seed=options.seed)
    if options.figure:
        result.figure(options.figure)
    value = result.to_dict()
    if options.like:
        value["similar"] = {name: [list(pair) for pair in result[by[0]].similar(name)] for name in options.like}
        rows: list[list[Any]] = [[name, *pair] for name, near in value["similar"].items() for pair in near]
        show(value, [by[0], "like", "cosine"], rows, as_json=options.as_json)
        return
    rows = [["correlation", result.correlation], ["rows judged", result.n], ["cosine of profiles", result.cosine]]
    rows += [[f"profiles by {profile.by}", len(profile.names)] for profile in result.profiles]
    show(value, ["", "value"], rows, as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(
        app,
        "profiles",
        ProfilesOptions,
        profiles,
        example="imi profiles reviews.imi --by UserId,ProductId --column Score",
    )
