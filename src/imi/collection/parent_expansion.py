"""Late parent expansion: what was found is a small piece, what is read is the piece with its surroundings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from imi.collection.base import Collection
from imi.collection.folder import FolderCollection
from imi.errors import UsageError
from imi.records import Document, Hit, facts_of
from imi.store.adjacent_rows import pieces_between, rows_between
from imi.text.readers import is_prose

_GAP = 120
"""Characters of white space and markup between two pieces, above which something is missing between them."""
_WHITE = 16
_LONGEST_OVERLAP = 1000
_LINES = 100


@dataclass(frozen=True, slots=True)
class Expanded:
    """A hit with its neighbours in the same section of the same document.

    `hit.text` is the longer text. For pieces of a whole it stands at `start` to `end` of `parent`, character by
    character, but for white space between pieces, which was not kept: a space, or line breaks, of the same number.
    `ids` are the rows that it was put together from, in their order.
    """

    hit: Hit
    parent: str | None
    start: int | None
    end: int | None
    ids: tuple[str, ...]


@dataclass(slots=True)
class _Run:
    """Text that grows at both ends; start and end are its place."""

    text: str
    start: int
    end: int
    ids: list[str]


def expand(collection: Collection, hits: Iterable[Hit], characters: int) -> list[Expanded]:
    """Return hits with the text around them; one that an earlier one already holds is left out.

    Pieces of long documents grow within their section, which is where their headings agree; lines, paragraphs and
    sections of text and Markdown files grow over those beside them under the same heading. Rows of tables stay alone.

    Args:
        collection: where the hits were found.
        hits: best first.
        characters: how long a passage may grow; a hit that is longer stays as it is.

    Raises:
        UsageError: characters below 1, or a collection that lies on an engine.
    """
    if characters < 1:
        raise UsageError(f"a passage cannot grow to {characters} characters, allowed are 1 and more")
    if not isinstance(collection, FolderCollection):
        raise UsageError(
            f"passages of {collection!r} cannot grow: the engine does not know their neighbours",
            hint="ask without --expand, or copy the rows into a folder",
        )
    hits, store = list(hits), collection._store
    found: list[Expanded] = []
    held: set[str] = set()
    with store.reading():
        documents = {one.document.id: one.document for one in store.by_ids([hit.id for hit in hits]).values()}
        for hit in hits:
            if hit.id in held:
                continue
            document = documents.get(hit.id)
            one = Expanded(hit, None, None, None, (hit.id,))
            if document is not None and _body(document) is not None:
                one = _in_whole(collection, hit, document, characters)
            elif document is not None and is_prose(str(facts_of(document.metadata).get("source", ""))):
                one = _among_lines(collection, hit, document, characters)
            held.update(one.ids)
            found.append(one)
    return found


def _head(document: Document) -> str:
    """Return what was put before a piece's own text: the path of its headings, on a separate line."""
    facts, text = facts_of(document.metadata), document.text or ""
    above = " > ".join(dict.fromkeys(str(part) for part in (facts.get("title"), facts.get("heading")) if part))
    return f"{above}\n" if above and text.startswith(f"{above}\n") and len(text) > len(above) + 1 else ""


def _body(document: Document) -> str | None:
    """Return the part of a piece's text that its whole has."""
    if document.parent is None or document.start is None or document.end is None or document.text is None:
        return None
    return document.text[len(_head(document)) :]


def _in_whole(collection: FolderCollection, hit: Hit, document: Document, most: int) -> Expanded:
    parent, start, end = document.parent or "", document.start or 0, document.end or 0
    near = pieces_between(collection._store, parent, start - most, end + most)
    near = [one for one in near if _body(one) is not None]
    at = next((at for at, one in enumerate(near) if one.id == document.id), None)
    if at is None:
        return Expanded(hit, None, None, None, (hit.id,))
    run = _grown(near, at, most, _join_pieces)
    text = Hit(hit.id, hit.score, _head(document) + run.text, hit.metadata)
    return Expanded(text, parent, run.start, run.end, tuple(run.ids))


def _among_lines(collection: FolderCollection, hit: Hit, document: Document, most: int) -> Expanded:
    facts = facts_of(document.metadata)
    line = facts.get("line")
    alone = Expanded(hit, None, None, None, (hit.id,))
    if not isinstance(line, int) or document.text is None:
        return alone
    near = rows_between(collection._store, str(facts.get("source")), line - _LINES, line + _LINES)
    near = [one for one in near if one.text is not None]
    at = next((at for at, one in enumerate(near) if one.id == document.id), None)
    if at is None:
        return alone
    run = _grown(near, at, most, _join_lines)
    return Expanded(Hit(hit.id, hit.score, run.text, hit.metadata), None, None, None, tuple(run.ids))


def _grown(near: Sequence[Document], at: int, most: int, join: Callable[[_Run, Document, bool], _Run | None]) -> _Run:
    """Add neighbours after and before in turn, as long as they follow one another and the text stays short enough."""
    first = near[at]
    heading = facts_of(first.metadata).get("heading")
    run = _Run(_body(first) or first.text or "", first.start or 0, first.end or 0, [first.id])
    before, after = at - 1, at + 1
    while True:
        grew = False
        for behind in (True, False):
            other = after if behind else before
            follows = 0 <= other < len(near) and facts_of(near[other].metadata).get("heading") == heading
            joined = join(run, near[other], behind) if follows else None
            if joined is None or len(joined.text) > most:
                # Nothing comes after what does not fit: a passage has no holes.
                after, before = (len(near), before) if behind else (after, -1)
                continue
            run, grew = joined, True
            after, before = (after + 1, before) if behind else (after, before - 1)
        if not grew:
            return run


def _join_pieces(run: _Run, other: Document, behind: bool) -> _Run | None:
    body, start, end = _body(other) or "", other.start or 0, other.end or 0
    gap = start - run.end if behind else run.start - end
    if gap > _GAP:
        return None
    exact = len(body) == end - start and len(run.text) == run.end - run.start
    white = (" " if gap == 1 else "\n" * max(0, gap)) if exact and gap <= _WHITE else "\n\n" if gap > 0 else ""
    if behind:
        shared = 0 if gap >= 0 else -gap if exact else _shared(run.text, body)
        added = body[shared:] if end > run.end else ""
        return _Run(run.text + white + added, run.start, max(run.end, end), [*run.ids, other.id])
    shared = 0 if gap >= 0 else -gap if exact else _shared(body, run.text)
    added = body[: len(body) - shared] if start < run.start else ""
    return _Run(added + white + run.text, min(run.start, start), run.end, [other.id, *run.ids])


def _shared(before: str, after: str) -> int:
    """Return how many characters at the end of one text are those at the beginning of the next."""
    most = min(len(before), len(after), _LONGEST_OVERLAP)
    return next((size for size in range(most, 0, -1) if before.endswith(after[:size])), 0)


def _join_lines(run: _Run, other: Document, behind: bool) -> _Run | None:
    heading = facts_of(other.metadata).get("heading")
    text = other.text or ""
    if not behind:
        # The heading that stands above each paragraph is said once, above the first.
        below = run.text.removeprefix(f"{heading}\n") if heading else run.text
        return _Run(f"{text}\n{below}", 0, 0, [other.id, *run.ids])
    text = text.removeprefix(f"{heading}\n") if heading else text
    return _Run(f"{run.text}\n{text}", 0, 0, [*run.ids, other.id])
