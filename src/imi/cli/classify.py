"""`imi classify`: learn labels, say how well, and label new rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import Column
from imi.cli.output import note
from imi.cli.present import present
from imi.cli.task_options import ReportedTaskOptions, Sentences, Test
from imi.cli.verbs import verb
from imi.errors import ModelMismatch, UsageError


@dataclass(frozen=True, kw_only=True)
class ClassifyOptions(ReportedTaskOptions):
    """What `imi classify` takes."""

    column: Column = None
    head: Annotated[str, typer.Option("--head", metavar="KIND", help="kernel, logistic or knn.")] = "kernel"
    test: Test = 0.2
    sentences: Sentences = None
    method: Annotated[
        str, typer.Option("--method", metavar="NAME", help="vectors; or a plain one: words (TF-IDF), commonest.")
    ] = "vectors"
    abstain: Annotated[
        float,
        typer.Option(
            "--abstain", metavar="CONFIDENCE", help="With --with: below this confidence the label is left out."
        ),
    ] = 0.0
    save: Annotated[Path | None, typer.Option("--save", metavar="FILE", help="Keep the trained head (.npz).")] = None
    use: Annotated[
        Path | None, typer.Option("--with", metavar="FILE", help="Label the rows by a head that was saved.")
    ] = None


def classify(options: ClassifyOptions) -> None:
    """Learn the labels in a column and say how well they are predicted; or label rows by a head."""
    from imi import tasks

    if (options.column is None) == (options.use is None):
        raise UsageError("give either --column to learn from or --with a saved head", hint="imi classify --help")
    if not 0 <= options.abstain < 1:
        raise UsageError(f"--abstain is {options.abstain:g}, allowed are numbers from 0 to below 1")
    if options.abstain and options.use is None:
        raise UsageError(
            "--abstain leaves out labels that a head gives, and no head is given",
            hint="add --with HEAD.npz; without it, all held-out rows are judged at each confidence",
        )
    with open_to_read(options.collection) as collection:
        if options.use is not None:
            _label(collection, options)
            return
        how: Any = {"head": options.head, "test": options.test, "seed": options.seed, "dims": options.dims}
        how |= {"sentences": options.sentences, "method": options.method}
        result = tasks.classify(collection, str(options.column), **how)
    if options.save and options.method != "vectors":
        raise UsageError(f"a head of {options.method} cannot be kept", hint="leave out --save, or --method")
    if options.save:
        result.head.save(options.save)
        note(f"the head is in {options.save}", quiet=options.quiet)
    present(result, options)


def _label(collection: Any, options: ClassifyOptions) -> None:
    from imi.tasks.classifier_heads import load_head
    from imi.tasks.labelled import LabelledRows
    from imi.tasks.rows import read_rows

    head = load_head(str(options.use))
    own = collection.info.fingerprint or ""
    if head.model and own and head.model != own:
        raise ModelMismatch(
            f"the head {options.use} was trained on vectors of another model than {options.collection} holds",
            hint="train it again: imi classify COLLECTION --column LABEL --save HEAD.npz",
        )
    rows = read_rows(collection, sentences=head.sentences)
    confidences = head.confidences(rows.z)
    best = confidences.argmax(axis=1)
    sure = confidences.max(axis=1)
    labels = tuple(head.labels[code] if one >= options.abstain else None for code, one in zip(best, sure, strict=True))
    present(LabelledRows(tuple(rows.ids), labels, sure, tuple(rows.texts or ())), options)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "classify", ClassifyOptions, classify, example="imi classify reviews.imi --column Score --sentences")
