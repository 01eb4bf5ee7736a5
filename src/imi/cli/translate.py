"""`imi translate`: a translation by a language model, checked by its similarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from imi.cli.options import Model, Output, model_name, read_texts
from imi.cli.output import note, show
from imi.cli.verbs import verb
from imi.language import local

if TYPE_CHECKING:
    pass
from imi.cli.ask import Llm


@dataclass(frozen=True, kw_only=True)
class TranslateOptions(Output):
    """What `imi translate` takes."""

    text: Annotated[list[str], typer.Argument(metavar="TEXT", help="Words are one text; - reads it.")]
    to: Annotated[str, typer.Option("--to", metavar="LANGUAGE", help="ja, en, de … or a name.")] = "en"
    llm: Llm = None
    model: Model = None


def translate(options: TranslateOptions) -> None:
    """Translate a text over the Responses API and compare the meaning of both; a low similarity is flagged."""
    import imi
    from imi.llm import load_llm
    from imi.llm.model import required
    from imi.rag.translate import translate as translated
    from imi.tasks.compare import scale_of

    text = "\n".join(read_texts(options.text)) if "-" in options.text else " ".join(options.text)
    llm = required(load_llm(options.llm))
    model = imi.load(model_name(options.model))
    found = translated(text, llm, model, to=options.to)
    if found.suspicious:
        note(f"suspicious: source and translation have a similarity of {found.similarity:.2f}", quiet=options.quiet)
    elif not options.quiet:
        scale = scale_of(model)
        note(f"unrelated texts have {scale.mean:.2f} on average under this model, translations several times as much")
    rows = [[found.text, found.similarity, local("suspicious") if found.suspicious else ""]]
    show(found.to_dict(), ["text", "similarity", ""], rows, as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(
        app,
        "translate",
        TranslateOptions,
        translate,
        example='imi translate "吾輩は猫である。" --to en --llm gpt-4.1-mini',
    )
