"""Passages: what is embedded, found and quoted, made of a text's blocks by one rule for every format.

- Headings belong to what follows them: each passage carries their path, and no heading is a passage by itself. One
  that nothing but another follows goes with the next passage, one at the end with the last.
- Short blocks are joined, long ones cut at sentence ends (code, lists, tables and verse at line ends), up to a size in
  characters, or what its model reads where that is less. The pieces of one block are about equally long.
- Only where a cut falls inside a block does a piece repeat a sentence of the one before.
- A passage never crosses a heading that its format marks. One that only looks like a heading ends a passage that is
  long enough; 第2条 and Section 4 on a line of their own are no guess.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from imi.errors import Failure
from imi.text.blocks import Block
from imi.text.chunking import fitting
from imi.text.cuts import Cuts
from imi.text.sentences import sentence_spans

_LEAST = 3
"""A passage of a third of the size is long enough to end at a heading that was only guessed."""
_JOINED = 1.4
"""Whole paragraphs are joined to somewhat more than a paragraph is cut to: a section in one piece answers best."""
_LEFT_OVER = 8
"""What is left of a section, if it is less than an eighth of the size, stays with the passage before."""
_GAP = 4
_OVERLAP = 8
"""At most an eighth of the size is repeated."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage: its text, the path of headings above it, its place in the source, and its first line and page."""

    text: str
    heading: str
    start: int
    end: int
    line: int
    page: int | None


@dataclass(frozen=True, slots=True)
class _Piece:
    """A block or a part of one; `glued` where it goes on with the piece before."""

    block: Block
    first: int
    last: int
    glued: bool = False

    @property
    def text(self) -> str:
        return self.block.text[self.first : self.last]


def passages(
    blocks: Iterable[Block | Failure], size: int, *, fits: Callable[[str], bool] | None = None
) -> Iterator[Passage | Failure]:
    """Yield the passages of a text, in order.

    Args:
        blocks: of the text, with Failures for what could not be read, which are passed on.
        size: characters of a passage.
        fits: whether a model reads a text whole; what it does not is cut on.
    """
    return _Packer(size, fits).run(blocks)


class _Packer:
    """Puts the blocks of one text together; holds no more than the passage that it makes and the one before.

    `_path` are the headings in force. `_fresh` are those that nothing has followed yet; one that another replaces while
    it is fresh heads nothing, and becomes an orphan: text of the next passage.
    """

    def __init__(self, size: int, fits: Callable[[str], bool] | None) -> None:
        self._size = max(1, size)
        self._fits = fits
        self._cutter: _Cutter | None = None
        self._lines = _LineCount()
        self._path: list[Block] = []
        self._fresh: list[Block] = []
        self._orphans: list[Block] = []
        self._pieces: list[_Piece] = []
        self._length = 0
        self._full = False
        self._heading = ""
        self._held: tuple[list[_Piece], str] | None = None

    def run(self, blocks: Iterable[Block | Failure]) -> Iterator[Passage | Failure]:
        """Yield the passages."""
        for block in blocks:
            if isinstance(block, Failure):
                yield block
            elif block.kind == "heading":
                yield from self._head(block)
            else:
                yield from self._take(block)
        yield from self._end()

    def _head(self, block: Block) -> Iterator[Passage]:
        if not block.soft or self._length * _LEAST >= self._size:
            yield from self._flush()
        kept = [one for one in self._path if one.level < block.level]
        self._orphans += [one for one in self._path[len(kept) :] if one in self._fresh]
        self._fresh = [one for one in self._fresh if one in kept]
        self._path = [*kept, block]
        if self._full:
            # The passage goes on over a heading that was only guessed: it is text of it.
            self._append(_Piece(block, 0, len(block.text)))
        else:
            self._fresh.append(block)

    def _take(self, block: Block) -> Iterator[Passage]:
        length = len(block.text)
        if self._full:
            worth = length <= self._size or self._length * 4 >= self._size
            if (self._length + length > self._size * _JOINED and worth) or block.page != self._pieces[0].block.page:
                yield from self._flush()
        if length <= self._size:
            self._add(_Piece(block, 0, length))
            return
        for piece in self._cut(_Piece(block, 0, length), self._size):
            if self._full and (piece.glued or self._length + len(piece.text) > self._size):
                yield from self._flush()
            self._add(piece)

    def _add(self, piece: _Piece) -> None:
        """Add text to the passage, below its headings."""
        if not self._full:
            self._heading = " > ".join(dict.fromkeys(" ".join(one.text.split()) for one in self._path))
            # Guessed headings between an orphan and the text are text too, so that the passage is one place.
            guessed = [one for one in self._fresh if one.soft and self._orphans and one.start > self._orphans[-1].start]
            for above in (*self._orphans, *guessed):
                self._append(_Piece(above, 0, len(above.text)))
            self._orphans = []
        self._append(piece)
        self._full, self._fresh = True, []

    def _append(self, piece: _Piece) -> None:
        self._pieces.append(piece)
        self._length += piece.last - piece.first

    def _flush(self) -> Iterator[Passage]:
        """End the passage that is being made, and let go of the one before."""
        if not self._full:
            return
        made, length, heading = self._pieces, self._length, self._heading
        while made[-1].block.kind == "heading":
            last = made.pop().block
            (self._fresh if last in self._path else self._orphans).insert(0, last)
        self._pieces, self._length, self._full = [], 0, False
        held = self._held
        same = held is not None and held[1] == heading and held[0][0].block.page == made[0].block.page
        if held is not None and same and length * _LEFT_OVER < self._size:
            self._held = ([*held[0], *made], heading)
            return
        yield from self._let_go()
        self._held = (made, heading)

    def _let_go(self) -> Iterator[Passage]:
        if self._held is not None:
            pieces, heading = self._held
            self._held = None
            yield from self._whole(pieces, heading)

    def _whole(self, pieces: Sequence[_Piece], heading: str) -> Iterator[Passage]:
        """Yield a passage, or its parts where the whole has more tokens than its model reads, as a sum may not tell."""
        made = _passage(pieces, heading, self._lines)
        if self._fits is None or len(made.text) <= 1 or self._fits(made.text):
            yield made
        elif len(pieces) > 1:
            half = len(pieces) // 2
            yield from self._whole(pieces[:half], heading)
            yield from self._whole(pieces[half:], heading)
        else:
            for piece in self._cut(pieces[0], None):
                yield from self._whole([piece], heading)

    def _cut(self, whole: _Piece, size: int | None) -> Iterator[_Piece]:
        if self._cutter is None or self._cutter.block is not whole.block:
            self._cutter = _Cutter(whole.block)
        return self._cutter.pieces(whole, size)

    def _end(self) -> Iterator[Passage]:
        yield from self._flush()
        rest = [_Piece(block, 0, len(block.text)) for block in (*self._orphans, *self._fresh)]
        if rest and self._held is None:
            yield from self._whole(rest, "")  # headings are all that there is
        elif rest and self._held is not None:
            pieces, heading = self._held
            self._held = ([*pieces, *rest], heading)
        yield from self._let_go()


