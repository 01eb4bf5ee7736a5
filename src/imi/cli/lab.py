"""`imi lab`: the Matryoshka paper's experiments, trained and measured on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from imi.cli.options import Output
from imi.cli.output import note, show
from imi.cli.verbs import verb
from imi.errors import UsageError

Name = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="all, vision, glyphs, digits or toy.")]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="PATH", help="Pictures: a folder with one folder a class, zip or npz.")
]
Sizes = Annotated[str, typer.Option("--dims", metavar="N,…", help="Sizes to train, such as 8,16,32,64.")]
Seeds = Annotated[
    int, typer.Option("--seeds", metavar="N", envvar="SEEDS", help="How often each training is repeated.")
]
Folder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where page, figures and tables go.")]
Jobs = Annotated[int, typer.Option("--jobs", metavar="N", help="Trainings side by side; 0 for one a processor.")]


@dataclass(frozen=True, kw_only=True)
class Lab(Output):
    """What `imi lab` takes."""

    name: Name = "all"
    data: Data = None
    dims: Sizes = ""
    seeds: Seeds = 3
    out: Folder = Path("docs/lab")
    jobs: Jobs = 0


def lab(options: Lab) -> None:
    """Train Matryoshka embeddings and all they are compared with, and write tables, figures and a page.

    An interrupted run goes on where it stopped. The whole takes some forty minutes on two cores, digits and toy one.
    """
    from imi.lab.run import Order, run_lab

    try:
        dims = tuple(int(size) for size in options.dims.split(",")) if options.dims else None
    except ValueError:
        raise UsageError(f"--dims is {options.dims!r}, allowed are whole numbers with commas", hint="8,16,32") from None
    jobs = options.jobs or os.cpu_count() or 1
    order = Order(options.name, options.data, dims, options.seeds, options.out, jobs)
    results = run_lab(order, lambda line: note(line, quiet=options.quiet))
    value: dict[str, dict[str, dict[str, dict[str, object]]]] = {}
    rows = []
    for study, found in results.items():
        for name, entry in found["figures"].items():
            metric, method, size = name.split("/")
            if metric != "1-nn":
                continue
            value.setdefault(method, {}).setdefault(study, {})[size] = {"metric": metric} | entry
            rows.append((method, study, int(size), entry["value"], *entry["interval"]))
    note(f"the page is {options.out / 'README.md'}", quiet=options.quiet)
    columns = ["method", "set", "dims", "1-nn", "low", "high"]
    show(value, columns, sorted(rows), as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "lab", Lab, lab, example="imi lab digits --seeds 1 --out lab")
