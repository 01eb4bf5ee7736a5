"""From a row of a table to a document: its text by a template, its id, its metadata."""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imi.errors import Failure, UsageError
from imi.records import FACTS, Document, with_facts
from imi.text.readers.lines import STDIN
from imi.text.readers.walk import Walking

# Where no template says what the text is, the first of these columns that is there.
_TEXT_COLUMNS = ("text", "content", "combined", "body", "document", "sentence", "question")
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})$")
_DECIMAL = re.compile(r"-?\d+\.\d+([eE][-+]?\d+)?$")


PASSAGE = 860
"""Characters of a passage: `benchmarks/documents.py --part train` finds more the longer they are, to about 900."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files become documents.

    template: the text, such as "Title: {Summary}; Content: {Text}"; by default the text column, or all columns.
    id: the column that holds the ids; by default an id is made of source and line.
    columns: the columns to keep as metadata; all by default.
    vectors: the column that holds vectors, as lists of numbers.
    encoding: of text files; a byte order mark decides where there is one.
    sql: the query whose rows are read from SQLite files.
    size: most tokens of a piece of source code, or of a line that is too long.
    passage: characters of a passage, fewer where its model reads fewer tokens.
    count_tokens: the model's own count, for a list of texts; else a rough one by letters.
    rows: Literal["lines", "passages"] | None = None
    walking: which files of a folder are read.
    limit: gives the most tokens that the model reads, None for any number; asked for when a text needs it.
    noted: called with a text file and "lines" or "passages" where that was told by the text.
    """

    template: str | None = None
    id: str | None = None
    columns: tuple[str, ...] = ()
    vectors: str | None = None
    encoding: str = "utf-8"
    sql: str | None = None
    size: int = 256
    passage: int = PASSAGE
    count_tokens: Callable[[Sequence[str]], NDArray[np.int64]] | None = None
    rows: Literal["lines", "passages"] | None = None
    # What a file is known by is how it was read; a model's limit is no part of it, nor which others are read.
    walking: Walking = field(default_factory=Walking, repr=False)
    limit: Callable[[], int | None] | None = field(default=None, repr=False)
    noted: Callable[[str, str], None] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Row:
    """A document as read, with the vector that its row carried, (d,) float32, if one was asked for."""

    document: Document
    vector: NDArray[np.float32] | None = None


def place_id(source: str, line: int) -> str:
    """Return the id of what stands on a line of a source, so that adding it again updates it."""
    return f"{'stdin' if source == STDIN else source}:{line}"


class RowReader:
    """Makes documents of the rows of one source; what was asked for is checked against its columns once."""

    def __init__(self, source: str, columns: Sequence[str], options: ReadOptions) -> None:
        self._source = source
        self._options = options
        self._fields = template_fields(options.template) if options.template is not None else ()
        asked = [*self._fields, *options.columns, *(name for name in (options.id, options.vectors) if name)]
        missing = [name for name in dict.fromkeys(asked) if name not in columns]
        if missing:
            known = ", ".join(name for name in columns if name)
            raise UsageError(
                f"{source} has no column {missing[0]!r}, it has: {known}", hint=_nearest(missing[0], columns)
            )
        self._text = next((name for word in _TEXT_COLUMNS for name in columns if name.lower() == word), None)
        self._lists: set[str] | None = None
        self._width = 0

    def row(self, line: int, values: Mapping[str, Any]) -> Row | Failure:
        """Return the document of one row, or why it is none."""
        options = self._options
        if self._lists is None:
            # The cookbook's CSV carries its vectors as literal lists: they are no metadata.
            self._lists = {name for name, value in values.items() if _looks_like_vector(value)}
        for name in self._fields:
            if name not in values:
                return Failure(self._source, line, f"no field {name!r}, it has: {', '.join(values)}")
        identity = place_id(self._source, line) if options.id is None else _string(values.get(options.id))
        if not identity:
            return Failure(self._source, line, f"the id column {options.id!r} is empty")
        vector = None
        if options.vectors is not None:
            try:
                vector = parse_vector(values.get(options.vectors))
                self._width = self._width or len(vector)
                if len(vector) != self._width:
                    raise ValueError(f"{len(vector)} numbers, the rows before have {self._width}")
            except ValueError as wrong:
                return Failure(self._source, line, f"column {options.vectors!r}: {wrong}")
        text = self._text_of(values) or None
        if text is None and vector is None:
            return Failure(self._source, line, "the row has no text")
        dropped = {"", FACTS, options.vectors, *self._lists}
        if options.template is None:
            dropped.add(self._text)  # kept once, as the text
        keep = options.columns or [name for name in values if name not in dropped]
        metadata = {name: typed(values[name]) for name in keep if _present(values.get(name))}
        return Row(Document(identity, text, with_facts(metadata, {"source": self._source, "line": line})), vector)

    def _text_of(self, values: Mapping[str, Any]) -> str:
        if self._options.template is not None:
            filled = {name: _string(values[name]) for name in self._fields}
            return fill(self._options.template, filled) if any(filled.values()) else ""
        if self._text is not None:
            return _string(values.get(self._text))
        skipped = {"", self._options.id, self._options.vectors, *(self._lists or ())}
        told = {name: _string(value) for name, value in values.items() if name not in skipped}
        told = {name: text for name, text in told.items() if text}
        return (
            next(iter(told.values())) if len(values) == 1 and told else "; ".join(f"{n}: {t}" for n, t in told.items())
        )


