"""A verb's help page in Japanese: Typer's own breaks lines at spaces and counts characters, which Japanese has not."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterator
from typing import Any

from typer.core import TyperCommand

from imi.language import local

_WORD = re.compile(r"［[^［］]*+］|[（「『]?(?:[!-~]+ ?|.)", re.DOTALL)
_NEVER_FIRST = frozenset("、。，．：；？！）」』】〉》〕］・ー…っゃゅょッャュョ)]},.:;?!")
_NOTES = (
    (re.compile(r"\[default: ([^\]]*)\]"), r"［既定：\1］"),
    (re.compile(r"\[env var: ([^\]]*)\]"), r"［環境変数：\1］"),
    (re.compile(r"\[required\]"), "［必須］"),
    (re.compile(r"\[(x[<>]=?[\d.]+|[\d.]+<=?x<=?[\d.]+)\]"), r"［\1］"),
    (re.compile(r"([\d.]+)<=x<=([\d.]+)(?=］)"), r"\1〜\2"),
    (re.compile(r"x>=([\d.]+)(?=］)"), r"\1 以上"),
    (re.compile(r"; (?=[^；;］]*］)"), "、"),
)


class JapaneseCommand(TyperCommand):
    """A verb whose help is written for a terminal on which a Japanese character takes two columns."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page: usage, what it does, arguments, options, an example that runs."""
        formatter.write("\n".join(_page(self, ctx, min(80, shutil.get_terminal_size().columns))) + "\n")


def _page(command: TyperCommand, context: Any, width: int) -> Iterator[str]:
    pieces = " ".join(command.collect_usage_pieces(context)).replace("[OPTIONS]", "[オプション]")
    yield f"使い方: {context.command_path} {pieces}"
    for paragraph in (command.help or "").split("\n\n"):
        yield ""
        yield from _folded(" ".join(paragraph.split()), width, "  ")
    records: dict[str, list[tuple[str, str]]] = {"引数": [], "オプション": []}
    for parameter in command.get_params(context):
        record = _record(parameter, context)
        if record is not None:
            records["引数" if parameter.param_type_name == "argument" else "オプション"].append(record)
    for title, rows in records.items():
        if rows:
            yield f"\n{title}:"
            yield from _columns(rows, width)
    yield "\n  例:"
    yield from (f"  {line}" for line in (command.epilog or "").splitlines()[2:])


def _record(parameter: Any, context: Any) -> tuple[str, str] | None:
    record = parameter.get_help_record(context)
    if record is None:
        return None
    name, said = record
    if parameter.name == "help":
        said = local("Show this message and exit.")
    for pattern, note in _NOTES:
        said = pattern.sub(note, said)
    return name, said


def _columns(rows: list[tuple[str, str]], width: int) -> Iterator[str]:
    first = min(max(cells(name) for name, _ in rows) + 4, 32)
    for name, said in rows:
        lines = list(_folded(said, width - first, ""))
        head = f"  {name}"
        if cells(head) + 2 > first:
            yield head
            head = ""
        for line in lines or [""]:
            yield (head + " " * (first - cells(head)) + line).rstrip()
            head = ""


def _folded(text: str, width: int, indent: str) -> Iterator[str]:
    """Yield the lines of a text, broken between Japanese characters or at spaces.

    None begins with a full stop or ends with an opening bracket.
    """
    line = ""
    for part in _WORD.findall(text):
        if line and cells(indent + line + part.rstrip()) > width and not _NEVER_FIRST.issuperset(part.rstrip()):
            yield indent + line.rstrip()
            line = ""
        line += part if line else part.lstrip()
    if line:
        yield indent + line.rstrip()


def cells(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
