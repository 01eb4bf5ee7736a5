"""One call writes the whole page: studies, the toy, other bodies, tables and figures."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from experiments.matryoshka.captions import TABLES, write_page
from experiments.matryoshka.collect import Outcome, run_study
from experiments.matryoshka.figures import draw_all, draw_paper
from experiments.matryoshka.page import table, write_tables
from experiments.matryoshka.requests import FILE as REQUESTS
from experiments.matryoshka.saved_results import Shelf
from experiments.matryoshka.studies import CLOTHES, DIGITS, GLYPHS, INTENTS, PHOTOS, STUDIES, Study
from experiments.matryoshka.verdicts import Verdict, judged_again, verdicts
from imi.errors import UsageError

Say = Callable[[str], None]
NAMES = ("all", "intents", "vision", "glyphs", "digits", "toy")
NOTES = "notes"
"""The key of results.json that holds the pages' further sections; every other key is a study."""
PHOTO_FILE, CLOTHES_FILE = "cifar10_train_10k.zip", "clothing_small_96px.zip"


@dataclass(frozen=True)
class Order:
    """What to run.

    Attributes:
        name: one of `NAMES`.
        data: a set of pictures, or a folder with the two files of photos; None for the folder of public data sets.
        dims: other sizes; None for the study's own.
        seeds: of each study; `by_study` says otherwise for some, 0 leaves one out ("bodies" is the other networks).
        out: folder of the page.
        jobs: trainings side by side.
    """

    name: str = "all"
    data: Path | None = None
    dims: tuple[int, ...] | None = None
    seeds: int = 3
    out: Path = Path("docs/lab")
    jobs: int = 2
    by_study: Mapping[str, int] | None = None


def run_lab(order: Order, say: Say = lambda _: None) -> dict[str, Any]:
    """Run what is ordered, write tables, figures and page, and return the figures.

    What was done before under `out/.cache` is not done again, so an interrupted run goes on.

    Raises:
        UsageError: the name is not known, or the pictures asked for are not there.
    """
    if order.name not in NAMES:
        raise UsageError(f"there is no experiment {order.name!r}: {', '.join(NAMES)}")
    if order.seeds < 1 or order.jobs < 1:
        raise UsageError(f"seeds is {order.seeds} and jobs is {order.jobs}, both must be at least 1")
    order.out.mkdir(parents=True, exist_ok=True)
    cache = order.out / ".cache"
    outcomes, left_out = [], []
    studies, missing = chosen(order)
    left_out += missing
    for study in studies:
        seeds = (order.by_study or {}).get(study.name, order.seeds)
        if seeds < 1:
            left_out.append(f"{study.name}: not run; `make lab` goes on with it.")
            continue
        say(f"{study.name}: {seeds} seeds of {', '.join(study.methods)}")
        outcomes.append(
            run_study(study, seeds, cache, jobs=order.jobs, progress=lambda done, total: say(f"  {done} of {total}"))
        )
        if seeds < order.seeds:
            left_out.append(
                f"{study.name}: {seeds} of {order.seeds} seeds were run; `make lab` goes on with the others."
            )
    notes = _notes(order, Shelf(cache), say, left_out)
    return _write(order.out, outcomes, notes)


def chosen(order: Order) -> tuple[list[Study], list[str]]:
    """Return the studies of an order and, in words, those that have no data here.

    Raises:
        UsageError: pictures were named that are not there.
    """
    studies: list[Study] = []
    missing: list[str] = []
    if order.name in ("all", "intents"):
        found = data_folder(order.data) / REQUESTS
        if found.is_file():
            studies.append(replace(INTENTS, data=str(data_folder(order.data))))
        elif order.name == "intents":
            raise UsageError(f"{found} is not there", hint="--data FOLDER names the folder of public data sets")
        else:
            missing.append("intents: there was no data beside this clone (`--data FOLDER` names it).")
    if order.name in ("all", "glyphs"):
        studies.append(GLYPHS)
    if order.name in ("all", "vision"):
        photos = photo_studies(order.data)
        if not photos and order.name == "vision":
            raise UsageError(
                "vision needs pictures", hint="python -m experiments.matryoshka vision --data FOLDER, zip or npz"
            )
        if not photos:
            missing.append("photos: there was no data beside this clone (`--data FOLDER` names it).")
        studies += photos
    if order.name in ("all", "digits"):
        studies.append(DIGITS)
    return [study.with_dims(order.dims) if order.dims else study for study in studies], missing


def data_folder(data: Path | None) -> Path:
    """Return the folder of public data sets: the one that was named, or the one beside this clone."""
    return data or Path(os.environ.get("IMI_SHARED_DATA", "../shared/data"))


