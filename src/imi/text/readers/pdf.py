"""PDF: paragraphs put together again from the lines of its pages, with the page on which each passage begins."""

from __future__ import annotations

import logging
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from imi.errors import Failure, MissingExtra
from imi.pictures import LARGEST, open_picture
from imi.text.blocks import Block, Line
from imi.text.paragraphs import set_blocks
from imi.text.readers.limits import RATIO, SMALL
from imi.text.readers.pieces import passage_rows
from imi.text.readers.printed import LARGE, read_printed, tesseract
from imi.text.readers.reasons import reason_of
from imi.text.readers.rows import ReadOptions, Row

_NUMBER = re.compile(
    r"[\s\-–—.|/()]*(?:p(?:age)?\.?\s*)?\d{1,5}(?:\s*(?:/|of)\s*\d{1,5})?[\s\-–—.|()]*(?:頁|ページ)?$", re.IGNORECASE
)
_DIGITS = re.compile(r"\d+")
_CONTENT = 75_000_000
"""Bytes to which a stream may unpack, in a file that is not small itself."""
_SECONDS = 10.0
"""Seconds of work that a file may take, and each of its megabytes; pages may share what they show, and do in bombs."""


def read_pdf(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield the passages of a PDF, each with the page where it begins; pages of pictures alone are named."""
    try:
        from pypdf import PdfReader, apply_configuration
        from pypdf.errors import PyPdfError
    except ImportError as missing:
        raise MissingExtra("pypdf", "docs") from missing
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    pages: list[list[str]] = []
    silent: list[int] = []
    title: str | None = None
    broken: Failure | None = None
    try:
        size = os.path.getsize(source)
        patience = time.thread_time() + _SECONDS * (1 + size / 2**20)
        with apply_configuration(zlib_maximum_output_length=min(_CONTENT, max(SMALL, RATIO * size))):
            reader = PdfReader(source)
            title = _title(reader)
            for number, page in enumerate(reader.pages, 1):
                if time.thread_time() > patience:
                    reason = f"it takes longer than any of its size may; page {number} and those after it are left out"
                    broken = Failure(source, None, reason)
                    break
                lines = [line.rstrip() for line in page.extract_text().split("\n")]
                pages.append(lines)
                if not any(line.strip() for line in lines) and _has_pictures(page):
                    text = _printed(page)
                    if text is None:
                        silent.append(number)
                    else:
                        pages[-1] = text.split("\n")
    except (PyPdfError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # What a damaged file does to a parser cannot be listed; it must not stop a run over a folder.
        broken = Failure(source, None, f"no readable PDF: {_why(error)}")
    found = False
    for row in passage_rows(_blocks(_bare(pages)), source, options, title=title):
        found = True
        yield row
    if broken is not None:
        yield broken
    elif not found:
        yield Failure(source, None, f"the PDF holds no text; {_ocr()}")
    elif silent:
        yield Failure(source, None, f"{_pages(silent)} no text; {_ocr()}")


def _why(error: Exception) -> str:
    """Return why a PDF could not be read: of pypdf's many words for damage none says anything to a reader."""
    reason, module = reason_of(error), type(error).__module__
    if "would unpack" in reason or "limit" in reason.lower():
        return "it would unpack to more than a file of its size may"
    own = reason.startswith("it ") or not (module.startswith("pypdf") or module == "builtins")
    return reason if own or isinstance(error, OSError) else "its structure is damaged"


def _has_pictures(page: Any) -> bool:
    """Whether a page shows a picture, which may be that of a text; nothing is lost with a blank page."""
    try:
        shown = page["/Resources"]["/XObject"].values()
        return any(one.get_object().get("/Subtype") in ("/Image", "/Form") for one in shown)
    except (KeyError, AttributeError, TypeError, ValueError):
        return False


def _ocr() -> str:
    if tesseract() is None:
        return "pictures of pages are read where tesseract is installed"
    return "tesseract finds none in the pictures of pages either"


def _printed(page: Any) -> str | None:
    """Return what is written in the pictures of a page, None where there is nothing, or nothing that reads it."""
    if tesseract() is None:
        return None
    texts = []
    try:
        for name in list(page.images.keys()):
            image = page["/Resources"]["/XObject"][name]
            if int(image["/Width"]) * int(image["/Height"]) > LARGEST:
                continue
            texts.append(read_printed(open_picture(page.images[name].image, LARGE).pixels))
    except Exception:  # what a damaged picture does to a parser cannot be listed
        return None
    return "\n\n".join(text for text in texts if text) or None


def _title(reader: Any) -> str | None:
    """Return the title that a PDF gives itself; names of files and of the programs that wrote it are none."""
    try:
        said = reader.metadata.title if reader.metadata else None
    except Exception:  # a damaged dictionary costs the title only
        return None
    said = " ".join(said.split()) if isinstance(said, str) else ""
    if not 2 < len(said) <= 200 or re.search(r"\.(docx?|pptx?|xlsx?|indd|tex|dvi)$|^(untitled|microsoft)", said, re.I):
        return None
    return said


def _pages(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:20])) + (" …" if len(numbers) > 20 else "")
    return f"page {shown} holds" if len(numbers) == 1 else f"pages {shown} hold"


def _bare(pages: Sequence[list[str]]) -> list[list[str]]:
    """Return the pages without their numbers and without the lines that stand at the edge of most of them."""
    edges: Counter[str] = Counter()
    for lines in pages:
        edges.update({_DIGITS.sub("0", line.strip()) for line in _edge(lines)})
    common = {line for line, count in edges.items() if count >= 3 and count * 2 >= len(pages)}
    numbers = [_numbers_of(lines) for lines in pages]
    first = sum(bool(found) and found[0] == 0 for found in numbers) * 2 >= len(pages) > 1
    two = sum(len(found) > 1 for found in numbers) * 2 >= len(pages)
    bare = []
    for lines, found in zip(pages, numbers, strict=True):
        edge = {
            id(line) for line in _edge(lines) if not _NUMBER.match(line) and _DIGITS.sub("0", line.strip()) in common
        }
        # A page of a line or two has no edges; its number stands where the others have theirs.
        own = found if two else found[:1]
        if not own and first and lines and _NUMBER.match(lines[0]):
            own = [0]
        bare.append([line for at, line in enumerate(lines) if id(line) not in edge and at not in own])
    return bare


def _numbers_of(lines: Sequence[str]) -> list[int]:
    """Return the lines that may be the number of a page, the outermost first: "1690." below it is text."""
    edge = {id(line) for line in _edge(lines)}
    said = [at for at, line in enumerate(lines) if line.strip()]
    found = [at for at in said if id(lines[at]) in edge and _NUMBER.match(lines[at])]
    return sorted(found, key=lambda at: min(said.index(at), len(said) - 1 - said.index(at)))


def _edge(lines: Sequence[str]) -> list[str]:
    said = [line for line in lines if line.strip()]
    return [*said[:2], *said[2:][-2:]] if len(said) > 4 else [*said[:1], *said[1:][-1:]] if len(said) > 2 else []


def _blocks(pages: Sequence[Sequence[str]]) -> Iterator[Block]:
    """Yield the blocks of all pages; a paragraph may go over the end of a page."""
    start = 0
    lines: list[Line] = []
    for number, page in enumerate(pages, 1):
        for text in page:
            # The number of a line is that of its page, which is the place that a reader looks for.
            lines.append(Line(number, start, text))
            start += len(text) + 1
    for block in set_blocks(lines, hyphens=True):
        yield replace(block, page=block.line, line=0)
