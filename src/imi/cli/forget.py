"""`imi forget`: the index of a plain folder, gone from the cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from imi.cli.options import Output
from imi.cli.output import show
from imi.cli.parameters import Argument, Option
from imi.cli.verbs import verb
from imi.cli.warm import dismiss
from imi.errors import UsageError

if TYPE_CHECKING:
    import typer


@dataclass(frozen=True, kw_only=True)
class ForgetOptions(Output):
    """What `imi forget` takes."""

    folder: Annotated[str | None, Argument(metavar="FOLDER", help="A folder that was searched; it may be gone.")] = None
    warm: Annotated[bool, Option("--warm", help="Let the helper go that --keep-warm left behind.")] = False


def forget(options: ForgetOptions) -> None:
    """Remove what imi keeps of a plain folder that was searched or asked: its index in the cache, never its files."""
    if options.warm and options.folder is None:
        was = dismiss()
        show({"helpers": int(was)}, ["helpers"], [[int(was)]], as_json=options.as_json)
        return
    if options.folder is None or options.warm:
        raise UsageError("forget takes a folder or --warm", hint="imi forget ./notes")
    from imi.mirror import forget as forget_folder

    gone = forget_folder(options.folder)
    show(gone.to_dict(), ["indexes", "bytes"], [[gone.indexes, gone.bytes]], as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(
        app,
        "forget",
        ForgetOptions,
        forget,
        example='imi search ./notes "when is the deadline?" -k 3\nimi forget ./notes',
    )
