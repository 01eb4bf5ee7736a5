"""Paragraphs of lines that were set to a width with no empty line between them, as in a PDF."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from imi.text.blocks import Block, Line, joins, made, width
from imi.text.lexical import is_unspaced
from imi.text.plain import has_bullet, is_guess, is_heading, is_item, level_of

_ENDS = re.compile(r"[。．！？｡.!?…:：][」』）】〉》”’)\"']*$")
_UNFINISHED = re.compile(
    r"(?:[,;(&、，–—]|[a-z]-|\b(?:a|an|and|as|at|by|for|from|in|is|of|on|or|that|the|to|was|with))$"
)
_GOING_ON = re.compile(r"[a-z0-9(\[$€£“\"'‘–—-]")
_SLACK = 3
_FULL, _SHORT = 0.75, 0.5
"""Shares of the full width below which a line without a full stop ends a paragraph; the second inside a sentence."""
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
            block = replace(
                block, kind="heading", level=0 if first else level_of(block.text), soft=is_guess(block.text)
            )
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
        wide = full.get(run[-1].number, 0) if run else 0
        if run and (_item_after(run, text, wide) or len(run) >= _MOST_LINES or _ended(run[-1].text, text, wide)):
            yield run
            run = []
        run.append(line)
    if run:
        yield run


def _item_after(run: Sequence[Line], text: str, full: int) -> bool:
    """Whether a line begins an item of a list: 36. and D. may stand at the beginning of any line inside a sentence."""
    if not is_item(text):
        return False
    before = run[-1].text.strip()
    return has_bullet(text) or is_item(run[0].text) or bool(_ENDS.search(before)) or width(before) < _FULL * full


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
    unspaced = next((at for at, character in enumerate(word) if is_unspaced(character)), None)
    # In a script without spaces a line may end behind any character.
    needed = width(word if unspaced is None else word[: max(1, unspaced)]) + (unspaced is None)
    fits = width(line) + needed + _SLACK <= full
    if not fits or _ENDS.search(line):
        return fits
    # Letters differ in width, so that a line of wide ones looks short: what goes on in the middle of a sentence tells.
    least = _SHORT if _UNFINISHED.search(line) or _GOING_ON.match(following) else _FULL
    return width(line) < least * full


def _full_widths(lines: Sequence[Line]) -> dict[int, int]:
    """Return the width that lines of each page fill: that of nine in ten at most."""
    sizes: dict[int, list[int]] = {}
    for line in lines:
        if line.text.strip():
            sizes.setdefault(line.number, []).append(width(line.text.strip()))
    return {page: sorted(of)[int(0.9 * (len(of) - 1))] for page, of in sizes.items()}
