"""`imi demo`: Python's own documentation, asked in English, Japanese and emoji."""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from imi.cli.opening import home, reranked
from imi.cli.options import K, Model, Output
from imi.cli.output import note, one_line, progress, show
from imi.cli.verbs import verb
from imi.errors import ModelMismatch

if TYPE_CHECKING:
    from imi.collection import Collection
    from imi.records import Hit

QUESTIONS = (
    "圧縮ファイルを開く",
    "read rows from a spreadsheet export",
    "乱数",
    "🔒",
    "日付を足し算する",
    "send an e-mail",
)
_READ = 20
"""Hits that are read for each one shown: a class has many methods, and one of them answers for all."""
_BUDGET = 4000.0
"""Milliseconds in which the finer model may read what a question found: enough for all of it on a busy machine."""
_FORM = 2
"""Of the rows: a collection of another form is made again."""
_TITLE = re.compile(r"^[\w.]+( \([^)]*\))?:? ?")
"""What a row begins with: its name, and the words in it."""
_NEXT = (
    "imi add notes.imi FILE-OR-FOLDER            your own text, CSV, JSONL, Markdown",
    'imi search notes.imi "a question"           in any language',
    "imi similar cat 猫 車                       what lies behind it",
)


@dataclass(frozen=True, kw_only=True)
class DemoOptions(Output):
    """What `imi demo` takes."""

    k: K = 3
    model: Model = None


def demo(options: DemoOptions) -> None:
    """Ask the documentation of this Python, in English, Japanese and emoji: the first minute with imi.

    The first run indexes some five thousand modules, classes and functions; later ones only ask.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    model = options.model or os.environ.get("IMI_MODEL") or "built-in"
    place = home() / "demo" / f"python-{version}-{re.sub(r'[^a-z0-9]+', '-', model.lower())}.{_FORM}.imi"
    with _collection(place, model, quiet=options.quiet) as collection:
        reranked(collection, "deep", _BUDGET)
        answers = {question: _answers(collection, question, options.k) for question in QUESTIONS}
        note(
            f"{len(collection):,} entries of the documentation of Python {version}, asked by words and meaning:",
            quiet=options.quiet,
        )
    rows: list[list[Any]] = []
    for question, hits in answers.items():
        rows += [[question if at == 0 else "", hit.score, _said(hit), _where(hit)] for at, hit in enumerate(hits)]
    show(answers, ["question", "score", "hit", "where it is"], rows, as_json=options.as_json)
    if not options.quiet and not options.as_json:
        note("now on files of your own:\n  " + "\n  ".join(_NEXT))


def _answers(collection: Collection, question: str, k: int) -> list[Hit]:
    """Return the first hits, of each class the nearest one: four methods of a calendar leave no place for a date."""
    nearest: dict[str, Hit] = {}
    for hit in collection.search(question, k=k * _READ):
        nearest.setdefault(_owner(hit), hit)
    return list(nearest.values())[:k]


def _owner(hit: Hit) -> str:
    name = str(hit.metadata["name"])
    return name.rpartition(".")[0] if hit.metadata["kind"] in {"method", "property"} else name


def _collection(place: Path, model: str, *, quiet: bool) -> Collection:
    """Open the documentation; index it where it is not there, or was made by another version of the model."""
    import imi
    from imi.text.pydocs import entries

    if place.exists():
        with suppress(ModelMismatch):
            return imi.open(place, model=model, mode="r")
        shutil.rmtree(place)
    note("reading the documentation of this Python (once) …", quiet=quiet)
    documents = list(entries())
    # Built beside and moved when whole: an interrupted first run leaves nothing that looks finished.
    building = place.with_suffix(".building")
    shutil.rmtree(building, ignore_errors=True)
    building.parent.mkdir(parents=True, exist_ok=True)
    with progress("indexing", quiet=quiet) as bar, imi.open(building, model=model) as collection:
        collection.add(documents, progress=bar)
    building.rename(place)
    for old in place.parent.glob(f"{place.name.removesuffix(f'{_FORM}.imi')}*imi"):
        if old != place:
            shutil.rmtree(old, ignore_errors=True)
    return imi.open(place, model=model, mode="r")


def _said(hit: Hit) -> str:
    name = str(hit.metadata["name"])
    about = _TITLE.sub("", hit.text or "", count=1)
    return f"{name}  {one_line(about, 60)}"


def _where(hit: Hit) -> str:
    source = hit.metadata.get("source")
    if source is None:
        return f"built in: {hit.metadata['module']}"
    library = sysconfig.get_path("stdlib")
    short = str(source).removeprefix(library).lstrip("/\\")
    return f"{short}:{hit.metadata['line']}"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "demo", DemoOptions, demo, example="imi demo")
