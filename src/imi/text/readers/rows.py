"""From a row of a table to a document: its text by a template, its id, its metadata."""

from __future__ import annotations

import string
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imi.errors import Failure, UsageError
from imi.records import FACTS, Document, composed, plain_value, with_facts
from imi.text.readers.columns import Columns
from imi.text.readers.lines import STDIN
from imi.text.readers.report import Report
from imi.text.readers.vectors import looks_like_vector, parse_vector
from imi.text.walk import Walking

# Where no template says what the text is, the first of these columns that is there.
TEXT_COLUMNS = ("text", "content", "combined", "body", "document", "sentence", "question")

PASSAGE = 860
"""Characters of a passage: `benchmarks/documents.py --part train` finds more the longer they are, to about 900."""
_ITEM = 60
"""Characters of a list's longest item from which each has a line of its own."""

Naming = Literal["field", "table", "none"]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files become documents.

    template: the text, such as "Title: {Summary}; Content: {Text}"; by default the text column, or all columns.
    id: the column that holds the ids; by default an id is made of source and line.
    columns: the columns to keep as metadata; all by default.
    vectors: the column that holds vectors, as lists of numbers.
    encoding: of text files; a byte order mark decides where there is one.
    sql: the query whose rows are read from SQLite files, or the name of a table; where there is one alone, that one.
    header: whether the first line of a table holds the names of its columns; None lets its cells tell.
    size: most tokens of a piece of source code, or of a line that is too long.
    passage: characters of a passage, fewer where its model reads fewer tokens.
    count_tokens: the model's own count, for a list of texts; else a rough one by letters.
    rows: Literal["lines", "passages"] | None = None
    walking: which files of a folder are read.
    limit: gives the most tokens that the model reads, None for any number; asked for when a text needs it.
    noted: called with a text file and "lines" or "passages" where the text itself decided that.
    report: collects what to report of the files: how they were read, what in them is not a row, and the columns.
    inside: whether the file is a member of an archive, whose odd tables nobody has named.
    decided: keeps what was found out of a table, so that a second reading of the same file need not look again.
    """

    template: str | None = None
    id: str | None = None
    columns: tuple[str, ...] = ()
    vectors: str | None = None
    encoding: str = "utf-8"
    sql: str | None = None
    header: bool | None = None
    size: int = 256
    passage: int = PASSAGE
    count_tokens: Callable[[Sequence[str]], NDArray[np.int64]] | None = None
    rows: Literal["lines", "passages"] | None = None
    # What a file is known by is how it was read; a model's limit is no part of it, nor which others are read.
    walking: Walking = field(default_factory=Walking, repr=False)
    limit: Callable[[], int | None] | None = field(default=None, repr=False)
    noted: Callable[[str, str], None] | None = field(default=None, repr=False, compare=False)
    report: Report | None = field(default=None, repr=False, compare=False)
    inside: bool = field(default=False, repr=False, compare=False)
    decided: dict[Hashable, Any] | None = field(default=None, repr=False, compare=False)

    def say(self, source: str, line: int | None, text: str) -> None:
        """Report something to know of a source that is taken all the same."""
        if self.report is not None:
            self.report.note(source, line, text)

    @property
    def asked(self) -> tuple[str, ...]:
        """The columns that are asked for by name."""
        fields = template_fields(self.template) if self.template is not None else ()
        return (*fields, *self.columns, *(name for name in (self.id, self.vectors) if name))

    @property
    def names_columns(self) -> bool:
        """Whether something was asked for that only a source with columns has."""
        return bool(self.template or self.id or self.columns or self.vectors)


@dataclass(frozen=True, slots=True)
class Row:
    """A document as read, with the vector that its row carried, (d,) float32, if one was asked for."""

    document: Document
    vector: NDArray[np.float32] | None = None


def place_id(source: str, line: int) -> str:
    """Return the id of what stands on a line of a source, so that adding it again updates it."""
    return f"{'stdin' if source == STDIN else source}:{line}"


class RowReader:
    """Makes documents of the rows of one source; what was asked for is checked against its columns once.

    Args of the constructor:
        source: the file.
        columns: their names, in order.
        options: what becomes of them.
        kinds: what the columns hold, where all cells are texts; None where the source itself has types.
        facts: what else imi notes of each row, such as the sheet.
        named: how a row without a text column reads: each cell behind its name, a table of one row, or no names at all.
    """

    def __init__(
        self,
        source: str,
        columns: Sequence[str],
        options: ReadOptions,
        kinds: Columns | None = None,
        *,
        facts: Mapping[str, Any] | None = None,
        named: Naming = "field",
    ) -> None:
        self._source = source
        self._options = options
        self._kinds = kinds
        self._facts = facts or {}
        self._named = named
        self._fields = template_fields(options.template) if options.template is not None else ()
        folded = {composed(name): name for name in columns}
        missing = [name for name in dict.fromkeys(options.asked) if composed(name) not in folded]
        if missing:
            known = ", ".join(name for name in columns if name)
            raise UsageError(
                f"{source} has no column {missing[0]!r}, it has: {known}", hint=_nearest(missing[0], columns)
            )
        self._id = None if options.id is None else composed(options.id)
        self._vectors = None if options.vectors is None else composed(options.vectors)
        self._text = next((name for word in TEXT_COLUMNS for name in folded if name.lower() == word), None)
        self._keep = frozenset(map(composed, options.columns))
        self._template = None if options.template is None else composed(options.template)
        self._fields = tuple(map(composed, self._fields))
        self._lists = set(map(composed, kinds.vectors)) - {self._vectors} if kinds is not None else set()
        self._plain = (self._id, self._vectors, self._text)
        # The text and the vector are kept once, unless they are asked for as metadata.
        once = () if self._keep else (self._vectors, self._text if self._template is None else None)
        self._left_out = frozenset(("", FACTS, *self._lists, *(name for name in once if name)))
        self._width = 0
        self._line, self._on_line = 0, 1
        self._told: set[str] = set()
        for name in self._lists:
            self._drop(name, "it holds vectors; --vectors uses them")
        self._note_columns(folded)

    def _note_columns(self, names: Iterable[str]) -> None:
        report = self._options.report
        for name in names:
            if not name or name in self._told:
                continue
            self._told.add(name)
            if name == FACTS:
                self._drop(name, "imi keeps its own facts under this name")
            elif self._keep and name not in self._keep and name not in (*self._fields, *self._plain):
                self._drop(name, "it is not among --columns")
            elif report is not None:
                report.take(name)

    def _drop(self, name: str, reason: str) -> None:
        self._told.add(name)
        if self._options.report is not None:
            self._options.report.drop(name, reason)

    def row(self, line: int, values: Mapping[str, Any]) -> Row | Failure:
        """Return the document of one row, or why it is none."""
        if self._kinds is None and not all(map(str.isascii, values)):
            values = {composed(name): value for name, value in values.items()}
        for name in self._fields:
            if name not in values:
                return Failure(self._source, line, f"no field {name!r}, it has: {', '.join(values)}")
        self._on_line = self._on_line + 1 if line == self._line else 1
        self._line = line
        identity = self._place_id(line) if self._id is None else _string(values.get(self._id))
        if not identity:
            return Failure(self._source, line, f"the id column {self._id!r} is empty")
        vector = None
        if self._vectors is not None:
            try:
                vector = parse_vector(values.get(self._vectors))
                self._width = self._width or len(vector)
                if len(vector) != self._width:
                    raise ValueError(f"{len(vector)} dimensions, the rows before have {self._width}")
            except ValueError as wrong:
                return Failure(self._source, line, f"column {self._vectors!r}: {wrong}")
        if self._kinds is None:
            self._note_vectors(values)
            if not self._told.issuperset(values):
                self._note_columns(values)
        text = self._text_of(values) or None
        if text is None and vector is None:
            return Failure(self._source, line, "the row has no text")
        try:
            plain_value(identity), plain_value(text)
            metadata = self._metadata(line, values)
        except ValueError as wrong:
            return Failure(self._source, line, str(wrong))
        facts = {"source": self._source, "line": line, **self._facts}
        return Row(Document(identity, text, with_facts(metadata, facts)), vector)

    def _place_id(self, line: int) -> str:
        place = next((f"#{self._facts[name]}" for name in ("sheet", "table") if name in self._facts), "")
        found = place_id(f"{self._source}{place}", line)
        # A program may write all rows on one line.
        return found if self._on_line == 1 else f"{found}.{self._on_line}"

    def _metadata(self, line: int, values: Mapping[str, Any]) -> dict[str, Any]:
        kinds, keep, lists = self._kinds, self._keep, self._lists
        if kinds is not None:
            return self._typed_texts(kinds, values)
        found = {}
        for name, value in values.items():
            if value is None or value == "" or name in lists or name == FACTS or not name:
                continue
            if keep:
                if name not in keep:
                    continue
            elif name == self._vectors or (name == self._text and self._template is None):
                continue
            try:
                found[name] = plain_value(value)
            except ValueError as wrong:
                self._say_left_out(line, name, value, str(wrong))
        return found

    def _typed_texts(self, kinds: Columns, values: Mapping[str, str]) -> dict[str, Any]:
        """Return the metadata of a row whose cells are all texts: values as their columns say."""
        keep, left_out, converters = self._keep, self._left_out, kinds.converters
        found: dict[str, Any] = {}
        for name, value in values.items():
            if not value or name in left_out or (keep and name not in keep):
                continue
            if not value.isascii():
                value = composed(value)
            found[name] = converters[name](value) if name in converters else value
        return found

    def _say_left_out(self, line: int, name: str, value: Any, why: str) -> None:
        """Say that a cell is not kept: binary ones and what data frames write for nothing once for their column."""
        if isinstance(value, bytes | bytearray | memoryview):
            self._options.say(self._source, None, f"the column {name!r} holds binary values, which are left out")
        elif value != value:
            self._options.say(self._source, None, f"the column {name!r} has cells that are NaN: left out")
        else:
            self._options.say(self._source, line, f"the field {name!r} is left out: {why}")

    def _note_vectors(self, values: Mapping[str, Any]) -> None:
        """Find columns of vectors where the source's own types do not say so: they are neither texts nor metadata."""
        for name, value in values.items():
            listed = not isinstance(value, str | int | float | None) or (isinstance(value, str) and value[:1] == "[")
            if listed and name not in self._lists and name != self._vectors and looks_like_vector(value):
                self._lists.add(name)
                self._drop(name, "it holds vectors; --vectors uses them")

    def _text_of(self, values: Mapping[str, Any]) -> str:
        if self._template is not None:
            filled = {name: _string(values[name]) for name in self._fields}
            return fill(self._template, filled) if any(filled.values()) else ""
        if self._text is not None:
            return _string(values.get(self._text))
        skipped = {"", FACTS, self._id, self._vectors, *self._lists}
        shown = {name: _string(value) for name, value in values.items() if name not in skipped}
        filled = {name: text for name, text in shown.items() if text}
        if not filled or len(values) == 1:
            return next(iter(filled.values()), "")
        if self._named == "none":
            return "; ".join(filled.values())
        if self._named == "table":
            return "\n".join(f"| {' | '.join(cells)} |" for cells in (shown, shown.values()))
        return "; ".join(f"{name}: {text}" for name, text in filled.items())


