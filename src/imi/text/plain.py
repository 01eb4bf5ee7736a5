"""Plain text in blocks: paragraphs with and without wrapped lines, lists, verse, and what looks like a heading."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from imi.errors import Failure
from imi.text.blocks import Block, Edit, Line, joins, letters, made, stanzas, width
from imi.text.lone_lines import joins_within, lone_lines

_MOST_LINES = 200
_BULLET = re.compile(r"\s*(?:[•‣◦・●○■□◆▪►①-⑳][\s\u3000]*\S|[-*+](?:[\s\u3000]+\S|[^\W\d]))")
_ITEM = re.compile(
    rf"{_BULLET.pattern}|\s*(?:\(?\d{{1,3}}[.)）](?:[\s\u3000]+\S|[^\W\d])|[a-zA-Z][.)](?:[\s\u3000]+\S|[\u3041-\u9fff]))"
)
"""What begins with a mark of a list; 20.8%, U.S. and (0.2%) do not."""
_ENDS = re.compile(r"[。．！？｡.!?…][」』）】〉》”’)\"']*$")
_OPEN_END = re.compile(r"[,;、，；—–\-(（「『]$")
_NUMBERED = re.compile(r"(\d+(?:[.．]\d+)*)[.．]?[\s\u3000]")
_CERTAIN = re.compile(
    r"第[\d〇一二三四五六七八九十百]+[部編章節項条](?:の[\d一二三四五六七八九十]+)?(?:[\s\u3000（(【:：]|$)"
    r"|(?:chapter|part|section|article|clause|appendix)\s+(?:\d+(?:\.\d+)*|[ivxlc]+|[a-z])[.:)]?(?:\s|$)",
    re.IGNORECASE,
)
_CHAPTER = re.compile(
    r"(?:第[\d〇一二三四五六七八九十百]+([部編章節項条])|(?:chapter|part|section)\s+\w+\b)", re.IGNORECASE
)
_RULE = re.compile(r"\s*([=\-~^*_#])\1{2,}\s*$")
_SHORT = 64
_WRAPPED = (36, 130)
_LIST_WIDTH = 240
_LONG_RUN = 20
GUESSED = 9
"""The level of a heading that only its look tells."""


def plain_blocks(
    lines: Iterable[Line | Failure], *, hyphens: bool = False, title: bool = True
) -> Iterator[Block | Failure]:
    """Yield the blocks of a plain text.

    Args:
        lines: of the text, in order.
        hyphens: whether hyphens at line ends are the wrapping's, as in a PDF.
        title: whether the first line may be the title of the whole.
    """
    waiting: Block | None = None
    first = title
    for stanza in stanzas(lines, _MOST_LINES):
        if isinstance(stanza, Failure):
            yield stanza
            continue
        for block in _of_stanza(stanza, hyphens):
            if waiting is not None:
                yield waiting
            waiting = replace(block, level=0) if first and block.kind == "heading" else block
            first = False
    if waiting is not None:
        # Nothing follows it, so that it heads nothing.
        yield replace(waiting, kind="prose", level=0, soft=False) if waiting.kind == "heading" else waiting


def _of_stanza(lines: list[Line], hyphens: bool) -> Iterator[Block]:
    underlined = len(lines) >= 2 and _RULE.match(lines[1].text) and letters(lines[0].text)
    if underlined:
        block = made("heading", lines[:1])
        if block is not None:
            yield replace(block, level=1 if "=" in lines[1].text else 2)
        lines = lines[2:]
    if not lines:
        return
    texts = [line.text for line in lines]
    if len(lines) == 1:
        yield from _one(lines)
    elif _is_list(texts):
        yield from _made("list", lines)
    elif sum("\t" in text for text in texts) == len(texts):
        yield from _made("table", lines)
    elif is_wrapped(texts) and lone_lines(texts):
        yield from _made("verse", lines, joins_within(texts, hyphens=hyphens))
    elif is_wrapped(texts):
        yield from _wrapped(lines, hyphens)
    elif _heads(lines[0].text, texts[1:]):
        yield from _one(lines[:1])
        yield from _of_stanza(lines[1:], hyphens)
    elif max(map(width, texts)) < _SHORT:
        yield from _made("verse", lines)
    elif sum(bool(_ENDS.search(text.rstrip())) for text in texts) * 3 >= 2 * len(texts):
        yield from _made("prose", lines)  # a paragraph with a sentence a line
    else:
        for line in lines:
            yield from _made("prose", [line])


def _made(kind: str, lines: Sequence[Line], edits: Iterable[Edit] = ()) -> Iterator[Block]:
    block = made(kind, lines, edits)  # type: ignore[arg-type]  # one of Kind
    if block is not None:
        yield block


def _wrapped(lines: list[Line], hyphens: bool) -> Iterator[Block]:
    texts = [line.text for line in lines]
    # A heading above wrapped lines, with no empty line between, does not fill the width.
    if (
        len(lines) > 2
        and is_heading(texts[0])
        and is_wrapped(texts[1:])
        and _leaves_room(texts[0], texts[1], texts[1:])
    ):
        yield from _one(lines[:1])
        lines, texts = lines[1:], texts[1:]
    block = made("prose", lines, joins(texts, hyphens=hyphens))
    if block is not None:
        yield block


def _leaves_room(line: str, following: str, others: Sequence[str]) -> bool:
    return width(line) + 1 + width(_first_word(following)) <= max(map(width, others)) - 8


def _one(lines: list[Line]) -> Iterator[Block]:
    text = lines[0].text.strip()
    block = made("prose", lines)
    if block is None or _RULE.match(text):
        return
    yield replace(block, kind="heading", level=level_of(text), soft=is_guess(text)) if is_heading(text) else block


def is_heading(text: str) -> bool:
    """Whether a line that stands alone looks like a heading: short, without a sentence's end, not an item of a list."""
    text = text.strip()
    if not text or width(text) > _SHORT or not letters(text) or "\t" in text or "://" in text:
        return False
    if _OPEN_END.search(text) or (_ENDS.search(text) and text[-1] not in "?？"):
        return False
    if _NUMBERED.match(text) or _CHAPTER.match(text):
        return True
    return not _ITEM.match(text) and not text.startswith(("$", "<", "|", ">", "(", "（"))


