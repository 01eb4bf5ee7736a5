"""Word and PowerPoint files, read from their XML, and sheets.

Own code rather than a library: a paragraph's style, a list's mark and a slide's title are all that is needed of these
formats, python-docx leaves out text boxes and content controls, and converters for language models take seconds a file.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

from imi.errors import Failure
from imi.text.blocks import Block, Kind
from imi.text.readers.limits import refuse_office, sound_xml
from imi.text.readers.pieces import passage_rows
from imi.text.readers.reasons import reason_of
from imi.text.readers.rows import ReadOptions, Row

OFFICE = (".docx", ".pptx")
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_HEADING = re.compile(r"(?:heading|見出し|überschrift|titre|título)\s*(\d)$", re.IGNORECASE)
_ALTERNATIVE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, KeyError, ValueError, RuntimeError, EOFError)
Items = Iterator[Row | Failure]


def read_office(source: str, options: ReadOptions) -> Items:
    """Yield the passages of a Word or PowerPoint file."""
    kind = source.lower().rpartition(".")[2]
    try:
        with zipfile.ZipFile(source) as archive:
            refuse_office(archive)
            read: Callable[[zipfile.ZipFile], _Text] = _word if kind == "docx" else _slides
            text = read(archive)
            title = _title_of(archive)
    except (*_DAMAGE, ElementTree.ParseError) as broken:
        yield Failure(
            source, None, f"no readable {'Word' if kind == 'docx' else 'PowerPoint'} file: {reason_of(broken)}"
        )
        return
    if not text.blocks:
        yield Failure(source, None, "the file holds no text")
        return
    headed = any(one.kind == "heading" and one.level <= 1 for one in text.blocks)
    yield from passage_rows(text.blocks, source, options, title=None if headed else title)


@dataclass
class _Text:
    """The text that a file's blocks stand in, one below the other with an empty line between."""

    blocks: list[Block] = field(default_factory=list)
    length: int = 0

    def add(self, kind: Kind, text: str, *, level: int = 0, page: int | None = None) -> None:
        """Add a block, if it says anything."""
        text = text.strip()
        if text:
            self.blocks.append(Block(kind, text, self.length, self.length + len(text), level=level, page=page))
            self.length += len(text) + 2


