"""Hits on a terminal: where each one is, how good it is, and the words around what was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imi.cli.output import note, number, one_line, show
from imi.cli.terminal import visible
from imi.language import local
from imi.records import Hit, Hits, facts_of, user_fields

if TYPE_CHECKING:
    from rich.text import Text

_BAR = 5
_SNIPPET = 240
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_UNLIKELY = "the hits below are unlikely to answer the question"
_NONE_LIKELY = "no hit is likely to answer the question; these are the nearest"
_HALF = 8.0
"""The BM25 score that is shown as .5."""
_PLACE = {"source", "line", "page"}
"""Columns of every row that came from a file: others are those of a table."""
_NOISE = 1e-9
"""What a score of nothing may be after rounding."""


def scaled(score: float, mode: str) -> float:
    """Return a score between 0 and 1, in the order of the scores: a cosine as it is, BM25 by what it grows towards."""
    if mode == "text":
        score = score / (score + _HALF) if score > 0 else 0.0
    return min(1.0, score) if score > _NOISE else 0.0


def show_hits(
    hits: Hits, question: Any, *, full: bool, title: str | None, first: int = 1, likely: int | None = None
) -> None:
    """Show hits: blocks to read on a terminal, lines of score, id and text in a pipe.

    Args:
        hits: best first.
        question: what was asked; its words are marked where they occur.
        full: whole texts instead of the words around what was asked for.
        title: above the hits.
        first: the number of the first one.
        likely: after how many of them a terminal says that the others are unlikely to answer; None where that is not
            known.
    """
    if not sys.stdout.isatty():
        text = (lambda one: one) if full else one_line
        rows = [[scaled(hit.score, hits.mode), _identity(hit), text(hit.text)] for hit in hits]
        show(None, ["score", "id", "text"], rows, as_json=False)
        return
    from rich.console import Console
    from rich.padding import Padding

    console = Console(highlight=False)
    if title:
        console.print(visible(title), style="bold", markup=False)
    for at, hit in enumerate(hits, first):
        if at - first == likely:
            console.print(f"    ── {local(_UNLIKELY if likely else _NONE_LIKELY)} ──", style="yellow")
        first_line, *lines = _block(at, hit, hits.mode, question, full)
        for line in (first_line, *lines):
            line.plain = visible(line.plain)
        console.print(first_line)
        for line in lines:
            console.print(Padding(line, (0, 0, 0, 4), expand=False))


def _identity(hit: Hit) -> str:
    return hit.id if hit.collection is None else f"{shortened(hit.collection)}\u2009·\u2009{hit.id}"


def bar(score: float) -> str:
    """Return a score from 0 to 1 as a bar of five characters."""
    eighths = round(score * _BAR * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(_BAR)


def shortened(path: str) -> str:
    """Return a path as it is shortest from the current folder."""
    if not os.path.isabs(path):
        return path
    candidates = [path]
    here = os.getcwd()
    if path == here or path.startswith(here + os.sep):
        candidates.append(os.path.relpath(path, here))
    home = str(Path.home())
    if len(home) > 1 and path.startswith(home + os.sep):
        candidates.append("~" + path[len(home) :])
    return min(candidates, key=len)


def place_of(hit: Hit) -> str:
    """Return where a hit is: its file with line or page, else its id; shortened."""
    facts = facts_of(hit.metadata)
    source = facts.get("source")
    if not isinstance(source, str) or not (hit.id == source or hit.id.startswith((f"{source}:", f"{source}#"))):
        return hit.id
    page, line = facts.get("page"), facts.get("line")
    place = f", page {page}" if page is not None else f":{line}" if line is not None else ""
    return shortened(source) + place


def body_of(hit: Hit) -> str:
    """Return a hit's text without the headings that were put before it."""
    facts, text = facts_of(hit.metadata), hit.text or ""
    above = " > ".join(dict.fromkeys(str(part) for part in (facts.get("title"), facts.get("heading")) if part))
    return text.removeprefix(f"{above}\n") if above else text


def titled(hit: Hit) -> tuple[str, str]:
    """Return what a hit is called, "" where it has no name, and its text as it is read beside that.

    Of rows of a table, the words of a template and the markup of web pages are left out.
    """
    facts = facts_of(hit.metadata)
    above = " > ".join(dict.fromkeys(str(part) for part in (facts.get("title"), facts.get("heading")) if part))
    if above or not user_fields(hit.metadata).keys() - _PLACE:
        return above, body_of(hit)
    from imi.text.readable import readable

    read = readable(hit)
    return read.title or "", read.body


def _block(at: int, hit: Hit, mode: str, question: Any, full: bool) -> list[Text]:
    from rich.text import Text

    score = scaled(hit.score, mode)
    heading, body = titled(hit)
    first = Text(f"{at:>3} ")
    first.append(bar(score), style="green")
    first.append(f" {number(score, 2)}  ", style="dim")
    if heading:
        first.append(one_line(heading, 90), style="bold")
        first.append("  ")
    if hit.collection is not None:
        first.append(f"{shortened(hit.collection)} · ", style="magenta")
    first.append(place_of(hit), style="cyan")
    if hit.copies:
        alike = len(hit.copies)
        first.append("  " + local(f"+ {alike} copy" if alike == 1 else f"+ {alike} copies"), style="yellow")
    lines = [first]
    return [*lines, *_marked(body_of(hit) if full else body, question, full)]


def _marked(text: str, question: Any, full: bool) -> list[Text]:
    from rich.text import Text

    from imi.text.highlight import piece_of, wanted_terms

    terms = wanted_terms(question) if isinstance(question, str) else []
    piece = piece_of(text, terms, len(text) or 1 if full else _SNIPPET)
    shown = Text()
    if piece.start:
        shown.append("…")
    for part, marked in piece.parts:
        said = part if full else " ".join(part.split()).join(_edges(part))
        shown.append(said, style="bold underline" if marked else None)
    if piece.start + sum(len(part) for part, _ in piece.parts) < len(text):
        shown.append("…")
    return list(shown.split("\n")) if shown.plain else []


def _edges(part: str) -> Sequence[str]:
    """Return the white space at both ends of a part as a space each."""
    return (" " if part[:1].isspace() else "", " " if part[-1:].isspace() and part.strip() else "")


def warn_of_collections(words: Sequence[str], *, quiet: bool) -> None:
    """Hint at a word of the question that is the path of a collection."""
    for word in words:
        if word.endswith(".imi") and Path(word, "collection.sqlite").is_file():
            note(f"{word} is a collection, and was read as a word: --also {word} searches it too", quiet=quiet)
