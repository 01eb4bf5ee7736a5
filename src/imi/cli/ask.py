"""`imi ask`: an answer from a collection, with checked citations."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from imi.cli.opening import open_to_read
from imi.cli.options import CollectionName, Filtered, FolderOptions, Mode, Model, Trusting, read_texts
from imi.cli.output import note, one_line, show_json
from imi.cli.verbs import verb
from imi.cli.where import parse_where
from imi.errors import UsageError

if TYPE_CHECKING:
    from imi.rag.answer import Answer


Llm = Annotated[
    str | None,
    typer.Option("--llm", metavar="MODEL[@URL]", help="A language model behind an OpenAI-compatible URL; IMI_LLM."),
]


@dataclass(frozen=True, kw_only=True)
class AskOptions(FolderOptions, Trusting, Filtered):
    """What `imi ask` takes."""

    collection: CollectionName
    question: Annotated[list[str], typer.Argument(metavar="QUESTION", help="Words are one question; - reads it.")]
    llm: Llm = None
    k: Annotated[int, typer.Option("-k", metavar="N", help="How many passages to read.")] = 5
    mode: Mode = "hybrid"
    rewrite: Annotated[bool, typer.Option("--rewrite", help="Search in several wordings, written by the model.")] = (
        False
    )
    rerank: Annotated[
        str,
        typer.Option(
            "--rerank",
            metavar="HOW",
            help="late (best sentence), llm, st:NAME of a cross-encoder, KIND:NAME, none; auto is late where no "
            "passage has the question's words.",
        ),
    ] = "auto"
    expand: Annotated[
        int | None,
        typer.Option("--expand", metavar="N", help="Read passages with what stands around them, up to N characters."),
    ] = None
    agent: Annotated[bool, typer.Option("--agent", help="Let the model search and open documents itself.")] = False
    show_context: Annotated[bool, typer.Option("--show-context", help="Show the passages that were read.")] = False
    model: Model = None


def ask(options: AskOptions) -> None:
    """Answer a question from a collection, with numbered citations that are checked against the passages.

    Sentences that no passage supports are marked [?]. Without a language model the best sentences are quoted.
    """
    from imi.llm import load_llm
    from imi.rag.answer import answer
    from imi.rag.retrieve import Retrieval

    if options.mode not in ("text", "meaning", "hybrid"):
        raise UsageError(f"the mode is {options.mode!r}, allowed are text, meaning, hybrid")
    question = "\n".join(read_texts(options.question)) if "-" in options.question else " ".join(options.question)
    llm = load_llm(options.llm)
    finding = Retrieval(
        options.k,
        options.mode,  # type: ignore[arg-type]  # checked above
        parse_where(options.where),
        options.rewrite,
        options.rerank,
        options.expand,
    )
    streams = llm is not None and not options.as_json and sys.stderr.isatty() and not options.quiet
    with open_to_read(options.collection, options.model, options.reading) as collection:
        found = answer(
            collection,
            question,
            llm=llm,
            finding=finding,
            agent=options.agent,
            on_text=_write if streams else None,
        )
        refused = collection.untrusted
    if refused is not None:
        note(f"found by text alone: {refused}")
    if streams:
        note("\n")
    _show(found, options)


def _write(piece: str) -> None:
    # What streams is not checked yet: it goes to standard error, the checked answer to standard output.
    print(piece, end="", file=sys.stderr, flush=True)


def _show(found: Answer, options: AskOptions) -> None:
    if options.as_json:
        value = found.to_dict()
        if options.show_context:
            value["context"] = [hit.to_dict() for hit in found.passages]
        show_json(value)
        return
    print(found.answer)
    if found.citations:
        print()
    for one in found.citations:
        place = one.id if one.page is None else f"{one.id}, page {one.page}"
        text = "there is no such passage" if one.id is None else f"{place}: {one_line(one.text, 100)}"
        print(f"[{one.n}] {text}{'' if one.supported else '  (not supported)'}")
    if found.llm is None and found.citations:
        hint = "quoted, not answered: no language model is set (--llm MODEL@URL, or IMI_LLM)"
        note(hint, quiet=options.quiet)
    if options.show_context:
        for n, hit in enumerate(found.passages, 1):
            print(f"\n--- {n}: {hit.id}\n{hit.text}")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "ask", AskOptions, ask, example='imi ask reviews.imi "Which beans are delicious?"')
