"""`imi serve`: the server."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from imi.cli.extras import needs
from imi.cli.options import Model, Trusting, complete_collection, model_name
from imi.cli.output import note
from imi.cli.verbs import verb

KeysFile = Annotated[
    Path | None, typer.Option("--keys", metavar="FILE", help="Where hashed keys lie; keys.json in IMI_HOME.")
]


@dataclass(frozen=True, kw_only=True)
class ServeOptions(Trusting):
    """What `imi serve` takes."""

    collections: Annotated[
        list[str],
        typer.Argument(metavar="[COLLECTION]...", help="What to serve.", autocompletion=complete_collection),
    ] = field(default_factory=list)
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; beyond this machine only with keys.")
    ] = "127.0.0.1"
    port: Annotated[int, typer.Option("--port", metavar="N", help="0 takes a free one.", min=0, max=65535)] = 8000
    model: Model = None
    alias: Annotated[
        list[str],
        typer.Option(
            "--alias", metavar="NAME=MODEL", help="Answer by another name, such as text-embedding-3-small=built-in."
        ),
    ] = field(default_factory=list)
    llm: Annotated[
        str | None, typer.Option("--llm", metavar="MODEL@URL", help="Where chat and responses are sent on to; IMI_LLM.")
    ] = None
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="FOLDER", help="Where clients may make new collections.")
    ] = None
    encoding: Annotated[
        str, typer.Option("--encoding", metavar="TABLE", help="What token ids mean: cl100k_base or o200k_base.")
    ] = "cl100k_base"
    rate: Annotated[
        int | None, typer.Option("--rate", metavar="N", help="Requests a minute for each key or address.", min=1)
    ] = None
    cors: Annotated[
        list[str],
        typer.Option(
            "--cors", metavar="ORIGIN", help="Let pages of this origin use it, such as http://localhost:3000."
        ),
    ] = field(default_factory=list)
    keys: KeysFile = None


def serve(options: ServeOptions) -> None:
    """Serve OpenAI's embeddings API and a search API over collections, by default only on this machine."""
    # Requests run beside each other; threads of BLAS inside each would only wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with needs("server"):
        from imi.server import running, settings
    chosen = settings.Settings(
        collections=tuple(options.collections),
        root=options.folder,
        model=model_name(options.model),
        aliases=settings.parse_aliases(options.alias),
        encoding=options.encoding,
        llm=options.llm or os.environ.get("IMI_LLM") or None,
        host=options.host,
        port=options.port,
        keys=options.keys,
        cors=settings.parse_origins(options.cors),
        limits=settings.Limits(per_minute=options.rate),
        log=not options.quiet,
    )
    running.serve(chosen, lambda url: note(f"imi listens on {url} (the API is {url}/v1)", quiet=options.quiet))


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "serve", ServeOptions, serve, example="imi serve reviews.imi --alias text-embedding-3-small=built-in")
