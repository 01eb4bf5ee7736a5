"""OpenDocument texts and slides (.odt, .odp), read from their XML; sheets of theirs are tables and read elsewhere."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree

from imi.errors import Failure
from imi.text.blocks import Block
from imi.text.readers.limits import refuse_office, sound_xml
from imi.text.readers.office import outermost
from imi.text.readers.pieces import passage_rows
from imi.text.readers.reasons import reason_of
from imi.text.readers.rows import ReadOptions, Row

OPEN_DOCUMENTS = (".odt", ".odp")
_T = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_SHOWN = "{urn:oasis:names:tc:opendocument:xmlns:presentation:1.0}"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_MANIFEST = "META-INF/manifest.xml"
_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, KeyError, ValueError, RuntimeError, EOFError)
_NO_TEXT = {
    *(_T + name for name in ("tracked-changes", "ruby-text", "note-citation", "sequence-decls", "bookmark", "h", "p")),
    _OFFICE + "annotation",
    _OFFICE + "forms",
    _TABLE + "table",
}
"""What stands in a paragraph and is none of its text, or is read by itself."""
_CONTENTS = {_T + "table-of-content", _T + "alphabetical-index", _T + "tracked-changes", _OFFICE + "annotation"}
_MOST_SPACES = 100
Items = Iterator[Row | Failure]


def read_open_document(source: str, options: ReadOptions) -> Items:
    """Yield the passages of an OpenDocument text, or of slides with the number of each as its page."""
    try:
        with zipfile.ZipFile(source) as archive:
            refuse_office(archive)
            _refuse_locked(archive)
            body = _xml(archive, "content.xml").find(f"{_OFFICE}body")
            blocks = list(_placed(_blocks(body))) if body is not None else []
            title = _title_of(archive)
    except (*_DAMAGE, ElementTree.ParseError) as broken:
        yield Failure(source, None, f"no readable OpenDocument file: {reason_of(broken)}")
        return
    if not blocks:
        yield Failure(source, None, "the file holds no text")
        return
    headed = any(one.kind == "heading" and one.level <= 1 for one in blocks)
    yield from passage_rows(blocks, source, options, title=None if headed else title)


def _refuse_locked(archive: zipfile.ZipFile) -> None:
    """Refuse a file whose members are encrypted, which its archive does not say.

    Raises:
        ValueError: it is such a file.
    """
    if _MANIFEST in archive.namelist() and b"encryption-data" in archive.read(_MANIFEST):
        raise ValueError("it is locked by a password")


def _xml(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    # Document types, and with them entities, were refused, and so was what is too large for a tree.
    return ElementTree.fromstring(sound_xml(name, archive.read(name)))  # noqa: S314


def _title_of(archive: zipfile.ZipFile) -> str | None:
    try:
        said = next(_xml(archive, "meta.xml").iter(_TITLE)).text
    except (*_DAMAGE, StopIteration, ElementTree.ParseError):
        return None
    return " ".join((said or "").split()) or None


def _placed(blocks: Iterator[Block]) -> Iterator[Block]:
    """Yield blocks with their places in the text that they make, an empty line between them."""
    start = 0
    for one in blocks:
        text = one.text.strip()
        if text:
            yield Block(one.kind, text, start, start + len(text), level=one.level, page=one.page)
            start += len(text) + 2


def _blocks(element: ElementTree.Element, page: int | None = None) -> Iterator[Block]:
    """Yield the blocks below an element, in order, none of them twice."""
    number = 0
    for one in element:
        tag = one.tag
        if tag == f"{_DRAW}page":
            number += 1
            yield from _blocks(one, number)
        elif tag == f"{_T}h":
            yield Block("heading", " ".join(_text(one).split()), 0, 0, level=_level(one), page=page)
            yield from _beside(one, page)
        elif tag == f"{_T}p":
            yield Block("prose", _text(one), 0, 0, page=page)
            yield from _beside(one, page)
        elif tag == f"{_T}list":
            items = (" ".join(_text(item).split()) for item in one.iter() if item.tag in (f"{_T}p", f"{_T}h"))
            yield Block("list", "\n".join(f"- {item}" for item in items if item), 0, 0, page=page)
        elif tag == f"{_TABLE}table":
            yield Block("table", _table(one), 0, 0, page=page)
        elif tag == f"{_DRAW}frame" and one.get(f"{_SHOWN}class") == "title":
            yield Block("heading", " ".join(_inside(one).split()), 0, 0, level=1, page=page)
        elif tag not in _CONTENTS and tag != f"{_SHOWN}notes":
            yield from _blocks(one, page)
        elif tag == f"{_SHOWN}notes":
            yield Block("prose", _inside(one), 0, 0, page=page)


def _level(heading: ElementTree.Element) -> int:
    said = heading.get(f"{_T}outline-level", "1")
    return min(max(int(said), 1), 10) if said.isascii() and said.isdigit() and len(said) < 3 else 1


def _beside(paragraph: ElementTree.Element, page: int | None) -> Iterator[Block]:
    """Yield what hangs on a paragraph: the texts of boxes and notes, after it."""
    waiting = list(reversed(paragraph))
    while waiting:
        one = waiting.pop()
        if one.tag in (f"{_DRAW}text-box", f"{_T}note-body"):
            yield from _blocks(one, page)
        elif one.tag == f"{_OFFICE}annotation":
            continue
        else:
            waiting.extend(reversed(one))


def _text(paragraph: ElementTree.Element) -> str:
    """Return the text of a paragraph, without readings, remarks, and boxes and notes that hang on it."""
    parts = [paragraph.text or ""]
    for one in paragraph:
        tag = one.tag
        if tag == f"{_T}s":
            said = one.get(f"{_T}c", "1")
            parts.append(" " * (min(int(said), _MOST_SPACES) if said.isascii() and said.isdigit() else 1))
        elif tag == f"{_T}tab":
            parts.append("\t")
        elif tag == f"{_T}line-break":
            parts.append("\n")
        elif tag not in _NO_TEXT and tag not in (f"{_DRAW}text-box", f"{_T}note"):
            parts.append(_text(one))
        parts.append(one.tail or "")
    return "".join(parts)


def _inside(element: ElementTree.Element) -> str:
    """Return the paragraphs of an item, a cell or a box, a line each; what is nested is read with them."""
    return "\n".join(_text(one) for one in element.iter() if one.tag in (f"{_T}p", f"{_T}h"))


def _table(table: ElementTree.Element) -> str:
    rows = []
    for row in outermost(table, f"{_TABLE}table-row"):
        cells = [" ".join(_inside(cell).split()) for cell in row if cell.tag == f"{_TABLE}table-cell"]
        if any(cells):
            rows.append(" | ".join(cells))
    return "\n".join(rows)
