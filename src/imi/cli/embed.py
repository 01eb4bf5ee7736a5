"""`imi embed`: texts as vectors, printed or into a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from imi.cli.options import Dims, Model, Out, Output, Texts, read_texts
from imi.cli.output import named, note, one_line, progress, show
from imi.cli.verbs import verb
from imi.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class EmbedOptions(Output):
    """What `imi embed` takes."""

    texts: Texts
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="query for what is asked, document for what is kept.")
    ] = "document"
    model: Model = None
    dims: Dims = None
    out: Out = None
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="ADDRESS", help="On a Ray cluster: local, auto, ray://HOST:PORT."),
    ] = None
    column: Annotated[str, typer.Option("--column", metavar="NAME", help="With --ray: the column of texts.")] = "text"


def embed(options: EmbedOptions) -> None:
    """Turn texts into vectors, one a text, at length one.

    --out takes .npy (numbers alone), .csv (literal lists, as pandas reads them), .jsonl or .parquet. With --ray the
    first word names a Parquet file or a folder of them, the second the folder for the parts; the same command goes on
    where one was stopped.
    """
    if options.ray is not None:
        embed_on_ray(options, options.ray)
        return
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
        note(f"{len(z)} vectors of {z.shape[1]} dimensions in {options.out}", quiet=options.quiet)
        return
    rows: list[list[Any]] = [
        [one_line(text, 40), len(row), *row[:4].tolist(), "…"] for text, row in zip(texts, z, strict=True)
    ]
    show(z, ["text", "dimensions", "1", "2", "3", "4", ""], rows, as_json=options.as_json)


def embed_on_ray(options: EmbedOptions, address: str) -> None:
    """Embed a Parquet file on a Ray cluster."""
    from imi.bridges.ray_embedding import embed_parquet

    if options.kind not in ("query", "document"):
        raise UsageError(f"the kind is {options.kind!r}, allowed are query and document")
    if len(options.texts or ()) != 2 or options.out is not None:
        raise UsageError("--ray takes a Parquet file and a folder", hint="imi embed --ray local in.parquet out/")
    source, out = map(Path, options.texts or ())
    with progress("embedding", quiet=options.quiet) as bar:
        done = embed_parquet(
            source,
            out,
            address,
            options.model or os.environ.get("IMI_MODEL") or "built-in",
            kind=options.kind,  # type: ignore[arg-type]  # checked above
            dims=options.dims,
            column=options.column,
            progress=bar,
        )
    rows: list[list[Any]] = [["rows", done.rows], ["parts", done.parts], ["made now", done.made], ["out", done.out]]
    show(done, ["what", "value"], named(rows), as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "embed", EmbedOptions, embed, example='imi embed 猫 "a cat" --dims 64\nimi embed 猫 cat --out cats.npy')
