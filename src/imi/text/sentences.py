"""Where sentences end, in scripts with and without spaces."""

from __future__ import annotations

import re

# Japanese and Chinese ends need no space behind them and keep their closing brackets; a Latin full stop needs one.
_END = re.compile(
    r"[。．！？｡]+[」』）】〕〉》”’)\"']*\s*|(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?:\s++|$)|(?<![^\S\n])[^\S\n]*+\n\s*+"
)


_BEFORE = 24
_NUMBER = 3
"""Digits of the number of an item of a list or a clause, which its text follows."""
_TITLES = frozenset("mr mrs ms dr prof st mt gen col capt lt sgt rev hon messrs".split())  # noqa: SIM905 — words
"""What a name follows."""
_SHORTENED = frozenset(
    """
    e.g i.e cf vs fig figs no nos vol vols pp p ch sec eq ed eds et al etc approx ca dept est inc ltd co corp jr sr
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun a.m p.m u.s u.k
    """.split()  # noqa: SIM905 — a list of one word a line would hide the code
)
"""What may end a sentence as well: a capital behind it begins the next one."""


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of each sentence; together they are the whole text, white space behind an end included.

    The full stop of a title ("Dr. Lind"), of an initial ("J. K. Rowling"), of a shortened word ("Fig. 3") or
    of an item's number at the beginning of a line ends none.
    """
    spans, start = [], 0
    for match in _END.finditer(text):
        if match.end() > start and not _shortened(text, match):
            spans.append((start, match.end()))
            start = match.end()
    if start < len(text):
        spans.append((start, len(text)))
    return spans


def _shortened(text: str, match: re.Match[str]) -> bool:
    """Whether a full stop belongs to the word before it, and the sentence goes on."""
    if match[0][0] != "." or match[0].strip() != "." or match.end() == len(text) or "\n\n" in match[0]:
        return False
    begin = match.start()
    while begin > max(0, match.start() - _BEFORE) and (text[begin - 1].isalnum() or text[begin - 1] == "."):
        begin -= 1
    said, following = text[begin : match.start()], text[match.end()]
    if said.isdigit() and len(said) <= _NUMBER:
        _, end, own = text[max(0, begin - _BEFORE) : begin].rpartition("\n")
        if (end or begin <= _BEFORE) and not own.strip(" \t>#-*"):
            return True
    if said.lower() in _TITLES:
        return True
    if len(said) == 1 and said.isupper() and said.isascii():
        before = text[max(0, begin - _BEFORE) : begin].split()
        return following.isupper() and (not before or before[-1][0].isupper())
    return said.lower() in _SHORTENED and not following.isupper()


def sentences(text: str) -> list[str]:
    """Return the sentences of a text without the white space around them; empty ones are left out."""
    return [stripped for start, end in sentence_spans(text) if (stripped := text[start:end].strip())]
