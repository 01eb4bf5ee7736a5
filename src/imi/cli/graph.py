"""`imi graph`: which rows are near which, as a file for tools that read graphs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import CollectionName, Dims, K, Output
from imi.cli.output import progress, show
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class GraphOptions(Output):
    """What `imi graph` takes."""

    collection: CollectionName
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help=".csv, .tsv, .jsonl or .graphml.")]
    k: K = 10
    dims: Dims = None


def graph(options: GraphOptions) -> None:
    """Write each row's nearest rows, with their cosines, to a file: the k-NN graph."""
    from imi import tasks
    from imi.tasks.graph import check_kind

    check_kind(options.out)
    with open_to_read(options.collection) as collection, progress("comparing", quiet=options.quiet) as tell:
        found = tasks.graph(collection, options.k, dims=options.dims, progress=tell)
    found.save(options.out)
    value = {"out": str(options.out), **found.to_dict()}
    show(value, list(value), [list(value.values())], as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "graph", GraphOptions, graph, example="imi graph reviews.imi --out near.graphml -k 5")
