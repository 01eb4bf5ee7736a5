"""`imi mcp`: a collection as tools for agents."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from imi.cli.extras import needs
from imi.cli.opening import open_existing, open_to_read
from imi.cli.options import CollectionName, Model, Trusting
from imi.cli.output import note
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class McpOptions(Trusting):
    """What `imi mcp` takes."""

    collection: CollectionName
    write: Annotated[bool, typer.Option("--write", help="Let agents add documents too.")] = False
    model: Model = None


def mcp(options: McpOptions) -> None:
    """Offer a collection to agents over the Model Context Protocol: search, get, similar, and add with --write.

    It speaks on standard input and output, as agents start such servers themselves, until these are closed.
    """
    with needs("mcp"):
        from imi.bridges import mcp as tools
    opened = open_existing if options.write else open_to_read
    with opened(options.collection, options.model) as collection:
        if sys.stdin.isatty():
            note("waiting for an agent on standard input; Ctrl-C ends it", quiet=options.quiet)
        tools.serve(collection, write=options.write)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "mcp", McpOptions, mcp, example="imi mcp reviews.imi")
