"""The options that the tasks share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from imi.cli.options import CollectionName, Dims, Figure, Seed, Trusting


@dataclass(frozen=True, kw_only=True)
class TaskOptions(Trusting):
    """What every task on a collection takes."""

    collection: CollectionName
    dims: Dims = None
    seed: Seed = 0
    figure: Figure = None


Sentences = Annotated[
    bool,
    typer.Option("--sentences", help="Read texts also sentence by sentence, by the model: better where they are long."),
]


Test = Annotated[float, typer.Option("--test", metavar="SHARE", help="The share of the rows held out to judge by.")]