def _xml(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    # Document types, and with them entities, were refused, and so was what is too large for a tree.
    return ElementTree.fromstring(sound_xml(name, archive.read(name)))  # noqa: S314


def _has(archive: zipfile.ZipFile, name: str) -> bool:
    """Return whether there is a member of this name, without going through all of them."""
    try:
        archive.getinfo(name)
    except KeyError:
        return False
    return True


def outermost(element: ElementTree.Element, tag: str, *left_out: str) -> Iterator[ElementTree.Element]:
    """Yield the elements of a kind below another, in order, but none that stands inside of one that was yielded.

    What stands within is read with its outermost one: to go through each of them would take a time that doubles with
    every level.
    """
    waiting = list(reversed(element))
    while waiting:
        one = waiting.pop()
        if one.tag == tag:
            yield one
        elif one.tag not in left_out:
            waiting.extend(reversed(one))


def _title_of(archive: zipfile.ZipFile) -> str | None:
    try:
        said = _xml(archive, "docProps/core.xml").findtext(_TITLE)
    except (KeyError, ValueError, ElementTree.ParseError):
        return None
    said = " ".join((said or "").split())
    # What programs write into a new file says nothing.
    return None if not said or said.lower() in ("powerpoint presentation", "word document", "presentation") else said


# --- Word ---


def _word(archive: zipfile.ZipFile) -> _Text:
    levels = _levels(archive)
    text = _Text()
    listed: list[str] = []
    body = _xml(archive, "word/document.xml").find(f"{_W}body")
    for kind, element in _body(body if body is not None else ()):
        said, level = ("", None) if kind == "table" else (_paragraph(element), _level(element, levels))
        item = kind == "paragraph" and level is None and element.find(f"{_W}pPr/{_W}numPr") is not None
        if listed and not item:
            text.add("list", "\n".join(listed))
            listed = []
        if item and said.strip():
            listed.append(f"- {said.strip()}")
        elif kind == "table":
            text.add("table", _table(element))
        elif level is not None:
            text.add("heading", " ".join(said.split()), level=level)
        else:
            text.add("prose", said)
    if listed:
        text.add("list", "\n".join(listed))
    for name in ("word/footnotes.xml", "word/endnotes.xml"):
        if _has(archive, name):
            for note in _xml(archive, name):
                text.add("prose", "\n".join(_paragraph(one) for one in note.iter(f"{_W}p")))
    return text


def _levels(archive: zipfile.ZipFile) -> dict[str, int]:
    """Return the heading level of each style that has one: 0 for the title."""
    levels: dict[str, int] = {}
    based: dict[str, str] = {}
    if not _has(archive, "word/styles.xml"):
        return levels
    for style in _xml(archive, "word/styles.xml").iter(f"{_W}style"):
        key = style.get(f"{_W}styleId", "")
        name = style.find(f"{_W}name")
        said = "" if name is None else name.get(f"{_W}val", "")
        outline = style.find(f"{_W}pPr/{_W}outlineLvl")
        heading = _HEADING.match(said)
        parent = style.find(f"{_W}basedOn")
        if said.lower() in ("title", "表題"):
            levels[key] = 0
        elif heading:
            levels[key] = int(heading[1])
        elif outline is not None and outline.get(f"{_W}val", "9") < "9":
            levels[key] = int(outline.get(f"{_W}val", "0")) + 1
        elif parent is not None:
            based[key] = parent.get(f"{_W}val", "")
    for key, parent_key in based.items():
        if parent_key in levels:
            levels[key] = levels[parent_key]
    return levels


def _level(paragraph: ElementTree.Element, levels: dict[str, int]) -> int | None:
    outline = paragraph.find(f"{_W}pPr/{_W}outlineLvl")
    if outline is not None and outline.get(f"{_W}val", "9") < "9":
        return int(outline.get(f"{_W}val", "0")) + 1
    style = paragraph.find(f"{_W}pPr/{_W}pStyle")
    return None if style is None else levels.get(style.get(f"{_W}val", ""))


def _body(elements: Iterable[ElementTree.Element]) -> Iterator[tuple[str, ElementTree.Element]]:
    """Yield paragraphs and tables in order, those inside content controls and tracked insertions too."""
    for element in elements:
        if element.tag == f"{_W}p":
            yield "paragraph", element
            # What a text box says comes after the paragraph that it hangs on.
            for box in outermost(element, f"{_W}txbxContent", _ALTERNATIVE):
                yield from _body(box)
        elif element.tag == f"{_W}tbl":
            yield "table", element
        elif element.tag not in (f"{_W}sectPr", f"{_W}del"):
            yield from _body(element)


_NO_TEXT = (*(_W + name for name in ("del", "rt", "txbxContent", "moveFrom", "pPr", "p", "tbl")), _ALTERNATIVE)
"""What stands in a paragraph and is none of its text, or is read by itself."""


def _paragraph(paragraph: ElementTree.Element) -> str:
    """Return the text of a paragraph, without what was deleted, readings over kanji, and boxes that hang on it."""
    parts: list[str] = []

    def walk(element: ElementTree.Element) -> None:
        for child in element:
            tag = child.tag
            if tag == f"{_W}t":
                parts.append(child.text or "")
            elif tag in (f"{_W}tab", f"{_W}ptab"):
                parts.append("\t")
            elif tag in (f"{_W}br", f"{_W}cr"):
                parts.append("\n")
            elif tag == f"{_W}noBreakHyphen":
                parts.append("-")
            elif tag not in _NO_TEXT:
                walk(child)

    walk(paragraph)
    return "".join(parts)


def _table(table: ElementTree.Element) -> str:
    rows = []
    for row in outermost(table, f"{_W}tr"):
        cells = [
            " ".join("\n".join(_paragraph(one) for one in cell.iter(f"{_W}p")).split())
            for cell in outermost(row, f"{_W}tc")
        ]
        if any(cells):
            rows.append(" | ".join(cells))
    return "\n".join(rows)


# --- PowerPoint ---


def _slides(archive: zipfile.ZipFile) -> _Text:
    text = _Text()
    noted: set[str] = set()
    for number, name in enumerate(_order(archive), 1):
        slide = _xml(archive, name)
        title, parts = "", []
        for shape in _shapes(slide):
            if shape.tag == f"{_P}sp":
                said = _said(shape)
                place = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
                kind = None if place is None else place.get("type")
                if kind in ("title", "ctrTitle") and not title:
                    title = " ".join(said.split())
                elif kind not in ("sldNum", "dt", "ftr"):
                    parts.append(("prose", said))
            else:
                parts.append(("table", _slide_table(shape)))
        if title:
            text.add(
                "heading",
                title,
                level=0 if number == 1 and not any(said.strip() for _, said in parts) else 1,
                page=number,
            )
        for kind_, said in parts:
            text.add("table" if kind_ == "table" else "prose", said, page=number)
        for said in _notes(archive, name, noted):
            text.add("prose", said, page=number)
    return text


def _shapes(slide: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """Yield the shapes with text and the tables of a slide, none that stands inside of another."""
    waiting = [slide]
    while waiting:
        one = waiting.pop()
        if one.tag in (f"{_P}sp", f"{_A}tbl"):
            yield one
        else:
            waiting.extend(reversed(one))


def _order(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the slides in the order in which they are shown, each once."""
    targets = _relations(archive, "ppt/_rels/presentation.xml.rels", "ppt")
    slides = _xml(archive, "ppt/presentation.xml").iter(f"{_P}sldId")
    return list(dict.fromkeys(targets[key] for one in slides if (key := one.get(f"{_R}id", "")) in targets))


def _relations(archive: zipfile.ZipFile, name: str, folder: str) -> dict[str, str]:
    if not _has(archive, name):
        return {}
    found = {}
    for one in _xml(archive, name):
        target = one.get("Target", "")
        parts: list[str] = [] if target.startswith("/") else folder.split("/")
        for step in target.strip("/").split("/"):
            parts = parts[:-1] if step == ".." else [*parts, step]
        found[one.get("Id", "")] = "/".join(parts)
    return {key: path for key, path in found.items() if _has(archive, path)}


def _said(shape: ElementTree.Element) -> str:
    lines = []
    for paragraph in outermost(shape, f"{_A}p"):
        parts = [
            "\n" if one.tag == f"{_A}br" else one.text or ""
            for one in paragraph.iter()
            if one.tag in (f"{_A}t", f"{_A}br")
        ]
        if "".join(parts).strip():
            lines.append("".join(parts))
    return "\n".join(lines)


def _slide_table(table: ElementTree.Element) -> str:
    rows = [
        [" ".join(_said(cell).split()) for cell in outermost(row, f"{_A}tc")] for row in outermost(table, f"{_A}tr")
    ]
    return "\n".join(" | ".join(row) for row in rows if any(row))


def _notes(archive: zipfile.ZipFile, slide: str, noted: set[str]) -> Iterator[str]:
    folder, _, name = slide.rpartition("/")
    for path in _relations(archive, f"{folder}/_rels/{name}.rels", folder).values():
        if "notesSlide" in path and path not in noted:
            noted.add(path)
            for shape in outermost(_xml(archive, path), f"{_P}sp"):
                place = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
                if place is not None and place.get("type") == "body":
                    yield _said(shape)
