"""`imi customize`: vectors moved to where one's own pairs want them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.output import note
from imi.cli.present import present
from imi.cli.task_options import ReportedTaskOptions
from imi.cli.verbs import verb
from imi.errors import DataError, Failure


@dataclass(frozen=True, kw_only=True)
class CustomizeOptions(ReportedTaskOptions):
    """What `imi customize` takes."""

    pairs: Annotated[
        Path, typer.Option("--pairs", metavar="FILE", help="CSV or TSV: two ids and 1 (near) or 0 (far) a line.")
    ]
    out: Annotated[Path, typer.Option("--out", metavar="MODEL", help="Where the matrix goes (.npz).")]


def customize(options: CustomizeOptions) -> None:
    """Learn from pairs that should be near or far a matrix that moves vectors there."""
    from imi import tasks

    with open_to_read(options.collection) as collection:
        result = tasks.customize(collection, _read_pairs(options.pairs), dims=options.dims, seed=options.seed)
    result.save(options.out)
    note(f"the matrix is in {options.out}", quiet=options.quiet)
    present(result, options)


def _read_pairs(path: Path) -> list[tuple[Any, Any, float]]:
    """Return the pairs of a file; a first line whose last cell is not a number is a heading."""
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
        raise DataError(f"{len(failed)} lines of {path} are not pairs", failures=failed)
    return pairs


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(
        app,
        "customize",
        CustomizeOptions,
        customize,
        example="imi customize reviews.imi --pairs pairs.csv --out mine.npz",
    )
