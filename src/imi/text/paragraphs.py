"""Paragraphs of lines that were set to a width with no empty line between them, as in a PDF."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from imi.text.blocks import Block, Line, joins, made, width
from imi.text.plain import is_heading, is_item, level_of

_ENDS = re.compile(r"[。．！？｡.!?…:：][」』）】〉》”’)\"']*$")
_SLACK = 3
_MOST_LINES = 120


def set_blocks(lines: Sequence[Line], *, hyphens: bool) -> Iterator[Block]:
    """Yield the blocks of lines, of which a paragraph's last is shorter than the others, but for chance.

    Args:
        lines: in order; empty ones part paragraphs too.
        hyphens: whether hyphens at line ends are the setting's.
    """
    first = True
    for run in _runs(lines):
        texts = [line.text for line in run]
        block = made("list" if is_item(texts[0]) else "prose", run, joins(texts, hyphens=hyphens))
        if block is None:
            continue
        if len(run) == 1 and is_heading(block.text):
            block = replace(block, kind="heading", level=0 if first else level_of(block.text), soft=True)
        first = False
        yield block


def _runs(lines: Sequence[Line]) -> Iterator[list[Line]]:
    full = _full_widths(lines)
    run: list[Line] = []
    for at, line in enumerate(lines):
        text = line.text.strip()
        if not text:
            if run and not _goes_on(lines, at, run):
                yield run
                run = []
            continue
        if run and (
            is_item(text) or len(run) >= _MOST_LINES or _ended(run[-1].text, text, full.get(run[-1].number, 0))
        ):
            yield run
            run = []
        run.append(line)
    if run:
        yield run


def _goes_on(lines: Sequence[Line], at: int, run: Sequence[Line]) -> bool:
    """Whether an empty line is only the end of a page inside a sentence."""
    after = next((line for line in lines[at : at + 4] if line.text.strip()), None)
    return (
        after is not None and after.number != run[-1].number and not _ENDS.search(run[-1].text.strip()) and len(run) > 1
    )


def _ended(line: str, following: str, full: int) -> bool:
    """Whether a paragraph ends with a line: the next word would have fitted behind it."""
    line, following = line.strip(), following.strip()
    word = following.split(maxsplit=1)[0]
    needed = width(word) + 1 if word.isascii() else 2
    fits = width(line) + needed + _SLACK <= full
    return fits and (bool(_ENDS.search(line)) or width(line) < 0.75 * full)


def _full_widths(lines: Sequence[Line]) -> dict[int, int]:
    """Return the width that lines of each page fill: that of nine in ten at most."""
    sizes: dict[int, list[int]] = {}
    for line in lines:
        if line.text.strip():
            sizes.setdefault(line.number, []).append(width(line.text.strip()))
    return {page: sorted(of)[int(0.9 * (len(of) - 1))] for page, of in sizes.items()}
