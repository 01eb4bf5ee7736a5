"""The options that mean the same in every verb."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from imi.cli.parameters import Argument, Option


def complete_collection(incomplete: str) -> list[str]:
    """Return the collections whose path begins as typed."""
    folder, _, start = incomplete.rpartition("/")
    found = Path(folder or ".").glob(f"{start}*.imi")
    return sorted(str(path) for path in found)


def complete_model(incomplete: str) -> list[str]:
    """Return the names of models that begin as typed."""
    return [
        name
        for name in ("built-in", "deep", "quality", "openai:", "st:", "hf-static:", "onnx:", "clip:", "pixels")
        if name.startswith(incomplete)
    ]


CollectionName = Annotated[
    str,
    Argument(
        metavar="COLLECTION",
        help="A collection: its path, .imi may be left off, or its URL.",
        autocompletion=complete_collection,
    ),
]
Json = Annotated[bool, Option("--json", help="One JSON value instead of a table.")]
Quiet = Annotated[bool, Option("--quiet", "-q", help="No progress, warnings or hints.")]
K = Annotated[int, Option("-k", metavar="N", help="How many.")]
Dims = Annotated[
    int | None, Option("--dims", metavar="N", help="Leading dimensions of each vector to use; all by default.")
]
Where = Annotated[
    list[str],
    Option(
        "--where", metavar="FILTER", help="Keep rows that pass: 'Score>=4', 'tag in a,b', or JSON. Given twice: both."
    ),
]
Mode = Annotated[str, Option("--mode", metavar="MODE", help="text, meaning or hybrid.")]
Model = Annotated[
    str | None,
    Option(
        "--model",
        metavar="NAME",
        help="A model: built-in, deep, openai:NAME@URL, …; else IMI_MODEL.",
        autocompletion=complete_model,
    ),
]
Also = Annotated[
    list[str],
    Option(
        "--also",
        metavar="COLLECTION",
        help="Ask another collection too; may be given again.",
        autocompletion=complete_collection,
    ),
]
NoFold = Annotated[bool, Option("--no-fold", help="Show rows that say the same each on its own.")]
RerankBy = Annotated[
    str, Option("--rerank", metavar="BY", help="deep: the finer model orders the first hits; none: it does not.")
]
Budget = Annotated[
    float | None,
    Option("--budget", metavar="MS", help="Time for the finer model to read new rows, 0 for none; 400 by default."),
]
Trust = Annotated[
    bool, Option("--trust", help="Use the model that the collection names, though you never named it yourself.")
]
KeepWarm = Annotated[
    bool,
    Option("--keep-warm", help="Leave a helper behind, for an hour without questions, that answers the next at once."),
]
Seed = Annotated[int, Option("--seed", metavar="N", help="The same seed gives the same answer.")]
Out = Annotated[Path | None, Option("--out", metavar="FILE", help="Where the result goes; the suffix tells the kind.")]
Figure = Annotated[Path | None, Option("--figure", metavar="FILE", help="A picture: png, svg or html.")]
Column = Annotated[str | None, Option("--column", metavar="NAME", help="A metadata column.")]
Texts = Annotated[list[str], Argument(metavar="TEXT", help="Texts; - reads one a line from standard input.")]


@dataclass(frozen=True, kw_only=True)
class Output:
    """What every verb takes: how the result is shown."""

    as_json: Json = False
    quiet: Quiet = False


@dataclass(frozen=True, kw_only=True)
class Trusting(Output):
    """A verb that may use the model which a collection names."""

    trust: Trust = False

    def __post_init__(self) -> None:
        """Let what is opened by this call of the command use it."""
        if self.trust:
            from imi.trust import grant

            grant()


@dataclass(frozen=True, kw_only=True)
class Filtered(Output):
    """A verb that works on the rows that pass a filter."""

    where: Where = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class FolderOptions(Output):
    """How a plain folder is read where it is given in the place of a collection."""

    hidden: Annotated[bool, Option("--hidden", help="Of a folder: names that begin with a dot too.")] = False
    no_ignore: Annotated[bool, Option("--no-ignore", help="Of a folder: what .gitignore leaves out too.")] = False
    wait: Annotated[bool, Option("--wait", help="Of a folder: read all before answering.")] = False

    @property
    def reading(self) -> FolderReading:
        """How a plain folder is to be read."""
        return FolderReading(self.hidden, self.no_ignore, self.wait, self.quiet)


@dataclass(frozen=True, slots=True)
class FolderReading:
    """How a plain folder is read that is given in the place of a collection; see `FolderOptions`."""

    hidden: bool = False
    no_ignore: bool = False
    wait: bool = True
    quiet: bool = False


def model_name(given: str | None) -> str | None:
    """Return the model that was asked for, by option or by IMI_MODEL; None leaves the choice to the collection."""
    return given or os.environ.get("IMI_MODEL") or None


def _lines_of_input() -> list[str]:
    import sys

    from imi.errors import UsageError
    from imi.text.readers.encodings import guess_encoding

    raw = getattr(sys.stdin, "buffer", None)
    if raw is None:
        return [line.rstrip("\r\n") for line in sys.stdin]
    given = raw.read()
    try:
        return [line.rstrip("\r") for line in given.decode("utf-8-sig").removesuffix("\n").split("\n")] if given else []
    except UnicodeDecodeError as wrong:
        line = given.count(b"\n", 0, wrong.start) + 1
        guess, _ = guess_encoding(given)
        raise UsageError(
            f"standard input is not UTF-8: byte 0x{given[wrong.start]:02X} on line {line}; it may be {guess}",
            hint=f"iconv -f {guess} -t utf-8 FILE | imi …",
        ) from wrong


def read_texts(given: Iterable[str]) -> list[str]:
    """Return the texts, with `-` replaced by the lines of standard input.

    Raises:
        UsageError: there is none, or standard input is not UTF-8.
    """
    from imi.errors import UsageError

    texts: list[str] = []
    for text in given:
        texts.extend(_lines_of_input()) if text == "-" else texts.append(text)
    if not texts:
        raise UsageError("there is no text: standard input was empty", hint="give texts, or one a line to -")
    return texts
