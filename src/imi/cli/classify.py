"""`imi classify`: learn labels, say how well, and label new rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import Column, Output
from imi.cli.output import note, number, one_line, show
from imi.cli.task_options import Sentences, TaskOptions, Test
from imi.cli.verbs import verb
from imi.errors import ModelMismatch, UsageError


@dataclass(frozen=True, kw_only=True)
class ClassifyOptions(TaskOptions):
    """What `imi classify` takes."""

    column: Column = None
    head: Annotated[str, typer.Option("--head", metavar="KIND", help="kernel, logistic or knn.")] = "kernel"
    test: Test = 0.2
    sentences: Sentences = False
    save: Annotated[Path | None, typer.Option("--save", metavar="FILE", help="Keep the trained head (.npz).")] = None
    use: Annotated[
        Path | None, typer.Option("--with", metavar="FILE", help="Label the rows by a head that was saved.")
    ] = None


def classify(options: ClassifyOptions) -> None:
    """Learn the labels in a column and say how well they are predicted; or label rows by a head."""
    from imi import tasks

    if (options.column is None) == (options.use is None):
        raise UsageError("give either --column to learn from or --with a saved head", hint="imi classify --help")
    with open_to_read(options.collection) as collection:
        if options.use is not None:
            _label(collection, options)
            return
        how: Any = {"head": options.head, "test": options.test, "seed": options.seed, "dims": options.dims}
        how["sentences"] = options.sentences
        result = tasks.classify(collection, str(options.column), **how)
    if options.save:
        result.head.save(options.save)
        note(f"the head is in {options.save}", quiet=options.quiet)
    _report(result, options)


def _label(collection: Any, options: ClassifyOptions) -> None:
    from imi.tasks.classifier_heads import load_head
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
    found = [
        {"id": one, "label": head.labels[code], "confidence": float(sure[code])}
        for one, code, sure in zip(rows.ids, best, confidences, strict=True)
    ]
    _labels(found, options)


def _labels(found: list[dict[str, Any]], options: Output) -> None:
    show(found, ["id", "label", "confidence"], [list(one.values()) for one in found], as_json=options.as_json)


def _report(result: Any, options: TaskOptions) -> None:
    if options.figure:
        result.figure(options.figure)
    low, high = result.interval
    rows = [
        ["accuracy", number(result.accuracy), f"{low:.3f} to {high:.3f}"],
        ["macro F1", number(result.macro_f1), ""],
        ["rows judged", str(result.n), ""],
        ["labels", str(len(result.labels)), one_line(", ".join(map(str, result.labels)), 60)],
    ]
    show(result.to_dict(), ["", "value", "95 %"], rows, as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "classify", ClassifyOptions, classify, example="imi classify reviews.imi --column Score --sentences")
