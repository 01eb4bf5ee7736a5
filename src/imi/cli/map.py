"""`imi map`: a collection as points on a plane."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import Column
from imi.cli.output import note, progress, show
from imi.cli.present import settings_of
from imi.cli.stopping import ending_early
from imi.cli.task_options import ReportedTaskOptions
from imi.cli.verbs import verb

if TYPE_CHECKING:
    from imi.tasks.map import Map


@dataclass(frozen=True, kw_only=True)
class MapOptions(ReportedTaskOptions):
    """What `imi map` takes."""

    out: Annotated[Path, typer.Option("--out", metavar="FILE", help=".html, .png, .svg or .parquet.")]
    column: Column = None
    method: Annotated[str, typer.Option("--method", metavar="NAME", help="tsne, pca, umap or pacmap.")] = "tsne"


def map_(options: MapOptions) -> None:
    """Lay the rows out on a plane, near ones together: a page that opens without a network, a picture or a table."""
    from imi import tasks
    from imi.tasks.map import check_kind

    check_kind(options.out)
    with ending_early(quiet=options.quiet):
        with open_to_read(options.collection) as collection, progress("laying out", quiet=options.quiet) as tell:
            how: Any = {"method": options.method, "colour": options.column, "dims": options.dims, "seed": options.seed}
            drawn = tasks.map(collection, progress=tell, **how)
            title = collection.info.name
        _present(drawn, title, options)


def _present(drawn: Map, title: str, options: MapOptions) -> None:
    drawn.save(options.out, title)
    if options.figure:
        drawn.figure(options.figure)
    if options.report:
        drawn.report(options.report, settings_of(options))
        note(f"the report is in {options.report}", quiet=options.quiet)
    value = {"out": str(options.out), "points": len(drawn.points)}
    show(value, ["out", "points"], [list(value.values())], as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "map", MapOptions, map_, example="imi map reviews.imi --out map.html --column Score")
