"""Markup inside a paragraph of Markdown and of what is built on it: taken out, with the places kept."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from imi.text.blocks import Edit

_CODE = re.compile(r"(?<!`)(`{1,3})(?!`)(.{1,2000}?)(?<!`)\1(?!`)", re.DOTALL)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_MATH = re.compile(r"\$[^\s$](?:[^$\n]{0,400}[^\s$])?\$(?!\d)|\$\$[^$]{1,2000}\$\$")
_COMMENT = re.compile(r"<!--.{0,5000}?-->|\{/\*.{0,5000}?\*/\}|\{#.{0,1000}?#\}|%%[^%\n]{0,1000}%%", re.DOTALL)
_VALUE = r"(?:\"[^\"\n]{0,200}\"|'[^'\n]{0,200}'|[^\s}\"']++)"
_ATTRIBUTES = re.compile(
    rf"(?<![ \t])[ \t]*+\{{:?\s*+(?:[#.][\w\-:.]++|[\w\-]++={_VALUE})(?:\s++[^}}\n]{{0,300}}+)?\s*+\}}"
)
_SHORTCODE = re.compile(
    r"\{\{[<%].{0,1000}?[%>]\}\}|\{%.{0,1000}?%\}|\{\*[^\n{}]{0,500}\*\}|\{![^\n{}]{0,500}!\}", re.DOTALL
)
# What follows the words of a link: a target in parentheses, which may hold parentheses and a title, or a name.
_TARGET = (
    r"(?:\(\s*+<?[^()\s<>]{0,2000}+(?:\([^()\s]{0,500}\)[^()\s]{0,500}+)?>?"
    r"(?:[ \t\n]++[\"'(][^\n]{0,300}?[\"')])?\s*+\)"
    r"|\[[^\]\n]{0,200}\])"
)
_IMAGE = re.compile(r"!\[([^\]\n]{0,500})\]" + _TARGET)
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]\n]|\n(?!\n)|\[[^\[\]\n]{0,200}\]){1,1000})\]" + _TARGET)
_WIKI = re.compile(r"!?\[\[([^\[\]|\n]{1,300})(?:\|([^\[\]\n]{1,300}))?\]\]")
_NOTE = re.compile(r"\[\^[^\]\s]{1,60}\]")
_AUTOLINK = re.compile(r"<((?:https?|mailto|ftp):[^<>\s]{1,2000}|[\w.+-]{1,64}@[\w.-]{1,255})>")
_TAG = re.compile(
    r"</?[A-Za-z][\w.:-]{0,60}(?:\s(?:[^<>\"'{}]|\"[^\"<]{0,2000}\"|'[^'<]{0,2000}'|\{[^{}]{0,1000}\}){0,2000}+)?\s*+/?>"
    r"|</?>(?=\s|$)"
)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_RUBY = re.compile(r"<r[tp]\b[^>]{0,200}>[^<]{0,200}</r[tp]>", re.IGNORECASE)
_BOLD = re.compile(
    r"(?<!\*)(\*\*\*|\*\*)(?=[^\s*])([^\n*](?:[^*]|\*(?!\*)){0,1000}?)(?<=\S)\1(?!\*)"
    r"|(?<![\w_])(___|__)(?=[^\s_])([^_].{0,1000}?)(?<=[^\s_])\3(?![\w_])"
)
_ITALIC = re.compile(
    r"(?<![*0-9A-Za-z\\])\*(?=[^\s*])([^*\n]{1,600}?)(?<=[^\s*])\*(?![*0-9A-Za-z])"
    r"|(?<![\w_\\])_(?=[^\s_])([^_\n]{1,600}?)(?<=[^\s_])_(?![\w_])"
)
_STRUCK = re.compile(r"~~(?=\S)([^~]{1,600}?)(?<=\S)~~|==(?=\S)([^=\n]{1,600}?)(?<=\S)==")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def inline_edits(text: str) -> list[Edit]:
    """Return the edits that take Markdown's markup, HTML tags and templates' directives out of a paragraph.

    What stands in code spans and formulas stays as it is; link texts, alternative texts and the words inside tags stay,
    targets go. Each pattern is bounded, so that no text takes more than time in proportion to its length.
    """
    if not any(mark in text for mark in "`\\[<*_~{&=$!%"):
        return []
    edits: list[Edit] = []
    # What a pattern took is hidden from those after it by as many characters that none of them knows.
    work = text
    spans = []
    for match in _CODE.finditer(work):
        ticks = len(match[1])
        edits += (Edit(match.start(), match.start() + ticks), Edit(match.end() - ticks, match.end()))
        spans.append(match.span())
    work = _masked(work, spans)
    work = _masked(work, [match.span() for match in _MATH.finditer(work)])
    escapes = [match.span() for match in _ESCAPE.finditer(work)]
    edits += (Edit(start, start + 1) for start, _ in escapes)
    work = _masked(work, escapes)
    for pattern in (_COMMENT, _SHORTCODE, _RUBY, _ATTRIBUTES, _NOTE):
        spans = [match.span() for match in pattern.finditer(work)]
        edits += (Edit(*span) for span in spans)
        work = _masked(work, spans)
    for finder in (_links, _tags, _emphasis):
        found = list(finder(work))
        edits += found
        work = _masked(work, [(edit.start, edit.end) for edit in found])
    for match in _ENTITY.finditer(work):
        said = html.unescape(match[0])
        if said != match[0]:
            edits.append(Edit(match.start(), match.end(), " " if said == "\xa0" else said))
    return edits


def _masked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if start >= at:
            pieces += (text[at:start], "\x00" * (end - start))
            at = end
    return "".join(pieces) + text[at:] if pieces else text


def _links(text: str) -> Iterator[Edit]:
    for match in _WIKI.finditer(text):
        shown = 2 if match[2] is not None else 1
        yield Edit(match.start(), match.start(shown))
        yield Edit(match.end(shown), match.end())
    # A picture may stand inside a link: the marks of both go, each by its own pattern.
    for pattern in (_IMAGE, _LINK):
        for match in pattern.finditer(text):
            yield Edit(match.start(), match.start(1))
            yield Edit(match.end(1), match.end())
        text = _masked(text, [match.span() for match in pattern.finditer(text)]) if pattern is _IMAGE else text


def _tags(text: str) -> Iterator[Edit]:
    taken = set()
    for match in _AUTOLINK.finditer(text):
        taken.add(match.start())
        yield Edit(match.start(), match.start(1))
        yield Edit(match.end(1), match.end())
    for match in _BREAK.finditer(text):
        taken.add(match.start())
        yield Edit(match.start(), match.end(), "\n")
    for match in _TAG.finditer(text):
        if match.start() not in taken:
            yield Edit(match.start(), match.end())


def _emphasis(text: str) -> Iterator[Edit]:
    for pattern in (_BOLD, _ITALIC, _STRUCK):
        spans = []
        for match in pattern.finditer(text):
            inner = next(number for number in range(match.lastindex or 1, 0, -1) if match[number] is not None)
            start, end = match.span(inner)
            yield Edit(match.start(), start)
            yield Edit(end, match.end())
            spans += [(match.start(), start), (end, match.end())]
        text = _masked(text, spans)
