"""The index of words of a collection that changes: BM25's exact ranking over mapped postings, and rows that died.

Contract with the collection, which owns the truth:

- A row is named by its number in the store, which is never used twice: `add` takes rows above all that came before.
- `Words.open(folder, fingerprint)` reads what `save` wrote and raises Damaged for anything that is missing, altered or
  made for another fingerprint; then `Words()` starts afresh. `about` is what the owner wrote down beside it.
- `add` makes rows findable at once, `remove` makes them unfindable. `save` merges segments, writes those that no file
  holds yet, and returns a Words that maps the files. Every state is a value: nothing is changed in place, and a search
  goes on with the state that it began with.
- Scores are BM25's with Lucene's idf, over the live rows: those of `imi.text.bm25`, which the tests compare with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from imi.errors import Damaged
from imi.fusion import lucene_idf
from imi.index.manifest import Write, read_manifest, verified, write_files
from imi.index.maxscore import (
    Field,
    Term,
    best_documents,
    live_postings,
    matching_documents,
    read_term,
)
from imi.index.postings import Mask, Segment, make_segment, merge_segments, norms, read_segment, term_hash
from imi.index.segments import Lookup
from imi.types import Floats, Rows

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_REMEMBERED = 1 << 16
"""Words of questions that a state remembers: a server that only reads may answer for months by one state."""


@dataclass(frozen=True)
class Words:
    """Segments of postings and which of their rows are alive; see the module's contract.

    saved: what the names of each segment's files end in, None for those in memory. about: the owner's JSON values.
    """

    segments: tuple[Segment, ...] = ()
    alive: tuple[Mask, ...] = ()
    saved: tuple[str | None, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, fingerprint: str) -> Words:
        """Read an index from its folder; every file is compared with its checksum.

        Raises:
            Damaged: it is missing or altered, or was made for another fingerprint.
            TooNew: a newer imi wrote it.
        """
        manifest = read_manifest(folder)
        try:
            if manifest.about["fingerprint"] != fingerprint:
                raise Damaged(f"the words in {folder} are of another collection", hint="imi repair")
            shapes = manifest.about["segments"]
            names = tuple(str(shape["name"]) for shape in shapes)
            segments = tuple(
                read_segment(verified(folder, manifest, f"words{name}"), shape)
                for name, shape in zip(names, shapes, strict=True)
            )
            bits = np.fromfile(verified(folder, manifest, "alive"), dtype=np.uint8)
            living = np.unpackbits(bits, count=sum(map(len, segments))).astype(bool)
            about = dict(manifest.about["about"])
        except (KeyError, IndexError, TypeError, ValueError) as wrong:
            raise Damaged(f"the manifest in {folder} does not describe an index of words: {wrong!r}") from wrong
        ends = np.cumsum([len(segment) for segment in segments]).tolist()
        return cls(segments, tuple(np.split(living, ends[:-1])) if segments else (), names, about)

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _count(self) -> int:
        return int(sum(np.count_nonzero(living) for living in self.alive))

    def add(self, rows: Sequence[int], tokens: Sequence[Sequence[str]], *, join: bool = True) -> Words:
        """Return the index with more rows.

        Args:
            rows: their numbers, ascending and above all that the index has.
            tokens: of each.
            join: keep the segments few; without, many may be added quickly before `save` joins them.
        """
        if not len(rows):
            return self
        segments, alive, saved = list(self.segments), list(self.alive), list(self.saved)
        segments.append(make_segment(np.asarray(rows, dtype=np.int64), tokens))
        alive.append(np.ones(len(rows), dtype=bool))
        saved.append(None)
        # Few segments, and few copies of a row: a new one takes in those before it that are not much larger.
        while join and len(segments) > 1 and saved[-2] is None and len(segments[-2]) < 4 * len(segments[-1]):
            _merge_last(segments, alive, saved)
        return replace(self, segments=tuple(segments), alive=tuple(alive), saved=tuple(saved))

    def remove(self, rows: Rows) -> Words:
        """Return the index with these rows dead; those that it does not have are ignored."""
        if not len(rows) or not self.segments:
            return self
        places = self._lookup.places(np.asarray(rows, dtype=np.int64))
        places = places[places >= 0]
        if not len(places):
            return self
        living = np.concatenate(self.alive)
        living[places] = False
        return replace(self, alive=tuple(np.split(living, self._offsets[1:])))

    def with_about(self, about: Mapping[str, Any]) -> Words:
        """Return the index with other values of the owner's, which `save` writes."""
        return replace(self, about=dict(about))

    def search(self, terms: Sequence[str], k: int, allowed: Rows | None = None) -> tuple[Rows, Floats]:
        """Return the k best rows that hold any of the terms and their scores, best first, ties by row.

        Args:
            terms: of the query; one that comes twice counts twice.
            k: how many at most.
            allowed: rows that may be found; None for all.
        """
        if not self.segments:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        scores, documents = best_documents(self._field, self._terms(terms), k, self._mask(allowed))
        return self._rows[documents], scores

    def matching(self, terms: Sequence[str], allowed: Rows | None = None) -> Rows:
        """Return all rows that hold any of the terms, ascending."""
        if not self.segments:
            return np.empty(0, np.int64)
        return self._rows[matching_documents(self._field, self._terms(terms), self._mask(allowed))]

    def counts(self, terms: Sequence[str]) -> dict[str, int]:
        """Return how many live rows hold each term."""
        return {term: self._live(term) for term in terms}

    def expected(self, terms: Sequence[str]) -> float:
        """Return the score of a row of mean length that holds each term once: the sum of their idf."""
        total = len(self)
        return float(sum(lucene_idf(self._live(term), total) for term in terms))

    # --- what searches of one state share ---

    @cached_property
    def _offsets(self) -> list[int]:
        return [0, *np.cumsum([len(part) for part in self.segments])[:-1].tolist()]

    @cached_property
    def _rows(self) -> Rows:
        return np.concatenate([part.rows for part in self.segments])

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self._rows)

    @cached_property
    def _dead(self) -> list[NDArray[np.uint32]]:
        return [np.flatnonzero(~living).astype(np.uint32) for living in self.alive]

    @cached_property
    def _field(self) -> Field:
        lengths = np.concatenate([part.lengths for part in self.segments])
        living = np.concatenate(self.alive)
        all_alive = bool(living.all())
        counted = lengths if all_alive else lengths[living]
        mean = float(counted.mean()) if len(counted) and counted.any() else 1.0
        return Field(self.segments, self._offsets, norms(lengths, mean), None if all_alive else living, mean)

    @cached_property
    def _known(self) -> dict[str, tuple[tuple[int, ...], int]]:
        return {}

    @cached_property
    def _read(self) -> dict[tuple[str, int], Term]:
        return {}

    @cached_property
    def _masks(self) -> list[tuple[Rows, Mask]]:
        return []

    def _find(self, term: str) -> tuple[tuple[int, ...], int]:
        """Return a term's place in each segment and how many live rows hold it, remembered for this state."""
        found = self._known.get(term)
        if found is None:
            hashed = term_hash(term)
            places = tuple(part.find(hashed) for part in self.segments)
            live = sum(
                live_postings(part, place, living, dead)
                for part, place, living, dead in zip(self.segments, places, self.alive, self._dead, strict=True)
                if place >= 0
            )
            found = _remember(self._known, term, (places, live))
        return found

    def _live(self, term: str) -> int:
        return self._find(term)[1]

    def _terms(self, terms: Sequence[str]) -> list[Term]:
        return [self._term(term, asked) for term, asked in Counter(terms).items()]

    def _term(self, term: str, asked: int) -> Term:
        """Return what is known of a term that is asked so often, remembered for this state."""
        found = self._read.get((term, asked))
        if found is None:
            places, live = self._find(term)
            weight = float(asked * lucene_idf(live, len(self)))
            found = _remember(self._read, (term, asked), read_term(self._field, places, weight))
        return found

    def _mask(self, allowed: Rows | None) -> Mask | None:
        if allowed is None:
            return self._field.alive
        known = next(iter(self._masks), None)  # read once: another thread may put another filter there
        if known is not None and known[0] is allowed:
            return known[1]
        places = self._lookup.places(np.asarray(allowed, dtype=np.int64))
        mask = np.zeros(len(self._rows), dtype=bool)
        mask[places[places >= 0]] = True
        if self._field.alive is not None:
            mask &= self._field.alive
        if not allowed.flags.writeable:  # a filter that is remembered: the next search asks for it again
            self._masks[:] = [(allowed, mask)]
        return mask

    # --- files ---

    def save(self, folder: Path, fingerprint: str) -> Words:
        """Merge, write what no file holds yet, and return the state as the files have it."""
        merged = self._merged()
        try:
            old = read_manifest(folder)
            kept = {name: entry for name, entry in old.files.items() if name != "alive"}
            # A name stays in use for ever, or a segment of today could be taken for one of yesterday.
            following = int(old.about["next"])
        except (Damaged, KeyError, TypeError, ValueError):
            kept, following = {}, 0
        writers: dict[str, Write] = {}
        shapes = []
        for part, name in zip(merged.segments, merged.saved, strict=True):
            if name is None or f"words{name}" not in kept:
                name, following = str(following), following + 1
                writers[f"words{name}"] = part.write
            shapes.append({"name": name, **part.shape()})
        living = np.concatenate(merged.alive) if merged.alive else np.empty(0, dtype=bool)
        writers["alive"] = np.packbits(living).tofile
        names = {f"words{shape['name']}" for shape in shapes}
        about = {"fingerprint": fingerprint, "about": dict(self.about), "segments": shapes, "next": following}
        write_files(folder, about, writers, {name: kept[name] for name in names if name in kept})
        return Words.open(folder, fingerprint)

    def _merged(self) -> Words:
        """Return the same rows in few segments, each twice as large as the next, no more than a fifth of them dead."""
        segments, alive, saved = list(self.segments), list(self.alive), list(self.saved)
        dead = [len(living) - int(np.count_nonzero(living)) for living in alive]
        cut = len(segments) - 1
        if 5 * sum(dead) > sum(map(len, segments)):
            cut = 0
        while cut > 0 and 2 * sum(map(len, segments[cut:])) > len(segments[cut - 1]):
            cut -= 1
        if segments and (cut < len(segments) - 1 or 5 * sum(dead) > sum(map(len, segments))):
            segments[cut:] = [merge_segments(segments[cut:], alive[cut:])]
            alive[cut:], saved[cut:] = [np.ones(len(segments[cut]), dtype=bool)], [None]
            if not len(segments[cut]):
                del segments[cut], alive[cut], saved[cut]
        return replace(self, segments=tuple(segments), alive=tuple(alive), saved=tuple(saved))


def _merge_last(segments: list[Segment], alive: list[Mask], saved: list[str | None]) -> None:
    segments[-2:] = [merge_segments(segments[-2:], alive[-2:])]
    alive[-2:] = [np.ones(len(segments[-1]), dtype=bool)]
    saved[-2:] = [None]


def _remember(known: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = value
    return value
