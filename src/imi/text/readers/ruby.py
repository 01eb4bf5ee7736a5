"""Texts as Aozora Bunko writes them: readings after kanji in 《》, and notes for typesetters in ［＃］."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from unicodedata import category

from imi.errors import Failure
from imi.text.readers.lines import Numbered, Say

_KANA = "ぁ-ゖァ-ヺー・ゝゞヽヾ"
_BASE = "々〆〇〻㐀-䶿一-鿿豈-﫿ヶ"
_MARKED = re.compile(rf"[｜|][^｜|《》\n]{{1,40}}《[{_KANA}\s]{{1,40}}》")
_AFTER_KANJI = re.compile(rf"[{_BASE}]《[{_KANA}]{{1,40}}》")
_READING = re.compile(rf"[｜|]([^｜|《》\n]{{1,40}})《[^《》\n]{{1,40}}》|(?<=[{_BASE}])《[{_KANA}]{{1,40}}》")
_NOTE = re.compile(r"(※)?［＃([^［］]{0,200})］")
_CODE = re.compile(r"U\+([0-9A-Fa-f]{4,5})")
_CELL = re.compile(r"第[34]水準([12])-(\d{1,2})-(\d{1,2})")


def without_readings(
    head: list[Numbered | Failure], rest: Iterable[Numbered | Failure], source: str, say: Say
) -> Iterator[Numbered | Failure]:
    """Yield the lines of a text without readings and notes, where its first lines show that it has such.

    Args:
        head: the first lines.
        rest: those after them.
        source: the file.
        say: called where something is left out.
    """
    if not _has_readings(one[1] for one in head if not isinstance(one, Failure)):
        yield from chain(head, rest)
        return
    say(source, None, "readings in 《》 and notes in ［＃］ were left out, as Aozora Bunko writes them")
    for line in chain(head, rest):
        yield line if isinstance(line, Failure) else (line[0], plain(line[1]))


def _has_readings(texts: Iterable[str]) -> bool:
    found = 0
    for text in texts:
        if "《" in text:
            found += 2 * len(_MARKED.findall(text)) + len(_AFTER_KANJI.findall(text))
        elif "［＃" in text:
            found += 1
        if found > 1:
            return True
    return False


def plain(text: str) -> str:
    """Return a line without readings and notes; characters that a note names by their code are put in."""
    if "《" in text:
        text = _READING.sub(lambda match: match[1] or "", text)
    return _NOTE.sub(_named, text) if "［＃" in text else text


def _named(note: re.Match[str]) -> str:
    if note[1] is None:
        return ""
    if code := _CODE.search(note[2]):
        named = chr(int(code[1], 16))
        return note[1] if category(named) in ("Cs", "Cc") else named  # half of a pair, or a control character
    if cell := _CELL.search(note[2]):
        plane, row, column = map(int, cell.groups())
        raw = bytes([0xA0 + row, 0xA0 + column]) if max(row, column) <= 94 else b""
        return (b"\x8f" * (plane - 1) + raw).decode("euc_jis_2004", "ignore") or note[1]
    return note[1]
