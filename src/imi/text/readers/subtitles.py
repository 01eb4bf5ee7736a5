"""Subtitles (.srt, .vtt): what is said in passages, each with the time at which it begins."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from imi.errors import Failure
from imi.records import own_facts
from imi.text.blocks import UNSPACED, Block
from imi.text.readers.lines import Numbered, read_lines
from imi.text.readers.pieces import passage_rows
from imi.text.readers.rows import ReadOptions, Row, refuse_columns

SUBTITLES = (".srt", ".vtt")
_TIMES = re.compile(r"\s*((?:\d{1,3}:)?\d{1,2}:\d{2})[.,]\d{1,3}\s*-->\s*((?:\d{1,3}:)?\d{1,2}:\d{2})[.,]\d{1,3}")
_VOICE = re.compile(r"<v(?:\.[\w.]*+)?[ \t]++([^<>]{1,100})>")
_READING = re.compile(r"<rt>[^<>]{0,200}</rt>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,200}\}")
_ENDS = re.compile(r"[.!?。！？…][」』”\"')）]*$")
_JOINED_WITHOUT = re.compile(f"[{UNSPACED}]")
_PAUSE, _LONG, _LONGEST = 4, 300, 900
"""Seconds of silence after which a paragraph begins, and characters after which a sentence or a line ends one."""
_SHORT = 8
"""Characters of a line that may be said twice at once: No!"""
Items = Iterator[Row | Failure]


@dataclass(slots=True)
class _Cue:
    line: int
    time: str
    begins: int
    ends: int
    lines: list[str] = field(default_factory=list)


def read_subtitles(source: str, options: ReadOptions) -> Items:
    """Yield the passages of subtitles; `time` in their metadata says when each begins."""
    refuse_columns(source, options)
    times: dict[int, str] = {}
    failures: list[Failure] = []
    blocks = _blocks(_cues(read_lines(source, options.encoding, options.say), failures), times)
    found = False
    for item in passage_rows(blocks, source, options):
        yield from failures
        failures.clear()
        found = True
        yield _timed(item, times)
    yield from failures
    if not found and not failures:
        yield Failure(source, None, "the file holds no text")


def _timed(item: Row | Failure, times: dict[int, str]) -> Row | Failure:
    if isinstance(item, Failure):
        return item
    line = own_facts(item.document.metadata).get("line")
    time = times.get(line) if isinstance(line, int) else None
    if time is None:
        return item
    metadata = {**item.document.metadata, "time": time}
    return replace(item, document=replace(item.document, metadata=metadata))


def _cues(lines: Iterable[Numbered | Failure], failures: list[Failure]) -> Iterator[_Cue]:
    """Yield what is shown between two moments; failures are put aside."""
    held: _Cue | None = None
    for item in lines:
        if isinstance(item, Failure):
            failures.append(item)
            continue
        number, line = item
        times = _TIMES.match(line)
        if times:
            if held is not None:
                yield held
            held = _Cue(number, _clock(times[1]), _seconds(times[1]), _seconds(times[2]))
        elif not line.strip():
            if held is not None and held.lines:
                yield held
                held = None
        elif held is not None and (said := _said(line)):
            held.line = held.line if held.lines else number
            held.lines.append(said)
    if held is not None:
        yield held


def _said(line: str) -> str:
    line = _VOICE.sub(lambda voice: f"{voice[1].strip()}: ", _READING.sub("", line))
    return " ".join(html.unescape(_TAG.sub("", line)).split())


def _joined(before: str, after: str) -> str:
    close = not before or (_JOINED_WITHOUT.match(before[-1]) and _JOINED_WITHOUT.match(after[0]))
    return before + after if close else f"{before} {after}"


def _in_one(lines: Sequence[str]) -> str:
    parts = list(lines[:1])
    for before, after in pairwise(lines):
        parts += ("" if _JOINED_WITHOUT.match(before[-1]) and _JOINED_WITHOUT.match(after[0]) else " ", after)
    return "".join(parts)


def _seconds(time: str) -> int:
    seconds = 0
    for part in time.split(":"):
        seconds = seconds * 60 + int(part)
    return seconds


def _clock(time: str) -> str:
    seconds = _seconds(time)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _blocks(cues: Iterator[_Cue], times: dict[int, str]) -> Iterator[Block]:
    """Yield paragraphs of what is said without a pause, by one voice; lines that roll up are said once."""
    start, text, line, ends = 0, "", 0, 0
    last: frozenset[str] = frozenset()
    for cue in cues:
        rolled = last if cue.begins <= ends else frozenset()
        lines = [one for one in cue.lines if one not in rolled or len(one) < _SHORT]
        last, said = frozenset(cue.lines), _in_one(lines)
        if not said:
            ends = max(ends, cue.ends)
            continue
        full = len(text) > _LONGEST or (len(text) > _LONG and _ENDS.search(text))
        if text and (full or cue.begins - ends >= _PAUSE or ": " in said[:40]):
            yield Block("prose", text, start, start + len(text), line=line)
            start, text = start + len(text) + 2, ""
        if not text:
            line = cue.line
        times[cue.line] = cue.time
        text, ends = _joined(text, said), max(cue.ends, cue.begins)
    if text:
        yield Block("prose", text, start, start + len(text), line=line)
