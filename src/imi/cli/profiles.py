"""`imi profiles`: users and products as vectors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import Column
from imi.cli.present import present
from imi.cli.task_options import ReportedTaskOptions
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class ProfilesOptions(ReportedTaskOptions):
    """What `imi profiles` takes."""

    by: Annotated[str, typer.Option("--by", metavar="A,B", help="The columns whose values own rows.")]
    column: Column = None
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="NAME",
            help="profiles, texts (what the owners wrote alone), or the plain one: mean (of their other numbers).",
        ),
    ] = "profiles"
    like: Annotated[
        list[str], typer.Option("--like", metavar="NAME", help="Who is like this one, by the first column.")
    ] = field(default_factory=list)


def profiles(options: ProfilesOptions) -> None:
    """Sum users and products up as vectors, and say how well these foretell a number."""
    from imi import tasks
    from imi.tasks.report import Phrase, ReportTable

    by = [one.strip() for one in options.by.split(",") if one.strip()]
    with open_to_read(options.collection) as collection:
        how: Any = {"method": options.method, "dims": options.dims, "seed": options.seed}
        result = tasks.profiles(collection, by, options.column, **how)
    value = result.to_dict()
    findings = result.findings()
    if options.like:
        value["similar"] = {name: [list(pair) for pair in result[by[0]].similar(name)] for name in options.like}
        rows = [[name, *pair] for name, near in value["similar"].items() for pair in near]
        columns = (Phrase(by[0], by[0]), Phrase("like", "似ている"), Phrase("cosine", "コサイン類似度"))
        findings = replace(findings, tables=(ReportTable(columns, rows), *findings.tables[1:]))
    present(result, options, value, findings)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(
        app,
        "profiles",
        ProfilesOptions,
        profiles,
        example="imi profiles reviews.imi --by UserId,ProductId --column Score",
    )