def refuse_columns(source: str, options: ReadOptions) -> None:
    """Refuse options that speak of columns for a source that has none.

    Raises:
        UsageError: a template, an id, columns or vectors were asked of plain text.
    """
    given = {
        "--template": options.template,
        "--id": options.id,
        "--columns": options.columns,
        "--vectors": options.vectors,
    }
    asked = next((name for name, value in given.items() if value), None)
    if asked:
        hint = "a CSV, TSV, JSONL or Parquet file has columns"
        raise UsageError(f"{asked} speaks of columns, and {source} is plain text", hint=hint)


def template_fields(template: str) -> tuple[str, ...]:
    """Return the columns that a template names.

    Raises:
        UsageError: braces that do not close, or a template that names no column.
    """
    try:
        fields = tuple(dict.fromkeys(name for _, name, _, _ in string.Formatter().parse(template) if name is not None))
    except ValueError as wrong:
        raise UsageError(
            f"the template {template!r} cannot be read: {wrong}", hint="'Title: {Summary}; Content: {Text}'"
        ) from wrong
    if not fields or "" in fields:
        raise UsageError(f"the template {template!r} names no column", hint="'Title: {Summary}; Content: {Text}'")
    return fields


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return the template with its columns filled in; a backslash and n typed in a shell are a line break."""
    pieces = string.Formatter().parse(template)
    return "".join(text + (values[name] if name is not None else "") for text, name, _, _ in pieces).replace(
        "\\n", "\n"
    )


def typed(value: Any) -> Any:
    """Return a JSON value; whole and decimal numbers become numbers where nothing is lost, for `Score>=4`."""
    if isinstance(value, str):
        text = value.strip()
        if _INTEGER.match(text) and text != "-0":
            return int(text)
        return float(text) if _DECIMAL.match(text) else value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): typed_member(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [typed_member(item) for item in value]
    return str(value)


def typed_member(value: Any) -> Any:
    """Return a JSON value of a nested member, strings as they are."""
    return value if isinstance(value, str) else typed(value)


def parse_vector(value: Any) -> NDArray[np.float32]:
    """Return (d,) float32 from a list, or from its literal form as `DataFrame.to_csv` writes it.

    Raises:
        ValueError: it is no list of finite numbers.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            try:
                value = ast.literal_eval(value)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                raise ValueError(f"{value[:40]!r} is no list of numbers") from None
    try:
        vector = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"{str(value)[:40]!r} is no list of numbers") from None
    if vector.ndim != 1 or not len(vector) or not np.isfinite(vector).all():
        raise ValueError("it is no list of finite numbers")
    return vector


def _looks_like_vector(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) > 60 and value.startswith("[") and value.endswith("]") and _is_vector(value)
    return isinstance(value, list | tuple) and len(value) >= 8 and all(isinstance(item, float) for item in value[:8])


def _is_vector(value: str) -> bool:
    try:
        return len(parse_vector(value)) >= 8
    except ValueError:
        return False


def _present(value: Any) -> bool:
    return value is not None and value != ""


def _string(value: Any) -> str:
    return "" if value is None else value.strip() if isinstance(value, str) else str(value)


def _nearest(name: str, columns: Sequence[str]) -> str | None:
    import difflib

    folded = {column.lower(): column for column in columns}
    found = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None
