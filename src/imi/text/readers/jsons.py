"""JSON Lines and JSON: one object a document, read piece by piece."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from imi.errors import DataError, Failure
from imi.text.readers.json_shapes import rows_inside
from imi.text.readers.lines import Numbered, Say, Text, open_text, read_lines, stray_byte
from imi.text.readers.rows import ReadOptions, Row, RowReader

_BETWEEN = re.compile(r"[\s,]*")
_PIECE = 2**20
_LONGEST_ITEM = 64 * 2**20


def read_jsonl(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield one document a line, each a JSON object, or a string that is the text."""
    return json_rows(source, read_lines(source, options.encoding, options.say), options)


def json_rows(source: str, lines: Iterable[Numbered | Failure], options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield the documents of lines of JSON; the first object tells the columns, a later one may lack none of them."""
    reader: RowReader | None = None
    twice: list[str] = []
    decoder = json.JSONDecoder(object_pairs_hook=partial(_held, twice))
    for line in lines:
        if isinstance(line, Failure):
            yield line
            continue
        number, text = line
        if not text.strip():
            continue
        try:
            twice.clear()
            value = decoder.decode(text)
        except (ValueError, RecursionError) as wrong:
            yield Failure(source, number, f"not JSON: {_reason(wrong)}")
            continue
        if twice:
            options.say(source, number, _twice(twice))
        values = _as_row(value)
        if values is None:
            yield Failure(source, number, f"a JSON {_kind(value)}, an object is needed")
            continue
        reader = reader or RowReader(source, list(values), options)
        yield reader.row(number, values)


def _held(twice: list[str], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, and note the fields that occur in it again."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice += [name for name, often in Counter(name for name, _ in pairs).items() if often > 1]
    return found


def _twice(names: Sequence[str]) -> str:
    return f"the field {names[0]!r} occurs twice in one object: the last is kept"


def read_json(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield the objects of a JSON array, or of a table in another shape; the line is where a row begins.

    What follows a broken place cannot be read, and is a Failure.
    """
    reader: RowReader | None = None
    header: list[str] | None = None
    with open_text(source, options.encoding, options.say) as file:
        for item in _items(source, file, options.say):
            if isinstance(item, Failure):
                yield item
                continue
            number, value, alone = item
            if alone and isinstance(value, dict) and (table := rows_inside(value, options.asked)) is not None:
                options.say(source, number, table[1])
                reader = RowReader(source, _names(table[0]), options)
                for row in table[0]:
                    yield reader.row(number, row)
                continue
            if isinstance(value, list) and reader is None and value and all(isinstance(one, str) for one in value):
                header = header or value
                if header is value:
                    options.say(source, number, "lists of cells are read as a table, the first as its header")
                    continue
            if isinstance(value, list) and value and header is None and reader is None and not _nested(value):
                header = [f"column {at}" for at in range(1, len(value) + 1)]
                options.say(
                    source, number, "lists of cells are read as a table: its columns are called 'column 1' and so on"
                )
            if header is not None and isinstance(value, list) and len(value) == len(header):
                value = dict(zip(header, value, strict=True))
            values = _as_row(value)
            if values is None:
                yield Failure(source, number, f"a JSON {_kind(value)}, an object is needed")
                continue
            reader = reader or RowReader(source, list(values), options)
            yield reader.row(number, values)


def _nested(value: list[Any]) -> bool:
    return any(isinstance(one, list | dict) for one in value)


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _items(source: str, file: Text, say: Say) -> Iterator[tuple[int, Any, bool] | Failure]:
    """Yield (line, value, False) for the members of an array or values that follow one another, one piece in memory.

    A value that is alone in its file comes with True.
    """
    twice: list[str] = []
    decoder = json.JSONDecoder(object_pairs_hook=partial(_held, twice))
    buffer, at, line, ended = _piece(source, file, _PIECE), 0, 1, False
    inside, before = buffer.lstrip().startswith("["), 0
    if inside:
        at = buffer.index("[") + 1
        line += buffer.count("\n", 0, at)
    while True:
        start = _between(buffer, at)
        line += buffer.count("\n", at, start)
        if inside and buffer.startswith("]", start):
            return
        wrong: Exception | None = None
        try:
            twice.clear()  # of a piece that was cut off
            value, end = decoder.raw_decode(buffer, start)
        except (ValueError, RecursionError) as error:
            value, end, wrong = None, len(buffer), error
        if end == len(buffer) and not ended and end - start < _LONGEST_ITEM:
            # What touches the end may go on in the next piece.
            piece = _piece(source, file, max(_PIECE, end - start))
            buffer, at, ended = buffer[start:] + piece, 0, not piece
            continue
        if wrong is not None:
            if start == len(buffer) and not inside:
                return
            if not before:
                raise DataError(f"{source}:{line}: not JSON: {_reason(wrong)}") from wrong
            yield Failure(source, line, f"not JSON from here on: {_reason(wrong)}")
            return
        before += 1
        if twice:
            say(source, line, _twice(twice))
        more = inside or _between(buffer, end) < len(buffer)
        if before == 2 and not inside:
            say(source, line, "several JSON values follow one another, and are read one by one")
        yield line, value, before == 1 and not more
        line += buffer.count("\n", start, end)
        at = end


def _piece(source: str, file: Text, size: int) -> str:
    piece = file.read(size)
    wrong = stray_byte(piece, file.known) or file.broken
    if wrong:
        raise DataError(f"{source}: {wrong}")
    return piece


def _between(buffer: str, at: int) -> int:
    match = _BETWEEN.match(buffer, at)
    return at if match is None else match.end()


def _as_row(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, str):
        return {"text": value}
    return value if isinstance(value, dict) and value else None


def _kind(value: Any) -> str:
    return {list: "array", dict: "object without fields", type(None): "null", bool: "boolean", str: "string"}.get(
        type(value), "number"
    )


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
