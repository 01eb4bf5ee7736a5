"""`imi evaluate`: how good models are at similarity, translation, retrieval and classification, on local files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from imi.cli.options import Figure, Out, Output, complete_model, model_name
from imi.cli.output import note, progress, show
from imi.cli.verbs import verb
from imi.errors import DataError, UsageError

_FOLDERS = (Path("../shared/data"), Path("shared/data"))


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(Output):
    """What `imi evaluate` takes."""

    sets: Annotated[
        list[str] | None, typer.Argument(metavar="SET", help="Names of sets, or .tsv and .jsonl files of one's own.")
    ] = None
    model: Annotated[
        list[str],
        typer.Option(
            "--model",
            metavar="NAME",
            help="A model; several by repeating. Else both of imi's.",
            autocompletion=complete_model,
        ),
    ] = field(default_factory=list)
    dims: Annotated[
        str | None,
        typer.Option("--dims", metavar="N,N", help="Leading dimensions; the trained ones by default."),
    ] = None
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="Where the public sets lie; ../shared/data when there."),
    ] = None
    weight: Annotated[
        float | None, typer.Option("--weight", metavar="X", help="Of the meaning, where fused with words.")
    ] = None
    floors: Annotated[bool, typer.Option("--floors/--no-floors", help="Also BM25, its fusion, and n-grams.")] = True
    out: Out = None
    figure: Figure = None


def evaluate(options: EvaluateOptions) -> None:
    """Measure models on development sets: value and 95 % interval for every dims, beside BM25 and character n-grams.

    Without SET all public sets that are on this machine are measured. A file of one's own has the columns a, b, score
    (similarity), a, b (translations), query, document (retrieval) or text, label (classification).
    """
    import json

    import imi
    from imi.cli.output import plain
    from imi.evaluate import report
    from imi.evaluate.run import measure
    from imi.evaluate.sets import SETS, load_set
    from imi.figures import check_figure
    from imi.fusion import WEIGHT

    dims = _dims(options.dims)
    if options.out is not None and options.out.suffix != ".json":
        raise UsageError(f"the result would go to {options.out}, allowed is the suffix .json")
    if options.figure is not None:
        check_figure(options.figure)
    folder = options.data or next((one for one in _FOLDERS if one.is_dir()), None)
    if not options.sets and folder is None:
        raise UsageError("there are no public sets here", hint="imi evaluate --data FOLDER, or a file of your own")
    # A set is read before a model, so that a wrong name costs nothing.
    sets = [load_set(name, folder) for name in options.sets or SETS]
    names = options.model or _default_models(dims, quiet=options.quiet)
    models = {name: imi.load(name) for name in names}
    with progress("measuring", quiet=options.quiet) as bar:
        weight = WEIGHT if options.weight is None else options.weight
        results = measure(models, sets, dims, weight=weight, floors=options.floors, progress=bar)
    value = report.to_dict(results)
    if options.figure is not None:
        report.figure(results, options.figure)
        note(f"the figure is in {options.figure}", quiet=options.quiet)
    if options.out is not None:
        try:
            options.out.write_text(json.dumps(plain(value), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        except OSError as cannot:
            raise DataError(f"{options.out} cannot be written: {cannot.strerror}") from cannot
    show(value, report.COLUMNS, report.rows(results), as_json=options.as_json)


def _default_models(dims: tuple[int, ...] | None, *, quiet: bool) -> list[str]:
    """Return the model of IMI_MODEL, else the built-in one and, where it runs and has these dimensions, deep."""
    from imi.embedders import deep

    chosen = model_name(None)
    if chosen is not None or not deep.installed():
        return [chosen or "built-in"]
    width = deep.package_info().width
    if dims is not None and max(dims) > width:
        note(f"the model deep has {width} dimensions, and is left out", quiet=quiet)
        return ["built-in"]
    return ["built-in", "deep"]


def _dims(given: str | None) -> tuple[int, ...] | None:
    if given is None:
        return None
    try:
        return tuple(int(part) for part in given.split(","))
    except ValueError:
        raise UsageError(f"dims is {given!r}, allowed are whole numbers", hint="--dims 512,64") from None


def register(app: typer.Typer) -> None:
    """Add the verb."""
    example = "printf 'a\\tb\\tscore\\ncat\\t猫\\t5\\ncat\\t車\\t1\\n' > pairs.tsv\nimi evaluate pairs.tsv --dims 64,32"
    verb(app, "evaluate", EvaluateOptions, evaluate, example=example)
