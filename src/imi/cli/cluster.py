"""`imi cluster`: groups and their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.output import progress
from imi.cli.present import present
from imi.cli.stopping import ending_early
from imi.cli.task_options import ReportedTaskOptions
from imi.cli.verbs import verb
from imi.language import language


@dataclass(frozen=True, kw_only=True)
class ClusterOptions(ReportedTaskOptions):
    """What `imi cluster` takes."""

    k: Annotated[int | None, typer.Option("-k", metavar="N", help="How many groups; found when left out.")] = None
    method: Annotated[
        str, typer.Option("--method", metavar="NAME", help="kmeans, plain (k-means alone) or hdbscan.")
    ] = "kmeans"
    tree: Annotated[bool, typer.Option("--tree", help="Show groups under the larger ones that they belong to.")] = False


def cluster(options: ClusterOptions) -> None:
    """Group the rows by meaning, and name each group by its own words."""
    from imi import tasks

    with ending_early(quiet=options.quiet):
        with open_to_read(options.collection) as collection, progress("clustering", quiet=options.quiet) as tell:
            how: Any = {
                "method": options.method,
                "dims": options.dims,
                "seed": options.seed,
                "language": language(),
                "progress": tell,
            }
            result = tasks.cluster(collection, options.k, **how)
        present(result, options, findings=result.findings(options.tree))


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "cluster", ClusterOptions, cluster, example="imi cluster reviews.imi -k 12 --tree")
