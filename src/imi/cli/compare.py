"""`imi compare`: several models over the same pairs, each on its own scale."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Annotated, Any

import typer

from imi.cli.options import Dims, Figure, Output, complete_model, read_texts
from imi.cli.output import number, one_line, show
from imi.cli.verbs import verb
from imi.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Output):
    """What `imi compare` takes."""

    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="Each with each; the seminar's pairs by default.")
    ] = None
    model: Annotated[
        list[str], typer.Option("--model", metavar="NAME", help="A model; give several.", autocompletion=complete_model)
    ] = field(default_factory=list)
    dims: Dims = None
    figure: Figure = None


def compare(options: CompareOptions) -> None:
    """Compare models over the same pairs of texts: the cosine under each, and how far above unrelated texts it lies.

    z counts standard deviations above random pairs: a cosine of .8 is near for one model and ordinary for another.
    """
    import imi
    from imi.tasks import compare as compare_models

    texts = read_texts(options.texts) if options.texts else []
    if len(texts) == 1:
        raise UsageError(f"one text makes no pair: {texts[0]!r}", hint="imi compare cat 猫 --model built-in")
    names: list[str | None] = [*options.model] or [None]
    loaded = [imi.load(name) for name in names]
    models = {name or model.info.id: model for name, model in zip(names, loaded, strict=True)}
    found = compare_models(models, list(combinations(texts, 2)) or None, dims=options.dims)
    if options.figure is not None:
        found.figure(options.figure)
    rows: list[list[Any]] = []
    for at, (left, right) in enumerate(found.pairs):
        cells = [
            [float(found.cosines[name][at]), number(float(found.scales[name].z(found.cosines[name][at])), 1)]
            for name in models
        ]
        rows.append([one_line(left, 40), one_line(right, 40), *(cell for pair in cells for cell in pair)])
    head = [title for name in models for title in (name, "z")]
    show(found, ["", "", *head], rows, as_json=options.as_json, given=True)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(
        app,
        "compare",
        CompareOptions,
        compare,
        example="imi compare\nimi compare cat 猫 車 --model built-in --model hash",
    )
