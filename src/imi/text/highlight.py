"""What of a text to show, and which of its words a query looks for."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from imi.text.lexical import normalize_text, phrase_tokens, query_terms

READ = 200_000
"""Characters of a text that are looked through closely."""
_OVER = 1000
_FARTHEST = 8_000_000
"""Characters up to which a long text is looked through for the stretch that has most of the words."""
MOST_MARKS = 400
MOST_TERMS = 200
"""Words of a query that are looked for in each text: of a longer one, as the text of a page, the first."""
Span = tuple[int, int]
Part = tuple[str, bool]

_STOP = frozenset(
    """
    a an and are as at be but by can do does for from had has have he her his how i if in is it its my no not of on or
    she so than that the their them then there they this to was we were what when where which who why will with you
    your
    """.split()  # noqa: SIM905 — a list of one word a line would hide the code
)


@dataclass(frozen=True, slots=True)
class Marked:
    """A text or a piece of one, in parts that are marked or not; `start` is where it begins, in characters."""

    parts: tuple[Part, ...]
    start: int
    characters: int
    """Of the whole text."""


def wanted_terms(query: str) -> list[str]:
    """Return what a search by text looks for and a reader would call a word: no `the`, no bare です.

    Longer queries are ranked by single characters and by particles, too; marking these would colour every text.
    """
    asked = query_terms(query)
    if asked.phrase:
        # The parts' consecutive tokens overlap by one character in scripts without spaces: joined, they are the part.
        return list(dict.fromkeys(filter(None, map(normalize_text, _pieces(query)))))[:MOST_TERMS]
    terms = [term for term in asked.terms if term not in _STOP]
    telling = [term for term in terms if not _is_kana(term) and (len(term) > 1 or not term.isalnum())]
    return (telling or [term for term in terms if len(term) > 1] or terms)[:MOST_TERMS]


def _pieces(query: str) -> list[str]:
    quoted = query.translate(str.maketrans("“”「」", '""""')).split('"')
    inside = quoted[1::2] if len(quoted) > 2 else []
    outside = " ".join(quoted[::2] if inside else [query])
    return [piece.strip() for piece in [*inside, *outside.split()] if phrase_tokens(piece)]


def _is_kana(term: str) -> bool:
    return len(term) <= 2 and all("\u3041" <= character <= "\u309f" for character in term)


def spans_of(text: str, terms: Sequence[str], start: int | None = None) -> tuple[list[Span], list[str]]:
    """Return where the terms occur in a text, merged and in order, and which of them occur there at all.

    Words of letters and digits must begin where a word begins; what has no spaces around it may occur anywhere. Of a
    text that is very long one stretch is looked through.

    Args:
        text: the whole text.
        terms: the words.
        start: what of a very long text is looked through; None for the stretch that has most of the words.
    """
    first = _stretch(text, terms) if start is None else max(0, min(start, len(text) - READ))
    found, seen = _spans(text[first : first + READ], terms)
    return [(begin + first, end + first) for begin, end in found], seen


def _stretch(text: str, terms: Sequence[str]) -> int:
    """Return where the stretch of a text begins that has most of the words, the first of them where several have."""
    best, where = -1, 0
    if len(text) <= READ:
        return where
    for at in range(0, min(len(text), _FARTHEST), READ - _OVER):
        folded = normalize_text(text[at : at + READ])
        held = sum(_holds(folded, term) for term in terms)
        if held > best:
            best, where = held, at
        if best == len(terms):
            break
    return where


def _holds(folded: str, term: str) -> bool:
    """Return whether a term is in a text as a word; of one that is within very many others the first are looked at."""
    at = folded.find(term)
    for _ in range(MOST_MARKS):
        if at < 0 or _begins(folded, at, term):
            break
        at = folded.find(term, at + max(1, len(term)))
    return at >= 0 and _begins(folded, at, term)


def _spans(text: str, terms: Sequence[str]) -> tuple[list[Span], list[str]]:
    folded, places = _folded(text)
    found: list[Span] = []
    seen: list[str] = []
    for term in terms:
        at, before = folded.find(term), len(found)
        while at >= 0 and len(found) < MOST_MARKS:
            if _begins(folded, at, term):
                end = at + len(term)
                found.append((at, end) if places is None else (places[at], places[end - 1] + 1))
            at = folded.find(term, at + max(1, len(term)))
        if len(found) > before:
            seen.append(term)
    return _merged(found), seen


def _folded(text: str) -> tuple[str, list[int] | None]:
    """Return a text as it is compared, and for each of its characters the place it came from; None for the same."""
    whole = normalize_text(text)
    if len(whole) == len(text) and (text.isascii() or unicodedata.is_normalized("NFKC", text)):
        return whole, None
    parts, places = [], []
    for at, character in enumerate(text):
        folded = normalize_text(character)
        parts.append(folded)
        places += [at] * len(folded)
    return "".join(parts), places


def _begins(folded: str, at: int, term: str) -> bool:
    """Return whether a word of letters begins here: rain is not found in train."""
    if at == 0 or not (term[0].isascii() and term[0].isalnum()):
        return True
    before = folded[at - 1]
    return not (before.isascii() and before.isalnum())


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def piece_of(text: str, terms: Sequence[str], most: int, start: int | None = None) -> Marked:
    """Return at most `most` characters of a text with its words marked.

    Args:
        text: the whole text.
        terms: words to mark.
        most: how many characters to show.
        start: where to begin; None for where most words are close together.
    """
    spans, _ = spans_of(text, terms, start)
    if start is None:
        start = 0 if len(text) <= most else _busiest(spans, most)
    end = min(len(text), start + most)
    parts: list[Part] = []
    at = start
    for begin, stop in spans:
        begin, stop = max(begin, at), min(stop, end)
        if begin >= stop:
            continue
        if begin > at:
            parts.append((text[at:begin], False))
        parts.append((text[begin:stop], True))
        at = stop
    if at < end:
        parts.append((text[at:end], False))
    return Marked(tuple(parts), start, len(text))


def _busiest(spans: Sequence[Span], most: int) -> int:
    """Return where a window begins that holds the most marked characters, with some text before the first of them."""
    best, where, last, held = 0, 0, 0, 0
    for first, (start, _) in enumerate(spans):
        while last < len(spans) and spans[last][1] <= start + most * 3 // 4:
            held += spans[last][1] - spans[last][0]
            last += 1
        if held > best:
            best, where = held, start
        if last > first:
            held -= spans[first][1] - spans[first][0]
        else:
            last = first + 1
    return max(0, where - most // 5)
