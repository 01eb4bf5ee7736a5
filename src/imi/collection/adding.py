"""Adding rows: checked, compared with existing rows, embedded outside and written inside one transaction a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from imi.collection.description import Bound, check_same, own_vectors, read_bound, write_bound
from imi.collection.model import CollectionModel
from imi.collection.pictures import embed_pictures, note_picture_embedder, picture_embedder_of
from imi.embedders.piecewise import BadTexts
from imi.errors import DataError, Failure, UsageError
from imi.pictures import Picture, open_all
from imi.records import Added, Document, own_facts
from imi.store.pictures import StoredPicture, picture_digests, put_pictures
from imi.store.rows import New, Stored, encode_metadata, plain_metadata
from imi.store.store import Store
from imi.text.lexical import index_tokens
from imi.types import Floats

OnError = Literal["raise", "skip"]
BATCH = 1024
"""Rows a transaction: what a crash can cost, and what a reader waits for at most."""
_SLOWLY = 128
"""The same where the finer model reads them, which takes a second for some fifty."""
_PICTURES = 256
"""Pictures a transaction: each takes a third of a megabyte until it is written."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that was checked: its metadata as JSON, its vector and its picture where it brought them."""

    document: Document
    metadata: str
    vector: Floats | None
    picture: Picture | None = None
    digest: str = ""

    @property
    def key(self) -> str:
        """What its vector is known by among those made in a run: the picture where there is one, else the text."""
        return f"\0{self.digest}" if self.picture is not None else self.document.text or ""


@dataclass(frozen=True, slots=True)
class _Batch:
    """What a batch means against one state of the file: rows to write again, rows to change in place, rows to leave."""

    rewritten: list[tuple[Candidate, Stored | None]]
    in_place: list[tuple[Candidate, Stored]]
    unchanged: int


class Adder:
    """Writes documents into a store, a batch a transaction.

    What was written before an error stays, in whole batches.
    """

    def __init__(self, store: Store, model: CollectionModel) -> None:
        """Set up.

        Args:
            store: where to write.
            model: what embeds texts. A new collection that was opened without one and is given vectors keeps to them.
        """
        self._store = store
        self._model = model

    def add(
        self,
        documents: Iterable[Document],
        vectors: ArrayLike | None,
        on_error: OnError,
        progress: Callable[[int, int], None] | None,
    ) -> Added:
        """Add or update; see `Collection.add`."""
        size = _SLOWLY if vectors is None and self._model.reads_slowly else BATCH
        return add_batches(documents, vectors, on_error, progress, self._write, pictures=True, size=size)

    def _write(self, batch: list[Candidate], on_error: OnError) -> Added:
        embedded: dict[str, Floats] = {}
        refused: list[Failure] = []
        while True:
            with self._store.reading():
                version = self._store.version
                plan = self._compare(batch)
                bound = read_bound(self._store)
            try:
                bound = self._embed(plan, bound, embedded)
            except BadTexts as bad:
                # The model's endpoint refused some texts. The others are embedded and paid for: they are used.
                embedded.update(bad.good)
                refused += [refusal(one.document, bad) for one in batch if one.document.text in bad.reasons]
                batch = [one for one in batch if one.document.text not in bad.reasons]
                if on_error == "raise":
                    raise all_refused(refused, bad) from bad
                continue
            with self._store.writing():
                # Another process wrote meanwhile: compare with its rows again, but embed nothing twice.
                if self._store.version != version:
                    plan = self._compare(batch)
                    kept = read_bound(self._store)
                    if kept is not None and bound is not None:
                        check_same(self._store.folder, kept.info, bound.info)
                    missing = [one for one, _ in plan.rewritten if needs_vector(one, bound) and one.key not in embedded]
                    if missing:
                        continue
                return self._commit(plan, bound, embedded) + Added(failed=tuple(refused))

    def _compare(self, batch: list[Candidate]) -> _Batch:
        found = self._store.by_ids(one.document.id for one in batch)
        bound = read_bound(self._store)
        rows, vectors = self._store.vectors(np.array(sorted(stored.row for stored in found.values()), dtype=np.int64))
        kept = dict(zip(rows.tolist(), vectors, strict=True))
        seen = picture_digests(self._store, (stored.row for stored in found.values()))
        plan = _Batch([], [], 0)
        unchanged = 0
        for one in batch:
            stored = found.get(one.document.id)
            if stored is None or stored.document.text != one.document.text:
                plan.rewritten.append((one, stored))
                continue
            vector = kept.get(stored.row)
            if one.picture is not None and seen.get(stored.row) != one.digest:
                stale = True
            elif one.vector is None:
                stale = vector is None and needs_vector(one, bound)
            else:
                stale = vector is None or not np.array_equal(vector, one.vector.astype(self._store.dtype))
            if stale:
                plan.rewritten.append((one, stored))
            elif placed(stored.document) != placed(one.document):
                plan.in_place.append((one, stored))
            else:
                unchanged += 1
        return replace(plan, unchanged=unchanged)

    def _embed(self, plan: _Batch, bound: Bound | None, embedded: dict[str, Floats]) -> Bound | None:
        """Embed what needs it and check that all vectors are of one model; return that model."""
        given = next((one.vector for one, _ in plan.rewritten if one.vector is not None), None)
        if bound is None and given is not None and not self._model.given:
            bound = Bound(None, own_vectors(len(given)))
        if bound is not None and bound.own and self._model.given:
            check_same(self._store.folder, bound.info, self._model.embedder().info)
        missing = [one for one, _ in plan.rewritten if needs_vector(one, bound) and one.key not in embedded]
        if missing or (bound is None and (given is not None or embedded)):
            embedder = self._model.embedder()
            if bound is None:
                bound = self._model.bind(embedder)
            check_same(self._store.folder, bound.info, embedder.info)
            texts = list(dict.fromkeys(one.key for one in missing if one.picture is None))
            if texts:
                embedded.update(zip(texts, embedder.embed(texts, kind="document", dims=bound.dims), strict=True))
            pictures = {one.key: one.picture for one in missing if one.picture is not None}
            if pictures:
                embedded.update(embed_pictures(self._store, embedder, pictures, bound.dims))
        if bound is not None and given is not None and len(given) != bound.width:
            raise UsageError(
                f"the vectors have {len(given)} dimensions, those of {self._store.folder} have {bound.width}",
                hint="give vectors of the collection's own model at full width, or open another collection",
            )
        return bound

    def _commit(self, plan: _Batch, bound: Bound | None, embedded: dict[str, Floats]) -> Added:
        if bound is not None and plan.rewritten and read_bound(self._store) is None:
            write_bound(self._store, bound)
        replaced = [stored for _, stored in plan.rewritten if stored is not None]
        self._store.remove([stored.row for stored in replaced])
        new = []
        for one, _ in plan.rewritten:
            text = one.document.text
            vector = one.vector if one.vector is not None else embedded.get(one.key)
            new.append(New(one.document, one.metadata, None if text is None else " ".join(index_tokens(text)), vector))
        rows = self._store.insert(new, self._store.dtype)
        shown = [(row, one) for row, (one, _) in zip(rows, plan.rewritten, strict=True)]
        put_pictures(
            self._store,
            [(row, StoredPicture(one.digest, one.picture.thumbnail())) for row, one in shown if one.picture],
        )
        if any(one.picture is not None and one.vector is None for _, one in shown):
            note_picture_embedder(self._store, picture_embedder_of(self._model.embedder()))
        for one, stored in plan.in_place:
            self._store.replace_metadata(stored.row, one.document, one.metadata)
        names = {name for one, _ in plan.rewritten for name in one.document.metadata}
        self._store.note_fields(names.union(*(one.document.metadata for one, _ in plan.in_place)))
        self._store.add_to_count(len(new) - len(replaced))
        return Added(len(new) - len(replaced), len(replaced) + len(plan.in_place), plan.unchanged)


