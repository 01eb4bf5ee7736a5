"""`imi search`: what a collection holds that is near a question."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from imi.cli.hits import scaled, show_hits, warn_of_collections
from imi.cli.opening import opened_together, reranked
from imi.cli.options import (
    Also,
    Budget,
    CollectionName,
    Dims,
    Filtered,
    FolderOptions,
    K,
    KeepWarm,
    Mode,
    Model,
    NoFold,
    RerankBy,
    Trusting,
    read_texts,
)
from imi.cli.output import named, note, number, one_line, plain, show, show_json
from imi.cli.parameters import Argument, Option
from imi.cli.verbs import verb
from imi.cli.where import parse_where
from imi.errors import DataError, NotTrusted, UsageError
from imi.language import language, local
from imi.pictures import is_picture_file
from imi.records import Hits

if TYPE_CHECKING:
    import typer

    from imi.collection import Collection

MODES = ("text", "meaning", "hybrid")
_SEARCHES = ("full text", "by meaning", "both")


@dataclass(frozen=True, kw_only=True)
class SearchOptions(FolderOptions, Trusting, Filtered):
    """What `imi search` takes."""

    collection: CollectionName
    query: Annotated[
        list[str] | None, Argument(metavar="QUERY", help="Words are one question; - reads a question a line.")
    ] = None
    image: Annotated[
        Path | None,
        Option("--image", metavar="FILE", help="Ask by a picture, or by it and the words of QUERY."),
    ] = None
    vector: Annotated[
        Path | None,
        Option("--vector", metavar="FILE", help="Ask by a vector: .npy, or JSON; - is standard input."),
    ] = None
    k: K = 10
    mode: Mode = "hybrid"
    compare: Annotated[bool, Option("--compare", help="The three modes side by side.")] = False
    dims: Dims = None
    min_score: Annotated[float | None, Option("--min-score", metavar="X", help="Leave out hits below.")] = None
    offset: Annotated[int, Option("--offset", metavar="N", help="Leave out the first hits.")] = 0
    facet: Annotated[list[str], Option("--facet", metavar="COLUMN", help="Count the values of a column.")] = field(
        default_factory=list
    )
    exact: Annotated[bool, Option("--exact", help="Compare with every row.")] = False
    ladder: Annotated[
        str | None, Option("--ladder", metavar="DIMS:KEEP,…", help="Rungs to climb, such as 64:200,512:10.")
    ] = None
    explain_search: Annotated[bool, Option("--explain-search", help="Tell what was read to find the hits.")] = False
    also: Also = field(default_factory=list)
    no_fold: NoFold = False
    full: Annotated[bool, Option("--full", help="Whole texts, not only what is around the words of the question.")] = (
        False
    )
    rerank: RerankBy = "deep"
    budget: Budget = None
    model: Model = None
    keep_warm: KeepWarm = False
    jsonl: Annotated[
        bool, Option("--jsonl", help="A JSON object a line for each hit, with its question and place.")
    ] = False


def search(options: SearchOptions) -> None:
    """Find what is near a question: by the words in it (text), by what it means (meaning), or by both (hybrid).

    A short or quoted question in the mode text means "contains". Scores are the mode's own; higher is better.
    Where the model deep is installed, it orders the first hits of a hybrid search; --rerank none leaves it out.
    """
    if options.jsonl and (options.as_json or options.compare or options.facet or options.explain_search):
        raise UsageError(
            "--jsonl gives hits alone, without --json, --compare, --facet and --explain-search", hint="use --json"
        )
    questions = _questions(options)
    with opened_together(options.collection, options.also, options.model, options.reading) as collections:
        collection, *others = collections
        for one in collections:
            reranked(one, options.rerank, options.budget)
        if others:
            _show_hits([(one, _ask_all(collections, one, options)) for one in questions], options)
        elif options.compare:
            _show_compared([(one, _compare(collection, one, options)) for one in questions], options)
        else:
            _show_hits([(one, _asked_of(collection, one, options)) for one in questions], options, collection)


def _asked_of(collection: Collection, question: Any, options: SearchOptions) -> Hits:
    """Return the hits of a question; where they are read by people, with guesses in place of pictures' texts."""
    hits = _ask(collection, question, options, options.mode)
    if options.as_json or options.jsonl or options.explain_search or all(hit.text for hit in hits):
        return hits
    from imi.collection.pictures import guessed

    return guessed(collection, hits, language())


