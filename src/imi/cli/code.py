"""`imi code`: functions found by what they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from imi.cli.options import Dims, K, Model, Output, model_name
from imi.cli.output import show
from imi.cli.parameters import Argument
from imi.cli.verbs import verb

if TYPE_CHECKING:
    import typer


@dataclass(frozen=True, kw_only=True)
class CodeOptions(Output):
    """What `imi code` takes."""

    folder: Annotated[str, Argument(metavar="FOLDER", help="A folder or file of source code.")]
    question: Annotated[str, Argument(metavar="QUESTION", help="What the function does, in words.")]
    k: K = 5
    model: Model = None
    dims: Dims = None


def code(options: CodeOptions) -> None:
    """Find functions by what they do: Python, and with the extra `code` seven other languages."""
    import imi

    model = imi.load(model_name(options.model))
    found = imi.tasks.code(options.folder, options.question, model, options.k, dims=options.dims)
    rows = [[hit.score, f"{hit.function.path}:{hit.function.line}", hit.function.name] for hit in found]
    show([hit.to_dict() for hit in found], ["score", "place", "function"], rows, as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "code", CodeOptions, code, example='imi code . "read a file line by line"')
