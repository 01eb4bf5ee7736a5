"""The language a person is spoken to in: English, or Japanese where IMI_LANG or the locale asks for it.

Whatever is said on the command line is written in English where it is said, with its fields filled in. `local` finds
the template that it was made from in `japanese/*.txt` and returns the Japanese one with the same fields. Each entry of
those files is two lines, English and Japanese, with `{}` for a field (`{0}`, `{1}` in the Japanese line where the order
differs), and an empty line after it; `=` says that there is nothing to translate. Exceptions stay English: only what
is written to a terminal, a figure or a help page is translated, and only there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "japanese"
_FIELD = "{}"
_LEAST = 4
"""Letters that a template must have outside its fields, or it would fit everything."""
_WITHIN = 12
"""The same for what a field holds: a sentence within a sentence is translated, a name is not."""
_LEAST_REASON = 7
_MARKED = re.compile(r"[:\d]")
"""A reason within a sentence may be shorter where it begins with what no name does: not JSON: …, byte 0x…"""
_DEEPEST = 8
"""Sentences within sentences that are translated: our own are three deep, what a document says may be without end."""
_LONGEST = 4000
"""Characters of what is looked up; whatever is longer was not written here."""


def language() -> str:
    """Return "ja" where IMI_LANG, or else the locale, asks for Japanese, and "en" elsewhere."""
    names = ("IMI_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    asked = next((os.environ[name] for name in names if os.environ.get(name)), "")
    return "ja" if asked.lower().startswith("ja") else "en"


def local(text: str) -> str:
    """Return a text as a person is to read it: the same in English, else in Japanese where the table has it."""
    if not text or len(text) > _LONGEST or language() != "ja":
        return text
    return _phrasebook().translate(text)


@cache
def _phrasebook() -> Phrasebook:
    return Phrasebook(entries(FOLDER))


def entries(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the pairs of English and Japanese in all files of a folder, in order."""
    for path in sorted(folder.glob("*.txt")):
        for entry in path.read_text("utf-8").strip("\n").split("\n\n"):
            english, japanese = entry.split("\n")
            yield english, english if japanese == "=" else japanese


def fields_of(template: str) -> list[str]:
    """Return the pieces of a template between its fields, one more than there are fields."""
    return template.split(_FIELD)


class Phrasebook:
    """Texts with their Japanese, some of them with fields."""

    def __init__(self, pairs: Iterator[tuple[str, str]]) -> None:
        """Read the pairs; see the module for their form."""
        self._exact: dict[str, str] = {}
        self._templates: list[tuple[int, list[str], str]] = []
        for english, japanese in pairs:
            if _FIELD not in english:
                self._exact[english] = japanese
                continue
            pieces = fields_of(english)
            letters = sum(map(_letters, pieces))
            if letters >= _LEAST:
                self._templates.append((letters, pieces, japanese))
        self._templates.sort(key=lambda one: -one[0])

    def translate(self, text: str, least: int = _LEAST, depth: int = _DEEPEST) -> str:
        """Return the Japanese of a text, of its lines or of its parts; what is not known stays as it is."""
        if not depth:
            return text
        known = self._known(text, least)
        if isinstance(known, str):
            return known
        if known is not None and not known.loose:
            return self._said(known, depth)
        # A name before a colon is none of the sentence behind it.
        parts = self._parts(text, depth)
        return parts if parts is not None else text if known is None else self._said(known, depth)

    def _parts(self, text: str, depth: int) -> str | None:
        """Return a text with its lines or parts in Japanese; None where none is known."""
        lead, colon, rest = text.partition(": ")
        if colon and "\n" not in text:
            known = self._known(rest, _WITHIN)
            if isinstance(known, str) or (known is not None and not known.loose):
                said = known if isinstance(known, str) else self._said(known, depth)
                return f"{self.translate(lead, _WITHIN, depth - 1)}：{said}"
            before, _, tail = text.rpartition(": ")
            if tail in self._exact and _letters(tail) >= _WITHIN:
                known = self._known(before, _WITHIN)
                if isinstance(known, _Match):
                    return f"{self._said(known, depth)}。{self._exact[tail]}"
        for between, joined in (("\n", "\n"), ("; ", "。"), (": ", "：")):
            parts = text.split(between) if between != ": " else text.split(between, 1)
            if len(parts) > 1:
                said_parts = [self.translate(part, _WITHIN, depth - 1) for part in parts]
                if said_parts != parts:
                    return joined.join(said_parts)
        return None

    def _known(self, text: str, least: int) -> str | _Match | None:
        """Return the Japanese of a text, or the template that it was made from."""
        if text in self._exact and (least == _LEAST or _letters(text) >= _WITHIN or " " in text):
            return self._exact[text]
        return self._match(text, least)

    def _said(self, match: _Match, depth: int) -> str:
        return _filled(match.japanese, [self.translate(field, _WITHIN, depth - 1) for field in match.fields])

    def _match(self, text: str, least: int) -> _Match | None:
        """Return the template that says most of a text; one that begins with no name only where no other fits.

        "left out {}: {}" says more of "left out a b: …" than "{}: …" does, and a colon ends a name.
        """
        most, open_ = _letters(text), None
        if most < min(least, _LEAST_REASON):
            return None
        for letters, pieces, japanese in self._templates:
            if letters < least and not (letters >= _LEAST_REASON and _MARKED.search(pieces[0])):
                continue
            if letters <= most and text.startswith(pieces[0]) and text.endswith(pieces[-1]):
                found = _fields_in(text, pieces)
                if found is None:
                    continue
                if pieces[0] or " " not in found[0]:
                    return _Match(japanese, found)
                open_ = open_ or _Match(japanese, found, loose=": " in found[0])
        return open_


@dataclass(frozen=True, slots=True)
class _Match:
    """A template's Japanese with what its fields hold; `loose` where the first may be more than a field."""

    japanese: str
    fields: list[str]
    loose: bool = False


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _fields_in(text: str, pieces: list[str]) -> list[str] | None:
    """Return what stands between the pieces of a template, each as short as can be; None where they do not fit."""
    at, last = len(pieces[0]), len(text) - len(pieces[-1])
    fields = []
    for piece in pieces[1:-1]:
        found = text.find(piece, at, last)
        if found < 0:
            return None
        fields.append(text[at:found])
        at = found + len(piece)
    return None if at > last else [*fields, text[at:last]]


def _filled(template: str, fields: list[str]) -> str:
    rest = iter(fields)
    return re.sub(r"\{(\d?)\}", lambda found: fields[int(found[1])] if found[1] else next(rest), template)