def refuse_columns(source: str, options: ReadOptions, what: str = "plain text") -> None:
    """Refuse options that speak of columns for a source that has none.

    Raises:
        UsageError: a template, an id, columns or vectors were asked of plain text.
    """
    given = {
        "--template": options.template,
        "--id": options.id,
        "--columns": options.columns,
        "--vectors": options.vectors,
        "--header": options.header is True,
        "--no-header": options.header is False,
    }
    asked = next((name for name, value in given.items() if value), None)
    if asked:
        hint = "a CSV, TSV, JSONL, Parquet or xlsx file has columns"
        raise UsageError(f"{asked} speaks of columns, and {source} is {what}", hint=hint)


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


def _string(value: Any, *, plain: bool = False) -> str:
    """Return a value as text; a `plain` one has been through `plain_value`, with all that is in it."""
    if isinstance(value, str):
        return value.strip()
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    found = value if plain or isinstance(value, int) else plain_value(value)
    if isinstance(found, dict | list):
        return _listed(found)
    return found if isinstance(found, str) else str(value)


def _listed(value: dict[str, Any] | list[Any]) -> str:
    """Return an object or a list as people write one: its values behind their names, or one after the other."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {text}" for name, text in _named(value))
    texts = [_string(one, plain=True) for one in value]
    texts = [
        f"({text})" if isinstance(one, dict | list) and one else text for one, text in zip(value, texts, strict=True)
    ]
    long = any(len(text) > _ITEM for text in texts)
    return ("\n" if long else ", ").join(filter(None, texts))


def _named(value: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, one in value.items():
        if isinstance(one, dict):
            yield from _named(one, f"{before}{name} ")
        elif text := _string(one, plain=True):
            yield f"{before}{name}", text


def _nearest(name: str, columns: Sequence[str]) -> str | None:
    import difflib

    folded = {column.lower(): column for column in columns}
    found = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None
