"""Copying a collection between a folder and an engine, or two engines: streamed, resumable, and verified.

Nothing is embedded: vectors go as they are. A row that is there already, equal to what would be sent, is not sent
again, so that a copy that was interrupted is completed by the same call. At the end all rows of both sides are read and
compared by checksum, vectors within what the target's numbers hold, and what searches of the target find is compared
with exact searches of the source.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np

from imi.collection import Collection
from imi.collection.deepening import carry
from imi.collection.description import Bound, check_same
from imi.errors import CollectionError, UsageError
from imi.progress import Progress
from imi.records import Document
from imi.types import Floats
from imi.vectors import cosine

Pairs = list[tuple[Document, Floats | None]]
_BATCH = 1024
_QUERIES = 50
_K = 10
_NEAR = 0.999
"""The least cosine between a vector and its copy: two bytes a number keep 0.999999, a wrong row keeps nothing."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did: rows that were sent, rows that were there, and what was compared at the end.

    checksum is over all rows of the source, and of the target: they agreed. recall is the share of the source's exact
    nearest ten that the target finds, None where nothing has a vector.
    """

    copied: int
    unchanged: int
    rows: int
    checksum: str
    recall: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return asdict(self)


class _Sum:
    """A checksum over rows in any order."""

    def __init__(self) -> None:
        self._sum = 0
        self.rows = 0

    def add(self, document: Document) -> None:
        """Take a row in."""
        said = [document.id, document.text, dict(document.metadata), document.parent, document.start, document.end]
        text = json.dumps(said, ensure_ascii=True, sort_keys=True)
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        self._sum = (self._sum + int.from_bytes(digest, "big")) % 2**128
        self.rows += 1

    @property
    def value(self) -> str:
        """The sum, as 32 hex digits."""
        return f"{self._sum:032x}"


def copy(source: Collection, target: Collection, *, progress: Progress | None = None) -> Copied:
    """Copy all rows of a collection, with their vectors, into another, which keeps what else it has.

    Args:
        source: read in its own order, a batch at a time.
        target: filled with rows of the same model, or new.
        progress: called as progress(done, total).

    Raises:
        UsageError: the source is empty. ModelMismatch: the target holds vectors of another model.
        CollectionError: the rows there afterwards differ from those sent.
    """
    # One state of a folder throughout, however much is written to it meanwhile; its own handle could not write in it.
    with nullcontext() if source.store in (None, target.store) else source.store.reading():
        return _copied(source, target, progress)


def _copied(source: Collection, target: Collection, progress: Progress | None) -> Copied:
    bound, total = source.bound, len(source)
    if total == 0:
        raise UsageError(f"{_label(source)} has no rows to copy")
    there = target.bound
    if there is not None and bound is not None:
        check_same(_label(target), there.info, bound.info)
    if bound is not None and there is None:
        target.bind(bound)
    sent, whole, unchanged, samples = 0, _Sum(), 0, _Samples()
    for part in _pages(source):
        for document, vector in part:
            whole.add(document)
            samples.offer(vector)
        added = _send(target, part, bound)
        if source.store is not None and target.store not in (None, source.store):
            carry(source.store, target.store, [document.id for document, _ in part])
        sent, unchanged = sent + added[0], unchanged + added[1]
        if progress is not None:
            progress(whole.rows, max(total, whole.rows))
    _compare(source, target, whole)
    return Copied(sent, unchanged, whole.rows, whole.value, _recall(source, target, samples.vectors))


def _label(collection: Collection) -> str:
    return str(getattr(collection, "label", collection.folder))


def _pages(collection: Collection) -> Iterator[Pairs]:
    """Yield the rows with their vectors, a batch at a time."""
    documents = collection.documents()
    while part := list(islice(documents, _BATCH)):
        yield _with_vectors(collection, part)


def _with_vectors(collection: Collection, documents: Sequence[Document]) -> Pairs:
    found = collection.vectors_by_id([one.id for one in documents])
    return [(one, found.get(one.id)) for one in documents]


def _send(target: Collection, part: Pairs, bound: Bound | None) -> tuple[int, int]:
    """Write a page; return how many rows were written, and how many were there as they are."""
    written = unchanged = 0
    with_vector = [one for one in part if one[1] is not None]
    without = [document for document, vector in part if vector is None]
    if with_vector:
        added = target.add([document for document, _ in with_vector], vectors=np.array([z for _, z in with_vector]))
        written, unchanged = added.added + added.updated, added.unchanged
    if without and bound is not None and not bound.own:
        raise CollectionError(
            f"{len(without)} rows, first {without[0].id!r}, have a text and no vector of {bound.info.id}",
            hint="imi repair embeds them; then copy again",
        )
    if without:
        added = target.add(without)
        written, unchanged = written + added.added + added.updated, unchanged + added.unchanged
    return written, unchanged


def _compare(source: Collection, target: Collection, whole: _Sum) -> None:
    """Read both sides once more and compare them row by row.

    Raises:
        CollectionError: a row is missing, another, or has another vector.
    """
    again = _Sum()
    for part in _pages(source):
        ids = [document.id for document, _ in part]
        try:
            copies = target.get(ids)
        except UsageError as missing:
            raise CollectionError(f"the copy is not whole: {missing.message}", hint="copy again") from missing
        vectors: Mapping[str, Floats] = target.vectors_by_id(ids)
        for (document, vector), copied in zip(part, copies, strict=True):
            again.add(copied)
            held = vectors.get(document.id)
            same = vector is held is None or (
                vector is not None and held is not None and float(cosine(vector, held)) >= _NEAR
            )
            if not same:
                raise CollectionError(f"the vector of {document.id!r} is not what was sent", hint="copy again")
    if (again.rows, again.value) != (whole.rows, whole.value):
        raise CollectionError(
            f"the copy is not whole: {again.rows} rows with checksum {again.value[:8]}, "
            f"the source had {whole.rows} with {whole.value[:8]}",
            hint="somebody wrote to one of them meanwhile: copy again",
        )


class _Samples:
    """Vectors spread evenly over all rows, however many there are."""

    def __init__(self) -> None:
        self.vectors: list[Floats] = []
        self._step, self._at = 1, 0

    def offer(self, vector: Floats | None) -> None:
        """Take a vector, or leave it."""
        if vector is None:
            return
        if self._at % self._step == 0:
            self.vectors.append(vector)
        self._at += 1
        if len(self.vectors) == 2 * _QUERIES:
            self.vectors, self._step = self.vectors[::2], 2 * self._step


def _recall(source: Collection, target: Collection, queries: Sequence[Floats]) -> float | None:
    """Return the share of the exact nearest in the source that a search of the target finds."""
    shares = []
    for query in queries[:_QUERIES]:
        true = source.explain(query, k=_K, exact=True)
        bar = true[-1].score - 2e-3  # what two bytes a number may move
        found = {hit.id for hit in target.search(query, k=_K, mode="meaning") if hit.score >= bar}
        shares.append(min(len(found), len(true)) / len(true))
    return float(np.mean(shares)) if shares else None
