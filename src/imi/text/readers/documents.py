"""HTML, notebooks, source code and zip archives."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from imi.errors import Failure, MissingExtra
from imi.records import with_facts
from imi.text.blocks import Block, text_lines
from imi.text.markup.markdown import markdown_blocks
from imi.text.readers.lines import open_bytes, open_text, stray_byte
from imi.text.readers.pictures import opened
from imi.text.readers.pieces import passage_rows, rows_of
from imi.text.readers.rows import ReadOptions, Row

Items = Iterator[Row | Failure]
_LARGEST_MEMBER = 2**30
# fmt: off
CODE = (
    ".py", ".js", ".jsx", ".mjs", ".ts", ".tsx", ".go", ".rs", ".java", ".kt", ".swift", ".c", ".h", ".cc", ".cpp",
    ".hpp", ".cs", ".rb", ".php", ".sh", ".r", ".jl", ".lua", ".sql", ".scala",
)
# fmt: on


def read_html(source: str, options: ReadOptions) -> Items:
    """Yield the passages of a page's main text, without menus and advertisements, and without readings over kanji."""
    try:
        import trafilatura
        from lxml import etree
    except ImportError as missing:
        raise MissingExtra("trafilatura", "docs") from missing
    with open_bytes(source) as file:
        raw = file.read()
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    tree = trafilatura.load_html(raw)
    title = None
    if tree is not None:
        # A reading stands over a word, not in it.
        etree.strip_elements(tree, "rt", "rp", "rtc", with_tail=False)
        etree.strip_tags(tree, "ruby", "rb", "wbr")
        title = " ".join((tree.findtext(".//title") or "").split()) or None
    # Of a short page it would take everything, the menu included.
    text = trafilatura.extract(
        raw if tree is None else tree,
        output_format="markdown",
        include_comments=False,
        favor_recall=True,
        prune_xpath=["//nav", "//body/footer"],
    )
    if not text:
        yield Failure(source, None, "the page holds no text")
        return
    blocks = [one for one in markdown_blocks(text_lines(text)) if isinstance(one, Block)]
    headed = any(one.kind == "heading" and one.level == 1 for one in blocks)
    yield from passage_rows(_unplaced(blocks), source, options, title=None if headed else title)


def _unplaced(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield blocks without their lines, which are those of an extracted text and not of the file."""
    for block in blocks:
        yield replace(block, line=0)


def read_notebook(source: str, options: ReadOptions) -> Items:
    """Yield the pieces of a Jupyter notebook's cells, headings and code together; outputs are left out."""
    with open_text(source, "utf-8") as file:
        try:
            cells: Any = json.load(file)["cells"]
            parts = [_cell(cell) for cell in cells]
        except (ValueError, LookupError, TypeError, AttributeError) as broken:
            yield Failure(source, None, f"no notebook: {str(broken)[:120]}")
            return
    text = "\n\n".join(part for part in parts if part.strip())
    found = (one for one in markdown_blocks(text_lines(text)) if isinstance(one, Block))
    yield from passage_rows(_unplaced(found), source, options)


def _cell(cell: Any) -> str:
    body = "".join(cell["source"])
    return f"```\n{body}\n```" if cell["cell_type"] == "code" and body.strip() else body


def read_code(source: str, options: ReadOptions) -> Items:
    """Yield the pieces of a source file with their lines."""
    with open_text(source, options.encoding) as file:
        text = file.read()
    wrong = stray_byte(text, options.encoding)
    if wrong:
        yield Failure(source, None, wrong)
        return
    yield from rows_of(text.replace("\r\n", "\n"), source, with_facts({}, {"source": source}), options)


def read_zip(source: str, options: ReadOptions, reader_of: Callable[[str], Any]) -> Items:
    """Yield what the files in an archive hold; a member's source is the archive's path, a slash and its own name."""
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError) as broken:
        yield Failure(source, None, f"no zip archive: {broken}")
        return
    with archive, tempfile.TemporaryDirectory() as folder:
        for number, member in enumerate(sorted(archive.infolist(), key=lambda one: one.filename)):
            reader = None if member.is_dir() else reader_of(member.filename)
            if reader is None:
                continue
            name = f"{source}/{member.filename}"
            if member.file_size > _LARGEST_MEMBER:
                yield Failure(name, None, f"unpacked it has {member.file_size:,} bytes; unpack the archive yourself")
                continue
            # A name of our own: what an archive calls its members decides no path.
            path = os.path.join(folder, f"{number}{os.path.splitext(member.filename)[1]}")
            try:
                with archive.open(member) as packed, open(path, "wb") as unpacked:
                    while piece := packed.read(2**20):
                        unpacked.write(piece)
            except (zipfile.BadZipFile, OSError, RuntimeError) as broken:
                yield Failure(name, None, f"it cannot be unpacked: {broken}")
                continue
            for item in reader(path, replace(options, noted=None)):
                yield _renamed(item, path, name)
            os.remove(path)


def _renamed(item: Row | Failure, path: str, name: str) -> Row | Failure:
    if isinstance(item, Failure):
        return replace(item, source=name)
    if item.document.picture is not None:
        item = opened(item)
        if isinstance(item, Failure):
            return replace(item, source=name)
    document = item.document
    parent = None if document.parent is None else document.parent.replace(path, name, 1)
    told = with_facts(document.metadata, {"source": name})
    if "folder" in told:
        told["folder"] = name.rsplit("/", 2)[-2]
    return Row(replace(document, id=document.id.replace(path, name, 1), metadata=told, parent=parent), item.vector)
