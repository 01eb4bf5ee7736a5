"""The tasks that learn or group: `imi classify`, `zero-shot`, `regress`, `cluster`, `profiles`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import CollectionName, Column, Dims, Figure, Output, Seed
from imi.cli.output import note, number, one_line, progress, show
from imi.cli.verbs import verb
from imi.errors import ModelMismatch, UsageError


@dataclass(frozen=True, kw_only=True)
class Task(Output):
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


@dataclass(frozen=True, kw_only=True)
class Classify(Task):
    """What `imi classify` takes."""

    column: Column = None
    head: Annotated[str, typer.Option("--head", metavar="KIND", help="kernel, logistic or knn.")] = "kernel"
    test: Test = 0.2
    sentences: Sentences = False
    save: Annotated[Path | None, typer.Option("--save", metavar="FILE", help="Keep the trained head (.npz).")] = None
    use: Annotated[
        Path | None, typer.Option("--with", metavar="FILE", help="Label the rows by a head that was saved.")
    ] = None


def classify(options: Classify) -> None:
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


def _label(collection: Any, options: Classify) -> None:
    from imi.tasks.heads import load_head
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


def _report(result: Any, options: Task) -> None:
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


@dataclass(frozen=True, kw_only=True)
class ZeroShot(Task):
    """What `imi zero-shot` takes."""

    labels: Annotated[str | None, typer.Option("--labels", metavar="A,B", help="The labels, parted by commas.")] = None
    describe: Annotated[
        Path | None,
        typer.Option("--describe", metavar="FILE", help='JSON: {"label": "a description", …} or lists of them.'),
    ] = None
    column: Column = None
    abstain: Annotated[
        float, typer.Option("--abstain", metavar="CONFIDENCE", help="Below this confidence the label is left out.")
    ] = 0.0
    sentences: Sentences = False


def zero_shot(options: ZeroShot) -> None:
    """Label rows by what labels mean, without training; with --column, say how often that is right."""
    from imi import tasks
    from imi.tasks.rows import read_rows

    labels: Any = [one.strip() for one in options.labels.split(",")] if options.labels else []
    if options.describe:
        described = _read_descriptions(options.describe)
        labels = {one: described.get(one, ()) for one in labels} if labels else described
    with open_to_read(options.collection) as collection:
        how: Any = {"truth": options.column, "abstain": options.abstain, "dims": options.dims, "seed": options.seed}
        how["sentences"] = options.sentences
        result = tasks.zero_shot(collection, labels, **how)
        ids = read_rows(collection).ids if result.accuracy is None else []
    if result.accuracy is not None:
        _report(result, options)
        return
    pairs = zip(ids, result.predictions, result.confidence.tolist(), strict=True)
    _labels([{"id": one, "label": label, "confidence": sure} for one, label, sure in pairs], options)


def _read_descriptions(path: Path) -> dict[str, Any]:
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as wrong:
        raise UsageError(
            f"{path} is no JSON: {wrong}", hint='{"good": ["I love it", "great"], "bad": "awful"}'
        ) from wrong
    if not isinstance(described, dict):
        raise UsageError(f"{path} holds no JSON object of labels and descriptions", hint='{"good": "I love it", …}')
    return described


@dataclass(frozen=True, kw_only=True)
class Regress(Task):
    """What `imi regress` takes."""

    column: Annotated[str, typer.Option("--column", metavar="NUMBER", help="The metadata column with the number.")]
    test: Test = 0.2
    sentences: Sentences = False


def regress(options: Regress) -> None:
    """Learn the number in a column and say how far predictions are off, beside always saying the mean."""
    from imi import tasks

    with open_to_read(options.collection) as collection:
        how: Any = {"test": options.test, "seed": options.seed, "dims": options.dims, "sentences": options.sentences}
        result = tasks.regress(collection, options.column, **how)
    if options.figure:
        result.figure(options.figure)
    rows = [
        ["mean squared error", result.mse, result.dummy["mse"]],
        ["mean absolute error", result.mae, result.dummy["mae"]],
    ]
    show(result.to_dict(), ["", "predicted", "mean alone"], rows, as_json=options.as_json)


@dataclass(frozen=True, kw_only=True)
class Cluster(Task):
    """What `imi cluster` takes."""

    k: Annotated[int | None, typer.Option("-k", metavar="N", help="How many groups; found when left out.")] = None
    method: Annotated[str, typer.Option("--method", metavar="NAME", help="kmeans or hdbscan.")] = "kmeans"


def cluster(options: Cluster) -> None:
    """Group the rows by meaning, and name each group by its own words."""
    from imi import tasks

    with open_to_read(options.collection) as collection, progress("clustering", quiet=options.quiet) as tell:
        how: Any = {"method": options.method, "dims": options.dims, "seed": options.seed, "progress": tell}
        result = tasks.cluster(collection, options.k, **how)
    if options.figure:
        result.figure(options.figure)
    rows = [[one.name, one.size, " ".join(one.representatives[:3])] for one in result.clusters]
    note(f"silhouette {result.silhouette:.3f}, stability {result.stability:.2f}", quiet=options.quiet)
    show(result.to_dict(), ["cluster", "rows", "typical"], rows, as_json=options.as_json)


@dataclass(frozen=True, kw_only=True)
class Profiles(Task):
    """What `imi profiles` takes."""

    by: Annotated[str, typer.Option("--by", metavar="A,B", help="The columns whose values own rows.")]
    column: Column = None
    like: Annotated[
        list[str], typer.Option("--like", metavar="NAME", help="Who is like this one, by the first column.")
    ] = field(default_factory=list)


def profiles(options: Profiles) -> None:
    """Sum users and products up as vectors, and say how well these foretell a number."""
    from imi import tasks

    by = [one.strip() for one in options.by.split(",") if one.strip()]
    with open_to_read(options.collection) as collection:
        result = tasks.profiles(collection, by, options.column, dims=options.dims, seed=options.seed)
    if options.figure:
        result.figure(options.figure)
    value = result.to_dict()
    if options.like:
        value["similar"] = {name: [list(pair) for pair in result[by[0]].similar(name)] for name in options.like}
        rows: list[list[Any]] = [[name, *pair] for name, near in value["similar"].items() for pair in near]
        show(value, [by[0], "like", "cosine"], rows, as_json=options.as_json)
        return
    rows = [["correlation", result.correlation], ["rows judged", result.n], ["cosine of profiles", result.cosine]]
    rows += [[f"profiles by {profile.by}", len(profile.names)] for profile in result.profiles]
    show(value, ["", "value"], rows, as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verb(app, "classify", Classify, classify, example="imi classify reviews.imi --column Score --sentences")
    verb(
        app,
        "zero-shot",
        ZeroShot,
        zero_shot,
        example='imi zero-shot reviews.imi --labels "good food,broken on arrival"',
    )
    verb(app, "regress", Regress, regress, example="imi regress reviews.imi --column Score")
    verb(app, "cluster", Cluster, cluster, example="imi cluster reviews.imi -k 5")
    verb(app, "profiles", Profiles, profiles, example="imi profiles reviews.imi --by UserId,ProductId --column Score")
