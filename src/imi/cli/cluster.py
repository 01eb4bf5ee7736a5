"""`imi cluster`: groups and their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.output import note, progress, show
from imi.cli.task_options import TaskOptions
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class ClusterOptions(TaskOptions):
    """What `imi cluster` takes."""

    k: Annotated[int | None, typer.Option("-k", metavar="N", help="How many groups; found when left out.")] = None
    method: Annotated[str, typer.Option("--method", metavar="NAME", help="kmeans or hdbscan.")] = "kmeans"


def cluster(options: ClusterOptions) -> None:
    """Group the rows by meaning, and name each group by its own words."""
    from imi import tasks

    with open_to_read(options.collection) as collection, progress("clustering", quiet=options.quiet) as tell:
        how: Any = {"method": options.method, "dims": options.dims, "seed": options.seed, "progress": tell}
        result = tasks.cluster(collection, options.k, **how)
    if options.figure:
        result.figure(options.figure)
    rows = [[one.name, one.size, " ".join(one.representatives[:3])] for one in result.clusters]
    note(f"silhouette {result.silhouette:.3f}, stability {result.stability:.2f}", quiet=options.quiet)
    show(result.to_dict(), ["cluster", "rows", "typical"], rows, as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "cluster", ClusterOptions, cluster, example="imi cluster reviews.imi -k 5")
