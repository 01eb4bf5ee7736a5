"""HTML, PDF, notebooks, source code, office files and zip archives, cut into pieces with page, line and heading."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from imi.errors import Failure, MissingExtra
from imi.records import own_facts, with_facts
from imi.text.readers.lines import open_bytes, open_text, stray_byte
from imi.text.readers.pictures import opened
from imi.text.readers.pieces import rows_of
from imi.text.readers.rows import ReadOptions, Row

Items = Iterator[Row | Failure]
_LARGEST_MEMBER = 2**30
# fmt: off
CODE = (
    ".py", ".js", ".jsx", ".mjs", ".ts", ".tsx", ".go", ".rs", ".java", ".kt", ".swift", ".c", ".h", ".cc", ".cpp",
    ".hpp", ".cs", ".rb", ".php", ".sh", ".r", ".jl", ".lua", ".sql", ".scala",
)
# fmt: on
OFFICE = (".docx", ".pptx", ".xlsx")


def read_html(source: str, options: ReadOptions) -> Items:
    """Yield the pieces of a page's main text, without menus and advertisements."""
    try:
        import trafilatura
    except ImportError as missing:
        raise MissingExtra("trafilatura", "docs") from missing
    with open_bytes(source) as file:
        raw = file.read()
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    # Of a short page it would take everything, the menu included.
    text = trafilatura.extract(
        raw, output_format="markdown", include_comments=False, favor_recall=True, prune_xpath=["//nav", "//body/footer"]
    )
    if not text:
        yield Failure(source, None, "the page holds no text")
        return
    yield from rows_of(text, source, with_facts({}, {"source": source}), options, lines=False)


def read_pdf(source: str, options: ReadOptions) -> Items:
    """Yield the pieces of each page, a page at a time, with its number; pages of pictures alone give nothing."""
    try:
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError
    except ImportError as missing:
        raise MissingExtra("pypdf", "docs") from missing
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    found = False
    try:
        reader = PdfReader(source)
        for number, page in enumerate(reader.pages, 1):
            text = page.extract_text()
            for row in rows_of(
                text, f"{source}:p{number}", with_facts({}, {"source": source, "page": number}), options, lines=False
            ):
                found = True
                yield row
    except (PyPdfError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as broken:
        # What a damaged file does to a parser cannot be listed; it must not stop a run over a folder.
        yield Failure(source, None, f"no readable PDF: {str(broken)[:120] or type(broken).__name__}")
        return
    if not found:
        yield Failure(source, None, "the PDF holds no text; pictures of pages need OCR first")


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
    yield from rows_of(text, source, with_facts({}, {"source": source}), options, lines=False)


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
    # A line of comment is no heading.
    for row in rows_of(text.replace("\r\n", "\n"), source, with_facts({}, {"source": source}), options):
        document = row.document
        told = with_facts({}, {"source": source, "line": own_facts(document.metadata).get("line")})
        body = text.replace("\r\n", "\n")[document.start : document.end]
        yield Row(replace(document, text=body, metadata=told))


def read_office(source: str, options: ReadOptions) -> Items:
    """Yield the pieces of a Word, PowerPoint or Excel file, by markitdown."""
    try:
        from markitdown import MarkItDown
    except ImportError as missing:
        raise MissingExtra("markitdown", "office") from missing
    try:
        text = MarkItDown(enable_plugins=False).convert_local(source).text_content
    except Exception as broken:
        yield Failure(source, None, f"markitdown cannot read it: {str(broken).splitlines()[0][:120]}")
        return
    yield from rows_of(text, source, with_facts({}, {"source": source}), options, lines=False)


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
            for item in reader(path, options):
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