def warn(*results: Hits) -> None:
    """Say, also where no hints are wanted, why hits are not what was asked for."""
    for result in dict.fromkeys(one for hits in results for one in hits.notes):
        note(result)


def _questions(options: SearchOptions) -> list[Any]:
    given = options.query or []
    if options.vector is not None and (given or options.compare or options.image):
        raise UsageError("--vector is asked alone, without words and without --compare")
    if options.image is not None and options.compare:
        raise UsageError("--image is asked without --compare", hint="a picture is searched by meaning alone")
    if options.vector is not None:
        return [read_vector(options.vector)]
    if options.image is not None:
        return [(options.image, " ".join(given)) if given else options.image]
    if len(given) == 1 and not options.compare and is_picture_file(given[0]):
        return [Path(given[0])]
    if "-" in given:
        questions = [text for text in read_texts(given) if text.strip()]
        if not questions:
            raise UsageError("there is no question: standard input was empty", hint="give one question a line to -")
        return questions
    warn_of_collections(given, quiet=options.quiet)
    if not given:
        raise UsageError("there is no question", hint='imi search reviews.imi "delicious beans"')
    return [" ".join(given)]


def _ask(collection: Collection, question: Any, options: SearchOptions, mode: str) -> Hits:
    if mode not in MODES:
        raise UsageError(f"the mode is {mode!r}, allowed are {', '.join(MODES)}")
    where = parse_where(options.where)
    if options.exact or options.ladder or options.explain_search:
        if options.min_score is not None or options.offset or options.facet:
            raise UsageError("--exact, --ladder and --explain-search go without --min-score, --offset and --facet")
        hits = collection.explain(
            question,
            k=options.k,
            mode=mode,  # type: ignore[arg-type]  # checked above
            where=where,
            dims=options.dims,
            exact=options.exact,
            ladder=options.ladder,
        )
        return hits if options.explain_search else Hits(hits, mode=hits.mode, notes=hits.notes)

    def found(k: int, offset: int = 0) -> Hits:
        return collection.search(
            question,
            k=k,
            mode=mode,  # type: ignore[arg-type]  # checked above
            where=where,
            dims=options.dims,
            min_score=options.min_score,
            offset=offset,
            facets=options.facet,
        )

    if options.no_fold:
        return found(options.k, options.offset)
    from imi.collection.folding import search_folded
    from imi.collection.rankings import check_page

    check_page(options.k, options.offset, mode)
    return search_folded(found, options.k, options.offset)


def _ask_all(collections: Sequence[Collection], question: Any, options: SearchOptions) -> Hits:
    """Ask several collections, whose ranks are fused."""
    from imi.collection.several import search_several

    if options.compare or options.exact or options.ladder or options.explain_search or options.dims is not None:
        raise UsageError("--also goes without --compare, --exact, --ladder, --explain-search and --dims")

    def found(collection: Collection, k: int) -> Hits:
        return _ask(collection, question, replace(options, k=k, offset=0), options.mode)

    return search_several(collections, found, options.k, options.offset)


def _compare(collection: Collection, question: str, options: SearchOptions) -> dict[str, Hits]:
    found = {}
    for mode in MODES:
        try:
            found[mode] = _ask(collection, question, options, mode)
        except NotTrusted:  # what the hybrid says of it is enough
            found[mode] = Hits([], mode="meaning")
    return found


def _show_hits(
    results: Sequence[tuple[Any, Hits]], options: SearchOptions, collection: Collection | None = None
) -> None:
    warn(*(hits for _, hits in results))
    if options.as_json:
        _show_answers(results, options)
        return
    if options.jsonl:
        for question, hits in results:
            for at, hit in enumerate(hits, options.offset + 1):
                show_json({"query": _asked(question), "rank": at, **plain(hit)})
        return
    for question, hits in results:
        show_hits(
            hits,
            question,
            full=options.full,
            title=_title(question, results),
            first=options.offset + 1,
            likely=None if collection is None or options.offset else _likely(collection, question, hits),
        )
        if not hits:
            _say_nothing_found(collection, options)
        if hits.search:
            show(None, ["search", ""], named(_read(plain(hits.search))), as_json=False)
        for name, counts in hits.facets.items():
            values = [[value, count] for value, count in counts.items()]
            show(None, [name, local("rows")], values, as_json=False, given=True)


