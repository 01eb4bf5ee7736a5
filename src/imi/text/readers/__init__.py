"""Readers of files: tables, text, Markdown, HTML, mail, PDF, books, code, pictures, archives, and folders, row by row.

    for item in read("reviews.csv", ReadOptions(template="Title: {Summary}; Content: {Text}")):
        ...  # a Row with its document, or a Failure with source, line and reason

Nothing is read whole: a million rows stream.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path

from imi.errors import DataError, Failure, ImiError, UsageError
from imi.pictures import SUFFIXES
from imi.text.readers.archives import named, read_zip, why
from imi.text.readers.cards import CARDS, read_cards
from imi.text.readers.databases import read_sqlite
from imi.text.readers.documents import (
    CODE,
    SETTINGS,
    read_code,
    read_notebook,
)
from imi.text.readers.epub import EPUB, read_epub
from imi.text.readers.folders import Walked, shown
from imi.text.readers.jsons import read_json, read_jsonl
from imi.text.readers.lines import STDIN, open_bytes, unreadable
from imi.text.readers.mail import read_mail, read_mailbox
from imi.text.readers.office import OFFICE, read_office
from imi.text.readers.opendocument import OPEN_DOCUMENTS, read_open_document
from imi.text.readers.pdf import read_pdf
from imi.text.readers.pictures import looked_at, read_picture
from imi.text.readers.prose import (
    read_asciidoc,
    read_markdown,
    read_restructured,
    read_stdin,
    read_text,
)
from imi.text.readers.report import Report
from imi.text.readers.rich import read_rich_text
from imi.text.readers.rows import ReadOptions, Row, refuse_columns
from imi.text.readers.sheets import read_xlsx
from imi.text.readers.subtitles import SUBTITLES, read_subtitles
from imi.text.readers.tables import read_csv, read_parquet, read_tsv
from imi.text.readers.web import read_html
from imi.text.readers.workbooks import WORKBOOKS, read_workbook
from imi.text.walk import Found, Walking, unwritten_kind, walk

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
    ".xhtml": read_html,
    ".eml": read_mail,
    ".mbox": read_mailbox,
    ".pdf": read_pdf,
    ".ipynb": read_notebook,
    ".db": read_sqlite,
    ".sqlite": read_sqlite,
    ".sqlite3": read_sqlite,
    EPUB: read_epub,
    ".rtf": read_rich_text,
    **dict.fromkeys(OPEN_DOCUMENTS, read_open_document),
    **dict.fromkeys(SUBTITLES, read_subtitles),
    **dict.fromkeys(CARDS, read_cards),
    **dict.fromkeys(SETTINGS, read_code),
    **dict.fromkeys(OFFICE, read_office),
    ".xlsx": read_xlsx,
    ".xlsm": read_xlsx,
    **dict.fromkeys(WORKBOOKS, read_workbook),
    **dict.fromkeys(CODE, read_code),
    **dict.fromkeys(SUFFIXES, read_picture),
}
"""The reader of each suffix; `.gz` may follow those of text files."""

_PROSE = (read_text, read_markdown, read_restructured, read_asciidoc)
_NO_COLUMNS = (
    read_mail, read_pdf, read_notebook, read_code, read_office, read_epub, read_rich_text, read_open_document,
    read_subtitles, read_picture,
)  # fmt: skip
_SPREADSHEETS: tuple[Reader, ...] = (read_xlsx, read_workbook)
_NEVER_EMPTY: tuple[Reader, ...] = (
    *_SPREADSHEETS, read_pdf, read_notebook, read_office, read_epub, read_rich_text, read_open_document, read_picture,
    read_html, read_mail, read_parquet, read_sqlite,
)  # fmt: skip
_BY_CONTENT: tuple[Reader, ...] = (*_SPREADSHEETS, read_csv, read_tsv)
# What damaged files do to parsers cannot be listed; it must not stop a run over a folder.
_DAMAGE = (
    ImiError, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, RuntimeError, EOFError,
    ArithmeticError, AssertionError,
)  # fmt: skip

__all__ = ["READERS", "ReadOptions", "Report", "Row", "Walked", "files_of", "is_prose", "looked_at", "read", "walked"]


def read(
    source: str | os.PathLike[str],
    options: ReadOptions | None = None,
    *,
    skip: Container[str] = (),
    found: Walked | None = None,
) -> Iterator[Row | Failure]:
    """Yield what a file, a folder or standard input (`-`) holds, in order: Rows, and Failures for what cannot be taken.

    Args:
        source: a path, or `-`; folders are walked in the order of names, hidden files and other kinds left out.
        options: how rows become documents.
        skip: files that are not to be read, by the names that are shown for them.
        found: what `walked` returned for the source, where that was asked before.

    Raises:
        DataError: the source is not there, cannot be read, or is of no known kind.
        UsageError: a column that was asked for is not there; the message lists those that are.
    """
    options = options or ReadOptions()
    source = os.fspath(source)
    inside = os.path.isdir(source)
    found = found or walked(source, options)
    yield from found.failures
    for path in found.files:
        name = shown(path)
        if name in skip:
            continue
        reader = _reader_of(path)
        if options.rows is not None and not inside and reader not in (*_PROSE, read_stdin, read_archive):
            raise UsageError(f"--rows speaks of text files, and {path} is none", hint="leave --rows out")
        try:
            yield from _read_file(path, name, options, reader)
        except _DAMAGE as broken:
            # One file of a folder does not stop the others; a wrong option stops all but where only databases take it.
            if isinstance(broken, UsageError) and (not inside or _stops(broken, reader)):
                raise
            if not inside:
                if isinstance(broken, ImiError):
                    raise
                raise DataError(f"{name}: {why(broken, path)}") from broken
            yield Failure(name, None, why(broken, path))


def _read_file(path: str, name: str, options: ReadOptions, reader: Reader) -> Iterator[Row | Failure]:
    if reader in _BY_CONTENT and not path.lower().endswith(".gz"):
        kind, other = _kind_by_content(path, reader)
        if other is not reader:
            options.say(path, None, f"its bytes are those of {kind}, whatever its name says: it is read as one")
            reader = other
    if (reader in _NEVER_EMPTY or reader is read_archive) and os.path.isfile(path) and not os.path.getsize(path):
        return iter([Failure(name, None, "the file is empty")])
    if reader in _NO_COLUMNS:
        refuse_columns(name, options, "no table")
    return reader(path, options) if path == name else named(path, name, options, reader)


def _kind_by_content(path: str, reader: Reader) -> tuple[str, Reader]:
    """Return what the first bytes of a table say that it is, and its reader; programs give tables wrong names."""
    try:
        with open_bytes(path) as file:
            start = file.read(512)
    except OSError:
        return "", reader  # its reader says why
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        return "an older Excel file", read_workbook
    if start.startswith(b"PK\x03\x04"):
        office = b"opendocument.spreadsheet" in start
        return "a spreadsheet", reader if reader in _SPREADSHEETS else read_workbook if office else read_xlsx
    if reader not in _SPREADSHEETS or not start.strip() or b"\0" in start:
        return "", reader
    is_page = start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    return ("a page of HTML", read_html) if is_page else ("a table of text", read_csv)


def _stops(broken: UsageError, reader: Reader) -> bool:
    return reader is not read_sqlite


def walked(source: str, options: ReadOptions | None = None) -> Walked:
    """Return the files that a source stands for: itself, or those of a folder that a reader knows.

    Raises:
        DataError: there is no such file or folder, or the folder holds nothing that can be read.
    """
    options = options or ReadOptions()
    if source == STDIN or not os.path.isdir(source):
        if source != STDIN and not os.path.exists(source):
            raise unreadable(source, FileNotFoundError(2, "no such file or folder", source))
        return Walked([source])
    try:
        walk_ = walk(source, options.walking)
    except OSError as error:
        raise unreadable(source, error) from error
    found = Walked()
    for file in _written(walk_.files, source, options):
        path = os.path.join(source, file.path)
        if _is_known(path):
            found.files.append(path)
        elif options.report is not None:
            options.report.ignore(shown(path))
    for reason, paths in walk_.left_out.items():
        found.leave([os.path.join(source, path) for path in paths], reason)
    if not found.files and not found.failures:
        raise DataError(f"the folder {source} holds no file that can be read", hint=f"known are {_known()}")
    return found


def _written(files: Sequence[Found], source: str, options: ReadOptions) -> Iterator[Found]:
    """Yield the files of a folder that a person may have written; the others are named, unless ignored ones are in."""
    left: list[str] = []
    for file in files:
        if options.walking.no_ignore or unwritten_kind(file.path) is None:
            yield file
        else:
            left.append(file.path)
    if left:
        some = ", ".join(left[:3]) + (" …" if len(left) > 3 else "")
        count = f"{len(left):,}"
        options.say(source, None, f"left out, as nobody wrote them: {some} ({count} files); --no-ignore reads them")


def files_of(source: str, walking: Walking | None = None) -> list[str]:
    """Return the files that a source stands for: itself, or those of a folder that a reader knows.

    Args:
        source: a file, a folder, or `-`.
        walking: which files of a folder: by default neither hidden nor ignored ones.

    Raises:
        DataError: there is no such file or folder, or the folder holds nothing that can be read.
    """
    return walked(source, ReadOptions(walking=walking or Walking())).files


def _is_known(path: str) -> bool:
    return _suffix(path) in READERS or _suffix(path) == ".zip"


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

    def reader_of(name: str) -> Reader | None:
        reader = READERS.get(_suffix(name))
        return None if reader is None else lambda path, how: _read_file(path, path, how, reader)

    yield from read_zip(source, options, reader_of, lambda broken, _: options.names_columns)


def is_prose(source: str) -> bool:
    """Whether a file is text or Markdown, whose rows follow one another, as those of a table do not."""
    return READERS.get(_suffix(source)) in _PROSE


def _suffix(path: str) -> str:
    name = path.lower().removesuffix(".gz")
    return os.path.splitext(name)[1]


def _known() -> str:
    return ", ".join(READERS)