def photo_studies(data: Path | None) -> list[Study]:
    """Return the studies on photos: the two known files where they lie, or the one set that was named."""
    folder = data_folder(data)
    folder = folder / "images" if (folder / "images").is_dir() else folder
    known = [(PHOTOS, folder / PHOTO_FILE), (CLOTHES, folder / CLOTHES_FILE)]
    found = [replace(study, data=str(path)) for study, path in known if path.is_file()]
    if not found and data is not None:
        return [replace(PHOTOS, name=data.stem, data=str(data))]
    return found


def _notes(order: Order, shelf: Shelf, say: Say, left_out: Sequence[str]) -> list[str]:
    notes = []
    if order.name in ("all", "toy"):
        from experiments.matryoshka.toy import toy_section

        say("toy: three numbers a word")
        notes.append(toy_section(order.out))
    if order.name == "all" and (order.by_study or {}).get("bodies") == 0:
        left_out = [*left_out, "other bodies (a vision transformer, pictures with words): not run."]
    elif order.name == "all":
        from experiments.matryoshka.other_networks import bodies_section

        say("other bodies: a vision transformer, image-text pairs, ResNet50")
        notes.append(bodies_section(shelf))
    if left_out:
        notes.append("## Not run\n\n" + "\n".join(f"- {line}" for line in left_out))
    return notes


def _write(out: Path, outcomes: Sequence[Outcome], notes: Sequence[str]) -> dict[str, Any]:
    judged = {outcome.study.name: verdicts(outcome) for outcome in outcomes}
    for outcome in outcomes:
        draw_all(outcome, out)
    if outcomes:
        draw_paper(out / "paper-linear.png")
    figures = {outcome.study.name: outcome.to_dict() for outcome in outcomes}
    if (out / "results.json").is_file():
        # What was run into this folder before stays on its page: a lab may be run study by study.
        kept, before, old_notes = _kept(out)
        judged = {name: judged_again(Outcome.from_dict(value), before[name]) for name, value in kept.items()} | judged
        figures, notes = kept | figures, _merged(old_notes, notes)
    order = [study.name for study in STUDIES]
    names = sorted(figures, key=lambda name: order.index(name) if name in order else len(order))
    return _publish(out, {name: figures[name] for name in names}, {name: judged[name] for name in names}, notes)


def _merged(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return old and new sections, of two with the same heading the new one."""
    headings = {note.split("\n")[0] for note in new}
    return [*(note for note in old if note.split("\n")[0] not in headings), *new]


def _kept(out: Path) -> tuple[dict[str, Any], dict[str, list[Verdict]], list[str]]:
    """Return the figures, verdicts and notes of a folder's results.json."""
    figures = json.loads((out / "results.json").read_text("utf-8"))
    notes = figures.pop(NOTES, [])
    before = {name: [Verdict(**verdict) for verdict in kept.pop("verdicts", [])] for name, kept in figures.items()}
    return figures, before, notes


def write_again(out: Path, *, draw: bool = True) -> dict[str, Any]:
    """Judge the results kept in `out/results.json` again and write pages and figures again; nothing is trained.

    Raises:
        UsageError: there are no results.
    """
    try:
        figures, before, notes = _kept(out)
    except FileNotFoundError as missing:
        raise UsageError(
            f"{out} holds no results.json", hint="python -m experiments.matryoshka runs the lab"
        ) from missing
    if draw:
        for kept in figures.values():
            draw_all(Outcome.from_dict(kept), out)
        draw_paper(out / "paper-linear.png")
    judged = {name: judged_again(Outcome.from_dict(kept), before[name]) for name, kept in figures.items()}
    return _publish(out, figures, judged, notes)


def _publish(
    out: Path, figures: dict[str, Any], judged: Mapping[str, Sequence[Verdict]], notes: Sequence[str]
) -> dict[str, Any]:
    outcomes = [Outcome.from_dict(kept) for kept in figures.values()]
    if outcomes:
        (out / "README.md").write_text(write_page(outcomes, judged), "utf-8")
        (out / TABLES).write_text(write_tables(outcomes, judged, notes), "utf-8")
    else:
        (out / "README.md").write_text("# The Matryoshka lab\n\n" + "\n\n".join(notes) + "\n", "utf-8")
    kept = {name: {**value, "verdicts": [asdict(v) for v in judged[name]]} for name, value in figures.items()}
    stored = {**kept, NOTES: list(notes)}
    (out / "results.json").write_text(json.dumps(stored, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return kept


__all__ = ["NAMES", "Order", "chosen", "photo_studies", "run_lab", "table", "write_again"]
