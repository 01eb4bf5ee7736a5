"""Notebooks and source code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from imi.errors import Failure
from imi.records import with_facts
from imi.text.blocks import Block, text_lines
from imi.text.markup.markdown import markdown_blocks
from imi.text.readers.lines import open_text, stray_byte, whole_text
from imi.text.readers.pieces import passage_rows, rows_of
from imi.text.readers.reasons import reason_of
from imi.text.readers.rows import ReadOptions, Row
from imi.text.readers.web import unplaced

Items = Iterator[Row | Failure]
# fmt: off
CODE = (
    ".py", ".js", ".jsx", ".mjs", ".ts", ".tsx", ".go", ".rs", ".java", ".kt", ".swift", ".c", ".h", ".cc", ".cpp",
    ".hpp", ".cs", ".rb", ".php", ".sh", ".r", ".jl", ".lua", ".sql", ".scala",
)
SETTINGS = (
    ".log", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".properties", ".xml", ".css", ".org", ".tex",
)
"""Texts that are found by their lines, as code is."""
# fmt: on


def read_notebook(source: str, options: ReadOptions) -> Items:
    """Yield the pieces of a Jupyter notebook's cells, headings and code together; outputs are left out."""
    with open_text(source, "utf-8") as file:
        text = whole_text(file, source)
        if file.broken:
            yield Failure(source, None, file.broken)
            return
        try:
            cells: Any = json.loads(text)["cells"]
            parts = [_cell(cell) for cell in cells]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as broken:
            yield Failure(source, None, f"no notebook: {_why(broken)}")
            return
    text = "\n\n".join(part for part in parts if part.strip())
    found = (one for one in markdown_blocks(text_lines(text)) if isinstance(one, Block))
    yield from passage_rows(unplaced(found), source, options)


def _why(broken: Exception) -> str:
    return reason_of(broken) if isinstance(broken, json.JSONDecodeError | RecursionError) else "it has no list of cells"


def _cell(cell: Any) -> str:
    body = "".join(cell["source"])
    return f"```\n{body}\n```" if cell["cell_type"] == "code" and body.strip() else body


def read_code(source: str, options: ReadOptions) -> Items:
    """Yield the pieces of a source file with their lines."""
    with open_text(source, options.encoding, options.say) as file:
        text = whole_text(file, source)
    wrong = stray_byte(text, file.known) or file.broken
    if wrong:
        yield Failure(source, None, wrong)
        return
    yield from rows_of(text.replace("\r\n", "\n"), source, with_facts({}, {"source": source}), options)
