"""Markdown and its common dialects in blocks: headings, paragraphs, lists, tables, code; markup is taken out.

Line by line rather than by a parser of CommonMark: places must be exact, a file of any size streams, and what
frameworks add (attributes, admonitions, tabs, includes, shortcodes, MDX) is not CommonMark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from imi.errors import Failure
from imi.text.blocks import Block, Edit, Kind, Line, joins, letters, made
from imi.text.lone_lines import joins_within
from imi.text.markup.inline import inline_edits

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(\S.*))?$")
_CLOSING = re.compile(r"(?:^|[ \t])#+[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})\s*$")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?")
_QUOTE = re.compile(r"(?:[ \t]*+>[ \t]?)++")
_TABLE = re.compile(r"[ \t]*\|.*\|[ \t]*$")
_TABLE_RULE = re.compile(r"[ \t]*+\|?[ \t]*+:?-{2,}+:?[ \t]*+(?:\|[ \t]*+:?-{2,}+:?[ \t]*+)*+\|?[ \t]*+$")
_DEFINITION = re.compile(r" {0,3}\[(?!\^)[^\]\n]{1,200}\]:\s+\S|\*\[[^\]\n]{1,60}\]:\s+\S")
_FOOTNOTE = re.compile(r"[ \t]*\[\^[^\]\s]{1,60}\]:[ \t]*")
_TITLED = re.compile(
    r"[ \t]*(?:!!!\+?|\?\?\?\+?|===[!+]?|:::+|///+)[ \t]*+\{?[ \t]*+[\w\-./]*+[ \t]*+\|?[ \t]*+"
    r"(?:inline(?: end)?[ \t]*+)?"
    r"(?:\[([^\]\n]*+)\]|\"([^\"\n]*+)\"|([^{}\n\"]*+))?[ \t]*+(?:\{[^}\n]*+\})?\}?[ \t]*+$"
)
_ALERT = re.compile(r"\[!\w+\][+-]?[ \t]*")
_DROPPED = re.compile(
    r"[ \t]*(?:\[\[?_?TOC_?\]?\]|\{:?toc\}|--8<--.*|\{:.*\}|<!--.*-->|<[!?][^>]*>|\{%.*%\}|\{\{[<%].*[%>]\}\}"
    r"|\{\*.*\*\}|\{!.*!\}|\{/\*.*\*/\}|@include.*)[ \t]*$",
    re.IGNORECASE,
)
_SILENT = re.compile(r"[ \t]*<(script|style|svg|template|head)\b", re.IGNORECASE)
_MDX = re.compile(
    r"(?:import\s+(?:[\w*{][^;\"']{0,300}\sfrom\s+)?[\"'][^\"']+[\"'];?|export\s+(?:default\s|const\s|function\s|let\s|\{).*)\s*$"
)
_MOST_LINES = 400


class _Reader:
    """Gathers lines until a block is whole."""

    def __init__(self, *, mdx: bool) -> None:
        self._mdx = mdx
        self._lines: list[Line] = []
        self._quote = False

    def blocks(self, lines: Iterable[Line | Failure]) -> Iterator[Block | Failure]:
        fence: str | None = None
        silent: str | None = None
        comment = False
        for line in lines:
            if isinstance(line, Failure):
                yield from self._flush()
                yield line
                continue
            text = line.text
            if fence is not None:
                self._lines.append(line)
                closing = _FENCE.match(text)
                if closing and closing[1][0] == fence[0] and len(closing[1]) >= len(fence) and not text.strip(" \t`~"):
                    fence = None
                    yield from self._flush("code")
                elif len(self._lines) >= _MOST_LINES:
                    yield from self._flush("code")
                continue
            if silent is not None or comment:
                comment = comment and "-->" not in text
                silent = None if silent is not None and f"</{silent}" in text.lower() else silent
                continue
            opening = _FENCE.match(text)
            if opening:
                yield from self._flush()
                fence = opening[1]
                self._lines.append(line)
                continue
            hidden = _SILENT.match(text)
            if hidden:
                yield from self._flush()
                silent = None if f"</{hidden[1].lower()}" in text.lower() else hidden[1].lower()
                continue
            if "<!--" in text and "-->" not in text[text.index("<!--") :]:
                yield from self._flush()
                comment = True
                continue
            yield from self._line(line)
        yield from self._flush("code" if fence is not None else None)

    def _line(self, line: Line) -> Iterator[Block]:
        text = line.text
        if not text.strip() or _DROPPED.match(text) or _DEFINITION.match(text) or (self._mdx and _MDX.match(text)):
            # A list goes on after an empty line only where its next line is indented or an item, which joining does.
            yield from self._flush()
            return
        heading = _HEADING.match(text)
        if heading:
            yield from self._flush()
            yield from _heading(line, heading)
            return
        underline = _SETEXT.match(text) if self._lines and not self._special() else None
        if underline:
            block = _paragraph("heading", self._lines)
            self._lines = []
            if block is not None:
                yield replace(block, level=1 if underline[1][0] == "=" else 2)
            return
        if _RULE.match(text):
            yield from self._flush()
            return
        titled = _TITLED.match(text)
        if titled:
            yield from self._flush()
            said = next((group for group in titled.groups() if group), "").strip()
            at = text.rfind(said) if said and letters(said) else -1
            block = made("prose", [Line(line.number, line.start + at, text[at : at + len(said)])]) if at >= 0 else None
            if block is not None:
                yield block
            return
        if self._lines and (self._kind([line]) != self._kind(self._lines) and self._begins(text)):
            yield from self._flush()
        self._lines.append(line)
        if len(self._lines) >= _MOST_LINES:
            yield from self._flush()

    def _special(self) -> bool:
        return self._kind(self._lines) != "prose"

    @staticmethod
    def _begins(text: str) -> bool:
        """Whether a line begins a new block instead of continuing the one before."""
        return bool(_ITEM.match(text) or _TABLE.match(text) or text.lstrip().startswith(">"))

    @staticmethod
    def _kind(lines: Sequence[Line]) -> Kind:
        quoted = _QUOTE.match(lines[0].text)
        first = lines[0].text[quoted.end() if quoted else 0 :]
        if _ITEM.match(first):
            return "list"
        if _TABLE.match(first) or (len(lines) > 1 and "|" in first and _TABLE_RULE.match(lines[1].text)):
            return "table"
        return "prose"

    def _flush(self, kind: Kind | None = None) -> Iterator[Block]:
        lines, self._lines = self._lines, []
        if not lines:
            return
        kind = kind or self._kind(lines)
        if kind == "code":
            block = made("code", lines)
        elif kind == "prose":
            block = _paragraph("prose", lines)
        else:
            block = _of_lines(kind, lines)
        if block is not None and letters(block.text):
            yield block


def markdown_blocks(lines: Iterable[Line | Failure], *, mdx: bool = False) -> Iterator[Block | Failure]:
    """Yield the blocks of a Markdown text.

    Args:
        lines: of the text, without its front matter.
        mdx: whether imports and exports stand among them.
    """
    return _Reader(mdx=mdx).blocks(lines)


def _heading(line: Line, match: re.Match[str]) -> Iterator[Block]:
    if match[2] is None:
        return
    at = match.start(2)
    title = _CLOSING.sub("", match[2].rstrip()).rstrip()
    block = _paragraph("heading", [Line(line.number, line.start + at, title)])
    if block is not None:
        yield replace(block, level=len(match[1]))


def _paragraph(kind: Kind, lines: Sequence[Line]) -> Block | None:
    """Return a block whose lines are one, but for those that say a matter of their own each."""
    return made(kind, lines, _edits(lines, joined=True))


def _of_lines(kind: Kind, lines: Sequence[Line]) -> Block | None:
    """Return a list or table, whose lines stay lines but for those that go on with an item."""
    return made(kind, lines, _edits(lines, joined=False))


def _edits(lines: Sequence[Line], *, joined: bool) -> list[Edit]:
    whole = "\n".join(line.text for line in lines)
    edits = inline_edits(whole)
    at = 0
    texts = []
    for line in lines:
        quote = _QUOTE.match(line.text) or _FOOTNOTE.match(line.text)
        lead = quote.end() if quote else 0
        alert = _ALERT.match(line.text, lead) if quote else None
        lead = alert.end() if alert else lead
        if lead:
            edits.append(Edit(at, at + lead))
        if not joined and _TABLE_RULE.match(line.text):
            edits.append(Edit(max(0, at - 1), at + len(line.text)))
        texts.append(" " * lead + line.text[lead:])
        at += len(line.text) + 1
    if joined:
        edits += joins_within(texts)
    else:
        edits += [
            edit
            for edit, following in zip(joins(texts), texts[1:], strict=False)
            if not (_ITEM.match(following) or _TABLE.match(following) or "|" in following)
        ]
    return edits
