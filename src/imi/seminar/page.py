"""The seminar as one page: every step with what it printed here, in both languages, without a network."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from imi.seminar.guide import SeminarStep, makes
from imi.tasks.report import Phrase, both, check_report, write_page

_TITLE = Phrase("The imi seminar, step by step", "imi セミナーを一歩ずつ")
_LOOK, _TRY = Phrase("Look at", "見どころ"), Phrase("Try", "試す")


def write_steps(path: str | Path, shown: Sequence[tuple[SeminarStep, Mapping[str, str]]]) -> None:
    """Write steps and what each printed as one HTML page.

    Args:
        path: ends in .html.
        shown: the steps, each with its output by language, "en" and "ja".

    Raises:
        UsageError: another suffix.
    """
    check_report(path)
    body = [f"<h1>{both(_TITLE)}</h1>"]
    links = (f'<li><a href="#{step.id}">{step.id}</a> {both(step.title)}</li>' for step, _ in shown)
    body.append(f"<ul>{''.join(links)}</ul>")
    part = None
    for step, printed in shown:
        if step.part != part:
            part = step.part
            body.append(f"<h1>{both(part)}</h1>")
        body.append(_section(step, printed))
    write_page(path, _TITLE, "\n".join(body))


def _section(step: SeminarStep, printed: Mapping[str, str]) -> str:
    parts = [f'<h2 id="{step.id}">{step.id} {both(step.title)}</h2>', f"<p>{_marked(step.slide)}</p>"]
    if makes(step) and step.missing() is None:
        parts.append(f"<pre>{html.escape(chr(10).join(f'$ {command}' for command in makes(step)))}</pre>")
    if printed["en"] == printed["ja"]:
        parts.append(f"<pre>{html.escape(printed['en'])}</pre>")
    else:
        parts += [f'<pre lang="{language}">{html.escape(text)}</pre>' for language, text in printed.items()]
    parts.append(f"<p><b>{both(_LOOK)}</b> {_marked(step.look)}</p>")
    parts.append(f"<p><b>{both(_TRY)}</b> {_marked(step.question)}</p>")
    return "\n".join(parts)


def _marked(phrase: Phrase) -> str:
    """Return a phrase in both languages with what is in backquotes as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", both(phrase))