def _say_nothing_found(collection: Collection | None, options: SearchOptions) -> None:
    """Say what to do where nothing was found."""
    bound = None if collection is None else collection.bound
    if bound is not None and bound.own and options.vector is None:
        said = "nothing found; these vectors are your own: search with --vector FILE, or imi recommend … --like ID"
    elif options.mode == "meaning" or (bound is not None and bound.own):
        said = "nothing found; try fewer filters"
    else:
        said = "nothing found; try --mode meaning, or fewer filters"
    note(said, quiet=options.quiet)


def _likely(collection: Collection, question: Any, hits: Hits) -> int | None:
    """Return how many hits are likely to answer; None where only a program reads them, or it cannot be known."""
    if not (sys.stdout.isatty() and isinstance(question, str) and hits):
        return None
    from imi.collection.evidence import likely_hits

    return likely_hits(collection, question, hits)


def _read(story: dict[str, Any]) -> list[list[str]]:
    """Return what was read to find the hits, a row each: what it is, and the figure as people read it."""
    names = {"allowed": "rows that pass the filter", "mflops": "millions of multiply-adds"}
    rows = []
    for name, value in story.items():
        if name == "steps":
            for at, step in enumerate(value, 1):
                counts = f"{step['candidates']:,.0f} rows, {step['numbers_read']:,.0f} multiply-adds"
                rows.append([f"step {at}", local(f"{step['rung']}: {counts}, {1000 * step['seconds']:.3g} ms")])
        elif name == "seconds":
            rows.append(["in all, with loading and preparing", f"{1000 * value:.3g} ms"])
        elif value is not None:
            rows.append([names.get(name, name), local(_figure(value))])
    return rows


def _figure(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_figure(one)}" for name, one in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _show_compared(results: Sequence[tuple[Any, dict[str, Hits]]], options: SearchOptions) -> None:
    warn(*(hits for _, compared in results for hits in compared.values()))
    if options.as_json:
        _show_answers(results, options)
        return
    for question, compared in results:
        longest = max(len(hits) for hits in compared.values())
        rows = [[_cell(compared[mode], at) for mode in MODES] for at in range(longest)]
        show(None, _SEARCHES, rows or [[local("nothing")] * len(MODES)], as_json=False, title=_title(question, results))


def _show_answers(results: Sequence[tuple[Any, Any]], options: SearchOptions) -> None:
    """One question gives its answer, questions from standard input a list of them with what was asked."""
    if "-" in (options.query or []):
        show_json([{"query": question, "hits": answer} for question, answer in results])
    else:
        show_json(results[0][1])


def _asked(question: Any) -> str | None:
    """Return a question as text, a picture's by its path; a vector has none."""
    if isinstance(question, tuple):
        return f"{question[0]} {question[1]}"
    return str(question) if isinstance(question, str | Path) else None


def _title(question: Any, results: Sequence[object]) -> str | None:
    return str(question) if len(results) > 1 else None


def _cell(hits: Hits, at: int) -> str:
    if at >= len(hits):
        return ""
    return f"{number(scaled(hits[at].score, hits.mode))} {one_line(hits[at].text or hits[at].id, 60)}"


def read_vector(path: Path) -> Any:
    """Return the vector in a .npy file or a JSON list, (d,) float32.

    Raises:
        DataError: it is not there, or no vector.
    """
    import sys

    import numpy as np

    try:
        if path.suffix == ".npy":
            vector = np.load(path, allow_pickle=False)
        else:
            vector = np.asarray(
                json.loads(sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")), np.float32
            )
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, TypeError) as wrong:
        if isinstance(wrong, json.JSONDecodeError):
            raise DataError(f"{path} holds no vector and no JSON", hint="a JSON list of numbers, or .npy") from wrong
        raise DataError(f"{path} holds no vector: {wrong}", hint="a JSON list of numbers, or .npy") from wrong
    vector = vector[0] if vector.ndim == 2 and len(vector) == 1 else vector
    if vector.ndim != 1:
        raise DataError(f"{path} holds an array of the shape {vector.shape}, one vector is needed")
    return vector


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(
        app, "search", SearchOptions, search, example='imi search reviews.imi "delicious beans" -k 3 --where "Score>=4"'
    )
