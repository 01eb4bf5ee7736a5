"""HTML, notebooks and source code."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from imi.errors import Failure, MissingExtra
from imi.records import with_facts
from imi.text.blocks import Block, text_lines
from imi.text.markup.markdown import markdown_blocks
from imi.text.readers.lines import open_bytes, open_text, stray_byte
from imi.text.readers.pieces import passage_rows, rows_of
from imi.text.readers.rows import ReadOptions, Row

Items = Iterator[Row | Failure]
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
    with open_text(source, options.encoding, options.say) as file:
        text = file.read()
    wrong = stray_byte(text, file.known) or file.broken
    if wrong:
        yield Failure(source, None, wrong)
        return
    yield from rows_of(text.replace("\r\n", "\n"), source, with_facts({}, {"source": source}), options)
