"""Collection: the verbs of a collection, composed of an embedder, the store and an index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imi.collection.description import Bound, CollectionInfo, describe, read_bound
from imi.collection.model import CollectionModel
from imi.collection.paths import find
from imi.collection.pictures import Query, Thumbnails
from imi.collection.planning import Planned
from imi.collection.rankings import How, Page, check_page, filter_of
from imi.collection.searching import Finder
from imi.collection.vector_index import CollectionIndex
from imi.embedders.base import Embedder
from imi.embedders.load import load
from imi.errors import NotTrusted, UsageError
from imi.index.policy import IndexPolicy
from imi.records import Added, Document, Hits, Mode
from imi.store.rows import Dtype
from imi.store.store import Store
from imi.vectors import truncate

# What only some verbs need is imported when they are called: a search from a cold start is mostly imports.
if TYPE_CHECKING:
    from imi.collection.adding import OnError
    from imi.collection.maintenance import Repaired, Verification
    from imi.collection.migrating import Migration

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


class Collection(Thumbnails, Planned):
    """Documents in one SQLite file, found by meaning, by text, or both.

    A context manager; safe to share between threads.

    Made by `imi.open`. Many processes may read while one writes; a reader sees what others committed.
    """

    def __init__(
        self,
        path: str | Path,
        model: str | Embedder | None = None,
        mode: Literal["rw", "r"] = "rw",
        *,
        dtype: Dtype = "float32",
        durable: bool = True,
        policy: IndexPolicy | None = None,
        trust: bool = False,
    ) -> None:
        """Open a collection; in the mode "rw" it is created when missing.

        Args:
            path: its folder.
            model: what embeds: a name for `imi.load`, or an embedder. None: the model that the collection was filled
                with; for a new one the built-in model, or, where vectors are given with the first rows, none.
            mode: "rw" or "r".
            dtype: how a new collection stores vectors, "float32" or "float16".
            durable: False trades the last commits at a power cut for speed.
            policy: when its indexes are written and built; None for the default.
            trust: whether the model that the collection names may be used, though it is not imi's own and you never
                named it; your word is remembered. Until then only text is searched.

        Raises:
            UsageError: it is missing in the mode "r", or is no collection.
            ModelMismatch: the model given is not the collection's.
        """
        if mode not in ("rw", "r"):
            raise UsageError(f"mode is {mode!r}, allowed are 'rw' and 'r'")
        self.folder = Path(path)
        find(self.folder, create=mode == "rw", dtype=dtype)
        self._store = Store(self.folder, write=mode == "rw", durable=durable)
        self._model = CollectionModel(self._store, model, trusted=trust)
        self._model.check()
        self._index = CollectionIndex(self._store, policy)
        self._finder = Finder(self._store, self._model, self._index)

    # --- life ---

    def close(self) -> None:
        """Close the file, after a build of the index that is under way; the collection cannot be used afterwards."""
        self._index.wait()
        self._store.close()

    def __enter__(self) -> Collection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self.count()

    def __repr__(self) -> str:
        return f"<Collection {str(self.folder)!r}, {len(self)} rows>"

    @property
    def info(self) -> CollectionInfo:
        """What the collection holds and what it takes on disk."""
        return describe(self._store, self._index)

    # --- writing ---

    def add(
        self,
        documents: Iterable[Document],
        vectors: ArrayLike | None = None,
        on_error: OnError = "raise",
        *,
        progress: Callable[[int, int], None] | None = None,
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
        from imi.collection.adding import Adder

        added = Adder(self._store, self._model).add(documents, vectors, on_error, progress)
        self._index.settle()
        return added

    def delete(self, ids: str | Iterable[str] | None = None, *, where: Mapping[str, Any] | None = None) -> int:
        """Delete rows by id or by filter; return how many were there. A deleted row never comes back.

        Raises:
            UsageError: neither or both are given, or the filter is wrong.
        """
        if (ids is None) == (where is None):
            raise UsageError(
                "delete needs either ids or where", hint='delete(["1", "2"]) or delete(where={"Score": 1})'
            )
        with self._store.writing():
            if ids is not None:
                wanted = [ids] if isinstance(ids, str) else list(ids)
                rows = np.array(sorted(found.row for found in self._store.by_ids(wanted).values()), dtype=np.int64)
            else:
                condition = filter_of(self._store, where)
                rows = self._store.rows_of(condition) if condition is not None else np.empty(0, np.int64)
            self._store.remove(rows)
            self._store.add_to_count(-len(rows))
        self._index.settle()
        return len(rows)

    # --- reading ---

    @overload
    def get(self, ids: str) -> Document: ...  # type: ignore[overload-overlap]  # a str is an iterable of str
    @overload
    def get(self, ids: Iterable[str]) -> list[Document]: ...
    def get(self, ids: str | Iterable[str]) -> Document | list[Document]:
        """Return the document with an id, or a list for a list of ids, in its order.

        Raises:
            UsageError: an id is not there.
        """
        wanted = [ids] if isinstance(ids, str) else list(ids)
        with self._store.reading():
            found = self._store.by_ids(wanted)
        for id_ in wanted:
            if id_ not in found:
                raise UsageError(
                    f"{self.folder} has no row with the id {id_!r}", hint=f"imi search {self.folder} finds ids"
                )
        documents = [found[id_].document for id_ in wanted]
        return documents[0] if isinstance(ids, str) else documents

    def count(self, where: Mapping[str, Any] | None = None) -> int:
        """Return how many rows there are, or how many pass a filter."""
        with self._store.reading():
            return self._store.count(filter_of(self._store, where))

    def ids(self, *, with_vector: bool = False) -> list[str]:
        """Return all ids in the order in which the rows were written.

        Args:
            with_vector: only those of the rows that `vectors()` returns, in its order.
        """
        with self._store.reading():
            return self._store.ids(with_vector=with_vector)

    def vectors(self, ids: Iterable[str] | None = None, dims: int | None = None) -> Floats:
        """Return vectors (n, dims or width) float32, as they were stored, or unit rows where dims is given.

        Args:
            ids: whose, in this order; None for all rows that have one, in row order.
            dims: leading numbers to keep, re-normalised.

        Raises:
            UsageError: an id is not there or has no vector; dims is outside 1 to the width.
        """
        with self._store.reading():
            if ids is None:
                z = self._store.vectors()[1]
            else:
                wanted = list(ids)
                found = self._store.by_ids(wanted)
                rows, vectors = self._store.vectors(np.array(sorted(one.row for one in found.values()), dtype=np.int64))
                at = dict(zip(rows.tolist(), vectors, strict=True))
                missing = [id_ for id_ in wanted if id_ not in found or found[id_].row not in at]
                if missing:
                    raise UsageError(f"{self.folder} has no vector for the id {missing[0]!r}")
                z = np.array([at[found[id_].row] for id_ in wanted], dtype=np.float32).reshape(
                    len(wanted), self._store.width or 1
                )
        return z if dims is None or len(z) == 0 else truncate(z, dims)

    def documents(self, where: Mapping[str, Any] | None = None, *, with_vector: bool = False) -> Iterator[Document]:
        """Iterate over all rows, or those that pass a filter, in row order.

        Args:
            where: a filter on metadata.
            with_vector: only rows that have a vector, so that without a filter they are those of `vectors()`.

        What is yielded is one state of the file a thousand rows at a time: rows written meanwhile may or may not be
        among them.
        """
        after = 0
        while True:
            with self._store.reading():
                part = list(self._store.documents(filter_of(self._store, where), after=after, limit=1000))
                held = (
                    self._store.has_vector(np.array([one.row for one in part], dtype=np.int64))
                    if with_vector
                    else set()
                )
            yield from (one.document for one in part if not with_vector or one.row in held)
            if len(part) < 1000:
                return
            after = part[-1].row

    # --- looking after ---

    def verify(self, *, progress: Callable[[int, int], None] | None = None) -> Verification:
        """Read everything and compare all checksums and counts; `.ok`, and `.problems` with what does not agree."""
        from imi.collection.maintenance import verify

        return verify(self._store, progress)

    def repair(self, *, progress: Callable[[int, int], None] | None = None) -> Repaired:
        """Keep all rows that agree with their checksums in a new file; the old one is set aside in `damaged`.

        A text whose vector is damaged is embedded again. Close other readers first: they would go on with the old file.
        """
        from imi.collection.maintenance import repair

        self._store.check_writable()
        repaired = repair(self._store, self._model.embedder, progress)
        self._index.forget()
        return repaired

    def backup(self, path: str | Path, *, progress: Callable[[int, int], None] | None = None) -> None:
        """Copy the collection, while it is used, into a new folder, which is a collection itself.

        Raises:
            UsageError: something is at the path already.
        """
        from imi.collection.maintenance import backup

        backup(self._store, Path(path), progress)

    def export(
        self, path: str | Path, *, vectors: bool = True, progress: Callable[[int, int], None] | None = None
    ) -> int:
        """Write all rows to a file of the kind that its suffix names; return how many.

        Args:
            path: .csv (vectors as literal lists), .jsonl, .parquet, .npy (with a .npy.jsonl beside it), or .db (as the
                tool `llm` keeps embeddings). Each carries the model's fingerprint.
            vectors: whether vectors are written too.
            progress: called as progress(done, total).
        """
        from imi.collection.exporting import export

        return export(self._store, Path(path), vectors=vectors, progress=progress)

    def import_(self, path: str | Path, *, progress: Callable[[int, int], None] | None = None) -> Added:
        """Add the rows of an export, with their vectors, which are not made again.

        Raises:
            ModelMismatch: its vectors are of another model than the collection's.
            DataError: the file cannot be read.
        """
        from imi.collection.importing import import_into

        return import_into(self, self._store, self._model, Path(path), progress)

    def migrate(
        self,
        dims: int | None = None,
        model: str | Embedder | None = None,
        *,
        estimate: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Migration:
        """Move to fewer numbers without embedding again, or to another model; interrupted, the same call goes on.

        Searches are answered by the old vectors until the last moment.

        Args:
            dims: numbers to keep of each vector, re-normalised.
            model: embeds every text anew.
            estimate: only say what it would take.
            progress: called as progress(done, total).

        Raises:
            UsageError: nothing would change, or dims is outside 1 to the width.
        """
        from imi.collection.migrating import Migrator

        migrator = Migrator(self._store, model, dims)
        if estimate:
            return migrator.estimate()
        migration = migrator.run(progress)
        if model is not None:
            self._model = CollectionModel(self._store, model)
            self._finder = Finder(self._store, self._model, self._index)
        return migration

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
            query: words, or a picture (see `imi.pictures`) or vector (width,), which are searched by meaning.
            k: how many hits at most.
            mode: "text" (BM25; short and quoted queries mean "contains"), "meaning" (cosine), "hybrid" (both, fused).
            where: a filter on metadata, see `imi.store.filters`.
            dims: compare only the first numbers of the vectors.
            min_score: leave out hits that score less, on the mode's scale.
            offset: leave out the first hits, for the next page.
            facets: fields whose values are counted over the rows that pass the filter (and match, in the mode text).

        Raises:
            UsageError: an empty query, k below 1, an unknown mode or field, dims outside the width.
        """
        check_page(k, offset, mode)
        return self._finder.search(query, Page(k, offset, min_score), mode, where, How(dims), facets)

    def similar(self, id: str, k: int = 10, *, where: Mapping[str, Any] | None = None, dims: int | None = None) -> Hits:
        """Find the rows whose vectors are nearest to a row's own, which is left out.

        Raises:
            UsageError: the id is not there or has no vector.
        """
        check_page(k, 0, "meaning")
        return self._finder.similar(id, k, where, dims)

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
        """Search, and tell in `.search` what was read: candidates by rung, numbers and time.

        Args:
            query: words, a picture or a vector.
            k: how many hits at most.
            mode: "meaning" or "hybrid".
            where: a filter on metadata.
            dims: compare only the first numbers.
            exact: compare with every row.
            ladder: rungs to climb instead of the built ones, such as "64:200,512:10".
        """
        check_page(k, 0, mode)
        how = How(dims, exact, ladder, explain=True)
        return self._finder.search(query, Page(k), mode, where, how, ())

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
        with self._store.reading():
            bound = read_bound(self._store)
        if self._model.untrusted is not None or (bound is not None and bound.own and not self._model.given):
            return load()
        return self._model.embedder()

    @property
    def untrusted(self) -> NotTrusted | None:
        """Why the model that the collection names is not used; None where it may be."""
        return self._model.untrusted

    @property
    def bound(self) -> Bound | None:
        """The model that the vectors here are of, None before the first one."""
        with self._store.reading():
            return read_bound(self._store)
