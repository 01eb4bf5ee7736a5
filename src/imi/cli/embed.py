"""`imi embed`: texts as vectors, printed or into a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from imi.cli.options import Dims, Model, Out, Output, Texts, read_texts
from imi.cli.output import note, one_line, progress, show
from imi.cli.verbs import verb
from imi.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Embed(Output):
    """What `imi embed` takes."""

    texts: Texts
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="query for what is asked, document for what is kept.")
    ] = "document"
    model: Model = None
    dims: Dims = None
    out: Out = None


def embed(options: Embed) -> None:
    """Turn texts into vectors, one a text, at length one.

    --out takes .npy (numbers alone), .csv (literal lists, as pandas reads them), .jsonl or .parquet.
    """
    import imi
    from imi.text.writers import check_kind, write_vectors

    if options.kind not in ("query", "document"):
        raise UsageError(f"the kind is {options.kind!r}, allowed are query and document")
    if options.out is not None:
        check_kind(options.out)
    texts = read_texts(options.texts)
    model = imi.load(options.model)
    with progress("embedding", quiet=options.quiet or len(texts) < 5000) as bar:
        z = model.embed(texts, kind=options.kind, dims=options.dims, progress=bar)  # type: ignore[arg-type]  # checked
    if options.out is not None:
        write_vectors(options.out, texts, z)
        note(f"{len(z)} vectors of {z.shape[1]} numbers in {options.out}", quiet=options.quiet)
        return
    rows: list[list[Any]] = [
        [one_line(text, 40), len(row), *row[:4].tolist(), "…"] for text, row in zip(texts, z, strict=True)
    ]
    show(z, ["text", "numbers", "1", "2", "3", "4", ""], rows, as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "embed", Embed, embed, example='imi embed 猫 "a cat" --dims 64\nimi embed 猫 cat --out cats.npy')
