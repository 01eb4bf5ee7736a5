"""Collection: what every collection does, wherever its rows are kept.

`imi.collection.folder` keeps them in one SQLite file, `imi.backends.collection` on an engine. What is checked for all
is checked here, once; what only a folder can do is refused here for the others.
"""

from __future__ import annotations

import importlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike

from imi.collection.description import Bound, CollectionInfo
from imi.collection.model import CollectionModel
from imi.collection.pictures import Query
from imi.collection.rankings import How, Page, Rerank, check_page
from imi.collection.searching import Searcher
from imi.embedders.base import Embedder
from imi.embedders.load import load
from imi.errors import DataError, NotFound, NotTrusted, UsageError
from imi.progress import Progress
from imi.records import Added, Answer, Document, Hits, Mode
from imi.types import Floats
from imi.vectors import truncate

# What only some verbs need is imported when they are called: a search from a cold start is mostly imports.
if TYPE_CHECKING:
    from imi.collection.adding import OnError
    from imi.collection.deepening import Deepened
    from imi.collection.maintenance import Repaired, Verification
    from imi.collection.migrating import Migration
    from imi.index.goal import Goal
    from imi.index.plan import Plan
    from imi.store.store import Store
    from imi.text.readers import ReadOptions

T = TypeVar("T")
_MISSING: Any = object()


