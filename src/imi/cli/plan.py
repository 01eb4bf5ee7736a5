"""`imi plan`: the ladder that keeps the recall asked for, measured on one's own vectors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imi.cli.opening import open_existing
from imi.cli.options import Figure, Output, Seed
from imi.cli.output import note, number, progress, show
from imi.cli.verbs import verb
from imi.errors import DataError, UsageError
from imi.language import local

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from imi.collection import Collection
    from imi.index.plan import Plan as Made

_BYTES = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, kw_only=True)
class PlanOptions(Output):
    """What `imi plan` takes."""

    source: Annotated[str, typer.Argument(metavar="C|FILE", help="A collection, or a .npy file of vectors (n, d).")]
    recall: Annotated[float, typer.Option("--recall", metavar="R", help="Share of the true nearest ten to find.")] = (
        0.95
    )
    share: Annotated[
        float | None,
        typer.Option("--for", metavar="S", help="Share of the queries that must each reach it; their mean without."),
    ] = None
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="SIZE", help="What the index may take: 500MB, 2GB.")
    ] = None
    latency: Annotated[
        str | None, typer.Option("--latency", metavar="TIME", help="What a search may take: 500us, 1ms.")
    ] = None
    queries: Annotated[
        Path | None,
        typer.Option(
            "--queries", metavar="FILE", help="Questions to measure by: a text file, one a line, or a .npy of vectors."
        ),
    ] = None
    seed: Seed = 0
    figure: Figure = None


def plan(options: PlanOptions) -> None:
    """Measure ladders on your own vectors and take the cheapest that keeps the recall asked for.

    A collection is searched by it from then on, and measured again when it has grown fourfold. Collections plan by
    themselves when they outgrow exact search; this is for other wishes, and shows the best of what was tried (--json:
    all of it).
    """
    memory = None if options.memory is None else int(_amount("--memory", options.memory, _BYTES))
    latency = None if options.latency is None else _amount("--latency", options.latency, _SECONDS)
    with progress("planning", quiet=options.quiet) as bar:
        found = _planned(options, memory, latency, bar)
    if options.figure is not None:
        found.figure(options.figure)
    tried: list[list[Any]] = []
    for one in (found.chosen, *found.front):
        plain = one.to_dict()
        mark = "→" if one is found.chosen else ""
        unlike = "" if one.outside is None else number(one.outside, 4)
        figures = [number(one.recall, 4), unlike, number(one.qps, 0), number(one.bytes / 1e6, 1)]
        tried.append([mark, plain["ladder"], *figures, local(one.where)])
    show(
        found,
        ["", "ladder", "recall", "of questions unlike the rows", "queries/s", "MB", "on"],
        tried,
        as_json=options.as_json,
    )
    note(found.note, quiet=options.quiet)


def _amount(name: str, text: str, units: dict[str, float] | dict[str, int]) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*+([A-Za-z]*)", text.strip())
    unit = None if match is None else next((known for known in units if known.lower() == match[2].lower()), None)
    if match is None or unit is None:
        known = ", ".join(f"2{one}" for one in units if one)
        raise UsageError(f"{name} is {text!r}, allowed are amounts such as {known}")
    return float(match[1]) * units[unit]


def _planned(
    options: PlanOptions, memory: int | None, latency: float | None, bar: Callable[[int, int], None] | None
) -> Made:
    import imi

    goal = imi.Goal(options.recall, options.share)
    how: dict[str, Any] = {"seed": options.seed, "progress": bar}
    source = options.source
    if not source.endswith(".npy"):
        with open_existing(source) as collection:
            if options.queries is not None:
                how["queries"] = _questions(options.queries, collection)
            return collection.plan(goal, memory, latency, **how)
    if options.queries is not None:
        how["queries"] = _vectors(str(options.queries))
    return imi.plan(_vectors(source), goal, memory, latency, **how)


def _vectors(source: str) -> NDArray[Any]:
    import numpy as np

    try:
        return np.asarray(np.load(Path(source), mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError) as wrong:
        raise DataError(f"{source} cannot be read as vectors: {wrong}", hint="numpy.save writes such a file") from wrong


def _questions(path: Path, collection: Collection) -> NDArray[Any]:
    """Read questions, one a line, and embed them as searches do; a .npy file holds their vectors already."""
    if path.suffix == ".npy":
        return _vectors(str(path))
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as wrong:
        raise DataError(
            f"{path} cannot be read as questions: {wrong}", hint="a text file in UTF-8, one a line"
        ) from wrong
    texts = [line for line in lines if line]
    if not texts:
        raise DataError(f"{path} holds no question", hint="write one a line, 20 or more")
    return collection.model.embed(texts, kind="query")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "plan", PlanOptions, plan, example="imi plan reviews.imi --recall .95")
