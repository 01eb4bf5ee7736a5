"""Lines of a file with their numbers, decoded one by one, so that a byte that does not fit is told by its line."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

from imi.errors import DataError, Failure, UsageError

STDIN = "-"
Numbered = tuple[int, str]
_STRAY = re.compile("[\udc80-\udcff]")
_KANA_OR_HAN = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@contextmanager
def open_text(source: str, encoding: str) -> Iterator[TextIO]:
    """Open a file (`.gz` too), or standard input for `-`; bytes that do not fit become lone surrogates.

    Raises:
        UsageError: the encoding is unknown.
        DataError: the file is not there or cannot be read.
    """
    try:
        codecs.lookup(encoding)
    except LookupError as unknown:
        raise UsageError(
            f"the encoding {encoding!r} is unknown", hint="utf-8, latin-1, cp932, euc-jp, utf-16"
        ) from unknown
    if source == STDIN:
        standard = io.TextIOWrapper(sys.stdin.buffer, encoding=encoding, errors="surrogateescape", newline="")
        yield standard
        standard.detach()
        return
    try:
        with open_bytes(source) as peeked:
            start = peeked.read(4)
        marked = next((name for mark, name in _BOMS if start.startswith(mark)), None)
        opener = gzip.open if source.endswith(".gz") else open
        file: TextIO = opener(source, "rt", encoding=marked or encoding, errors="surrogateescape", newline="")
    except OSError as error:
        raise unreadable(source, error) from error
    with file:
        yield file


def open_bytes(source: str) -> IO[bytes]:
    """Open a file, unpacked where its name ends in `.gz`."""
    return gzip.open(source, "rb") if source.endswith(".gz") else open(source, "rb")  # type: ignore[return-value]


def unreadable(source: str, error: OSError) -> DataError:
    """Return the error that says that a file cannot be read, and why."""
    reason = (error.strerror or str(error)).lower()
    near = _near(Path(source)) if isinstance(error, FileNotFoundError) else None
    return DataError(f"{source}: {reason}", hint=near, failures=[])


def _near(path: Path) -> str | None:
    import difflib

    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist either"
    found = difflib.get_close_matches(path.name, [other.name for other in path.parent.iterdir()], n=1, cutoff=0.6)
    return str(path.parent / found[0]) if found else None


def stray_byte(line: str, encoding: str) -> str | None:
    """Return why a line is not in the encoding that it was read by; None where it is."""
    if line.isascii():
        return None
    match = _STRAY.search(line)
    if match is None:
        return None
    raw = line.encode("utf-8", "surrogateescape")
    return f"byte 0x{ord(match[0]) - 0xDC00:02X} is not {encoding}; --encoding {guess_encoding(raw)} may be right"


def guess_encoding(raw: bytes) -> str:
    """Return the likeliest encoding of bytes that are not UTF-8: Japanese if kana or kanji come out, else latin-1."""
    for name in ("euc-jp", "cp932"):
        try:
            text = raw.decode(name)
        except UnicodeDecodeError:
            continue
        if len(_KANA_OR_HAN.findall(text)) * 2 > sum(not char.isascii() for char in text):
            return name
    return "latin-1"


def read_lines(source: str, encoding: str) -> Iterator[Numbered | Failure]:
    """Yield (number, line) from 1 on, without line ends; a line in another encoding is a Failure."""
    with open_text(source, encoding) as file:
        for number, line in enumerate(file, start=1):
            wrong = stray_byte(line, encoding)
            yield Failure(source, number, wrong) if wrong else (number, line.rstrip("\r\n"))
