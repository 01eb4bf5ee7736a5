"""The tasks that compare rows with each other: `imi anomalies`, `dedupe`, `diversity`, `recommend`, `doctor`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from imi.cli.opening import exists, open_to_read
from imi.cli.options import Dims, K, Output, Seed, Where
from imi.cli.output import note, number, one_line, progress, show
from imi.cli.tasks import Task
from imi.cli.verbs import verb
from imi.cli.where import parse_where
from imi.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Anomalies(Task):
    """What `imi anomalies` takes."""

    share: Annotated[
        float | None, typer.Option("--share", metavar="SHARE", help="Flag this share; by default what stands out.")
    ] = None


def anomalies(options: Anomalies) -> None:
    """Find the rows that stand apart from all others, and say why."""
    from imi import tasks

    with open_to_read(options.collection) as collection, progress("comparing", quiet=options.quiet) as tell:
        how: Any = {"dims": options.dims, "seed": options.seed, "progress": tell}
        result = tasks.anomalies(collection, options.share, **how)
    if options.figure:
        result.figure(options.figure)
    found = result.to_dict()
    note(f"{len(found)} of {len(result.score)} rows stand out", quiet=options.quiet)
    rows = [[one["id"], one["score"], one["reason"], " ".join(one["nearest"])] for one in found]
    show(found, ["id", "score", "reason", "nearest"], rows, as_json=options.as_json)


@dataclass(frozen=True, kw_only=True)
class Dedupe(Task):
    """What `imi dedupe` takes."""

    threshold: Annotated[
        float, typer.Option("--threshold", metavar="COSINE", help="From this cosine on two rows are duplicates.")
    ] = 0.95


def dedupe(options: Dedupe) -> None:
    """Find near duplicates: in each group the longest text is kept; nothing is deleted."""
    from imi import tasks

    with open_to_read(options.collection) as collection, progress("comparing", quiet=options.quiet) as tell:
        result = tasks.dedupe(collection, options.threshold, dims=options.dims, progress=tell)
    if options.figure:
        result.figure(options.figure)
    found = result.to_dict()
    note(f"{len(found)} groups, {len(result.drop)} rows to drop", quiet=options.quiet)
    rows = [[one["keep"], " ".join(one["drop"]), one["similarity"]] for one in found]
    show(found, ["keep", "drop", "similarity"], rows, as_json=options.as_json)


@dataclass(frozen=True, kw_only=True)
class Diversity(Task):
    """What `imi diversity` takes."""

    subset: Annotated[
        int | None, typer.Option("--subset", metavar="N", help="Choose this many rows, as different as possible.")
    ] = None


def diversity(options: Diversity) -> None:
    """Say how different the rows are from each other, and choose the most different ones."""
    from imi import tasks

    with open_to_read(options.collection) as collection:
        result = tasks.diversity(collection, dims=options.dims, seed=options.seed)
        chosen = None if options.subset is None else tasks.subset(collection, options.subset, dims=options.dims)
    if options.figure:
        result.figure(options.figure)
    low, high = result.interval
    rows = [
        ["mean distance", number(result.mean_distance), f"{low:.3f} to {high:.3f}"],
        ["Vendi score", number(result.vendi, 1), ""],
    ]
    if chosen is not None:
        rows.append(["subset", " ".join(chosen), ""])
    show(result.to_dict() | {"subset": chosen}, ["", "value", "95 %"], rows, as_json=options.as_json)


@dataclass(frozen=True, kw_only=True)
class Recommend(Output):
    """What `imi recommend` takes."""

    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="A collection: its path or URL.")]
    like: Annotated[list[str], typer.Option("--like", metavar="ID", help="What is liked; may be given many times.")]
    dislike: Annotated[list[str], typer.Option("--dislike", metavar="ID", help="What is not.")] = field(
        default_factory=list
    )
    k: K = 10
    diversity: Annotated[
        float, typer.Option("--diversity", metavar="0..1", help="0 for the nearest, towards 1 for variety.")
    ] = 0.3
    where: Where = field(default_factory=list)
    dims: Dims = None


def recommend(options: Recommend) -> None:
    """Find what is like these rows, unlike those, and not all the same."""
    from imi import tasks

    with open_to_read(options.collection) as collection:
        how: Any = {"where": parse_where(options.where), "dims": options.dims}
        found: Any = tasks.recommend(collection, options.like, options.dislike, options.k, options.diversity, **how)
    rows = [[hit.score, hit.id, one_line(hit.text)] for hit in found]
    show(found.to_dicts(), ["score", "id", "text"], rows, as_json=options.as_json)


@dataclass(frozen=True, kw_only=True)
class Doctor(Output):
    """What `imi doctor` takes."""

    source: Annotated[str, typer.Argument(metavar="COLLECTION|FILE", help="A collection, or vectors as .npy or .npz.")]
    width: Annotated[
        int | None, typer.Option("--width", metavar="N", help="The numbers a vector in the file should have.")
    ] = None
    seed: Seed = 0


def doctor(options: Doctor) -> None:
    """Say what is wrong with vectors and texts, what it means, and what to do."""
    from imi import tasks

    if exists(options.source) or not Path(options.source).is_file():
        with open_to_read(options.source) as collection:
            result = tasks.doctor(collection, width=options.width, seed=options.seed)
    else:
        result = tasks.doctor(_vectors(Path(options.source)), width=options.width, seed=options.seed)
    rows = [[one.level, one.check, one.meaning, one.remedy] for one in result.findings]
    show(result.to_dict(), ["level", "check", "meaning", "what to do"], rows, as_json=options.as_json)


def _vectors(path: Path) -> Any:
    import numpy as np

    try:
        held = np.load(path, allow_pickle=False)
        return held if isinstance(held, np.ndarray) else held[held.files[0]]
    except (OSError, ValueError, IndexError) as wrong:
        raise DataError(
            f"{path} holds no vectors: {wrong}", hint="give .npy or .npz, or imi add the file first"
        ) from wrong


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verb(app, "anomalies", Anomalies, anomalies, example="imi anomalies reviews.imi --share .05")
    verb(app, "dedupe", Dedupe, dedupe, example="imi dedupe reviews.imi --threshold .9")
    verb(app, "diversity", Diversity, diversity, example="imi diversity reviews.imi --subset 5")
    verb(app, "recommend", Recommend, recommend, example="imi recommend reviews.imi --like 1 --dislike 4 -k 3")
    verb(app, "doctor", Doctor, doctor, example="imi doctor reviews.imi")
