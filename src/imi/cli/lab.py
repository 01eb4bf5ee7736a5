"""`imi lab`: the Matryoshka paper's experiments, which live in the repository and run as `make lab`."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

import imi
from imi.cli.options import Output
from imi.cli.output import note
from imi.cli.verbs import verb
from imi.errors import UsageError

Name = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="all, intents, vision, glyphs, digits or toy.")]
Seeds = Annotated[
    int, typer.Option("--seeds", metavar="N", envvar="SEEDS", help="How often each training is repeated.")
]
Folder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where page, figures and tables go.")]


@dataclass(frozen=True, kw_only=True)
class LabOptions(Output):
    """What `imi lab` takes."""

    name: Name = "all"
    seeds: Seeds = 3
    out: Folder = Path("docs/lab")


def lab(options: LabOptions) -> None:
    """Run the Matryoshka paper's experiments from a checkout; `make lab` does the same."""
    run = _experiments()
    run.run_lab(
        run.Order(name=options.name, seeds=options.seeds, out=options.out),
        lambda line: note(line, quiet=options.quiet),
    )
    note(f"the page is {options.out / 'README.md'}", quiet=options.quiet)


def _experiments() -> Any:
    """Import the experiments of the checkout that this package was installed from, if it was."""
    checkout = Path(imi.__file__).parents[2]
    if not (checkout / "experiments" / "matryoshka" / "run.py").is_file():
        raise UsageError("the experiments are not part of the installed package", hint="in a checkout of imi: make lab")
    if str(checkout) not in sys.path:
        sys.path.append(str(checkout))
    return importlib.import_module("experiments.matryoshka.run")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "lab", LabOptions, lab, example="imi lab digits --seeds 1 --out lab")
