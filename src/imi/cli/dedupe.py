"""`imi dedupe`: near duplicates, and which of them to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from imi.cli.opening import open_to_read
from imi.cli.output import note, progress
from imi.cli.present import present
from imi.cli.stopping import ending_early
from imi.cli.task_options import ReportedTaskOptions
from imi.cli.verbs import verb
from imi.language import language


@dataclass(frozen=True, kw_only=True)
class DedupeOptions(ReportedTaskOptions):
    """What `imi dedupe` takes."""

    threshold: Annotated[
        float, typer.Option("--threshold", metavar="COSINE", help="From this cosine on two rows are duplicates.")
    ] = 0.95
    method: Annotated[
        str, typer.Option("--method", metavar="NAME", help="near, or exact: the same text but for typing alone.")
    ] = "near"


def dedupe(options: DedupeOptions) -> None:
    """Find duplicates: in each group the longest text is kept; nothing is deleted.

    First texts that are the same but for case, width, marks, white space and kana, then rows within the threshold.
    """
    from imi import tasks

    with ending_early(quiet=options.quiet):
        with open_to_read(options.collection) as collection, progress("comparing", quiet=options.quiet) as tell:
            how: Any = {"dims": options.dims, "progress": tell, "method": options.method}
            result = tasks.dedupe(collection, options.threshold, **how)
            if options.method == "near" and result.has_texts and (collection.info.model or "").startswith("built-in"):
                _say_what_it_means(options)
        present(result, options)


def _say_what_it_means(options: DedupeOptions) -> None:
    from imi.tasks.dedupe import MEASURED
    from imi.tasks.report import Phrase

    known = [threshold for threshold in MEASURED["questions"] if threshold <= options.threshold + 1e-9]
    if not known:
        return
    questions, captions = (MEASURED[name][max(known)] for name in ("questions", "captions"))
    said = Phrase(
        f"at {max(known):g} this model is right about {questions[0]:.0%} of English question pairs and "
        f"{captions[0]:.0%} of Japanese captions, and finds {questions[1]:.0%} and {captions[1]:.0%} of those that "
        "mean the same",
        f"このモデルのしきい値 {max(known):g} での適合率は英語の質問ペアで {questions[0]:.0%}、"
        f"日本語のキャプションで {captions[0]:.0%}、再現率はそれぞれ {questions[1]:.0%} と {captions[1]:.0%} です",
    )
    note(said.in_language(language()), quiet=options.quiet)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "dedupe", DedupeOptions, dedupe, example="imi dedupe reviews.imi --threshold .9")
