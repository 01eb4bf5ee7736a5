"""Files whose lines are in two encodings, as logs and joined exports may be: each line is read by its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO

from imi.text.readers.encodings import ESCAPE, STRAY, guess_encoding

_IN_MEMORY = 16 * 2**20
_SAMPLE = 2**16
_LONGEST = 2**20
_SHOWN = 5


def in_one_encoding(file: IO[bytes]) -> tuple[IO[bytes], str] | None:
    """Return a file's lines all in UTF-8, with what to say of it; None where not some are in UTF-8 and some in another.

    Args:
        file: the bytes of a file that is not valid UTF-8 as a whole; it is read from its beginning, up to twice.
    """
    file.seek(0)
    utf8, other, sample = 0, 0, b""
    for line in _lines(file):
        kind = _kind(line)
        utf8 += kind == "utf-8"
        if kind == "other":
            other += 1
            sample += line if len(sample) < _SAMPLE else b""
    if not utf8 or not other or getattr(file, "broken", None):
        return None
    name, sure = guess_encoding(sample)
    # A western letter may be a damaged byte as well: such a line is left out and named.
    if not sure or name not in ("cp932", "euc-jp"):
        return None
    file.seek(0)
    written = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 # the caller reads and closes it
    places: list[int] = []
    for number, line in enumerate(_lines(file), 1):
        text = _decoded(line, name) if _kind(line) == "other" else None
        if text is not None:
            places.append(number)
        written.write(line if text is None else text.encode())
    written.seek(0)
    if not places:
        written.close()
        return None
    some = ", ".join(map(str, places[:_SHOWN])) + (f" … ({len(places)} in all)" if len(places) > _SHOWN else "")
    which = f"line {some} is" if len(places) == 1 else f"lines {some} are"
    return written, f"{which} in {name} and read so; the others are UTF-8"


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(_LONGEST):
        yield line


def _kind(line: bytes) -> str:
    """Return "ascii", "utf-8", "other", or "damaged" for UTF-8 in which some bytes are wrong."""
    if line.isascii():
        return "ascii"
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = line.decode("utf-8", ESCAPE)
        stray = len(STRAY.findall(text))
        # Kana of cp932 beside each other give letters of UTF-8 that are neither western nor Asian.
        good = sum("\x7f" < char < "\u0250" or "\u1000" <= char < "\ud800" for char in text)
        return "damaged" if good * 2 >= stray else "other"
    # Two half-width kana of cp932 may also be one letter of UTF-8, but hardly a kana or a kanji.
    return "utf-8" if max(text) > "\u07ff" or sum(char > "\x7f" for char in text) * 4 < len(text) else "other"


def _decoded(line: bytes, name: str) -> str | None:
    try:
        return line.decode(name)
    except UnicodeDecodeError:
        return None
