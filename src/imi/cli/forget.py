"""`imi forget`: the index of a plain folder, gone from the cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from imi.cli.options import Output
from imi.cli.output import show
from imi.cli.parameters import Argument
from imi.cli.verbs import verb

if TYPE_CHECKING:
    import typer


@dataclass(frozen=True, kw_only=True)
class ForgetOptions(Output):
    """What `imi forget` takes."""

    folder: Annotated[str, Argument(metavar="FOLDER", help="A folder that was searched; it may be gone.")]


def forget(options: ForgetOptions) -> None:
    """Remove what imi keeps of a plain folder that was searched or asked: its index in the cache, never its files."""
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
