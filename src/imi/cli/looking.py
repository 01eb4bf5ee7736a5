"""Looking at meaning: `imi map`, `code`, `customize`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import Column, Dims, K, Model, Output, model_name
from imi.cli.output import note, progress, show
from imi.cli.tasks import Task
from imi.cli.verbs import verb
from imi.errors import DataError, Failure


@dataclass(frozen=True, kw_only=True)
class Map(Task):
    """What `imi map` takes."""

    out: Annotated[Path, typer.Option("--out", metavar="FILE", help=".html, .png, .svg or .parquet.")]
    column: Column = None
    method: Annotated[str, typer.Option("--method", metavar="NAME", help="tsne, pca, umap or pacmap.")] = "tsne"


def map_(options: Map) -> None:
    """Lay the rows out on a plane, near ones together: a page that opens without a network, a picture or a table."""
    from imi import tasks
    from imi.tasks.map import check_kind

    check_kind(options.out)
    with open_to_read(options.collection) as collection, progress("laying out", quiet=options.quiet) as tell:
        how: Any = {"method": options.method, "colour": options.column, "dims": options.dims, "seed": options.seed}
        drawn = tasks.map(collection, progress=tell, **how)
        title = collection.info.name
    drawn.save(options.out, title)
    if options.figure:
        drawn.figure(options.figure)
    value = {"out": str(options.out), "points": len(drawn.points)}
    show(value, ["out", "points"], [list(value.values())], as_json=options.as_json)


@dataclass(frozen=True, kw_only=True)
class Code(Output):
    """What `imi code` takes."""

    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="A folder or file of source code.")]
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What the function does, in words.")]
    k: K = 5
    model: Model = None
    dims: Dims = None


def code(options: Code) -> None:
    """Find functions by what they do: Python, and with the extra `code` seven other languages."""
    import imi

    model = imi.load(model_name(options.model))
    found = imi.tasks.code(options.folder, options.question, model, options.k, dims=options.dims)
    rows = [[hit.score, f"{hit.function.path}:{hit.function.line}", hit.function.name] for hit in found]
    show([hit.to_dict() for hit in found], ["score", "place", "function"], rows, as_json=options.as_json)


@dataclass(frozen=True, kw_only=True)
class Customize(Task):
    """What `imi customize` takes."""

    pairs: Annotated[
        Path, typer.Option("--pairs", metavar="FILE", help="CSV or TSV: two ids and 1 (near) or 0 (far) a line.")
    ]
    out: Annotated[Path, typer.Option("--out", metavar="MODEL", help="Where the matrix goes (.npz).")]


def customize(options: Customize) -> None:
    """Learn from pairs that should be near or far a matrix that moves vectors there."""
    from imi import tasks

    with open_to_read(options.collection) as collection:
        result = tasks.customize(collection, _read_pairs(options.pairs), dims=options.dims, seed=options.seed)
    result.save(options.out)
    if options.figure:
        result.figure(options.figure)
    note(f"the matrix is in {options.out}", quiet=options.quiet)
    sides = {"before": result.before, "after": result.after}
    rows = [[name, side["accuracy"], side["auc"]] for name, side in sides.items()]
    show(result.to_dict(), ["", "accuracy", "area under the curve"], rows, as_json=options.as_json)


def _read_pairs(path: Path) -> list[tuple[Any, Any, float]]:
    """Return the pairs of a file; a first line whose last cell is no number is a heading."""
    pairs: list[tuple[Any, Any, float]] = []
    failed = []
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ","), start=1):
            try:
                left, right, label = row
                pairs.append((left, right, float(label)))
            except ValueError as wrong:
                if line > 1:
                    failed.append(Failure(str(path), line, f"not two ids and a number: {wrong}"))
    if failed:
        raise DataError(f"{len(failed)} lines of {path} are no pairs", failures=failed)
    return pairs


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verb(app, "map", Map, map_, example="imi map reviews.imi --out map.html --column Score")
    verb(app, "code", Code, code, example='imi code . "read a file line by line"')
    verb(
        app,
        "customize",
        Customize,
        customize,
        example="imi customize reviews.imi --pairs pairs.csv --out mine.npz",
    )
