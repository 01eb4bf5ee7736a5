"""`imi browse`: a collection in the browser, to ask and to wander in."""

from __future__ import annotations

import os
import secrets
import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from imi.cli.extras import needs
from imi.cli.opening import home, open_to_read
from imi.cli.options import CollectionName, Trusting
from imi.cli.output import note, show
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class BrowseOptions(Trusting):
    """What `imi browse` takes."""

    collection: CollectionName
    port: Annotated[int, typer.Option("--port", metavar="N", help="0 takes a free one.", min=0, max=65535)] = 0
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="FOLDER", help="Where dropped files become collections; in IMI_HOME."),
    ] = None
    no_open: Annotated[bool, typer.Option("--no-open", help="Leave the browser alone and only say the address.")] = (
        False
    )


def browse(options: BrowseOptions) -> None:
    """Look at a collection in the browser: ask it three ways, filter, see why, and wander on its map.

    Serves this machine alone until interrupted, to who has the address with its token; files dropped on the page become
    collections.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `imi serve` does: threads inside requests only wait
    with open_to_read(options.collection) as collection:
        points, name = len(collection), collection.info.name
    with needs("server"):
        from imi.server.running import serve
        from imi.server.settings import Settings
    # Other users of this machine, and pages of other sites, can reach the port; only who was given the address gets in.
    token = secrets.token_urlsafe(24)
    settings = Settings(
        collections=(options.collection,),
        root=options.folder or home() / "dropped",
        port=options.port,
        token=token,
        log=False,
    )

    def ready(url: str) -> None:
        page = f"{url}/?token={token}#{quote(name)}"
        show({"out": page, "points": points}, ["out", "points"], [[page, points]], as_json=options.as_json)
        sys.stdout.flush()  # whoever reads the address from a pipe wants it now, not when the server ends
        if not options.no_open and not webbrowser.open(page):
            note("no browser could be opened; open this address yourself", quiet=options.quiet)
        note("Ctrl+C ends it", quiet=options.quiet)

    serve(settings, ready)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "browse", BrowseOptions, browse, example="imi browse reviews.imi")
