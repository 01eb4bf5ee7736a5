"""`imi copy`: a collection into another, on this machine or on an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read, open_to_write
from imi.cli.options import CollectionName, Output
from imi.cli.output import named, number, progress, show
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class CopyOptions(Output):
    """What `imi copy` takes."""

    source: CollectionName
    target: Annotated[str, typer.Argument(metavar="TO", help="A path or URL; made where it is missing.")]


def copy(options: CopyOptions) -> None:
    """Copy a collection with its vectors into another: a folder, or an engine.

    Engines are named by a URL: postgresql://me@host/db?collection=reviews, qdrant://host?collection=reviews,
    milvus://host?collection=reviews.

    Nothing is embedded again. Interrupted, the same command goes on. At the end every row of the copy is compared with
    its original, and searches of the copy with exact ones of the original.
    """
    from imi.backends.copying import copy as copy_rows

    with (
        open_to_read(options.source) as source,
        open_to_write(options.target, own_vectors=True) as target,
        progress("copying", quiet=options.quiet) as bar,
    ):
        done = copy_rows(source, target, progress=bar)
    rows: list[list[Any]] = [
        ["copied", done.copied],
        ["there already", done.unchanged],
        ["checksum", done.checksum],
        ["recall", number(done.recall)],
    ]
    show(done, ["what", "value"], named(rows), as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "copy", CopyOptions, copy, example="imi copy reviews.imi second.imi")
