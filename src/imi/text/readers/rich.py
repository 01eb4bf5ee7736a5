"""Rich Text (.rtf), as word processors and mail programs save it: its text, without styles and pictures.

Own code rather than a library: what is needed are the text, its encodings and where a paragraph ends.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from imi.errors import Failure
from imi.text.blocks import text_lines
from imi.text.plain import plain_blocks
from imi.text.readers.limits import read_whole
from imi.text.readers.lines import open_bytes
from imi.text.readers.pieces import passage_rows
from imi.text.readers.rows import ReadOptions, Row
from imi.text.readers.web import unplaced

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.DOTALL
)
# fmt: off
_UNSEEN = frozenset((
    "fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "headerl", "headerr", "headerf", "footer",
    "footerl", "footerr", "footerf", "listtable", "listoverridetable", "rsidtbl", "generator", "themedata", "datastore",
    "latentstyles", "xmlnstbl", "fldinst", "bkmkstart", "bkmkend", "nonshppict", "revtbl", "filetbl", "template",
    "annotation", "atnid", "atnauthor", "private", "xe", "tc", "pntext", "listtext",
))
_SIGNS = {
    "par": "\n\n", "line": "\n", "sect": "\n\n", "page": "\n\n", "tab": "\t", "cell": " | ", "row": "\n", "emdash": "—",
    "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•", "emspace": " ",
    "enspace": " ", "qmspace": " ", "nestcell": " | ", "nestrow": "\n",
}
_CHARSETS = {
    0: "cp1252", 128: "cp932", 129: "cp949", 134: "gbk", 136: "big5", 161: "cp1253", 162: "cp1254", 163: "cp1258",
    177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}
# fmt: on
_SPECIAL = {b"~": "\xa0", b"_": "-", b"\\": "\\", b"{": "{", b"}": "}", b"\n": "\n\n", b"\r": "\n\n"}
_DEEPEST = 10_000
Items = Iterator[Row | Failure]


def read_rich_text(source: str, options: ReadOptions) -> Items:
    """Yield the passages of a Rich Text file."""
    with open_bytes(source) as file:
        raw = read_whole(file, source)
    if not raw.lstrip().startswith(b"{\\rtf"):
        yield Failure(source, None, "no readable Rich Text file: it does not begin as one")
        return
    text = rich_text(raw)
    if not text:
        yield Failure(source, None, "the file holds no text")
        return
    blocks = (one for one in plain_blocks(text_lines(text)) if not isinstance(one, Failure))
    yield from passage_rows(unplaced(blocks), source, options)


@dataclass(slots=True)
class _Group:
    """What holds inside braces: whether it is seen, the encoding of its font, how many bytes stand for a letter.

    seen: it belongs to the text; hidden: its author has hidden it.
    """

    seen: bool = True
    hidden: bool = False
    encoding: str | None = None
    after: int = 1
    fonts: bool = False


@dataclass(slots=True)
class _Reader:
    """The text so far; bytes of an encoding are kept until they end, as a letter may have two."""

    parts: list[str] = field(default_factory=list)
    held: bytearray = field(default_factory=bytearray)
    encoding: str = "cp1252"
    page: str = "cp1252"
    fonts: dict[int, str | None] = field(default_factory=dict)
    font: int = 0
    group: _Group = field(default_factory=_Group)
    outer: list[_Group] = field(default_factory=list)
    skip: int = 0
    starred: bool = False

    def text(self) -> str:
        """Return what was read."""
        self._flush()
        return _tidy("".join(self.parts))

    def brace(self, brace: bytes) -> None:
        """Begin or end a group."""
        if brace == b"{" and len(self.outer) < _DEEPEST:
            self.outer.append(self.group)
            self.group = replace(self.group)
        elif brace == b"}" and self.outer:
            self.group = self.outer.pop()
        self.skip, self.starred = 0, False

    def word(self, name: str, number: int | None) -> None:
        """Take a control word."""
        value = number or 0
        if name == "u" and number is not None:
            self.add(chr(value % 65_536))
            self.skip = self.group.after
        elif name == "uc":
            self.group.after = max(0, value)
        elif name == "ansicpg":
            self.page = _codec(f"cp{value}") or self.page
        elif name == "f":
            self.font, self.group.encoding = value, self.fonts.get(value)
        elif name == "fcharset" and self.group.fonts:
            self.fonts[self.font] = _CHARSETS.get(value)
        elif name == "shptxt":
            # A box of text; what else is said of a shape is not seen.
            self.group.seen = True
            self.add("\n\n")
        elif name in ("v", "plain"):
            self.group.hidden = name == "v" and number != 0
        elif name in _UNSEEN or self.starred:
            self.group.seen, self.group.fonts = False, name == "fonttbl"
        elif name in _SIGNS:
            self.add(_SIGNS[name])
        self.starred = False

    def add(self, text: str) -> None:
        """Add text, where it is seen."""
        if self.group.seen and not self.group.hidden:
            self._flush()
            self.parts.append(text)

    def take(self, raw: bytes) -> None:
        """Add bytes of a text; first those go that programs without Unicode show instead of a letter before them."""
        gone = min(self.skip, len(raw))
        self.skip -= gone
        encoding = self.group.encoding or self.page
        if self.group.seen and not self.group.hidden and raw[gone:]:
            if encoding != self.encoding:
                self._flush()
                self.encoding = encoding
            self.held += raw[gone:]

    def _flush(self) -> None:
        if self.held:
            self.parts.append(self.held.decode(self.encoding, "replace"))
            self.held.clear()


def rich_text(raw: bytes) -> str:
    """Return the text of a Rich Text file, an empty line between its paragraphs."""
    reader, at = _Reader(), 0
    while at < len(raw):
        token = _TOKEN.match(raw, at)
        if token is None:
            at += 1
            continue
        at = token.end()
        word, number, byte, sign, brace, plain = token.groups()
        if word == b"bin":
            at += max(0, int(number or 0))
        elif word is not None:
            reader.word(word.decode(), None if number is None else int(number))
        elif brace is not None:
            reader.brace(brace)
        elif sign == b"*":
            reader.starred = True
        elif sign in _SPECIAL:
            reader.add(_SPECIAL[sign])
        elif byte or plain:
            reader.take(bytes.fromhex(byte.decode()) if byte else plain)
    return reader.text()


def _codec(name: str) -> str | None:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def _tidy(text: str) -> str:
    """Return a text with its pairs of halves as the characters that they stand for, and without what is left alone."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")
    lines = (line.rstrip(" |") if " | " in line else line.strip(" ") for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
