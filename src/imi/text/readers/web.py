"""HTML: a page's tables as tables where they are most of it or are asked for, and its main text in passages."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from imi.errors import Failure, MissingExtra, UsageError
from imi.text.blocks import Block, text_lines
from imi.text.markup.markdown import markdown_blocks
from imi.text.readers.headers import Record
from imi.text.readers.limits import read_whole, sound_tags
from imi.text.readers.lines import open_bytes
from imi.text.readers.page_text import cell_text, closed, decoded, is_whole, seen_text, without_declaration
from imi.text.readers.pieces import passage_rows
from imi.text.readers.rows import ReadOptions, Row, refuse_columns
from imi.text.readers.tables import table_rows

Items = Iterator[Row | Failure]
_MOSTLY = 0.5
"""The part of a page's letters in tables from which it is one of tables."""
_SHORT = 3000
"""Letters of a page up to which all that is seen of it is taken: a main text is found by statistics of longer ones."""
_WIDEST, _LARGEST = 1000, 2_000_000
"""Columns that one cell may span, and cells of a table, whatever its spans say."""
_LAYOUT = 300
"""Letters a cell from which a table without a header only puts text in columns."""


def read_html(source: str, options: ReadOptions) -> Items:
    """Yield the rows of a page's tables where they are most of it or columns are asked for, and its main text.

    Menus, advertisements and readings over kanji are left out.
    """
    with open_bytes(source) as file:
        raw = read_whole(file, source)
    page, known = decoded(raw)
    if known.reason:
        options.say(source, None, f"read as {known.name}: {known.reason}")
    tree = page_tree(page)
    tables = [] if tree is None else _tables(tree)
    if options.names_columns or options.header is not None:
        if not tables:
            refuse_columns(source, options, "a page without a table")
        yield from _table_rows(source, tables, options)
        return
    found = False
    if tables and sum(len(_text(table)) for table in tables) >= _MOSTLY * len(_text(tree)):
        found = True
        yield from _table_rows(source, tables, options)
        for table in tables:
            table.drop_tree()
    text, title = (None, None) if tree is None else main_text(tree, whole=is_whole(page))
    if not text:
        if not found:
            yield Failure(source, None, "the page holds no text")
        return
    yield from html_passages(text, title, source, options)


def page_tree(text: str) -> Any:
    """Return the tree of a page or a piece of one, without readings over kanji; None where there is none.

    Raises:
        MissingExtra: lxml is not installed.
        ValueError: it has too many elements.
    """
    try:
        from lxml import etree, html
    except ImportError as missing:
        raise MissingExtra("lxml", "docs") from missing
    text = sound_tags(closed(without_declaration(text).replace("\0", "")))
    if not text.strip():
        return None
    try:
        tree = html.document_fromstring(text)
    except (etree.ParserError, ValueError):
        return None
    # A reading stands over a word, not in it.
    etree.strip_elements(tree, "rt", "rp", "rtc", with_tail=False)
    etree.strip_tags(tree, "ruby", "rb", "wbr")
    return tree


def main_text(tree: Any, *, whole: bool = True) -> tuple[str | None, str | None]:
    """Return the main text of a page as Markdown, or all text of a piece of one, and the page's title.

    Raises:
        MissingExtra: trafilatura is not installed.
    """
    try:
        import trafilatura
    except ImportError as missing:
        raise MissingExtra("trafilatura", "docs") from missing
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    title = " ".join((tree.findtext(".//title") or "").split()) or None
    seen = seen_text(tree, whole=whole)
    if not whole or len(seen) <= _SHORT:
        return seen, title
    text = trafilatura.extract(
        tree,
        output_format="markdown",
        include_comments=False,
        favor_recall=True,
        prune_xpath=["//nav", "//body/footer"],
    )
    return text or seen, title


def html_passages(text: str, title: str | None, source: str, options: ReadOptions, **known: Any) -> Items:
    """Yield the passages of a page's main text."""
    blocks = [one for one in markdown_blocks(text_lines(text)) if isinstance(one, Block)]
    headed = any(one.kind == "heading" and one.level == 1 for one in blocks)
    yield from passage_rows(unplaced(blocks), source, options, title=None if headed else title, **known)


