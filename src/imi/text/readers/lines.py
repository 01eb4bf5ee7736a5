"""Lines of a file with their numbers, decoded one by one, so that an invalid byte is reported with its line."""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from imi.errors import DataError, Failure
from imi.text.readers.encodings import ESCAPE, STRAY, Encoding, encoding_of
from imi.text.readers.limits import RATIO, WHOLE, too_large, too_much
from imi.text.readers.mixed import in_one_encoding
from imi.text.readers.reasons import reason_of

STDIN = "-"
Numbered = tuple[int, str]
Say = Callable[[str, int | None, str], None]
_IN_MEMORY = 16 * 2**20


class Text(io.TextIOWrapper):
    """The text of a file; `known` says by which encoding and why, `broken` what ended it before its end."""

    known: Encoding

    @property
    def broken(self) -> str | None:
        """Why the file could not be read to its end; None where it was."""
        return getattr(self.buffer, "broken", None)


class _Unpacked(io.RawIOBase):
    """Bytes of a packed stream that may be cut off or a bomb: what is before can be read, and the reason is kept."""

    def __init__(self, stream: IO[bytes], packed: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream
        self._packed = packed
        self._given = 0
        self.broken: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        if self.broken is not None:
            return 0
        try:
            # Piece by piece, so that all that stands before a cut is handed out.
            piece = self._stream.read(min(len(view), 2**13))
        except EOFError:
            self.broken = "the compressed file is cut off"
            return 0
        except (zlib.error, gzip.BadGzipFile) as wrong:
            known = isinstance(wrong, gzip.BadGzipFile) and not self._given
            self.broken = reason_of(wrong) if known else "the compressed file is damaged"
            return 0
        self._given += len(piece)
        if too_much(self._packed.tell(), self._given, small=WHOLE):
            self.broken = f"the compressed file unpacks to more than {RATIO} times its size; unpack it yourself"
            return 0
        view[: len(piece)] = piece
        return len(piece)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.broken = None
        self._given = self._stream.seek(offset, whence)
        return self._given

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Buffered(io.BufferedReader):
    @property
    def broken(self) -> str | None:
        return getattr(self.raw, "broken", None)


@contextmanager
def open_text(source: str, encoding: str, say: Say | None = None) -> Iterator[Text]:
    """Open a file (`.gz` too), or standard input for `-`; bytes that do not fit become characters that no text has.

    Args:
        source: the path, or `-`.
        encoding: of files that are not valid UTF-8; "utf-8" has it guessed.
        say: called with how a file was read where that was guessed.

    Raises:
        UsageError: the encoding is unknown.
        DataError: the file is not there or cannot be read.
    """
    if source == STDIN:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
            incoming = sys.stdin.buffer
            while piece := incoming.read(2**20):
                spool.write(piece)
            spool.seek(0)
            known = encoding_of(spool, encoding)
            whole, known = _whole(spool, known, encoding, source, say)
            spool.seek(0)
            text = _text(io.BufferedReader(whole or spool), known)  # type: ignore[type-var]
            if known.reason and say is not None:
                say(source, None, f"read as {known.name}: {known.reason}; --encoding NAME says it otherwise")
            yield text
            text.detach()
        return
    try:
        with open_bytes(source) as bytes_:
            known = encoding_of(bytes_, encoding)
            whole, known = _whole(bytes_, known, encoding, source, say)
        file = _text(whole or open_bytes(source), known)
    except OSError as error:
        raise unreadable(source, error) from error
    if known.reason and say is not None:
        say(source, None, f"read as {known.name}: {known.reason}; --encoding NAME says it otherwise")
    with file:
        try:
            yield file
        except OSError as error:
            raise unreadable(source, error) from error


def _whole(
    file: IO[bytes], known: Encoding, wished: str, source: str, say: Say | None
) -> tuple[IO[bytes] | None, Encoding]:
    """Return a file all in UTF-8 where its lines are in two encodings; else None, and the encoding that it is in."""
    if not known.guessed or wished.lower().replace("_", "-") not in ("utf-8", "utf8"):
        return None, known
    found = in_one_encoding(file)
    if found is None:
        return None, known
    if say is not None:
        say(source, None, found[1])
    return found[0], Encoding("utf-8")


def _text(file: IO[bytes], known: Encoding) -> Text:
    text = Text(file, encoding=known.name, errors=ESCAPE, newline="")
    text.known = known
    return text


def open_regular(source: str) -> IO[bytes]:
    """Open a regular file as it is.

    Raises:
        OSError: it is not there, cannot be read, or is a pipe, a socket or a device.
    """
    # A pipe would be waited for, a device read for ever.
    number = os.open(source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    file = os.fdopen(number, "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(0, "it is not a regular file")
    return file


def open_bytes(source: str) -> IO[bytes]:
    """Open a regular file, unpacked where its name ends in `.gz`.

    Raises:
        OSError: as `open_regular`.
    """
    file = open_regular(source)
    if not source.lower().endswith(".gz"):
        return file
    # Closing the one closes the other.
    packed = gzip.GzipFile(fileobj=file, mode="rb")
    packed.myfileobj = file  # type: ignore[assignment]
    return _Buffered(_Unpacked(packed, file))  # type: ignore[arg-type]


def unreadable(source: str, error: OSError) -> DataError:
    """Return the error that says that a file cannot be read, and why."""
    reason = (error.strerror or str(error)).lower()
    near = _near(Path(source)) if isinstance(error, FileNotFoundError) else None
    return DataError(f"{source}: {reason}", hint=near, failures=[])


def _near(path: Path) -> str | None:
    import difflib

    if path.is_symlink():
        return f"it is a link to {os.readlink(path)}, which is not there"
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist either"
    found = difflib.get_close_matches(path.name, [other.name for other in path.parent.iterdir()], n=1, cutoff=0.6)
    return str(path.parent / found[0]) if found else None


def stray_byte(line: str, known: Encoding) -> str | None:
    """Return why a line is not in the encoding that it was read by; None where it is."""
    if line.isascii():
        return None
    match = STRAY.search(line)
    if match is None:
        return None
    maybe = f"; --encoding {known.hint} may be right" if known.hint else ""
    return f"byte 0x{(ord(match[0]) - 0xDC00) & 0xFF:02X} is not {known.name.removesuffix('-sig')}{maybe}"


def whole_text(file: Text, source: str) -> str:
    """Return all that a file holds.

    Raises:
        DataError: it is too large to be read whole.
    """
    text = file.read(WHOLE)
    if file.read(1):
        raise too_large(source)
    return text


def read_lines(source: str, encoding: str, say: Say | None = None) -> Iterator[Numbered | Failure]:
    """Yield (number, line) from 1 on, without line ends; a line in another encoding is a Failure."""
    number = 0
    with open_text(source, encoding, say) as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith("\n") and file.broken:
                yield Failure(source, number, file.broken)
                return
            wrong = stray_byte(line, file.known)
            yield Failure(source, number, wrong) if wrong else (number, line.rstrip("\r\n"))
        if file.broken:
            yield Failure(source, number + 1, file.broken)
