"""reStructuredText in blocks: headings, paragraphs, lists, literal blocks, tables; without roles and directives."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace

from imi.errors import Failure
from imi.text.blocks import Block, Edit, Kind, Line, joins, letters, made, width
from imi.text.lone_lines import joins_within

_RULE = re.compile(r"([=\-`:.'\"~^_*+#<>])\1{1,}\s*$")
_DIRECTIVE = re.compile(r"([ \t]*)\.\.\s+(?:\|[^|\n]+\|\s+)?([\w\-:+.]+)::[ \t]*(.*)$")
_EXPLICIT = re.compile(r"[ \t]*\.\.(?:\s|$)|[ \t]*__(?:\s|$)")
_OPTION = re.compile(r"[ \t]*:[\w \-]+:(?:[ \t].*)?$")
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|(?:\d{1,4}|#|[a-zA-Z])[.)]|\(\w{1,4}\))[ \t]+\S")
_TABLE = re.compile(r"[ \t]*(?:[+|].*[+|]|=+(?:\s+=+)+)\s*$")
_CODE = (
    "code",
    "code-block",
    "sourcecode",
    "parsed-literal",
    "literalinclude",
    "highlight",
    "prompt",
    "testcode",
    "doctest",
)
_SILENT = ("toctree", "image", "include", "raw", "contents", "index", "currentmodule", "module", "meta", "automodule")
_LITERAL = re.compile(r"``(.{1,1000}?)``")
_ROLE = re.compile(
    r"(?::[\w\-+.:]{1,60}:)`([^`\n]{1,500}?)(?:\s*<[^<>`\n]{0,1000}>)?`(?:_{0,2})|`([^`\n]{1,500}?)(?:\s*<[^<>`\n]{0,1000}>)?`_{0,2}"
)
_STRONG = re.compile(r"(?<![\w*])(\*\*|\*)(?=[^\s*])([^*\n]{1,600}?)(?<=[^\s*])\1(?![\w*])")
_REFERENCE = re.compile(r"(?<=\w)__?(?=[\s.,;:!?)]|$)|(?<=\s)\[#?\w{0,30}\]_")


def restructured_blocks(lines: Iterable[Line | Failure]) -> Iterator[Block | Failure]:
    """Yield the blocks of a reStructuredText."""
    reader = _Reader()
    for line in lines:
        if isinstance(line, Failure):
            yield from reader.flush()
            yield line
        elif not (yield from reader.goes_on(line)):
            yield from reader.begin(line)
    yield from reader.flush("code" if reader.code_below is not None else None)


class _Reader:
    """Gathers lines until a block is whole; knows below what indentation lines are code, or say nothing."""

    def __init__(self) -> None:
        self.code_below: int | None = None
        self._silent_below: int | None = None
        self._options = False
        self._levels: list[str] = []
        self._held: list[Line] = []

    def goes_on(self, line: Line) -> Generator[Block, None, bool]:
        """Take a line that belongs to what was begun; yields what ends with it, and returns whether it was taken."""
        text = line.text
        if self._options and _OPTION.match(text):
            return True
        self._options = False
        if self.code_below is not None:
            if not text.strip() or _indent(text) > self.code_below:
                if text.strip() or self._held:
                    self._held.append(line)
                return True
            yield from self.flush("code")
            self.code_below = None
        if self._silent_below is not None:
            if not text.strip() or _indent(text) > self._silent_below:
                return True
            self._silent_below = None
        return False

    def begin(self, line: Line) -> Iterator[Block]:
        """Take a line that may begin something."""
        text = line.text
        directive = _DIRECTIVE.match(text)
        rule = _RULE.match(text) if text[:1].strip() else None
        if directive:
            yield from self.flush()
            yield from self._enter(line, directive)
        elif _EXPLICIT.match(text):
            # A target, a footnote or a comment: what is indented below it belongs to it.
            yield from self.flush()
            self._silent_below = _indent(text)
        elif rule and self._held and len(self._held) <= 2 and _is_title(self._held, text):
            yield from self._heading(text)
        elif not text.strip():
            yield from self.flush()
        elif rule and not self._held and not _TABLE.match(text):
            self._held.append(line)  # an overline, if a title comes next
        else:
            if self._held and _ITEM.match(text) and not _ITEM.match(self._held[0].text):
                yield from self.flush()
            self._held.append(line)

    def _heading(self, rule: str) -> Iterator[Block]:
        title = self._held[-1:]
        mark = rule[0] + ("2" if len(self._held) == 2 and _RULE.match(self._held[0].text) else "")
        self._held = []
        if mark not in self._levels:
            self._levels.append(mark)
        block = made("heading", title, _edits(title, joined=True))
        if block is not None:
            yield replace(block, level=self._levels.index(mark) + 1)

    def _enter(self, line: Line, directive: re.Match[str]) -> Iterator[Block]:
        """Begin a directive: code, one without words, or one whose words are the text's."""
        name, said = directive[2].lower(), directive[3].strip()
        depth = len(directive[1])
        if name in _SILENT or name.startswith("auto"):
            self._silent_below = depth
            return
        self._options = True
        if name in _CODE:
            self.code_below = depth
        elif said and letters(said):
            at = line.text.rindex(said)
            block = made("prose", [Line(line.number, line.start + at, said)], _edits_of(said))
            if block is not None:
                yield block

    def flush(self, kind: Kind | None = None) -> Iterator[Block]:
        """End the block that is being gathered."""
        lines, self._held = self._held, []
        while lines and not lines[-1].text.strip():
            lines.pop()
        if not lines:
            return
        kind = kind or _kind(lines)
        block = made(kind, lines, () if kind in ("code", "table") else _edits(lines, joined=kind == "prose"))
        if block is not None and letters(block.text):
            if kind == "prose" and block.text.endswith("::"):
                block = replace(block, text=block.text[:-1])
            yield block
        if kind != "code" and lines[-1].text.rstrip().endswith("::"):
            self.code_below = _indent(lines[0].text)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _is_title(held: Sequence[Line], rule: str) -> bool:
    title = held[-1].text
    over = len(held) == 1 or bool(_RULE.match(held[0].text))
    return over and letters(title) and width(title.strip()) <= width(rule.strip()) + 2


def _kind(lines: Sequence[Line]) -> Kind:
    if _TABLE.match(lines[0].text):
        return "table"
    return "list" if _ITEM.match(lines[0].text) else "prose"


def _edits(lines: Sequence[Line], *, joined: bool) -> list[Edit]:
    texts = [line.text for line in lines]
    edits = _edits_of("\n".join(texts))
    if joined:
        return edits + joins_within(texts)
    for edit, following in zip(joins(texts), texts[1:], strict=False):
        if not _ITEM.match(following):
            edits.append(edit)
    return edits


def _edits_of(text: str) -> list[Edit]:
    edits = []
    for match in _LITERAL.finditer(text):
        edits += [Edit(match.start(), match.start(1)), Edit(match.end(1), match.end())]
    text = _LITERAL.sub(lambda match: "\x00" * len(match[0]), text)
    for match in _ROLE.finditer(text):
        group = 1 if match[1] is not None else 2
        start, end = match.span(group)
        while start < end and text[start] in "~!":
            start += 1
        edits += [Edit(match.start(), start), Edit(end, match.end())]
    text = _ROLE.sub(lambda match: "\x00" * len(match[0]), text)
    for match in _STRONG.finditer(text):
        edits += [Edit(match.start(), match.start(2)), Edit(match.end(2), match.end())]
    edits += [Edit(*match.span()) for match in _REFERENCE.finditer(text)]
    return edits
