"""`imi zero-shot`: labels without training."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import Column
from imi.cli.present import present
from imi.cli.task_options import ReportedTaskOptions, Sentences
from imi.cli.verbs import verb
from imi.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class ZeroShotOptions(ReportedTaskOptions):
    """What `imi zero-shot` takes."""

    labels: Annotated[str | None, typer.Option("--labels", metavar="A,B", help="The labels, separated by commas.")] = (
        None
    )
    describe: Annotated[
        Path | None,
        typer.Option("--describe", metavar="FILE", help='JSON: {"label": "a description", …} or lists of them.'),
    ] = None
    column: Column = None
    abstain: Annotated[
        float, typer.Option("--abstain", metavar="CONFIDENCE", help="Below this confidence the label is left out.")
    ] = 0.0
    sentences: Sentences = None
    method: Annotated[
        str | None,
        typer.Option(
            "--method", metavar="NAME", help="rows (the surest teach the rest) or descriptions; chosen when left out."
        ),
    ] = None


def zero_shot(options: ZeroShotOptions) -> None:
    """Label rows by what labels mean, without labelled rows; with --column, say how often that is right."""
    from imi import tasks
    from imi.tasks.labelled import LabelledRows

    labels: Any = [one.strip() for one in options.labels.split(",")] if options.labels else []
    if options.describe:
        described = _read_descriptions(options.describe)
        labels = {one: described.get(one, ()) for one in labels} if labels else described
    with open_to_read(options.collection) as collection:
        how: Any = {"truth": options.column, "abstain": options.abstain, "dims": options.dims, "seed": options.seed}
        how |= {"sentences": options.sentences, "method": options.method}
        result = tasks.zero_shot(collection, labels, **how)
    if result.accuracy is not None:
        present(result, options)
        return
    if options.figure:
        raise UsageError(
            "the figure is a confusion matrix, which needs the truth", hint="add --column TRUTH, or leave out --figure"
        )
    present(LabelledRows(result.ids, result.predictions, result.confidence, result.texts), options)


def _read_descriptions(path: Path) -> dict[str, Any]:
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as wrong:
        raise UsageError(
            f"{path} is not JSON: {wrong}", hint='{"good": ["I love it", "great"], "bad": "awful"}'
        ) from wrong
    if not isinstance(described, dict):
        raise UsageError(f"{path} holds no JSON object of labels and descriptions", hint='{"good": "I love it", …}')
    return described


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(
        app,
        "zero-shot",
        ZeroShotOptions,
        zero_shot,
        example='imi zero-shot reviews.imi --labels "good food,broken on arrival"',
    )
