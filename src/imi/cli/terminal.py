"""What a terminal is sent: control characters of documents, ids and names are shown, never acted upon.

A pipe gets texts as they are. JSON on a terminal has the same value, with what would be acted upon escaped.
"""

from __future__ import annotations

import sys
from typing import TextIO

_SHOWN = (
    {code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A)}  # line ends and tabs are not commands
    | {0x7F: 0x2421}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
    | dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD)  # they turn what follows around
)
_ESCAPED = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def visible(text: str) -> str:
    """Return a text with a sign of one character for each control character but line ends and tabs."""
    return text.translate(_SHOWN)


def say(text: str = "", *, to: TextIO | None = None, end: str = "\n", flush: bool = False) -> None:
    """Print a text to standard output, or elsewhere; on a terminal its control characters are shown."""
    out = sys.stdout if to is None else to
    print(visible(text) if out.isatty() else text, end=end, file=out, flush=flush)


def say_json(text: str) -> None:
    """Print JSON, which holds control characters beyond ASCII as they are in a pipe, and escaped on a terminal."""
    print(text.translate(_ESCAPED) if sys.stdout.isatty() else text)
