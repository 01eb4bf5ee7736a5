"""`imi train`: a model of one's own, moved from the built-in one towards pairs that should mean the same."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from imi.cli.options import Output, Seed
from imi.cli.output import named, note, progress, show
from imi.cli.verbs import verb
from imi.errors import MissingExtra


@dataclass(frozen=True, kw_only=True)
class TrainOptions(Output):
    """What `imi train` takes."""

    pairs: Annotated[
        Path,
        typer.Option("--pairs", metavar="FILE", help="Lines of two texts separated by a tab, and a score if known."),
    ]
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="The model folder to make.")]
    texts: Annotated[
        Path | None,
        typer.Option("--texts", metavar="FILE", help="Texts of the field, one a line; they keep their order."),
    ] = None
    base: Annotated[
        str, typer.Option("--base", metavar="MODEL", help="What to start from: imi, or a model folder.")
    ] = "imi"
    epochs: Annotated[int, typer.Option("--epochs", metavar="N", help="How often each pair is seen.")] = 5
    seed: Seed = 0


def train(options: TrainOptions) -> None:
    """Train a model of your own on pairs of texts that should be near; every command then takes it as --model FOLDER.

    What the base knew of other texts is kept. Needs the extra `train`.
    """
    try:
        own = importlib.import_module("imi.train.own")
    except ModuleNotFoundError as missing:
        if missing.name != "torch":
            raise
        raise MissingExtra("torch", "train") from missing
    pairs = own.read_pairs(options.pairs)
    texts = [] if options.texts is None else own.read_texts(options.texts)
    with progress("training", quiet=options.quiet) as bar:
        model = own.train_own(
            pairs, options.out, texts=texts, base=options.base, epochs=options.epochs, seed=options.seed, progress=bar
        )
    result = {"out": str(options.out), "pairs": len(pairs), "fingerprint": model.info.fingerprint}
    rows = named([[name, value] for name, value in result.items()])
    show(result, ["", ""], rows, as_json=options.as_json)
    note(f"next: imi similar cat 猫 --model {options.out}", quiet=options.quiet)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "train", TrainOptions, train, example="imi train --pairs my.tsv --out my-model")
