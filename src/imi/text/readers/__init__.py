"""Readers of files: tables, text, Markdown, HTML, PDF, notebooks, code, pictures, archives, and folders, row by row.

    for item in read("reviews.csv", ReadOptions(template="Title: {Summary}; Content: {Text}")):
        ...  # a Row with its document, or a Failure with source, line and reason

Nothing is read whole: a million rows stream.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator
from pathlib import Path

from imi.errors import DataError, Failure, MissingExtra, UsageError
from imi.pictures import SUFFIXES
from imi.text.readers.databases import read_sqlite
from imi.text.readers.documents import (
    CODE,
    read_code,
    read_html,
    read_notebook,
    read_zip,
)
from imi.text.readers.jsons import read_json, read_jsonl
from imi.text.readers.lines import STDIN, unreadable
from imi.text.readers.office import OFFICE, read_office
from imi.text.readers.pdf import read_pdf
from imi.text.readers.pictures import looked_at, read_picture
from imi.text.readers.prose import (
    read_asciidoc,
    read_markdown,
    read_restructured,
    read_stdin,
    read_text,
)
from imi.text.readers.rows import ReadOptions, Row
from imi.text.readers.tables import read_csv, read_parquet, read_tsv
from imi.text.readers.walk import Walking, walk

Reader = Callable[[str, ReadOptions], Iterator[Row | Failure]]

READERS: dict[str, Reader] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".tab": read_tsv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
    ".parquet": read_parquet,
    ".txt": read_text,
    ".text": read_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".mdx": read_markdown,
    ".rst": read_restructured,
    ".adoc": read_asciidoc,
    ".asciidoc": read_asciidoc,
    ".html": read_html,
    ".htm": read_html,
    ".pdf": read_pdf,
    ".ipynb": read_notebook,
    ".db": read_sqlite,
    ".sqlite": read_sqlite,
    ".sqlite3": read_sqlite,
    **dict.fromkeys(OFFICE, read_office),
    **dict.fromkeys(CODE, read_code),
    **dict.fromkeys(SUFFIXES, read_picture),
}
"""The reader of each suffix; `.gz` may follow those of text files."""

_PROSE = (read_text, read_markdown, read_restructured, read_asciidoc)

__all__ = ["READERS", "ReadOptions", "Row", "files_of", "is_prose", "looked_at", "read"]


def read(
    source: str | os.PathLike[str], options: ReadOptions | None = None, *, skip: Container[str] = ()
) -> Iterator[Row | Failure]:
    """Yield what a file, a folder or standard input (`-`) holds, in order: Rows, and Failures for what cannot be taken.

    Args:
        source: a path, or `-`; folders are walked in the order of names, hidden files and other kinds left out.
        options: how rows become documents.
        skip: files that are not to be read.

    Raises:
        DataError: the source is not there, cannot be read, or is of no known kind.
        UsageError: a column that was asked for is not there; the message lists those that are.
    """
    options = options or ReadOptions()
    inside = os.path.isdir(source)
    for path in files_of(os.fspath(source), options.walking):
        if path in skip:
            continue
        reader = _reader_of(path)
        if options.rows is not None and not inside and reader not in (*_PROSE, read_stdin, read_archive):
            raise UsageError(f"--rows speaks of text files, and {path} is none", hint="leave --rows out")
        try:
            yield from reader(path, options)
        except (DataError, MissingExtra, UsageError) as broken:
            # One file of a folder does not stop the others; a wrong option stops all but where only databases take it.
            if not inside or (isinstance(broken, UsageError) and reader is not read_sqlite):
                raise
            yield Failure(path, None, str(broken).replace("\ntry: ", "; "))


def files_of(source: str, walking: Walking | None = None) -> list[str]:
    """Return the files that a source stands for: itself, or those of a folder that a reader knows.

    Args:
        source: a file, a folder, or `-`.
        walking: which files of a folder: by default neither hidden nor ignored ones.

    Raises:
        DataError: there is no such file or folder, or the folder holds nothing that can be read.
    """
    if source == STDIN or not os.path.isdir(source):
        if source != STDIN and not os.path.exists(source):
            raise unreadable(source, FileNotFoundError(2, "no such file or folder", source))
        return [source]
    found = [
        os.path.join(source, file.path)
        for file in walk(source, walking).files
        if _suffix(file.path) in READERS or _suffix(file.path) == ".zip"
    ]
    if not found:
        raise DataError(f"the folder {source} holds no file that can be read", hint=f"known are {_known()}")
    return found


def _reader_of(path: str) -> Reader:
    if path == STDIN:
        return read_stdin
    reader = read_archive if _suffix(path) == ".zip" else READERS.get(_suffix(path))
    if reader is None:
        raise DataError(
            f"{path}: files of the kind {Path(path).suffix or 'without a suffix'} cannot be read",
            hint=f"known are {_known()}",
        )
    return reader


def read_archive(source: str, options: ReadOptions) -> Iterator[Row | Failure]:
    """Yield what the files in a zip archive hold that a reader knows."""
    yield from read_zip(source, options, lambda name: READERS.get(_suffix(name)))


def is_prose(source: str) -> bool:
    """Whether a file is text or Markdown, whose rows follow one another, as those of a table do not."""
    return READERS.get(_suffix(source)) in _PROSE


def _suffix(path: str) -> str:
    name = path.lower().removesuffix(".gz")
    return os.path.splitext(name)[1]


def _known() -> str:
    return ", ".join(READERS)
