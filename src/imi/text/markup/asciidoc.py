"""AsciiDoc in blocks: headings, paragraphs, lists, listings, tables; attributes, macros and marks are taken out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from imi.errors import Failure
from imi.text.blocks import Block, Edit, Kind, Line, joins, letters, made
from imi.text.lone_lines import joins_within
from imi.text.markup.front_matter import scalar
from imi.text.markup.inline import inline_edits

_HEADING = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)$")
_ATTRIBUTE = re.compile(r":(!?[\w\-]+!?):[ \t]*(.*)$")
_DROPPED = re.compile(
    r"\[[^\]\n]*\]\s*$|(?:include|ifdef|ifndef|ifeval|endif|toc|image|video|audio)::?[^\s\[]*+\[.*\]\s*$|//(?!/).*$|'''\s*$|<<<\s*$|\+\s*$"
)
_IMAGE = re.compile(r"image::?[^\s\[]++\[([^\],\n]*+)[^\]\n]*+\]\s*$")
_FENCE = re.compile(r"(-{4,}|\.{4,}|`{3,}|\+{4,})\S*\s*$")
_FRAME = re.compile(r"(={4,}|\*{4,}|_{4,}|--)\s*$")
_COMMENT = re.compile(r"/{4,}\s*$")
_TABLE = re.compile(r"[|,:!]={3,}\s*$")
_ITEM = re.compile(r"[ \t]*(?:\*{1,5}|-|\.{1,5}|\d{1,4}\.)[ \t]+\S")
_TITLE = re.compile(r"\.(?=[^\s.])(.*)$")
_TERM = re.compile(r"(\S.*?)(:{2,4}|;;)(?:\s|$)")
_LINK = re.compile(r"(?:link:|xref:|mailto:|https?://)[^\s\[\]]{0,2000}\[([^\]\n]{0,500})\]")
_CROSS = re.compile(r"<<[^<>,\n]{1,300}(?:,[ \t]*([^<>\n]{1,300}))?>>")
_MACRO = re.compile(
    r"(?:footnote|kbd|btn|menu|pass|icon|image|anchor|indexterm2?|stem):[^\s\[\]]{0,200}\[([^\]\n]{0,500})\]|\[\[[^\]\n]{1,200}\]\]|\(\(\([^)\n]{1,300}\)\)\)"
)
_MARK = re.compile(
    r"(?<![\w*])(\*\*?)(?=[^\s*])([^*\n]{1,600}?)(?<=[^\s*])\1(?![\w*])|(?<![\w#])(##?)(?=[^\s#])([^#\n]{1,600}?)(?<=[^\s#])\3(?![\w#])"
)
_ROLE = re.compile(r"\[[.#][\w.\-#]{1,60}\](?=[#*_`])")


def asciidoc_header(lines: Sequence[str]) -> dict[str, Any]:
    """Return the attributes that stand at the head of an AsciiDoc text."""
    found: dict[str, Any] = {}
    for line in lines:
        match = _ATTRIBUTE.match(line)
        if match and match[2].strip() and "!" not in match[1]:
            found[match[1]] = scalar(match[2])
        elif (not line.strip() and found) or (line.strip() and not match and not _HEADING.match(line) and found):
            break
    return found


def asciidoc_blocks(lines: Iterable[Line | Failure]) -> Iterator[Block | Failure]:
    """Yield the blocks of an AsciiDoc text."""
    held: list[Line] = []
    inside: tuple[Kind | None, str] | None = None
    for line in lines:
        if isinstance(line, Failure):
            yield from _flushed(held)
            yield line
            continue
        text = line.text
        if inside is not None:
            if text.strip() == inside[1]:
                yield from _flushed(held, inside[0])
                inside = None
            elif inside[0] is not None:
                held.append(line)
            continue
        opened = _opened(text)
        if opened is not None:
            yield from _flushed(held)
            inside = opened
            continue
        heading = _HEADING.match(text)
        if heading:
            yield from _flushed(held)
            title = [Line(line.number, line.start + heading.start(2), heading[2].rstrip())]
            block = made("heading", title, _edits(title, joined=True))
            if block is not None:
                yield replace(block, level=len(heading[1]))
            continue
        if not text.strip() or _ATTRIBUTE.match(text) or _DROPPED.match(text) or _FRAME.match(text):
            yield from _flushed(held)
            image = _IMAGE.match(text)
            if image and letters(image[1]):
                yield from _flushed([Line(line.number, line.start + image.start(1), image[1])])
            continue
        if held and _ITEM.match(text) and not _ITEM.match(held[0].text):
            yield from _flushed(held)
        title_line = _TITLE.match(text)
        if title_line and not _ITEM.match(text):
            yield from _flushed(held)
            line = Line(line.number, line.start + 1, text[1:])
        held.append(line)
    yield from _flushed(held, inside[0] if inside is not None else None)


def _opened(text: str) -> tuple[Kind | None, str] | None:
    """Return what a line begins, and the line that ends it; None for the kind where what is inside says nothing."""
    mark = text.strip()
    if _COMMENT.match(text):
        return None, mark
    if _TABLE.match(text):
        return "table", mark
    fence = _FENCE.match(text)
    return None if fence is None else ("code", fence[1])


def _flushed(held: list[Line], kind: Kind | None = None) -> Iterator[Block]:
    lines = list(held)
    held.clear()
    while lines and not lines[-1].text.strip():
        lines.pop()
    if not lines:
        return
    if kind is None:
        kind = "list" if _ITEM.match(lines[0].text) or _TERM.match(lines[0].text) else "prose"
    block = made(kind, lines) if kind == "code" else made(kind, lines, _edits(lines, joined=kind == "prose"))
    if block is not None and letters(block.text):
        yield block


def _edits(lines: Sequence[Line], *, joined: bool) -> list[Edit]:
    texts = [line.text for line in lines]
    whole = "\n".join(texts)
    edits = []
    for pattern in (_LINK, _CROSS, _MACRO):
        for match in pattern.finditer(whole):
            edits += [Edit(match.start(), match.start(1)), Edit(match.end(1), match.end())] if match[1] else []
            edits += [] if match[1] or pattern is _CROSS else [Edit(*match.span())]
        whole = pattern.sub(lambda match: "\x00" * len(match[0]), whole)
    edits += [Edit(*match.span()) for match in _ROLE.finditer(whole)]
    for match in _MARK.finditer(whole):
        group = 2 if match[2] is not None else 4
        edits += [Edit(match.start(), match.start(group)), Edit(match.end(group), match.end())]
    edits += inline_edits(_MARK.sub(lambda match: "\x00" * len(match[0]), whole))
    if joined:
        return edits + joins_within(texts)
    for edit, following in zip(joins(texts), texts[1:], strict=False):
        if not (_ITEM.match(following) or "|" in following or _TERM.match(following)):
            edits.append(edit)
    return edits
