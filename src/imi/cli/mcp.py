"""`imi mcp`: collections and folders as tools for agents."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from imi.backends.schemes import is_address
from imi.cli.extras import needs
from imi.cli.opening import open_existing, open_to_read
from imi.cli.options import FolderOptions, Model, Trusting, complete_collection
from imi.cli.output import note
from imi.cli.parameters import Argument, Option
from imi.cli.verbs import verb
from imi.errors import UsageError

if TYPE_CHECKING:
    import typer

    from imi.bridges.agent_sources import AgentSource


@dataclass(frozen=True, kw_only=True)
class McpOptions(FolderOptions, Trusting):
    """What `imi mcp` takes."""

    collections: Annotated[
        list[str],
        Argument(metavar="COLLECTION", help="Collections and folders.", autocompletion=complete_collection),
    ]
    write: Annotated[bool, Option("--write", help="Let agents add documents too.")] = False
    http: Annotated[
        int | None, Option("--http", metavar="PORT", help="Streamable HTTP on this machine instead of pipes.", min=1)
    ] = None
    model: Model = None


def mcp(options: McpOptions) -> None:
    """Offer collections and folders to agents over the Model Context Protocol: search, get, ask, similar and list.

    It speaks on standard input and output, as agents start such servers themselves, until these are closed. A folder
    is followed: what changes in it is found a second later. With --write agents may add to the one collection given.
    """
    with needs("mcp"):
        from imi.bridges import mcp as tools
    with ExitStack() as opened:
        listener = None if options.http is None else opened.enter_context(tools.listening(options.http))
        sources = _sources(options, opened)
        if options.http is not None:
            note(f"http://127.0.0.1:{options.http}/mcp", quiet=options.quiet)
        elif sys.stdin.isatty():
            note("waiting for an agent on standard input; Ctrl-C ends it", quiet=options.quiet)
        tools.serve(sources, write=options.write, listener=listener)


def _sources(options: McpOptions, opened: ExitStack) -> list[AgentSource]:
    from imi.bridges.agent_sources import AgentSource, unique_names
    from imi.collection.paths import is_plain_folder
    from imi.mirror import Mirror

    given = options.collections
    folders = [not is_address(name) and is_plain_folder(name) for name in given]
    if options.write and (len(given) > 1 or folders[0]):
        raise UsageError("--write is for one collection", hint="imi mcp notes.imi --write")
    sources = []
    for name, path, folder in zip(unique_names(given), given, folders, strict=True):
        collection = (
            open_existing(path, options.model)
            if options.write
            else open_to_read(path, options.model, options.reading, empty=True)
        )
        opened.enter_context(collection)
        flags = {"hidden": options.hidden, "no_ignore": options.no_ignore}
        mirror = Mirror.of(path, model=options.model, **flags) if folder else None
        sources.append(AgentSource.of(name, collection, mirror))
    return sources


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "mcp", McpOptions, mcp, example="imi mcp reviews.imi ./notes")
