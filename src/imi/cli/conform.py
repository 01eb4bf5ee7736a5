"""`imi conform`: does a server keep OpenAI's embeddings contract?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

import typer

from imi.cli.extras import needs
from imi.cli.options import Output
from imi.cli.output import note, progress, show
from imi.cli.verbs import verb
from imi.language import local


@dataclass(frozen=True, kw_only=True)
class ConformOptions(Output):
    """What `imi conform` takes."""

    url: Annotated[str, typer.Argument(metavar="URL", help="The base of an OpenAI-compatible endpoint.")]
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="What to ask for; the first listed by default.")
    ] = None
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="A bearer key.", envvar="OPENAI_API_KEY", show_envvar=False),
    ] = None


def conform(options: ConformOptions) -> None:
    """Check whether an endpoint keeps OpenAI's embeddings contract, line by line; exit code 1 where it does not."""
    checked, rows = [], []
    with needs("server"):
        from imi.bridges.conform import CHECKS
        from imi.bridges.conform import conform as check
    with progress("checking", quiet=options.quiet) as bar:
        for one in check(options.url, options.model, options.key):
            checked.append(one)
            # What the endpoint itself says, after its status, stays as it is.
            detail = one.detail if re.match(r"\d{3}: ", one.detail) else local(one.detail)
            rows.append([local("ok") if one.ok else local("BROKEN"), local(one.check), detail])
            if bar is not None:
                bar(len(checked), len(CHECKS))
    show([one.to_dict() for one in checked], ["", "check", "detail"], rows, as_json=options.as_json)
    broken = sum(not one.ok for one in checked)
    note(f"{len(checked) - broken} of {len(checked)} kept", quiet=options.quiet)
    if broken:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "conform", ConformOptions, conform, example="imi conform http://localhost:8000/v1")
