"""`imi explain`: from characters to numbers, which tokens carry a similarity, and what the index holds for a term."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import K, Model, Output
from imi.cli.output import named, note, number, one_line, show, show_json
from imi.cli.verbs import verb
from imi.errors import UsageError
from imi.language import local
from imi.pictures import is_picture_file

if TYPE_CHECKING:
    from imi.tasks.explain import Reading

_CHARACTERS = 24
_TOKENS = 40
_LARGE = 0.25
"""A share from which little effect is explained."""
_NUMBERS = 3
"""Of each row and vector: with more, the table is wider than eighty columns."""


@dataclass(frozen=True, kw_only=True)
class ExplainOptions(Output):
    """What `imi explain` takes."""

    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT",
            help="What to look into, a picture's file too; with --index, the collection whose index it is.",
        ),
    ]
    other: Annotated[str | None, typer.Argument(metavar="TEXT", help="Another: which tokens make the two similar?")] = (
        None
    )
    index: Annotated[
        str | None,
        typer.Option(
            "--index", metavar="TERM", help="Show which documents of the collection hold this term, and where."
        ),
    ] = None
    k: K = 20
    model: Model = None


def explain(options: ExplainOptions) -> None:
    """Show what a model reads in a text: characters, bytes, tokens, their rows of numbers, and the vector.

    With two texts, `share` is each token's part of their similarity, and `effect` what is lost without it.
    Of a picture, show its dots, planes and vector, and what one changed dot does to an exact match and to likeness.
    With --index, show the inverted index: the documents that hold a term, how often, and at which places.
    """
    if options.index is not None:
        _explain_index(options, options.index)
        return
    if is_picture_file(options.text):
        _explain_picture(options)
        return
    import imi
    from imi.tasks.explain import explain as read

    found = read(imi.load(options.model), options.text, options.other)
    if options.as_json:
        show_json(found)
        return
    for reading in found.readings:
        _show(reading)
    if any(reading.tokens for reading in found.readings):
        note(
            "dim 1, 2 …: the first of the token's row of the table; weight: how long that row is; share: its "
            "part of the vector, of two texts of their similarity; effect: how much the similarity falls without it; "
            "▁: a word begins here",
            quiet=options.quiet,
        )
    for token in (one for reading in found.readings for one in reading.tokens):
        if token.effect is not None and token.share > _LARGE and token.effect < token.share / 3:
            note(
                f"{token.text}: a large share, little effect: the last layer of the model damps what stands in every "
                "text",
                quiet=options.quiet,
            )
    if found.parameters is None:
        note(f"the model {found.model} does not show its tokens", quiet=options.quiet)
    else:
        note(
            f"the table: {found.vocabulary:,} rows × {found.width} dimensions = {found.parameters:,}",
            quiet=options.quiet,
        )
    if found.cosine is not None:
        rows = named([["similarity", number(found.cosine)], ["of the sums of rows", number(found.cosine_of_sums)]])
        show(None, ["", "cosine"], [row for row in rows if row[1]], as_json=False)


def _explain_picture(options: ExplainOptions) -> None:
    import imi
    from imi.cli.explain_picture import show_picture
    from imi.collection.pictures import picture_embedder_of
    from imi.tasks.explain_picture import explain_picture

    found = explain_picture(picture_embedder_of(imi.load(options.model)), options.text, options.other)
    if options.as_json:
        show_json(found)
    else:
        show_picture(found, quiet=options.quiet)


def _explain_index(options: ExplainOptions, term: str) -> None:
    from imi.collection.term_lookup import postings

    if options.other is not None:
        raise UsageError(f"--index looks into a collection; the text {options.other!r} has no place beside it")
    with open_to_read(options.text) as collection:
        found = postings(collection, term, options.k)
    lists = ", ".join(local(f"{one.text} in {one.documents:,} documents") for one in found.tokens)
    longer = ", ".join(local(f"{one.text} in {one.documents:,} documents") for one in found.longer)
    note(f"{term}: {found.documents} of {found.total} documents, idf {found.idf:.2f}", quiet=options.quiet)
    note(f"lists: {lists}" + (f"; words that begin with it: {longer}" if longer else ""), quiet=options.quiet)
    rows = [
        [one.id, one.count, " ".join(map(str, one.positions[:10])), one.score, one_line(one.text, 60)]
        for one in found.postings
    ]
    show(found, ["id", "count", "places", "BM25", "text"], rows, as_json=options.as_json)


def _show(reading: Reading) -> None:
    title = one_line(reading.text, 60)
    characters = [[one.text, one.code, one.utf8, one.name] for one in reading.characters[:_CHARACTERS]]
    show(None, ["character", "code point", "UTF-8", "name"], characters, as_json=False, title=title)
    if reading.tokens:
        rows: list[list[Any]] = [
            [one.text, one.id, *one.row[:_NUMBERS], "…", one.weight, one.share, one.effect]
            for one in reading.tokens[:_TOKENS]
        ]
        first_of_row = [f"dim {at}" for at in range(1, len(rows[0]) - 5)]
        head = ["token", "id", *first_of_row, "", "weight", "share", "effect"]
        show(None, head, rows, as_json=False)
    first: list[Any] = [len(reading.vector), *reading.vector[:_NUMBERS], "…"]
    show(None, ["dimensions", *(f"dim {at}" for at in range(1, _NUMBERS + 1)), ""], [first], as_json=False)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    example = 'imi explain 猫\nimi explain "The cat sleeps." 猫が寝ています\nimi explain reviews.imi --index coffee'
    verb(app, "explain", ExplainOptions, explain, example=example)
