"""`imi serve`, `imi keys` and `imi conform`: the server, who may use it, and whether any server keeps the contract."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from imi.cli.options import Model, Output, complete_collection, model_name
from imi.cli.output import note, show
from imi.cli.verbs import verb
from imi.errors import MissingExtra, UsageError

KeysFile = Annotated[
    Path | None, typer.Option("--keys", metavar="FILE", help="Where hashed keys lie; keys.json in IMI_HOME.")
]


def server_part(name: str, extra: str = "server") -> Any:
    """Return a module of the server by its name, as a process manager would start it.

    The command line and the server are of one layer, and neither is built on the other.

    Args:
        name: of the module.
        extra: what installs the packages that it needs.

    Raises:
        MissingExtra: these are not installed.
    """
    try:
        return importlib.import_module(f"imi.server.{name}")
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] == "imi":
            raise
        raise MissingExtra(str(missing.name).split(".")[0], extra) from missing


@dataclass(frozen=True, kw_only=True)
class Serve(Output):
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
    keys: KeysFile = None


def serve(options: Serve) -> None:
    """Serve OpenAI's embeddings API and a search API over collections, on this machine alone unless told otherwise."""
    # Requests run beside each other; threads of BLAS inside each would only wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    settings = server_part("settings")
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
        limits=settings.Limits(per_minute=options.rate),
        log=not options.quiet,
    )
    server_part("running").serve(
        chosen, lambda url: note(f"imi listens on {url} (the API is {url}/v1)", quiet=options.quiet)
    )


@dataclass(frozen=True, kw_only=True)
class KeysOptions(Output):
    """What `imi keys` takes."""

    action: Annotated[str, typer.Argument(metavar="add|ls|rm", help="Make a key, list them, take one away.")]
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="What the key is called.")] = ""
    read: Annotated[
        list[str], typer.Option("--read", metavar="COLLECTION", help="It may read this collection; * for all.")
    ] = field(default_factory=list)
    write: Annotated[
        list[str], typer.Option("--write", metavar="COLLECTION", help="It may read and write this; * for all.")
    ] = field(default_factory=list)
    keys: KeysFile = None


def keys(options: KeysOptions) -> None:
    """Make, list and remove the keys of `imi serve`; a new key reads all collections unless told otherwise."""
    path = server_part("settings").Settings(keys=options.keys).keys_file
    held = server_part("keys").Keys(path)
    if options.action == "ls":
        rows = [key.to_dict() for key in held.all()]
        table = [[row["name"], _grants(row["grants"]), row["created"]] for row in rows]
        show(rows, ["name", "may", "created"], table, as_json=options.as_json)
        return
    if not options.name:
        raise UsageError(f"imi keys {options.action} needs a name", hint=f"imi keys {options.action} NAME")
    if options.action == "add":
        grants = dict.fromkeys(options.read, "read") | dict.fromkeys(options.write, "write")
        grants = grants or {"*": "read"}
        secret = held.add(options.name, grants)
        note(f"{options.name} may {_grants(grants)}; the key is shown this once", quiet=options.quiet)
        show({"name": options.name, "key": secret, "grants": grants}, ["key"], [[secret]], as_json=options.as_json)
    elif options.action == "rm":
        held.remove(options.name)
        show({"removed": options.name}, ["removed"], [[options.name]], as_json=options.as_json)
    else:
        raise UsageError(f"imi keys cannot {options.action!r}", hint="imi keys add NAME, imi keys ls, imi keys rm NAME")


def _grants(grants: dict[str, str]) -> str:
    return ", ".join(f"{right} {'all' if name == '*' else name}" for name, right in grants.items())


@dataclass(frozen=True, kw_only=True)
class Conform(Output):
    """What `imi conform` takes."""

    url: Annotated[str, typer.Argument(metavar="URL", help="The base of an OpenAI-compatible endpoint.")]
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="What to ask for; the first listed by default.")
    ] = None
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="A bearer key.", envvar="OPENAI_API_KEY", show_envvar=False),
    ] = None


def conform(options: Conform) -> None:
    """Check whether an endpoint keeps OpenAI's embeddings contract, line by line; exit code 1 where it does not."""
    checked = []
    for one in server_part("conform").conform(options.url, options.model, options.key):
        checked.append(one)
        note(f"{'ok    ' if one.ok else 'BROKEN'} {one.check}", quiet=options.quiet or not sys.stderr.isatty())
    rows = [["ok" if one.ok else "BROKEN", one.check, one.detail] for one in checked]
    show([one.to_dict() for one in checked], ["", "check", "detail"], rows, as_json=options.as_json)
    broken = sum(not one.ok for one in checked)
    note(f"{len(checked) - broken} of {len(checked)} kept", quiet=options.quiet)
    if broken:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verb(app, "serve", Serve, serve, example="imi serve reviews.imi --alias text-embedding-3-small=built-in")
    verb(app, "keys", KeysOptions, keys, example="imi keys add alice --read reviews --write notes")
    verb(app, "conform", Conform, conform, example="imi conform http://localhost:8000/v1")
