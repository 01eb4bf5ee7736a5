"""`imi cost`: what embedding files would take, before anything is spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from imi.cli.opening import exists, open_to_read
from imi.cli.options import Model, Output, model_name
from imi.cli.output import note, show
from imi.cli.verbs import verb

if TYPE_CHECKING:
    from imi.text.readers import ReadOptions


@dataclass(frozen=True, kw_only=True)
class CostOptions(Output):
    """What `imi cost` takes."""

    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Files, folders or collections; - is standard input.")
    ]
    template: Annotated[
        str | None, typer.Option("--template", metavar="TEXT", help="The text of a row, as for imi add.")
    ] = None
    encoding: Annotated[str, typer.Option("--encoding", metavar="NAME", help="Of text files: latin-1, cp932, …")] = (
        "utf-8"
    )
    model: Model = None


def cost(options: CostOptions) -> None:
    """Say what embedding would cost: tokens, requests, US dollars, minutes; nothing is sent.

    Texts that the cache knows are counted apart: they cost nothing.
    """
    import imi
    from imi.tasks.cost import cost as cost_of
    from imi.text.readers import ReadOptions

    how = ReadOptions(template=options.template, encoding=options.encoding)
    found = cost_of(_texts(options.sources, how), imi.load(model_name(options.model)))
    values = found.to_dict()
    if found.money is None:
        note("the price of this model is not known: IMI_PRICE says US dollars a million tokens", quiet=options.quiet)
    named = {"money": "money (US dollars)"}
    rows = [[named.get(name, name), "" if value is None else value] for name, value in values.items()]
    show(values, ["what", "number"], rows, as_json=options.as_json)


def _texts(sources: Sequence[str], how: ReadOptions) -> Iterator[str]:
    from imi.errors import Failure
    from imi.text.readers import read

    for source in sources:
        if source.endswith(".imi") and exists(source):
            with open_to_read(source) as collection:
                yield from (document.text for document in collection.documents() if document.text)
            continue
        for item in read(source, how):
            if not isinstance(item, Failure) and item.document.text:
                yield item.document.text


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "cost", CostOptions, cost, example="imi cost reviews.csv --model openai:text-embedding-3-small")
