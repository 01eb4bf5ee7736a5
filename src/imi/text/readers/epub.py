"""Books (.epub): the chapters of a zip archive in the order in which they are read, each under its heading."""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from imi.errors import Failure
from imi.text.blocks import Block, text_lines
from imi.text.markup.markdown import markdown_blocks
from imi.text.readers.limits import overlapping, refuse_office
from imi.text.readers.page_text import decoded, seen_text, without_declaration
from imi.text.readers.pieces import passage_rows
from imi.text.readers.reasons import reason_of
from imi.text.readers.rows import ReadOptions, Row
from imi.text.readers.web import page_tree, unplaced

EPUB = ".epub"
_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
# fmt: off
_MEDIA = (
    ".jpg", ".jpeg", ".png", ".gif", ".webp", ".svg", ".bmp", ".tif", ".tiff", ".avif", ".ttf", ".otf", ".ttc", ".woff",
    ".woff2", ".mp3", ".m4a", ".mp4", ".m4v", ".ogg", ".webm", ".css", ".js", ".pdf",
)
"""What of a book holds no chapter, whatever it says; all else is counted before any of it is unpacked."""
# fmt: on
_TYPE = re.compile(r"<!DOCTYPE[^<>\[\]]*+>", re.IGNORECASE)
_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, KeyError, ValueError, RuntimeError, EOFError)
Items = Iterator[Row | Failure]


@dataclass(frozen=True, slots=True)
class _Book:
    """What a book says of itself: `chapters` are members in the order in which they are read, `names` their titles."""

    title: str | None
    authors: tuple[str, ...]
    chapters: tuple[str, ...]
    names: dict[str, str]
    locked: frozenset[str]


def read_epub(source: str, options: ReadOptions) -> Items:
    """Yield the passages of a book; chapters that are missing, broken or encrypted are named."""
    try:
        with zipfile.ZipFile(source) as archive:
            _refuse(archive, source)
            book = _book(archive)
            found = list(_chapters(archive, book, source))
    except (*_DAMAGE, ElementTree.ParseError) as broken:
        yield Failure(source, None, f"no readable EPUB: {reason_of(broken)}")
        return
    if not any(isinstance(one, Block) for one in found):
        yield from (one for one in found if isinstance(one, Failure))
        if not found:
            yield Failure(source, None, "the book holds no text")
        return
    known = {"author": ", ".join(book.authors)} if book.authors else {}
    # Many books begin with their title as the first heading.
    first = next(one for one in found if isinstance(one, Block))
    title = None if first.kind == "heading" and first.level == 1 and first.text == book.title else book.title
    yield from passage_rows(found, source, options, metadata=known, title=title)


def _refuse(archive: zipfile.ZipFile, source: str) -> None:
    members = archive.infolist()
    with open(source, "rb") as file:
        size = file.seek(0, 2)
    if overlapping(members, size):
        raise ValueError("its members stand in each other's bytes, as no program packs them")
    refuse_office(archive, parts=[one for one in members if not _is_media(one.filename)])


def _is_media(name: str) -> bool:
    return name.lower().endswith(_MEDIA)


def _book(archive: zipfile.ZipFile) -> _Book:
    """Return what the package document says, which the container names.

    Raises:
        ValueError: there is no such document.
    """
    name = _package_name(archive)
    package = _xml(archive, name)
    folder = posixpath.dirname(name)
    items = {
        one.get("id", ""): (_inside(folder, one.get("href", "")), one)
        for one in package.iter()
        if _local(one) == "item"
    }
    order = [one.get("idref", "") for one in package.iter() if _local(one) == "itemref"]
    pages = [items[key][0] for key in order if key in items]
    if not order:
        pages = [path for path, item in items.values() if "html" in item.get("media-type", "")]
    if not pages:
        raise ValueError("it does not list its chapters")
    contents = [
        path
        for path, item in items.values()
        if ("nav" in item.get("properties", "").split() or item.get("media-type") == "application/x-dtbncx+xml")
        and not _is_media(path)
    ]
    return _Book(
        title=next(iter(_said(package, "title")), None),
        authors=tuple(_said(package, "creator")),
        chapters=tuple(dict.fromkeys(path for path in pages if not _is_media(path))),
        names=_names(archive, contents),
        locked=_locked(archive),
    )


