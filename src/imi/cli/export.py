"""`imi export`: a collection as a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import CollectionName, Output
from imi.cli.output import note, progress, show
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Output):
    """What `imi export` takes."""

    collection: CollectionName
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv, .jsonl, .parquet or .npy file.")]
    no_vectors: Annotated[bool, typer.Option("--no-vectors", help="Texts and metadata alone.")] = False
    text_column: Annotated[
        str, typer.Option("--text-column", metavar="NAME", help="What a CSV calls the texts, such as combined.")
    ] = "text"


def export(options: ExportOptions) -> None:
    """Write a collection to a file: CSV with vectors as literal lists, JSONL, Parquet, or the vectors alone as .npy."""
    with open_to_read(options.collection) as collection, progress("exporting", quiet=options.quiet) as bar:
        rows = collection.export(
            options.file, vectors=not options.no_vectors, text_column=options.text_column, progress=bar
        )
        finer = collection.info.deep
    if finer and not options.no_vectors:
        left = f"{finer:,} second vectors of the model deep are left out: imi deepen makes them again"
        note(f"{left}, imi copy and imi backup carry them", quiet=options.quiet)
    show({"rows": rows, "out": str(options.file)}, ["rows", "file"], [[rows, options.file]], as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "export", ExportOptions, export, example="imi export reviews.imi reviews_with_embeddings.csv")
