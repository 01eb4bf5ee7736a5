"""`imi explain`: from characters to numbers, and which tokens carry the similarity of two texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imi.cli.options import Model, Output
from imi.cli.output import note, number, one_line, show, show_json
from imi.cli.verbs import verb

if TYPE_CHECKING:
    from imi.tasks.explain import Reading

_CHARACTERS = 24
_TOKENS = 40


@dataclass(frozen=True, kw_only=True)
class Explain(Output):
    """What `imi explain` takes."""

    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to look into.")]
    other: Annotated[str | None, typer.Argument(metavar="TEXT", help="Another: which tokens make the two similar?")] = (
        None
    )
    model: Model = None


def explain(options: Explain) -> None:
    """Show what a model reads in a text: characters, bytes, tokens, their rows of numbers, and the vector.

    With two texts, `share` is each token's part of their similarity, and `effect` what is lost without it.
    """
    import imi
    from imi.tasks.explain import explain as read

    found = read(imi.load(options.model), options.text, options.other)
    if options.as_json:
        show_json(found)
        return
    for reading in found.readings:
        _show(reading)
    if found.parameters is None:
        note(f"the model {found.model} does not show its tokens", quiet=options.quiet)
    else:
        note(
            f"the table: {found.vocabulary:,} rows × {found.width} numbers = {found.parameters:,}", quiet=options.quiet
        )
    if found.cosine is not None:
        rows = [["similarity", number(found.cosine)], ["of the sums of rows", number(found.cosine_of_sums)]]
        show(None, ["", "cosine"], [row for row in rows if row[1]], as_json=False)


def _show(reading: Reading) -> None:
    title = one_line(reading.text, 60)
    characters = [[one.text, one.code, one.utf8, one.name] for one in reading.characters[:_CHARACTERS]]
    show(None, ["character", "code point", "UTF-8", "name"], characters, as_json=False, title=title)
    if reading.tokens:
        rows: list[list[Any]] = [
            [one.text, one.id, *one.row, "…", one.weight, one.share, number(one.effect)]
            for one in reading.tokens[:_TOKENS]
        ]
        head = ["token", "id", *map(str, range(1, len(reading.tokens[0].row) + 1)), "", "weight", "share", "effect"]
        show(None, head, rows, as_json=False)
    first: list[Any] = [len(reading.vector), *reading.vector[:4], "…"]
    show(None, ["numbers", "1", "2", "3", "4", ""], [first], as_json=False)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "explain", Explain, explain, example='imi explain 猫\nimi explain "The cat sleeps." 猫が寝ています')
