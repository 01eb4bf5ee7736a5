"""Postings: for each term the rows that hold it and how often, as a few flat arrays that a file can be mapped to.

A segment holds the rows that arrived together; segments are made once, merged, and never changed. Terms are kept as
64-bit hashes: among ten million terms, two that share one are expected once in three hundred thousand collections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import Damaged
from imi.hashing import blake2b
from imi.types import Rows

K1, B = 1.2, 0.75
"""BM25's constants: how soon a repeated term stops adding, and how much length is held against a row."""
MOST_COUNT = 65_535
"""A term that occurs more often in one row counts as if it occurred this often."""
_BLOCK = 1 << 22

Mask = NDArray[np.bool_]


@lru_cache(maxsize=1 << 16)
def term_hash(term: str) -> int:
    """Return the 64 bits that identify a term, the same on every machine."""
    return int.from_bytes(blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Segment:
    """Rows and their postings; a document is a row's place in `rows`.

    rows: (n,) int64 ascending. lengths: (n,) uint32, tokens of each. terms: (t,) uint64 ascending hashes. starts:
    (t + 1,) int64, where each term's postings begin. documents: (p,) uint32, ascending within a term. counts: (p,)
    uint16. peaks: (t,) float32, the largest f / (f + norm) of a term's postings at the mean length `mean`.
    """

    rows: Rows
    lengths: NDArray[np.uint32]
    terms: NDArray[np.uint64]
    starts: Rows
    documents: NDArray[np.uint32]
    counts: NDArray[np.uint16]
    peaks: NDArray[np.float32]
    mean: float

    def __len__(self) -> int:
        return len(self.rows)

    def find(self, hashed: int) -> int:
        """Return the place of a term, -1 where no row holds it."""
        wanted = np.uint64(hashed)
        at = int(np.searchsorted(self.terms, wanted))
        return at if at < len(self.terms) and self.terms[at] == wanted else -1

    def shape(self) -> dict[str, Any]:
        """Return what `read_segment` must know beside the bytes."""
        sizes = {"rows": len(self.rows), "terms": len(self.terms), "postings": len(self.documents)}
        return {**sizes, "mean": self.mean}

    def write(self, path: Path) -> None:
        """Write the arrays one after the other, widest numbers first, so that each is aligned."""
        with path.open("wb") as file:
            for part, kind in (
                (self.terms, "<u8"),
                (self.starts, "<i8"),
                (self.rows, "<i8"),
                (self.peaks, "<f4"),
                (self.lengths, "<u4"),
                (self.documents, "<u4"),
                (self.counts, "<u2"),
            ):
                for start in range(0, len(part), _BLOCK):
                    file.write(np.ascontiguousarray(part[start : start + _BLOCK], dtype=kind).data)


def read_segment(path: Path, shape: dict[str, Any]) -> Segment:
    """Map a file that `Segment.write` wrote and whose checksum has been verified.

    Raises:
        Damaged: its size is not that of the shape.
    """
    rows, terms, postings = int(shape["rows"]), int(shape["terms"]), int(shape["postings"])
    layout = [(terms, "<u8"), (terms + 1, "<i8"), (rows, "<i8"), (terms, "<f4"), (rows, "<u4"), (postings, "<u4")]
    layout.append((postings, "<u2"))
    wanted = sum(count * np.dtype(kind).itemsize for count, kind in layout)
    if path.stat().st_size != wanted:
        raise Damaged(f"{path} has {path.stat().st_size} bytes, {wanted} are those of {rows} rows", hint="imi repair")
    whole = np.memmap(path, np.uint8, "r")
    parts: list[NDArray[Any]] = []
    start = 0
    for count, kind in layout:
        end = start + count * np.dtype(kind).itemsize
        parts.append(np.asarray(whole[start:end]).view(kind))
        start = end
    hashes, starts, numbers, peaks, lengths, documents, counts = parts
    return Segment(numbers, lengths, hashes, starts, documents, counts, peaks, float(shape["mean"]))


def norms(lengths: NDArray[Any], mean: float) -> NDArray[np.float32]:
    """Return for each length what BM25 adds to a term's count below the line: k1 · (1 - b + b · length / mean)."""
    return np.asarray(K1 * (1 - B) + (K1 * B / max(mean, 1e-9)) * lengths.astype(np.float64), dtype=np.float32)


def make_segment(rows: Rows, tokens: Sequence[Sequence[str]]) -> Segment:
    """Count the tokens of rows, which come in ascending order."""
    vocabulary: dict[str, int] = {}
    number = vocabulary.setdefault
    ids = np.fromiter((number(token, len(vocabulary)) for token in chain.from_iterable(tokens)), np.int64)
    lengths = np.fromiter(map(len, tokens), np.int64, count=len(tokens))
    hashes = np.fromiter(map(term_hash, vocabulary), np.uint64, count=len(vocabulary))
    terms, place = np.unique(hashes, return_inverse=True)
    owners = np.repeat(np.arange(len(tokens)), lengths)
    pairs, counts = np.unique(place[ids] * max(len(tokens), 1) + owners, return_counts=True)
    term, document = np.divmod(pairs, max(len(tokens), 1))
    starts = np.searchsorted(term, np.arange(len(terms) + 1))
    return _finished(
        np.asarray(rows, dtype=np.int64),
        lengths.astype(np.uint32),
        terms,
        starts,
        document.astype(np.uint32),
        np.minimum(counts, MOST_COUNT).astype(np.uint16),
    )


def merge_segments(segments: Sequence[Segment], alive: Sequence[Mask]) -> Segment:
    """Return one segment with the live rows of several, which follow each other in ascending order of row."""
    rows = np.concatenate([part.rows[living] for part, living in zip(segments, alive, strict=True)])
    lengths = np.concatenate([part.lengths[living] for part, living in zip(segments, alive, strict=True)])
    terms = np.unique(np.concatenate([part.terms for part in segments]))
    place = [np.searchsorted(terms, part.terms) for part in segments]
    held = [_living(part, living) for part, living in zip(segments, alive, strict=True)]
    total = np.zeros(len(terms), dtype=np.int64)
    for at, each in zip(place, held, strict=True):
        total[at] += each
    ends = np.cumsum(total)
    filled = ends - total  # where the next posting of each term goes
    documents = np.empty(int(total.sum()), dtype=np.uint32)
    counts = np.empty(len(documents), dtype=np.uint16)
    first = 0
    for part, living, at, each in zip(segments, alive, place, held, strict=True):
        named = np.cumsum(living) - 1 + first
        for low, high in _runs(part.starts):
            span = slice(int(part.starts[low]), int(part.starts[high]))
            passing = living[part.documents[span]]
            kept = each[low:high]
            before = np.cumsum(kept) - kept
            target = np.repeat(filled[at[low:high]] - before, kept) + np.arange(int(kept.sum()))
            documents[target] = named[part.documents[span][passing]]
            counts[target] = part.counts[span][passing]
        filled[at] += each
        first += int(np.count_nonzero(living))
    used = total > 0
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[used]])
    return _finished(rows, lengths, terms[used], starts, documents, counts)