class Collection(ABC):
    """Documents with their vectors and full text, found by meaning, by text, or both.

    A context manager; safe to share between threads. Made by `imi.open`.

    Attributes:
        folder: where it lies on this machine; for a collection on an engine, its name there.
        label: what messages call it; shows no secret.
        local: whether a search stays in this process.
    """

    folder: Path
    label: str
    local: bool
    _model: CollectionModel
    _searcher: Searcher
    _rerank = Rerank()

    # --- life ---

    @abstractmethod
    def close(self) -> None:
        """Let go of the file or engine; the collection cannot be used afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self.count()

    @property
    @abstractmethod
    def info(self) -> CollectionInfo:
        """What the collection holds and what it takes."""

    @property
    @abstractmethod
    def bound(self) -> Bound | None:
        """The model that the vectors here are of, None before the first one."""

    @abstractmethod
    def bind(self, bound: Bound) -> None:
        """Record, in an empty collection, the model of the vectors to come, so that they are not taken for others."""

    @property
    def model(self) -> Embedder:
        """The embedder that turns this collection's texts and queries into vectors.

        Raises:
            CollectionError: the vectors are the user's own, or the model was given as an object and is not known now.
        """
        return self._model.embedder()

    @property
    def reader(self) -> Embedder:
        """An embedder for comparing texts with each other: the collection's, the built-in one where that is not usable.

        Its vectors never meet those of the collection.
        """
        bound = self.bound
        if self._model.untrusted is not None or (bound is not None and bound.own and not self._model.given):
            return load()
        return self._model.embedder()

    @property
    def untrusted(self) -> NotTrusted | None:
        """Why the model that the collection names is not used; None where it may be."""
        return self._model.untrusted

    # --- writing ---

    @abstractmethod
    def add(
        self,
        documents: Iterable[Document],
        vectors: ArrayLike | None = None,
        on_error: OnError = "raise",
        *,
        progress: Progress | None = None,
    ) -> Added:
        """Add documents, or update those whose ids are there; texts that have not changed are not embedded again.

        Args:
            documents: any iterable; it is read and committed a batch at a time, so memory stays small.
            vectors: (n, width), the documents' own vectors, in the order of a list of n documents; else texts are
                embedded.
            on_error: "raise" stops at the first bad row; whole batches before it stay. "skip" leaves bad rows out and
                lists them.
            progress: called as progress(done, total).

        Returns:
            How many rows were added, updated, unchanged, and which failed.

        Raises:
            DataError: a row cannot be taken (`failures` names all of its batch).
            ModelMismatch: the vectors are not of the collection's model.
            Locked: another writer holds the collection.
        """

    def delete(self, ids: str | Iterable[str] | None = None, *, where: Mapping[str, Any] | None = None) -> int:
        """Delete rows by id or by filter; return how many were there. A deleted row never comes back.

        Raises:
            UsageError: neither or both are given, or the filter is wrong.
        """
        if (ids is None) == (where is None):
            raise UsageError(
                "delete needs either ids or where", hint='delete(["1", "2"]) or delete(where={"Score": 1})'
            )
        return self._delete([ids] if isinstance(ids, str) else None if ids is None else list(ids), where)

    @abstractmethod
    def _delete(self, ids: list[str] | None, where: Mapping[str, Any] | None) -> int:
        """Delete rows by id, or, where `ids` is None, by filter."""

    def add_files(
        self,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        options: ReadOptions | None = None,
        *,
        sync: bool = False,
        watch: bool | Callable[[Added | DataError], bool] = False,
        on_error: OnError = "skip",
        progress: Progress | None = None,
    ) -> Added:
        """Add files, folders and archives, or update what changed in them; files that have not changed are not read.

        Rows that cannot be taken are left out and named in `failed` by file and line.

        Args:
            paths: what to read.
            options: how rows become documents: `imi.ReadOptions(template=, id=, columns=, encoding=, …)`.
            sync: whether rows of files that are gone from the given folders are deleted.
            watch: whether to go on and add what changes, until interrupted; or a function that is called after each
                change with what was added, or why nothing could be, and ends it by returning False.
            on_error: "raise" stops at a bad row before anything is written, but for those of folders and archives.
            progress: called as progress(done, total).

        Returns:
            What the first run did, with its `summary`: columns, what is not a row, ids that occur twice.

        Raises:
            DataError: rows cannot be taken, or there is nothing to add.
            UsageError: a column that was asked for is not there; sync on an engine.
        """
        from imi.ingest import Ingest
        from imi.ingest import watch as watch_files
        from imi.text.readers import ReadOptions

        several = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
        store = self.store
        if sync and store is None:
            self._folders_only("add_files with sync")

        def once() -> Added:
            ingest = Ingest(several, options, sync=sync, on_error=on_error)
            with ingest.opened():
                ingest.look(store, progress)
                return ingest.write(self, store, progress)

        def again() -> bool:
            try:
                outcome: Added | DataError = once()
            except DataError as broken:
                outcome = broken
            return watch(outcome) if callable(watch) else True

        added = once()
        if watch:
            watch_files([os.fspath(one) for one in several], (options or ReadOptions()).walking, again)
        return added

    @property
    def store(self) -> Store | None:
        """The SQLite file below, for what must be remembered beside rows; None on an engine."""
        return None

    # --- reading ---

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and bool(self._documents_by_id([id]))

    def __getitem__(self, id: str) -> Document:
        return self.get(id)

    def __iter__(self) -> Iterator[Document]:
        return self.documents()

    @overload
    def get(self, ids: str) -> Document: ...  # type: ignore[overload-overlap]  # a str is an iterable of str
    @overload
    def get(self, ids: Iterable[str]) -> list[Document]: ...
    @overload
    def get(self, ids: str, default: T) -> Document | T: ...  # type: ignore[overload-overlap]
    @overload
    def get(self, ids: Iterable[str], default: T) -> list[Document | T]: ...
    def get(self, ids: str | Iterable[str], default: Any = _MISSING) -> Any:
        """Return the document with an id, or a list for a list of ids, in its order.

        Args:
            ids: an id, or several.
            default: what to return for an id that is missing.

        Raises:
            NotFound: an id is not there, and no default was given.
        """
        wanted = [ids] if isinstance(ids, str) else list(ids)
        found = self._documents_by_id(wanted)
        for id_ in wanted if default is _MISSING else ():
            if id_ not in found:
                raise NotFound(
                    f"{self.label} has no row with the id {id_!r}", hint=f"imi search {self.label} finds ids"
                )
        documents = [found.get(id_, default) for id_ in wanted]
        return documents[0] if isinstance(ids, str) else documents

    @abstractmethod
    def _documents_by_id(self, ids: Sequence[str]) -> Mapping[str, Document]:
        """Return the documents with these ids; absent ids are left out."""

    @abstractmethod
    def count(self, where: Mapping[str, Any] | None = None) -> int:
        """Return how many rows there are, or how many match a filter."""

    @abstractmethod
    def ids(self, *, with_vector: bool = False) -> list[str]:
        """Return all ids, in the order of `documents`.

        Args:
            with_vector: only those of the rows that `vectors()` returns, in its order.
        """

    def vectors(self, ids: Iterable[str] | None = None, dims: int | None = None) -> Floats:
        """Return vectors (n, dims or width) float32, as they were stored, or unit rows where dims is given.

        Args:
            ids: whose, in this order; None for all rows that have one, in the order of `ids(with_vector=True)`.
            dims: leading dimensions to keep, re-normalised.

        Raises:
            UsageError: an id is not there (NotFound) or has no vector; dims is outside 1 to the width.
        """
        if ids is None:
            z = self._all_vectors()
        else:
            wanted = list(ids)
            found = self.vectors_by_id(wanted)
            missing = [id_ for id_ in wanted if id_ not in found]
            if missing:
                self.get(missing[0])
                raise UsageError(f"{self.label} has no vector for the id {missing[0]!r}")
            bound = self.bound
            z = np.array([found[id_] for id_ in wanted], dtype=np.float32)
            z = z.reshape(len(wanted), 1 if bound is None else bound.width)
        return z if dims is None or len(z) == 0 else truncate(z, dims)

    @abstractmethod
    def vectors_by_id(self, ids: Sequence[str]) -> dict[str, Floats]:
        """Return the vectors (width,) of those of these rows that have one, by id."""

    @abstractmethod
    def _all_vectors(self) -> Floats:
        """Return the vectors of all rows that have one, (n, width)."""

    def documents(
        self,
        where: Mapping[str, Any] | None = None,
        *,
        offset: int = 0,
        limit: int | None = None,
        with_vector: bool = False,
    ) -> Iterator[Document]:
        """Iterate over all rows, or those that match a filter; rows written meanwhile may or may not be among them.

        Args:
            where: a filter on metadata.
            offset: leave out this many rows, for the next page.
            limit: the most rows to yield; None for all.
            with_vector: only rows that have a vector, so that without a filter they are those of `vectors()`.

        Raises:
            UsageError: offset or limit is below 0.
        """
        for name, value in (("offset", offset), ("limit", limit)):
            if value is not None and value < 0:
                raise UsageError(f"{name} is {value}, allowed are 0 and more")
        if limit == 0:
            return iter(())
        found = self._documents(where, with_vector=with_vector)
        return (
            found if not offset and limit is None else islice(found, offset, None if limit is None else offset + limit)
        )

    @abstractmethod
    def _documents(self, where: Mapping[str, Any] | None, *, with_vector: bool) -> Iterator[Document]:
        """Iterate over the rows that match a filter."""

    def wait(self) -> None:  # noqa: B027  # an engine builds its own indexes
        """Wait until the index that is being built, if one is, is ready."""

    @abstractmethod
    def thumbnail(self, id: str) -> bytes | None:
        """Return a row's picture, at most 336 pixels a side, as a JPEG file; None for a row without a picture.

        Raises:
            UsageError: the id is not there.
            Damaged: the picture does not agree with its checksum.
        """

    # --- the finer model ---

    @property
    def rerank(self) -> Rerank:
        """Whether the model `deep` orders the first hits of hybrid searches, and how long it may read for one.

        Set it to "none" or "deep", or to `imi.Rerank("deep", budget=…)` with milliseconds; it is of this object, not
        of the file. With a budget, rows that the model has not read yet are read while a search runs, and what was
        read is kept in the file where the collection is open for writing. Engines keep one vector a row, so that
        nothing there is ordered by it.

        Raises:
            UsageError: set to something else.
        """
        return self._rerank

    @rerank.setter
    def rerank(self, given: Rerank | str | None) -> None:
        self._rerank = Rerank.of(given)

    def keep_read(self) -> None:  # noqa: B027  # an engine has nothing to keep
        """Keep what searches let the finer model read, though this collection was opened in the mode "r".

        Nothing else is written. It does nothing where the file may not be written.
        """

    @property
    def deepens(self) -> bool:
        """Whether `deepen` has rows to read, and may without being asked: the built-in model filled the collection."""
        return False

    def deepen(self, budget: float | None = None, progress: Progress | None = None) -> Deepened:
        """Let the finer model read every row that has a text, and keep its vectors beside the first ones.

        Searches in the mode "hybrid" then order their first hits by them. Interrupted, the same call goes on.

        Args:
            budget: milliseconds after which no further batch is begun; None to read all.
            progress: called as progress(done, total).

        Raises:
            MissingExtra: onnxruntime is not installed.
            UsageError: the collection was filled with the model `deep` itself.
        """
        self._folders_only("deepen")

    # --- finding ---

    def search(
        self,
        query: Query,
        k: int = 10,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
        dims: int | None = None,
        min_score: float | None = None,
        offset: int = 0,
        facets: Sequence[str] = (),
    ) -> Hits:
        """Find the rows that answer a query, best first.

        Args:
            query: words; by meaning alone, a picture, a pair of a picture and words, or a vector (width,).
            k: how many hits at most.
            mode: "text" (BM25; short and quoted queries mean "contains"), "meaning" (cosine), "hybrid" (both, fused).
            where: a filter on metadata, see `imi.store.filters`.
            dims: compare only the first dimensions of the vectors.
            min_score: leave out hits that score less, on the mode's scale.
            offset: leave out the first hits, for the next page.
            facets: fields whose values are counted over the rows that match the filter (and the query, in text mode).

        Raises:
            UsageError: an empty query, k below 1, an unknown mode or field, dims outside the width.
        """
        check_page(k, offset, mode)
        how = How(dims, rerank=self._rerank)
        hits = self._searcher.search(query, Page(k, offset, min_score), mode, where, how, facets)
        return hits if where is None else hits.noting(self._uncompared(where))

    def _uncompared(self, where: Mapping[str, Any]) -> list[str]:
        """Say how many values a filter could not compare; an engine does not know."""
        return []

    def ask(self, question: str, llm: Any = None, k: int = 5, always: bool = False) -> Answer:
        """Answer a question from the collection, with citations; `.text` is None, and `.reason` says why, without one.

        Args:
            question: in any language.
            llm: a language model, or its name as `--llm` takes it; None quotes the best sentences instead.
            k: how many passages are read.
            always: answer also where nothing that was found is likely to.

        Raises:
            UsageError: the question is empty.
        """
        # Answering builds on collections; importing it here, on first use, keeps the dependency one-way.
        asking = importlib.import_module("imi.rag.asking")
        found: Answer = asking.ask(self, question, llm, k, always)
        return found

    def similar(self, id: str, k: int = 10, *, where: Mapping[str, Any] | None = None, dims: int | None = None) -> Hits:
        """Find the rows whose vectors are nearest to a row's own, which is left out.

        Raises:
            UsageError: the id is not there or has no vector.
        """
        check_page(k, 0, "meaning")
        return self._searcher.similar(id, k, where, dims)

    def explain(
        self,
        query: Query,
        k: int = 10,
        mode: Mode = "meaning",
        where: Mapping[str, Any] | None = None,
        dims: int | None = None,
        *,
        exact: bool = False,
        ladder: str | None = None,
    ) -> Hits:
        """Search, and report in `.search` what was read: candidates by rung, dimensions and time.

        Args:
            query: words, a picture or a vector.
            k: how many hits at most.
            mode: "meaning" or "hybrid".
            where: a filter on metadata.
            dims: compare only the first dimensions.
            exact: compare with every row.
            ladder: rungs to climb instead of the built ones, such as "64:200,512:10".
        """
        check_page(k, 0, mode)
        how = How(dims, exact, ladder, explain=True, rerank=self._rerank)
        return self._searcher.search(query, Page(k), mode, where, how, ())

    @abstractmethod
    def plan(
        self,
        target_recall: float | Goal = 0.95,
        memory: int | None = None,
        latency: float | None = None,
        *,
        queries: ArrayLike | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Plan:
        """Measure ladders on this collection's vectors and search with the cheapest that keeps the recall.

        Args:
            target_recall: share of the ten exact neighbours that a search must find, above 0 and at most 1, or a
                `Goal`.
            memory: bytes that the index may take beside the vectors; None for what is free.
            latency: seconds that a search may take; None for as fast as can be.
            queries: (m, width) vectors of real questions, at least 20; None for stand-ins, like and unlike the rows.
            seed: of what is drawn at random.
            progress: called as progress(done, total).

        Raises:
            UsageError: a value is out of range, nothing fits the memory, or there are no vectors.
            CollectionError: it was opened for reading only.
        """

    @abstractmethod
    def settle(self) -> None:
        """Begin to build what the index is due; searches go on meanwhile. Every write does so by itself."""

    # --- looking after what is kept in a file ---

    def verify(self, *, progress: Progress | None = None) -> Verification:
        """Read everything and compare all checksums and counts; `.ok`, and `.problems` with what does not agree."""
        self._folders_only("verify")

    def repair(self, *, progress: Progress | None = None) -> Repaired:
        """Keep all rows that agree with their checksums in a new file; the old one is set aside in `damaged`.

        A text whose vector is damaged is embedded again.

        Raises:
            Locked: others have the collection open; it says who.
        """
        self._folders_only("repair")

    def backup(self, path: str | Path, *, progress: Progress | None = None) -> None:
        """Copy the collection, while it is used, into a new folder; UsageError: something is there already."""
        self._folders_only("backup")

    def export(
        self, path: str | Path, *, vectors: bool = True, text_column: str = "text", progress: Progress | None = None
    ) -> int:
        """Write all rows to a file of the kind that its suffix names; return how many.

        Args:
            path: .csv (vectors as literal lists), .jsonl, .parquet, .npy (with a .npy.jsonl beside it), or .db (as the
                tool `llm` keeps embeddings). Each carries the model's fingerprint.
            vectors: whether vectors are written too.
            text_column: what a CSV calls the column of texts, such as "combined", for code that expects it so.
            progress: called as progress(done, total).
        """
        self._folders_only("export")

    def import_(self, path: str | Path, *, progress: Progress | None = None) -> Added:
        """Add the rows of an export, with their vectors, which are not made again.

        Raises:
            ModelMismatch: its vectors are another model's; DataError: the file cannot be read.
        """
        self._folders_only("import")

    def migrate(
        self,
        dims: int | None = None,
        model: str | Embedder | None = None,
        *,
        estimate: bool = False,
        progress: Progress | None = None,
    ) -> Migration:
        """Move to fewer dimensions without embedding again, or to another model; interrupted, the same call goes on.

        Searches are answered by the old vectors until the last moment.

        Args:
            dims: dimensions to keep of each vector, re-normalised.
            model: embeds every text again.
            estimate: only say what it would take.
            progress: called as progress(done, total).

        Raises:
            UsageError: nothing would change, or dims is outside 1 to the width.
        """
        self._folders_only("migrate")

    def _folders_only(self, verb: str) -> NoReturn:
        """Refuse what looks after a file: an engine has its own ways."""
        raise UsageError(
            f"{verb} is for collections in a folder, {self.label} lies on an engine",
            hint=f"imi copy '{self.label}' NAME.imi, then imi {verb} NAME.imi",
        )