def placed(document: Document) -> tuple[object, ...]:
    """Return what can change of a row while its text and vector stay."""
    return dict(document.metadata), document.parent, document.start, document.end


def needs_vector(one: Candidate, bound: Bound | None) -> bool:
    """Say whether a row is to be embedded: it has a text or picture, no vector, and the collection has a model."""
    return one.vector is None and not (bound is not None and bound.own)


def add_batches(
    documents: Iterable[Document],
    vectors: ArrayLike | None,
    on_error: OnError,
    progress: Callable[[int, int], None] | None,
    write: Callable[[list[Candidate], OnError], Added],
    *,
    pictures: bool = False,
    size: int = BATCH,
) -> Added:
    """Check documents and write them a batch at a time.

    Args:
        documents: any iterable.
        vectors: (n, width), or None.
        on_error: "raise" or "skip".
        progress: called as progress(done, total) after each batch.
        write: writes the rows of a batch that were found good.
        pictures: whether rows may bring pictures.
        size: rows of a batch.

    Returns:
        What was added, and what failed in the check or in writing.

    Raises:
        UsageError: on_error is neither "raise" nor "skip".
    """
    if on_error not in ("raise", "skip"):
        raise UsageError(f"on_error is {on_error!r}, allowed are 'raise' and 'skip'")
    done, result = 0, Added()
    total = len(documents) if isinstance(documents, Sequence) else 0
    for batch, failed in candidates(documents, vectors, on_error, pictures=pictures, size=size):
        result += write(batch, on_error) + Added(failed=tuple(failed))
        done += len(batch) + len(failed)
        if progress is not None:
            progress(done, max(total, done))
    return result