def unplaced(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield blocks without their lines, which are those of an extracted text and not of the file."""
    for block in blocks:
        yield replace(block, line=0)


def _text(element: Any) -> str:
    return "".join("".join(element.itertext("td", "th", "p", "div", "li", "h1", "h2", "h3", "span", "a", "b")).split())


def _tables(tree: Any) -> list[Any]:
    """Return the tables of data: those that hold no other, and more than one row and column."""
    found = []
    for table in tree.iter("table"):
        rows = _rows_of(table)
        if next(table.iterdescendants("table"), None) is not None or len(rows) < 2:
            continue
        headed = next(table.iterdescendants("th"), None) is not None
        cells = [cell for row in rows for cell in row]
        wide = max(map(len, rows)) > 1
        if (headed or wide) and (headed or len(_text(table)) <= _LAYOUT * len(cells)):
            found.append(table)
    return found


def _rows_of(table: Any) -> list[list[Any]]:
    rows = ([cell for cell in row if cell.tag in ("td", "th")] for row in table.iterdescendants("tr"))
    return [row for row in rows if row]


def _table_rows(source: str, tables: list[Any], options: ReadOptions) -> Items:
    refused: list[tuple[str, UsageError]] = []
    for number, table in enumerate(tables, 1):
        caption = table.find("caption")
        said = "" if caption is None else " ".join("".join(caption.itertext()).split())[:80]
        name = f"table {number}" if not said else f"table {number} ({said})"
        records, headed = _records(table)
        how = options if options.header is not None or not headed else replace(options, header=True)
        try:
            yield from table_rows(source, partial(_again, records), how, facts={"table": name})
        except UsageError as lacking:
            refused.append((name, lacking))
    if refused and len(refused) == len(tables):
        raise refused[0][1]
    for name, refusal in refused:
        options.say(source, None, f"{name} was left out: {refusal.message}")


def _again(records: list[Record], width: int) -> Iterator[Record]:
    return iter(records)


def _records(table: Any) -> tuple[list[Record], bool]:
    """Return the rows of a table with spanning cells in all of their places, header rows as one; whether it has any."""
    rows = _rows_of(table)
    grid: list[list[str]] = []
    down: dict[int, tuple[int, str]] = {}
    heads, budget = 0, _LARGEST
    for at, row in enumerate(rows):
        cells: list[str] = []
        waiting = iter(row)
        while budget > 0:
            left, text = down.pop(len(cells), (0, ""))
            if left:
                if left > 1:
                    down[len(cells)] = (left - 1, text)
                cells.append(text)
                budget -= 1
                continue
            cell = next(waiting, None)
            if cell is None:
                if not any(place > len(cells) for place in down):
                    break
                cells.append("")
                continue
            wide, high = _span(cell, "colspan"), _span(cell, "rowspan")
            text = cell_text(cell)
            for place in range(len(cells), len(cells) + wide):
                if high > 1:
                    down[place] = (high - 1, text)
            cells += [text] * wide
            budget -= wide
        grid.append(cells)
        head = row[0].getparent().getparent().tag == "thead" or all(cell.tag == "th" for cell in row)
        heads += heads == at and head and at < len(rows) - 1
    width = max(map(len, grid))
    grid = [[*cells, *[""] * (width - len(cells))] for cells in grid]
    if not heads and width > 1 and all([cell.tag for cell in row[:2]] == ["th", "td"] for row in rows):
        # Names down the side.
        return list(enumerate(map(list, zip(*grid, strict=True)), 1)), True
    if not heads:
        return list(enumerate(grid, 1)), False
    names = [" ".join(dict.fromkeys(filter(None, column))) for column in zip(*grid[:heads], strict=True)]
    return [(heads, names), *enumerate(grid[heads:], heads + 1)], True


def _span(cell: Any, name: str) -> int:
    given = cell.get(name, "1").strip()
    return min(max(int(given), 1), _WIDEST) if given.isascii() and given.isdigit() and len(given) < 8 else 1