class _Cutter:
    """Cuts one block, which may be a line of many megabytes, in pieces."""

    def __init__(self, block: Block) -> None:
        self.block = block
        text = block.text
        in_lines = block.kind in ("list", "table", "code", "verse")
        self._spans = _lines(text) if in_lines else sentence_spans(text)
        self._starts = [start for start, _ in self._spans]
        self._cuts = Cuts(text)

    def _units(self, whole: _Piece, size: int) -> list[tuple[int, int, int]]:
        first, last = bisect_right(self._starts, whole.first) - 1, bisect_left(self._starts, whole.last)
        spans = [(max(start, whole.first), min(end, whole.last)) for start, end in self._spans[max(0, first) : last]]
        text = self.block.text
        units = fitting(text, [span for span in spans if span[0] < span[1]], None, size, self._cuts)
        return [unit for unit in units if not text[unit[0] : unit[1]].isspace()]

    def pieces(self, whole: _Piece, size: int | None) -> Iterator[_Piece]:
        """Yield the pieces of one that is too long, about equally long, with what each repeats.

        Args:
            whole: a part of the block.
            size: characters of a piece; None makes two or more pieces of it in any case.
        """
        block = self.block
        half = max(1, (whole.last - whole.first) // 2)
        units = self._units(whole, size or half)
        total = sum(unit[2] for unit in units)
        if size is None and total <= half:  # most of it is white space
            half = max(1, total // 2)
            units = self._units(whole, half)
        size = size or half
        room = max(1, size - (size // _OVERLAP if block.kind == "prose" else 0))
        share = total / -(-total // room)
        first = 0
        while first < len(units):
            last, held = first, 0
            while last < len(units) and (last == first or held + units[last][2] <= size):
                held += units[last][2]
                last += 1
                if held >= share:
                    break
            begin = first
            if first and block.kind == "prose" and (first > 1 or last < len(units)):  # else it is all of it again
                repeated = units[first - 1][2]
                begin = first - 1 if repeated * _OVERLAP <= size and held + repeated <= size else first
            yield _Piece(block, units[begin][0], units[last - 1][1], glued=first > 0)
            first = last


class _LineCount:
    """Counts the line ends of a block up to places that are near each other."""

    def __init__(self) -> None:
        self._block: Block | None = None
        self._at = self._found = 0

    def before(self, block: Block, at: int) -> int:
        """Return how many line ends a block's text has before a place."""
        if block is not self._block:
            self._block, self._at, self._found = block, 0, 0
        between = block.text.count("\n", min(self._at, at), max(self._at, at))
        self._found += between if at > self._at else -between
        self._at = at
        return self._found


def _lines(text: str) -> list[tuple[int, int]]:
    spans, at = [], 0
    for line in text.splitlines(keepends=True):
        spans.append((at, at + len(line)))
        at += len(line)
    return spans


def _passage(pieces: Sequence[_Piece], heading: str, lines: _LineCount) -> Passage:
    parts: list[str] = []
    before: _Piece | None = None
    for piece in pieces:
        if before is not None and before.block is piece.block:
            # Pieces of one block that come together again: what the later repeats is said once.
            parts.append(piece.block.text[before.last : piece.last])
        else:
            parts.append(("" if before is None else _between(before, piece)) + piece.text.strip("\n"))
        before = piece
    whole = "".join(parts)
    first, last = pieces[0], pieces[-1]
    lead = len(first.text) - len(first.text.lstrip())
    tail = len(last.text) - len(last.text.rstrip())
    start, end = first.block.place(first.first + lead), last.block.place(last.last - tail - 1) + 1
    line = first.block.line + lines.before(first.block, first.first + lead) if first.block.line else 0
    return Passage(
        whole.strip("\n") if first.block.kind == "code" else whole.strip(), heading, start, end, line, first.block.page
    )


def _between(before: _Piece, after: _Piece) -> str:
    """Return what separates two blocks: as many line ends as in the source where these are few."""
    gap = after.block.start - before.block.end
    if before.block.exact and after.block.exact and 0 < gap <= _GAP:
        return "\n" * gap
    return "\n" if before.block.kind == after.block.kind == "list" else "\n\n"
