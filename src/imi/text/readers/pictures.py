"""Pictures as rows: the head of a file is read here, the picture itself where it is embedded, several at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from imi.errors import DataError, Failure
from imi.pictures import describe_picture, open_all, open_picture
from imi.records import Document, with_facts
from imi.text.readers.printed import LARGE, may_hold_text, read_printed, tesseract
from imi.text.readers.rows import ReadOptions, Row

_AT_ONCE = 64


def read_picture(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield a picture as one row; its folder is a tag to filter by: --where folder=cats.

    What is written in it is the row's text, where tesseract is installed.
    """
    try:
        result = describe_picture(source)
    except DataError as wrong:
        yield _failure(source, wrong)
        return
    metadata: dict[str, Any] = {"format": result.format, "width": result.width, "height": result.height}
    if folder := Path(source).parent.name:
        metadata["folder"] = folder
    shot = result.shot
    latitude, longitude = shot.place or (None, None)
    said = {"taken": shot.taken, "camera": shot.camera, "latitude": latitude, "longitude": longitude}
    metadata |= {name: value for name, value in said.items() if value is not None}
    text = _text(source) if tesseract() else None
    facts = {"source": source, "read_by": "tesseract" if text else None}
    yield Row(Document(source, text, with_facts(metadata, facts), picture=source))


def _text(source: str) -> str | None:
    """Return what is written in a picture that looks like a page or a screen."""
    try:
        return read_printed(open_picture(source, LARGE).pixels) if may_hold_text(open_picture(source)) else None
    except DataError:
        return None  # who takes the picture says what is wrong with it


def opened(row: Row) -> Row | Failure:
    """Return a row whose picture was read, for files that will not be there later."""
    document = row.document
    try:
        return replace(row, document=replace(document, picture=open_picture(document.picture)))
    except DataError as wrong:
        return _failure(document.id, wrong)


def looked_at(items: Iterable[Row | Failure]) -> Iterator[Row | Failure]:
    """Pass rows on, in order; those whose picture cannot be read whole are Failures instead."""
    waiting: list[Row | Failure] = []
    for item in items:
        waiting.append(item)
        if len(waiting) == _AT_ONCE:
            yield from _looked_at(waiting)
            waiting = []
    yield from _looked_at(waiting)


def _looked_at(items: list[Row | Failure]) -> Iterator[Row | Failure]:
    pictures = [item for item in items if isinstance(item, Row) and item.document.picture is not None]
    read = dict(zip(map(id, pictures), open_all([row.document.picture for row in pictures]), strict=True))
    for item in items:
        wrong = read.get(id(item))
        yield _failure(item.document.id, wrong) if isinstance(item, Row) and isinstance(wrong, DataError) else item


def _failure(source: str, wrong: DataError) -> Failure:
    return Failure(source, None, wrong.message.removeprefix(f"{source}: "))
