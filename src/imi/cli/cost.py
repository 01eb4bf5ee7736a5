"""`imi cost`: what embedding files would take, before anything is spent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imi.cli.opening import exists, open_to_read
from imi.cli.options import Model, Output, model_name
from imi.cli.output import named, note, show
from imi.cli.verbs import verb
from imi.errors import UsageError

if TYPE_CHECKING:
    from imi.text.readers import ReadOptions


@dataclass(frozen=True, kw_only=True)
class CostOptions(Output):
    """What `imi cost` takes."""

    sources: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE", help="Files, folders or collections; - is standard input.")
    ] = None
    search: Annotated[
        str | None,
        typer.Option(
            "--search", metavar="NxD", help="Instead: the arithmetic of a search in N vectors of D dimensions."
        ),
    ] = None
    shortlist: Annotated[
        int, typer.Option("--shortlist", metavar="K", help="With --search: rows compared by all dimensions.")
    ] = 200
    first: Annotated[
        int, typer.Option("--first", metavar="D", help="With --search: dimensions that the shortlist is found by.")
    ] = 16
    network: Annotated[
        float | None,
        typer.Option("--network", metavar="GFLOPS", help="With --search: what embedding a query takes; a ResNet50: 4."),
    ] = None
    template: Annotated[
        str | None, typer.Option("--template", metavar="TEXT", help="The text of a row, as for imi add.")
    ] = None
    encoding: Annotated[str, typer.Option("--encoding", metavar="NAME", help="Of text files: latin-1, cp932, …")] = (
        "utf-8"
    )
    model: Model = None


def cost(options: CostOptions) -> None:
    """Say what embedding would cost: tokens, requests, US dollars, minutes; nothing is sent.

    Texts that the cache knows are counted apart: they cost nothing. With --search it is the arithmetic of a query that
    is counted, in millions of multiply-adds, as the Matryoshka paper does; nothing is measured.
    """
    if options.search is not None:
        _cost_of_search(options, options.search)
        return
    if not options.sources:
        raise UsageError(
            "nothing was named whose cost could be said", hint="imi cost reviews.csv, or imi cost --search 1300000x2048"
        )
    import imi
    from imi.tasks.cost import cost as cost_of
    from imi.text.readers import ReadOptions

    how = ReadOptions(template=options.template, encoding=options.encoding)
    found = cost_of(_texts(options.sources, how), imi.load(model_name(options.model)))
    values = found.to_dict()
    if found.money is None:
        note("the price of this model is not known: IMI_PRICE says US dollars a million tokens", quiet=options.quiet)
    titles = {"money": "money (US dollars)"}
    rows = [[titles.get(name, name), "" if value is None else value] for name, value in values.items()]
    show(values, ["what", "number"], named(rows), as_json=options.as_json)


def _cost_of_search(options: CostOptions, search: str) -> None:
    from imi.index.search_cost import cost_table

    if options.sources:
        raise UsageError(
            f"--search counts arithmetic and reads no files, but {options.sources[0]} was named",
            hint="leave out one of them",
        )
    shape = re.fullmatch(r"([\d_,]+)\s*[x×*]\s*(\d+)", search.strip().lower())
    if shape is None:
        raise UsageError(
            f"--search is {search}, allowed are rows and dimensions as in 1300000x2048",
            hint="imi cost --search 1300000x2048",
        )
    if options.network is not None and not 0 <= options.network < float("inf"):
        raise UsageError(f"--network is {options.network:g}, allowed are GFLOPs from 0 on", hint="--network 4")
    count, width = int(re.sub("[_,]", "", shape[1])), int(shape[2])
    ways = cost_table(count, width, options.shortlist, options.first)
    embedding = None if options.network is None else 1000 * options.network
    found: list[dict[str, Any]] = []
    for way in ways:
        # Reranking alone finds nothing: it is a part of the adaptive ways, with which it is counted.
        fewer = None if way.way == "rerank" else ways[0].mflops / way.mflops
        share = None if embedding is None or way.way == "rerank" else way.mflops / (way.mflops + embedding)
        found.append({**way.to_dict(), "fewer": fewer, "share": share})
    columns = ["way", "order", "MFLOPs a query", "fewer"] + ["share of embedding and search"] * (embedding is not None)
    rows = []
    for one in found:
        row = [
            one["way"],
            one["formula"],
            f"{one['mflops']:.4g}",
            "" if one["fewer"] is None else f"{one['fewer']:.1f}×",
        ]
        rows.append(row + ([] if embedding is None else ["" if one["share"] is None else f"{one['share']:.1%}"]))
    values = {"rows": count, "width": width, "shortlist": options.shortlist, "first": options.first}
    show({**values, "network_mflops": embedding, "ways": found}, columns, named(rows), as_json=options.as_json)


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
    verb(
        app,
        "cost",
        CostOptions,
        cost,
        example="imi cost reviews.csv --model openai:text-embedding-3-small\nimi cost --search 1300000x2048",
    )