def candidates(
    documents: Iterable[Document],
    vectors: ArrayLike | None,
    on_error: OnError,
    *,
    pictures: bool = False,
    size: int = BATCH,
) -> Iterator[tuple[list[Candidate], list[Failure]]]:
    """Yield checked batches; within a batch the last row of an id wins, as it would if they came one by one.

    Args:
        documents: any iterable.
        vectors: (n, width), or None.
        on_error: "raise" or "skip".
        pictures: whether pictures can be kept; else a document that brings one is a bad row.
        size: rows of a batch.
    """
    table = None if vectors is None else _table(vectors, documents)
    at, source = 0, iter(documents)
    while batch := _taken(source, size):
        seen = _opened(batch, pictures)
        good: dict[str, Candidate] = {}
        failed: list[Failure] = []
        for offset, document in enumerate(batch):
            try:
                one = _checked(document, None if table is None else table[at + offset], seen.get(offset))
            except UsageError as wrong:
                failed.append(_failure(document, at + offset, wrong))
                continue
            good.pop(one.document.id, None)
            good[one.document.id] = one
        if failed and on_error == "raise":
            raise DataError(
                f"{len(failed)} of rows {at + 1} to {at + len(batch)} cannot be taken; first, {failed[0].source}"
                f"{'' if failed[0].line is None else f' line {failed[0].line}'}: {failed[0].reason}",
                hint=f'on_error="skip" leaves such rows out; the {at} rows before are kept',
                failures=failed,
            )
        at += len(batch)
        yield list(good.values()), failed


def _taken(source: Iterator[Document], size: int) -> list[Document]:
    """Return the next documents for one transaction."""
    batch: list[Document] = []
    pictures = 0
    for document in source:
        batch.append(document)
        pictures += isinstance(document, Document) and document.picture is not None
        if len(batch) == size or pictures == _PICTURES:
            break
    return batch


def _opened(batch: Sequence[Document], pictures: bool) -> dict[int, Picture | DataError]:
    """Return the pictures of documents by their places in the batch, or why one is none."""
    brought = [at for at, one in enumerate(batch) if isinstance(one, Document) and one.picture is not None]
    if not pictures:
        return {at: DataError("pictures are kept in collections on this machine only") for at in brought}
    return dict(zip(brought, open_all([batch[at].picture for at in brought]), strict=True))


def _table(vectors: ArrayLike, documents: Iterable[Document]) -> Floats:
    try:
        table = np.asarray(vectors, dtype=np.float32)
    except (TypeError, ValueError) as wrong:
        raise UsageError(f"the vectors are not a rectangular table of numbers: {wrong}") from wrong
    if table.ndim != 2 or table.shape[1] == 0:
        raise UsageError(f"the vectors have the shape {table.shape}, allowed is (documents, width)")
    if not isinstance(documents, Sequence) or len(documents) != len(table):
        count = len(documents) if isinstance(documents, Sequence) else "an iterator of"
        raise UsageError(
            f"{count} documents came with {len(table)} vectors", hint="give a list of as many documents as vectors"
        )
    return table


def _checked(document: Document, vector: Floats | None, picture: Picture | DataError | None) -> Candidate:
    if not isinstance(document, Document):
        raise UsageError(f"a row is {type(document).__name__}, allowed is imi.Document")
    if not isinstance(document.id, str) or not document.id:
        raise UsageError(f"the id is {document.id!r}, allowed are texts that are not empty")
    if document.text is not None and not isinstance(document.text, str):
        raise UsageError(f"the text is {type(document.text).__name__}, allowed is str or None")
    if isinstance(picture, DataError):
        raise UsageError(picture.message)
    if document.text is None and vector is None and picture is None:
        raise UsageError("it has neither a text nor a vector nor a picture")
    for name, value in (("id", document.id), ("text", document.text)):
        try:
            (value or "").encode()
        except UnicodeEncodeError as lone:
            raise UsageError(
                f"its {name} holds a lone surrogate at character {lone.start}, which no file can hold"
            ) from lone
    if vector is not None:
        if not np.isfinite(vector).all():
            raise UsageError("its vector holds NaN or infinite numbers")
        if not vector.any():
            raise UsageError("its vector is all zeros, which has no direction")
    try:
        metadata = encode_metadata(document.metadata)
    except UsageError:
        document = replace(document, metadata=plain_metadata(document.metadata))
        metadata = encode_metadata(document.metadata)
    return Candidate(document, metadata, vector, picture, "" if picture is None else picture.digest)


def all_refused(refused: list[Failure], bad: BadTexts) -> DataError:
    """Return the error for texts that the model's endpoint did not take."""
    first = refused[0]
    place = first.source if first.line is None else f"{first.source} line {first.line}"
    said = f"{len(refused)} texts were refused; first, {place}: {first.reason}"
    return DataError(said, hint=bad.hint, failures=refused)


def refusal(document: Document, bad: BadTexts) -> Failure:
    """Return why a text was not taken, with the place that it came from."""
    facts = own_facts(document.metadata)
    source, line = facts.get("source", f"id {document.id}"), facts.get("line")
    return Failure(str(source), line if isinstance(line, int) else None, bad.reasons[document.text or ""])


def _failure(document: object, at: int, wrong: UsageError) -> Failure:
    # A field called source is the user's: only what imi itself noted says which file and line a row came from.
    facts = own_facts(document.metadata) if isinstance(document, Document) else {}
    source, line = facts.get("source"), facts.get("line")
    where = str(source) if source is not None else f"row {at + 1}"
    return Failure(where, line if isinstance(line, int) else None, wrong.message)