def is_guess(text: str) -> bool:
    """Whether what looks like a heading may be none: 第2条（委託料） and Section 4 are certain."""
    return not _CERTAIN.match(text.strip())


def level_of(text: str) -> int:
    """Return the level of a heading by its number: 2 for 4.3, 1 for 第1章, `GUESSED` without one."""
    numbered = _NUMBERED.match(text)
    if numbered:
        return 1 + len(re.split("[.．]", numbered[1]))
    chapter = _CHAPTER.match(text)
    if chapter:
        return {"部": 1, "編": 1, "章": 2}.get(chapter[1] or "", 2 if chapter[1] is None else 3)
    return GUESSED


def _heads(first: str, others: Sequence[str]) -> bool:
    """Whether the first line of several is their heading."""
    return is_heading(first) and bool(others) and width(first) * 2 < max(map(width, others)) and not _is_short(others)


def _is_short(texts: Sequence[str]) -> bool:
    return max(map(width, texts)) < _SHORT


def is_item(text: str) -> bool:
    """Whether a line is an item of a list."""
    return bool(_ITEM.match(text))


def has_bullet(text: str) -> bool:
    """Whether a line begins with a mark that nothing but an item of a list begins with; numbers and initials may."""
    return bool(_BULLET.match(text))


def _is_list(texts: Sequence[str]) -> bool:
    items = sum(bool(_ITEM.match(text)) for text in texts)
    return bool(_ITEM.match(texts[0])) and (items >= 2 or len(texts) > 1) and items * 3 >= len(texts)


def is_wrapped(texts: Sequence[str]) -> bool:
    """Whether lines were broken for the sake of their width: the next word would not have fitted on most of them."""
    if len(texts) < 2:
        return False
    texts = [text.strip() for text in texts]
    wide = [width(text) for text in texts]
    longest = max(wide)
    if not _WRAPPED[0] <= longest <= _WRAPPED[1] or wide[-1] > longest:
        return False
    if all(_ENDS.search(text) for text in texts) and not all(size >= longest - 4 for size in wide[:-1]):
        return False
    broken = [
        size + 1 + width(_first_word(after)) > longest - 2 or size >= 0.7 * longest
        for size, after in zip(wide, texts[1:], strict=False)
    ]
    return sum(broken) >= 0.9 * len(broken)


def _first_word(text: str) -> str:
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    return word if word.isascii() else word[:1]


def is_list_of_lines(lines: Sequence[str]) -> bool:
    """Whether a text is a list of one-line texts, each of them a row, and not prose, judging by its first lines."""
    runs: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            runs[-1].append(line)
        elif runs[-1]:
            runs.append([])
    runs = [run for run in runs if run]
    texts = [text for run in runs for text in run]
    if not texts or any(is_wrapped(run) for run in runs if len(run) > 2):
        return bool(texts) is False
    if len(texts) < _LONG_RUN * (len(runs) - 1):
        return False  # empty lines part paragraphs
    indented = sum(text.startswith("\u3000") for text in texts)
    if indented * 3 > len(texts) or any(_RULE.match(text) for text in texts):
        return False
    return sum(map(width, texts)) < _LIST_WIDTH * len(texts)
