"""`imi similar`: how near texts are to each other, as a matrix of cosines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imi.cli.options import Dims, KeepWarm, Model, Output, Texts, model_name, read_texts
from imi.cli.output import one_line, show
from imi.cli.verbs import verb
from imi.errors import UsageError

if TYPE_CHECKING:
    import typer


@dataclass(frozen=True, kw_only=True)
class SimilarOptions(Output):
    """What `imi similar` takes."""

    texts: Texts
    model: Model = None
    dims: Dims = None
    keep_warm: KeepWarm = False


def similar(options: SimilarOptions) -> None:
    """Show how near texts are to each other: the cosine of each with each, 1 for the same."""
    import imi

    texts = read_texts(options.texts)
    if len(texts) < 2:
        raise UsageError(f"one text has nothing to be similar to: {texts[0]!r}", hint="imi similar cat 猫")
    vectors = imi.load(model_name(options.model)).embed(texts, dims=options.dims)
    matrix = (vectors @ vectors.T).clip(-1.0, 1.0).tolist()
    labels = [one_line(text, 24) for text in texts]
    rows = [[label, *row] for label, row in zip(labels, matrix, strict=True)]
    show({"items": texts, "matrix": matrix}, ["", *labels], rows, as_json=options.as_json, given=True)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "similar", SimilarOptions, similar, example="imi similar cat 猫 車")
