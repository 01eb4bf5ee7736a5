"""A cell of a table whose Japanese fills its lines: Rich breaks at spaces, which Japanese has around figures only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rich.cells import cell_len
from rich.text import Text

_JAPANESE = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")
# What may be broken before: a word or a character, with brackets before it and the marks that no line begins with.
_PIECE = re.compile(
    r"\s*+(?:[（「『［]++(?:[!-~]++|\S)?+|[!-~]++|\S)[、。，．：；？！）」』］・ー…っゃゅょッャュョ)\]},.:;?!]*+|\s++"
)


class Wrapped(Text):
    """A text that is broken between Japanese characters as well as at spaces."""

    def wrap(self, console: Any, width: int, **options: Any) -> Any:
        """Return the lines that fit a width."""
        if not _JAPANESE.search(self.plain):
            return super().wrap(console, width, **options)
        lines = [line for whole in self.plain.split("\n") for line in _filled(whole, width)]
        return Text("\n".join(lines), style=self.style).wrap(console, width, **options)


def _filled(text: str, width: int) -> Iterator[str]:
    line = ""
    for piece in _PIECE.findall(text):
        if line and cell_len(line + piece) > width:
            yield line
            line = ""
        line += piece if line else piece.lstrip()
    yield line