def _package_name(archive: zipfile.ZipFile) -> str:
    names = archive.namelist()
    if _CONTAINER in names:
        for one in _xml(archive, _CONTAINER).iter():
            path = _inside("", one.get("full-path", ""))
            if _local(one) == "rootfile" and path in names and not _is_media(path):
                return path
    found = next((name for name in names if name.lower().endswith(".opf")), None)
    if found is None:
        raise ValueError("it does not list its chapters")
    return found


def _names(archive: zipfile.ZipFile, contents: list[str]) -> dict[str, str]:
    """Return what the tables of contents call the files of a book; a broken table costs the names only."""
    found: dict[str, str] = {}
    for name in contents:
        folder = posixpath.dirname(name)
        try:
            tree = _xml(archive, name)
        except (*_DAMAGE, ElementTree.ParseError):
            continue
        for one in _outermost(tree, "a") if _local(tree) != "ncx" else tree.iter():
            if _local(one) == "navPoint":
                label = next((_line(part) for part in one if _local(part) == "navLabel"), "")
                target = next((part.get("src", "") for part in one if _local(part) == "content"), "")
            elif _local(one) == "a":
                label, target = _line(one), one.get("href", "")
            else:
                continue
            if label and target:
                found.setdefault(_inside(folder, target), label)
    return found


def _locked(archive: zipfile.ZipFile) -> frozenset[str]:
    """Return the members that only a reader with the book's licence can decrypt."""
    if _ENCRYPTION not in archive.namelist():
        return frozenset()
    tree = _xml(archive, _ENCRYPTION)
    return frozenset(_inside("", one.get("URI", "")) for one in tree.iter() if _local(one) == "CipherReference")


def _chapters(archive: zipfile.ZipFile, book: _Book, source: str) -> Iterator[Block | Failure]:
    """Yield the blocks of all chapters, their places counted through the whole book."""
    locked = [path for path in book.chapters if path in book.locked]
    if locked:
        reason = f"{len(locked):,} of its chapters are encrypted (DRM) and can be read only where it was bought"
        if len(locked) == len(book.chapters):
            reason = "the book is encrypted (DRM) and can be read only where it was bought"
        yield Failure(source, None, reason)
    start = 0
    for path in book.chapters:
        if path in book.locked:
            continue
        try:
            text = _text(archive, path)
        except KeyError:
            yield Failure(source, None, f"the chapter {path} is not in the file")
            continue
        except _DAMAGE as broken:
            yield Failure(source, None, f"the chapter {path} cannot be read: {reason_of(broken)}")
            continue
        blocks = [one for one in unplaced(_blocks(text))]
        if blocks and path in book.names and not any(one.kind == "heading" for one in blocks):
            yield Block("heading", book.names[path], start, start, level=1)
        for block in blocks:
            places = tuple((at, place + start) for at, place in block.places)
            yield replace(block, start=block.start + start, end=block.end + start, places=places)
        start += len(text) + 2


def _blocks(text: str) -> Iterator[Block]:
    yield from (one for one in markdown_blocks(text_lines(text)) if isinstance(one, Block))


def _text(archive: zipfile.ZipFile, path: str) -> str:
    page, _ = decoded(archive.read(path))
    tree = page_tree(page)
    if tree is None:
        return ""
    # Notes and boxes are what a web page puts around its text, and part of that of a book.
    for one in tree.iter("aside", "footer"):
        one.tag = "div"
    return seen_text(tree, whole=False)


def _xml(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    """Return XML as a tree; a document type that declares nothing is passed over.

    Raises:
        ValueError: it declares entities, with which a few bytes stand for many.
    """
    text = _TYPE.sub("", without_declaration(decoded(archive.read(name))[0]), count=1)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError(f"{name} declares entities, as no program writes them")
    return ElementTree.fromstring(text)  # noqa: S314


def _inside(folder: str, href: str) -> str:
    """Return the member that an address means, as the archive names it; no other than a member is ever looked for."""
    try:
        parts = urlsplit(href)
    except ValueError:
        return ""
    return "" if parts.scheme else posixpath.normpath(posixpath.join("/", folder, unquote(parts.path))).lstrip("/")


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _outermost(tree: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Yield the elements of a name, none that stands inside of another, as their texts would be read again."""
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if _local(one) == name:
            yield one
        else:
            waiting.extend(reversed(one))


def _line(element: ElementTree.Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _said(package: ElementTree.Element, name: str) -> list[str]:
    texts = (_line(one) for one in _outermost(package, name))
    return [text for text in texts if text]
