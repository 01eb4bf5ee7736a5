"""`imi keys`: who may use the server."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import typer

from imi.cli.extras import needs
from imi.cli.options import Output
from imi.cli.output import note, show
from imi.cli.serve import KeysFile
from imi.cli.verbs import verb
from imi.errors import UsageError
from imi.language import local


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
    llm: Annotated[bool, typer.Option("--llm", help="It may use the language model of imi serve --llm.")] = False
    keys: KeysFile = None


def keys(options: KeysOptions) -> None:
    """Make, list and remove the API keys of `imi serve`; a new key may read every collection unless you say which."""
    with needs("server"):
        from imi.server.http.keys import Keys, Right
        from imi.server.settings import Settings
    held = Keys(Settings(keys=options.keys).keys_file)
    if options.action == "ls":
        rows = [key.to_dict() for key in held.all()]
        table = [[row["name"], _may(row["grants"], row["llm"]), _when(row["created"])] for row in rows]
        show(rows, ["name", "may", "created"], table, as_json=options.as_json)
        return
    if not options.name:
        raise UsageError(f"imi keys {options.action} needs a name", hint=f"imi keys {options.action} NAME")
    if options.action == "add":
        grants: dict[str, Right] = dict.fromkeys(options.read, "read")
        grants |= dict.fromkeys(options.write, "write")
        grants = grants or {"*": "read"}
        secret = held.add(options.name, grants, llm=options.llm)
        note(f"{options.name} may {_may(grants, options.llm)}; the key is shown this once", quiet=options.quiet)
        made = {"name": options.name, "key": secret, "grants": grants, "llm": options.llm}
        show(made, ["key"], [[secret]], as_json=options.as_json)
    elif options.action == "rm":
        held.remove(options.name)
        show({"removed": options.name}, ["removed"], [[options.name]], as_json=options.as_json)
    else:
        raise UsageError(
            f"imi keys cannot {options.action!r}; allowed: add, ls, rm",
            hint="imi keys add NAME, imi keys ls, imi keys rm NAME",
        )


def _when(seconds: int) -> str:
    """Return the local time of seconds since 1970; an empty cell where it is not known, or beyond any calendar."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds > 0 else ""
    except (OverflowError, OSError, ValueError):
        return ""


def _may(grants: Mapping[str, str], llm: bool) -> str:
    rights = [
        local(f"{right} every collection" if name == "*" else f"{right} the collection {name}")
        for name, right in grants.items()
    ]
    return ", ".join([*rights, *([local("use the language model")] if llm else [])])


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "keys", KeysOptions, keys, example="imi keys add alice --read reviews --write notes")
