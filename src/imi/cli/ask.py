"""`imi ask`: an answer from a collection, with checked citations."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from imi.cli.hits import place_of, shortened, titled, warn_of_collections
from imi.cli.opening import opened_together, reranked
from imi.cli.options import (
    Also,
    Budget,
    CollectionName,
    Filtered,
    FolderOptions,
    KeepWarm,
    Mode,
    Model,
    Trusting,
    read_texts,
)
from imi.cli.output import note, one_line, show_json
from imi.cli.parameters import Argument, Option
from imi.cli.terminal import say
from imi.cli.verbs import verb
from imi.cli.where import parse_where
from imi.errors import UsageError
from imi.language import language, local
from imi.records import Hit

if TYPE_CHECKING:
    import typer

    from imi.records import Answer


Llm = Annotated[
    str | None,
    Option("--llm", metavar="MODEL[@URL]", help="A language model behind an OpenAI-compatible URL; IMI_LLM."),
]


@dataclass(frozen=True, kw_only=True)
class AskOptions(FolderOptions, Trusting, Filtered):
    """What `imi ask` takes."""

    collection: CollectionName
    question: Annotated[list[str], Argument(metavar="QUESTION", help="Words are one question; - reads it.")]
    llm: Llm = None
    k: Annotated[int, Option("-k", metavar="N", help="How many passages to read.")] = 5
    mode: Mode = "hybrid"
    rewrite: Annotated[bool, Option("--rewrite", help="Search in several wordings, written by the model.")] = False
    rerank: Annotated[
        str,
        Option(
            "--rerank",
            metavar="HOW",
            help="late (best sentence), llm, st:NAME of a cross-encoder, KIND:NAME, none; auto leaves the order to the "
            "search, and is late where it has no model deep and no passage has the question's words.",
        ),
    ] = "auto"
    budget: Budget = None
    expand: Annotated[
        int | None,
        Option("--expand", metavar="N", help="Read passages with the text around them, up to N characters."),
    ] = None
    agent: Annotated[bool, Option("--agent", help="Let the model search and open documents itself.")] = False
    always: Annotated[bool, Option("--always", help="Answer also where nothing that was found is likely to.")] = False
    also: Also = field(default_factory=list)
    show_context: Annotated[bool, Option("--show-context", help="Show the passages that were read.")] = False
    model: Model = None
    keep_warm: KeepWarm = False


def ask(options: AskOptions) -> None:
    """Answer a question from a collection, with numbered citations that are checked against the passages.

    Sentences that no passage supports are marked [?]. Without a language model the best sentences are quoted. Where
    nothing that was found is likely to answer, it says so.
    """
    from imi.llm import load_llm
    from imi.rag.answer import answer
    from imi.rag.retrieve import Retrieval

    if options.mode not in ("text", "meaning", "hybrid"):
        raise UsageError(f"the mode is {options.mode!r}, allowed are text, meaning, hybrid")
    question = "\n".join(read_texts(options.question)) if "-" in options.question else " ".join(options.question)
    warn_of_collections(options.question, quiet=options.quiet)
    llm = load_llm(options.llm)
    finding = Retrieval(
        options.k,
        options.mode,  # type: ignore[arg-type]  # checked above
        parse_where(options.where),
        options.rewrite,
        options.rerank,
        options.expand,
    )
    written = _Written()
    streams = llm is not None and not options.as_json and sys.stderr.isatty() and not options.quiet
    with opened_together(options.collection, options.also, options.model, options.reading) as collections:
        for one in collections:
            reranked(one, "none" if options.rerank == "none" else "deep", options.budget)
        found = answer(
            collections,
            question,
            llm=llm,
            finding=finding,
            agent=options.agent,
            always=options.always,
            on_text=written.take if streams else None,
        )
        refused = collections[0].untrusted
    if refused is not None:
        note(f"found by text alone: {refused}")
    if streams:
        note("\n")
    _show(found, options, written)


@dataclass
class _Written:
    """What a language model wrote so far; shown on standard error, as it is not checked yet."""

    text: str = ""

    def take(self, piece: str) -> None:
        self.text += piece
        say(piece, to=sys.stderr, end="", flush=True)

    def holds(self, answer: str) -> bool:
        """Whether an answer stands on this terminal already, unchanged by the check."""
        return sys.stdout.isatty() and self.text.strip() == answer.strip()


def _source(hit: Hit) -> str:
    """Return where a passage is from and how it begins, short enough for a line."""
    heading, body = titled(hit)
    where = place_of(hit) if hit.collection is None else f"{shortened(hit.collection)}: {place_of(hit)}"
    return f"{where}: {heading or one_line(body, 80)}"


def _quotations(answer: str) -> str:
    """Return quoted sentences in the marks of the reader's language."""
    return re.sub(r"^“(.*)”(?= \[\d+\]$)", r"「\1」", answer, flags=re.MULTILINE) if language() == "ja" else answer


def _show(found: Answer, options: AskOptions, written: _Written) -> None:
    if options.as_json:
        value = found.to_dict()
        if options.show_context:
            value["context"] = [hit.to_dict() for hit in found.passages]
        show_json(value)
        return
    if found.answer is None:
        say(local(found.reason or ""))
        if found.passages:
            near = ", ".join(dict.fromkeys(place_of(hit) for hit in found.passages[:3]))
            note(f"the nearest is in {near}; --always quotes it", quiet=options.quiet)
        return
    if not written.holds(found.answer):
        if written.text and sys.stdout.isatty():
            note("checked against the passages, sentences that none supports marked [?]:", quiet=options.quiet)
        say(found.answer if found.llm else _quotations(found.answer))
        say(end="\n" if found.citations else "")
    for one in found.citations:
        text = local("there is no such passage") if one.id is None else _source(found.passages[one.n - 1])
        say(f"[{one.n}] {text}{'' if one.supported else '  ' + local('(not supported)')}")
    if found.llm is None and found.citations:
        hint = "quoted, not answered: no language model is set (--llm MODEL@URL, or IMI_LLM)"
        note(hint, quiet=options.quiet)
    if options.show_context:
        for n, hit in enumerate(found.passages, 1):
            say(f"\n--- {n}: {hit.id}\n{hit.text}")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "ask", AskOptions, ask, example='imi ask reviews.imi "Which beans are delicious?"')