def _runs(starts: Rows) -> list[tuple[int, int]]:
    """Cut terms into runs of about _BLOCK postings, so that memory stays small."""
    if len(starts) < 2:
        return []
    cuts = np.unique(np.searchsorted(starts, np.arange(0, int(starts[-1]), _BLOCK)))
    ends = [*cuts[1:].tolist(), len(starts) - 1]
    return [(low, high) for low, high in zip(cuts.tolist(), ends, strict=True) if low < high]


def _living(part: Segment, alive: Mask) -> Rows:
    """Return how many live rows hold each term."""
    out = np.diff(part.starts)
    if alive.all():
        return np.asarray(out)
    for low, high in _runs(part.starts):
        span = slice(int(part.starts[low]), int(part.starts[high]))
        # No term is empty, so that each reduction covers its own postings.
        cuts = part.starts[low:high] - part.starts[low]
        out[low:high] = np.add.reduceat(alive[part.documents[span]].astype(np.int64), cuts)
    return np.asarray(out)


def _finished(
    rows: Rows,
    lengths: NDArray[np.uint32],
    terms: NDArray[np.uint64],
    starts: Rows,
    documents: NDArray[np.uint32],
    counts: NDArray[np.uint16],
) -> Segment:
    mean = float(lengths.mean()) if len(lengths) and lengths.any() else 1.0
    norm = norms(lengths, mean)
    peaks = np.empty(len(terms), dtype=np.float32)
    for low, high in _runs(starts):
        span = slice(int(starts[low]), int(starts[high]))
        f = counts[span].astype(np.float32)
        peaks[low:high] = np.maximum.reduceat(f / (f + norm[documents[span]]), starts[low:high] - starts[low])
    return Segment(rows, lengths, terms, np.asarray(starts, dtype=np.int64), documents, counts, peaks, mean)
