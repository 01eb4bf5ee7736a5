"""`imi mcp`: a collection as tools for agents."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from imi.cli.opening import open_existing, open_to_read
from imi.cli.options import CollectionName, Model, Output
from imi.cli.output import note
from imi.cli.serve import server_part
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class Mcp(Output):
    """What `imi mcp` takes."""

    collection: CollectionName
    write: Annotated[bool, typer.Option("--write", help="Let agents add documents too.")] = False
    model: Model = None


def mcp(options: Mcp) -> None:
    """Offer a collection to agents over the Model Context Protocol: search, get, similar, and add with --write.

    It speaks on standard input and output, as agents start such servers themselves, until these are closed.
    """
    tools = server_part("mcp", extra="mcp")
    opened = open_existing if options.write else open_to_read
    with opened(options.collection, options.model) as collection:
        if sys.stdin.isatty():
            note("waiting for an agent on standard input; Ctrl-C ends it", quiet=options.quiet)
        tools.serve(collection, write=options.write)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "mcp", Mcp, mcp, example="imi mcp reviews.imi")
