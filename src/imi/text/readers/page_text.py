"""The text of a page of HTML or of a piece of one: what people see of it as Markdown, and which encoding it is in."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import Any

from imi.text.blocks import UNSPACED
from imi.text.readers.encodings import ESCAPE, STRAY, Encoding, encoding_of

_CHARSET = re.compile(
    rb"""<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*+=\s*+["']?\s*+([\w.:-]+)""", re.IGNORECASE
)
_DECLARED = re.compile(r"(?<!\s)\s*+<\?xml[^<>]*+>")
_XHTML = re.compile(r"<(?!!)[^<>]{0,500}\bxmlns\s{0,9}=\s{0,9}[\"']http://www\.w3\.org/1999/xhtml", re.IGNORECASE)
_CLOSED = re.compile(r"<([a-z][\w.:-]*+)([^<>]*+)(?<=/)>", re.IGNORECASE)
_WRAPPED = re.compile(rf"(?<=[{UNSPACED}])[ \t\r]*+\n[ \t\r\n]*+(?=[{UNSPACED}])")
_WHOLE = re.compile(r"<(?:html|body|!doctype)\b", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r\n\f\xa0]+")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
# fmt: off
_VOID = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
}
_UNSEEN = {
    "script", "style", "template", "noscript", "head", "title", "meta", "link", "iframe", "object", "svg", "canvas",
    "button", "datalist", "rt", "rp", "rtc", "audio", "video", "map", "select", "input",
}
_AROUND = {"nav", "aside", "footer", "menu", "dialog"}
_ROLES = {"navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alert"}
_NAMED = {
    "nav", "navbar", "navigation", "menu", "sidebar", "footer", "breadcrumb", "breadcrumbs", "cookie", "cookies",
    "advert", "advertisement", "ads", "ad", "share", "social", "related", "comments", "skip-link", "pagination",
}
_BLOCKS = {
    "p", "div", "section", "article", "main", "header", "blockquote", "ul", "ol", "dl", "table", "figure", "figcaption",
    "form", "fieldset", "address", "details", "summary", "body", "hr", "center", "caption", "thead", "tbody", "tfoot",
}
# fmt: on


def decoded(raw: bytes) -> tuple[str, Encoding]:
    """Return a page as text: by what it declares where that is true, else as UTF-8 or by a guess."""
    declared = _CHARSET.search(raw[:4096])
    if declared and not raw.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = declared[1].decode("ascii", "replace").lower()
        name = {"shift_jis": "cp932", "x-sjis": "cp932", "iso-8859-1": "cp1252"}.get(name, name)
        try:
            return raw.decode(name), Encoding(name)
        except (LookupError, UnicodeDecodeError):
            pass
    known = encoding_of(io.BytesIO(raw))
    text = raw.decode(known.name, ESCAPE)
    return STRAY.sub("\ufffd", text), known


def is_whole(text: str) -> bool:
    """Whether a text is a page, and not a piece of one."""
    return _WHOLE.search(text[:4096]) is not None


def without_declaration(text: str) -> str:
    """Return a page without the declaration of XML, which contradicts a text."""
    return _DECLARED.sub("", text, count=1).lstrip("\ufeff")


def closed(text: str) -> str:
    """Return a page with an end for each element that XHTML closes where it begins: HTML has `<title/>` never end."""
    if not _XHTML.search(text[:4096]):
        return text
    return _CLOSED.sub(
        lambda one: one[0] if one[1].lower() in _VOID else f"<{one[1]}{one[2].rstrip('/')}></{one[1]}>", text
    )


def seen_text(tree: Any, *, whole: bool) -> str:
    """Return what people see of a page as Markdown.

    Args:
        tree: of lxml.
        whole: whether it is a page, whose main part is meant, and not a piece, of which all is.
    """
    parts = [tree]
    if whole:
        main = [
            one for one in tree.iter("main", "article") if not any(True for _ in one.iterancestors("main", "article"))
        ]
        parts = main or parts
    text = "".join(piece for part in parts for piece in (*_pieces(part, whole), "\n\n"))
    lines = [line if line.startswith("    ") else line.strip(" ") for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def cell_text(cell: Any) -> str:
    """Return what people see of a cell of a table, a line break where it has one."""
    lines = (" ".join(line.split()) for line in "".join(_inside(cell, False)).split("\n"))
    return "\n".join(filter(None, lines))


def _is_seen(element: Any, whole: bool) -> bool:
    tag = element.tag
    if not isinstance(tag, str) or tag in _UNSEEN:
        return False
    if element.get("hidden") is not None or _HIDDEN.search(element.get("style") or ""):
        return False
    if tag in _AROUND or element.get("role") in _ROLES:
        return False
    if not whole:
        return True
    if tag == "header" and element.getparent() is not None and element.getparent().tag == "body":
        return next(element.iterdescendants("h1"), None) is not None
    names = f"{element.get('class') or ''} {element.get('id') or ''}".lower().split()
    return tag in ("body", "html", "main", "article") or not _NAMED.intersection(names)


def _pieces(element: Any, whole: bool) -> Iterator[str]:
    tag = element.tag
    if not _is_seen(element, whole):
        return
    if tag == "br":
        yield "\n"
    elif tag == "pre":
        yield "\n\n```\n" + "".join(element.itertext()).strip("\n") + "\n```\n\n"
    elif re.fullmatch("h[1-6]", tag):
        yield f"\n\n{'#' * int(tag[1])} {_line(element, whole)}\n\n"
    elif tag == "tr":
        cells = [_line(cell, whole) for cell in element if cell.tag in ("td", "th")]
        first = next((one for one in element.itersiblings("tr", preceding=True)), None) is None
        yield f"\n| {' | '.join(cells)} |" + (f"\n|{' --- |' * len(cells)}" if first and len(cells) > 1 else "")
    elif tag in ("li", "dt", "dd"):
        yield "\n- " if tag == "li" else "\n"
        yield from _inside(element, whole)
        yield "\n"
    elif tag in _BLOCKS:
        yield "\n\n"
        yield from _inside(element, whole)
        yield "\n\n"
    else:
        yield from _inside(element, whole)


def _line(element: Any, whole: bool) -> str:
    return " ".join("".join(_inside(element, whole)).split())


def _inside(element: Any, whole: bool) -> Iterator[str]:
    yield _spaced(element.text or "")
    for child in element:
        yield from _pieces(child, whole)
        yield _spaced(child.tail or "")


def _spaced(text: str) -> str:
    """Return a text with one space for what its source has; where a line of Japanese was broken there is none."""
    return _SPACES.sub(" ", _WRAPPED.sub("", text) if "\n" in text else text)
