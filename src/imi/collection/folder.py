"""FolderCollection: a collection in one SQLite file, composed of an embedder, the store and an index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from imi.collection.base import Collection
from imi.collection.deepening import Deepened, Deepener
from imi.collection.description import Bound, CollectionInfo, describe, read_bound, write_bound
from imi.collection.folder_search import FolderSource
from imi.collection.model import CollectionModel
from imi.collection.paths import find
from imi.collection.rankings import filter_of
from imi.collection.searching import Searcher
from imi.collection.vector_index import CollectionIndex
from imi.embedders.base import Embedder
from imi.errors import Damaged, DataError, ImiError, UsageError
from imi.index.policy import IndexPolicy
from imi.records import Added, Document
from imi.store.pictures import pictures_of
from imi.store.rows import Dtype
from imi.store.store import Store
from imi.types import Floats

# What only some verbs need is imported when they are called: a search from a cold start is mostly imports.
if TYPE_CHECKING:
    from imi.collection.adding import OnError
    from imi.collection.maintenance import Repaired, Verification
    from imi.collection.migrating import Migration
    from imi.index.goal import Goal
    from imi.index.plan import Plan


class FolderCollection(Collection):
    """A collection whose rows, vectors and full text are in one SQLite file.

    Many processes may read while one writes; a reader sees what others committed.
    """

    local = True

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
            UsageError: it is missing in the mode "r", or is not a collection.
            ModelMismatch: the model given is not the collection's.
        """
        if mode not in ("rw", "r"):
            raise UsageError(f"mode is {mode!r}, allowed are 'rw' and 'r'")
        self.folder = Path(path)
        self.label = str(self.folder)
        self.on_damage: Callable[[Damaged], None] | None = None
        self._counts: dict[tuple[int, str, str], tuple[int, int]] = {}
        find(self.folder, create=mode == "rw", dtype=dtype)
        self._store = Store(self.folder, write=mode == "rw", durable=durable)
        self._model = CollectionModel(self._store, model, trusted=trust)
        self._model.check()
        self._index = CollectionIndex(self._store, policy)
        self._deepener = Deepener(self._store)
        self._searcher = Searcher(FolderSource(self._store, self._index), self._model, self._deepener)

    # --- life ---

    def close(self) -> None:
        """Close the file, after a build of the index that is under way; the collection cannot be used afterwards."""
        self._index.wait()
        self._deepener.close()
        self._store.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, and say with what ends the block early what was written before."""
        if isinstance(error, Damaged) and self.on_damage is not None:
            self.on_damage(error)
        if isinstance(error, KeyboardInterrupt | ImiError) and not isinstance(error, DataError):
            for count, done in (
                (self._store.written, "written to"),
                (self._deepener.kept, "read by the model deep in"),
            ):
                if count:
                    rows = "1 row was" if count == 1 else f"{count:,} rows were"
                    error.add_note(f"{rows} {done} {self.label} before, and kept")
        if isinstance(error, KeyboardInterrupt):
            self._index.end()
        super().__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"<Collection {str(self.folder)!r}, {len(self)} rows>"

    @property
    def info(self) -> CollectionInfo:
        """What the collection holds and what it takes on disk."""
        return describe(self._store, self._index)

    @property
    def store(self) -> Store:
        """See `Collection.store`."""
        return self._store

    def wait(self) -> None:
        """See `Collection.wait`."""
        self._index.wait()

    # --- writing ---

    def add(
        self,
        documents: Iterable[Document],
        vectors: ArrayLike | None = None,
        on_error: OnError = "raise",
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Added:
        """Add documents; see `Collection.add`."""
        from imi.collection.adding import Adder

        with self._store.one_file():
            added = Adder(self._store, self._model).add(documents, vectors, on_error, progress)
        self._index.settle()
        return added

    def _delete(self, ids: list[str] | None, where: Mapping[str, Any] | None) -> int:
        with self._store.writing():
            if ids is not None:
                rows = np.array(sorted(found.row for found in self._store.by_ids(ids).values()), dtype=np.int64)
            else:
                condition = filter_of(self._store, where)
                rows = self._store.rows_of(condition) if condition is not None else np.empty(0, np.int64)
            self._store.remove(rows)
            self._store.add_to_count(-len(rows))
        self._index.settle()
        return len(rows)

    # --- reading ---

    def _documents_by_id(self, ids: Sequence[str]) -> Mapping[str, Document]:
        with self._store.reading():
            return {id_: stored.document for id_, stored in self._store.by_ids(ids).items()}

    def count(self, where: Mapping[str, Any] | None = None) -> int:
        """Return how many rows there are, or how many pass a filter."""
        with self._store.reading():
            return self._store.count(filter_of(self._store, where))

    def ids(self, *, with_vector: bool = False) -> list[str]:
        """Return all ids in the order in which the rows were written; see `Collection.ids`."""
        with self._store.reading():
            return self._store.ids(with_vector=with_vector)

    def vectors_by_id(self, ids: Sequence[str]) -> dict[str, Floats]:
        """Return the vectors (width,) of those of these rows that have one, by id."""
        with self._store.reading():
            found = {stored.row: id_ for id_, stored in self._store.by_ids(ids).items()}
            rows, z = self._store.vectors(np.array(sorted(found), dtype=np.int64))
        return {found[row]: vector for row, vector in zip(rows.tolist(), z, strict=True)}

    def _all_vectors(self) -> Floats:
        with self._store.reading():
            return self._store.vectors()[1]

    def _documents(self, where: Mapping[str, Any] | None, *, with_vector: bool) -> Iterator[Document]:
        """Iterate over all rows, or those that match a filter, in row order; see `Collection.documents`.

        What is yielded is one state of the file a thousand rows at a time.
        """
        after, line = 0, None
        while True:
            with self._store.reading():
                line = line or self._store.line
                self._store.check_line(line)
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

    def _uncompared(self, where: Mapping[str, Any]) -> list[str]:
        """See `Collection._uncompared`; what was counted is kept until the file changes."""
        from imi.store.filters import read_type, uncompared

        said = []
        with self._store.reading():
            changes = self._store.changes
            for name, what, condition in uncompared(where):
                key = (changes, name, what)
                if key not in self._counts:
                    self._counts = {one: count for one, count in self._counts.items() if one[0] == changes}
                    left_out = self._store.count(condition)
                    there = read_type(name)
                    filled = replace(there, sql=f"coalesce({there.sql}, 'null') != 'null'")
                    self._counts[key] = (left_out, self._store.count(filled) if left_out else 0)
                left_out, filled_rows = self._counts[key]
                if left_out:
                    said.append(
                        f"{left_out:,} of {filled_rows:,} values of {name!r} are not {what}, and were not compared"
                    )
        return said

    # --- looking after ---

    def verify(self, *, progress: Callable[[int, int], None] | None = None) -> Verification:
        """See `Collection.verify`."""
        from imi.collection.maintenance import verify

        return verify(self._store, progress)

    def repair(self, *, progress: Callable[[int, int], None] | None = None) -> Repaired:
        """See `Collection.repair`."""
        from imi.collection.maintenance import repair

        self._store.check_writable()
        self._index.wait()
        repaired = repair(self._store, self._model.embedder, progress)
        self._index.forget()
        return repaired

    def backup(self, path: str | Path, *, progress: Callable[[int, int], None] | None = None) -> None:
        """See `Collection.backup`."""
        from imi.collection.maintenance import backup

        backup(self._store, Path(path), progress)

    def export(
        self,
        path: str | Path,
        *,
        vectors: bool = True,
        text_column: str = "text",
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """See `Collection.export`."""
        from imi.collection.exporting import export

        return export(self._store, Path(path), vectors=vectors, text_column=text_column, progress=progress)

    def import_(self, path: str | Path, *, progress: Callable[[int, int], None] | None = None) -> Added:
        """See `Collection.import_`."""
        from imi.collection.importing import import_into

        with self._store.one_file():
            return import_into(self, self._store, self._model, Path(path), progress)

    def migrate(
        self,
        dims: int | None = None,
        model: str | Embedder | None = None,
        *,
        estimate: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Migration:
        """See `Collection.migrate`."""
        from imi.collection.migrating import Migrator

        migrator = Migrator(self._store, model, dims)
        if estimate:
            return migrator.estimate()
        with self._store.one_file():
            migration = migrator.run(progress)
        if model is not None:
            self._model = CollectionModel(self._store, model)
            self._searcher = Searcher(FolderSource(self._store, self._index), self._model, self._deepener)
        return migration

    # --- the finer model ---

    def keep_read(self) -> None:
        """Keep what searches let the finer model read; see `Collection.keep_read`."""
        self._deepener.keep()

    @property
    def deepens(self) -> bool:
        """Whether `deepen` has rows to read; see `Collection.deepens`."""
        return self._deepener.wanted

    def deepen(self, budget: float | None = None, progress: Callable[[int, int], None] | None = None) -> Deepened:
        """Let the finer model read every row; see `Collection.deepen`."""
        with self._store.one_file():
            return self._deepener.deepen(budget, progress)

    # --- finding ---

    def plan(
        self,
        target_recall: float | Goal = 0.95,
        memory: int | None = None,
        latency: float | None = None,
        *,
        queries: ArrayLike | None = None,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> Plan:
        """Measure ladders on this collection's vectors and search with the best; see `Collection.plan`.

        The plan stays with the index: rows added later are put into a ladder of its kind, and when there are four times
        as many, it is measured again by the same target and limits. Collections plan by themselves when they outgrow
        exact search, for a recall of .95 in a gigabyte of memory; this is for other wishes, and for seeing what was
        tried.

        Raises:
            Locked: another process is writing the index.
        """
        from imi.index.base import check_queries

        asked = None
        if queries is not None:
            with self._store.reading():
                width = self._store.width or 1
            asked = check_queries(np.asarray(queries), width, 10)
        return self._index.plan(target_recall, memory, latency, asked, seed, progress)

    def settle(self) -> None:
        """Begin to build what the index is due, in a thread; see `Collection.settle`.

        A collection that grew while its index could not be built, or was copied without it, is mended by this.
        """
        if self._store.write:
            self._index.settle()

    def thumbnail(self, id: str) -> bytes | None:
        """Return a row's picture as a JPEG file; see `Collection.thumbnail`."""
        with self._store.reading():
            found = self._store.by_ids([id])
            if id not in found:
                raise UsageError(f"{self.label} has no row with the id {id!r}", hint="imi search finds ids")
            kept = pictures_of(self._store, [found[id].row])
        return kept[found[id].row].thumbnail if kept else None

    # --- the model ---

    @property
    def bound(self) -> Bound | None:
        """The model that the vectors here are of, None before the first one."""
        with self._store.reading():
            return read_bound(self._store)

    def bind(self, bound: Bound) -> None:
        """Record the model of the vectors to come; see `Collection.bind`."""
        with self._store.writing():
            write_bound(self._store, bound)
