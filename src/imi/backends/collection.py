"""EngineCollection: the verbs of `imi.Collection` on an engine that is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from imi.backends.adding import add
from imi.backends.engine import Engine, unique
from imi.backends.planning import tune
from imi.backends.searching import EngineSource
from imi.collection import Collection, CollectionInfo
from imi.collection.adding import OnError
from imi.collection.description import Bound
from imi.collection.model import CollectionModel
from imi.collection.searching import Searcher
from imi.embedders.base import Embedder
from imi.errors import CollectionError, UsageError
from imi.index.goal import Goal
from imi.index.plan import Plan
from imi.records import Added, Document
from imi.types import Floats


class _Remembered:
    """How a `CollectionModel` reads what an engine has recorded."""

    def __init__(self, engine: Engine) -> None:
        self.folder = engine.label
        self._engine = engine

    def reading(self) -> AbstractContextManager[None]:
        """Engines answer each question from a state of its own."""
        return nullcontext()

    def meta(self, key: str) -> str | None:
        """Return the model as JSON."""
        bound = self._engine.bound() if key == "model" else None
        return None if bound is None else bound.to_json()


class EngineCollection(Collection):
    """A collection whose rows, vectors and full text are kept and searched by an engine.

    Made by `imi.open` of a URL. What looks after a file (`backup`, `verify`, `repair`, `export`, `migrate`) is refused:
    the engine has its own ways for that, and `imi copy` brings the rows into a folder.
    """

    local = False

    def __init__(
        self,
        engine: Engine,
        name: str,
        model: str | Embedder | None = None,
        mode: Literal["rw", "r"] = "rw",
        *,
        trust: bool = False,
    ) -> None:
        """Open a collection; it is made on the engine with its first row.

        Args:
            engine: where it lies.
            name: of the collection there.
            model: what embeds, as for `imi.open`.
            mode: "rw", or "r" for reading only.
            trust: as for `imi.open`.

        Raises:
            UsageError: it is missing in the mode "r".
            ModelMismatch: the model given is not the collection's.
        """
        if mode not in ("rw", "r"):
            raise UsageError(f"mode is {mode!r}, allowed are 'rw' and 'r'")
        self.folder = Path(name)
        self.label = engine.label
        self._engine = engine
        self._write = mode == "rw"
        if not self._write and engine.bound() is None:
            raise UsageError(f"there is no collection {self.label}", hint=f"imi add {self.label} FILE makes one")
        self._model = CollectionModel(_Remembered(engine), model, trusted=trust)
        self._model.check()
        self._source = EngineSource(engine)
        self._searcher = Searcher(self._source, self._model)

    def close(self) -> None:
        """Let go of the engine; the collection cannot be used afterwards."""
        self._engine.close()

    def __repr__(self) -> str:
        return f"<Collection {self.label!r}>"

    @property
    def info(self) -> CollectionInfo:
        """What the collection holds and what it takes on the engine."""
        bound, size = self._engine.bound(), self._engine.size()
        return CollectionInfo(
            name=self.folder.name,
            path=self.label,
            count=self._engine.count(None),
            model=None if bound is None else bound.name or bound.info.id,
            fingerprint=None if bound is None else bound.fingerprint,
            dims=None if bound is None else bound.width,
            dtype=str(size.about.get("dtype", "float32")),
            fields=tuple(self._engine.fields()),
            bytes={"collection": size.rows or 0, "index": size.index or 0},
            index=dict(size.about),
        )

    # --- writing ---

    def _check_writable(self) -> None:
        if not self._write:
            raise CollectionError(f"{self.label} was opened for reading only", hint='open it with mode="rw"')

    def add(
        self,
        documents: Iterable[Document],
        vectors: ArrayLike | None = None,
        on_error: OnError = "raise",
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Added:
        """Add documents, or update those whose ids are there; see `Collection.add`."""
        self._check_writable()
        added = add(self._engine, self._model, documents, vectors, on_error, progress)
        self._engine.settle()
        return added

    def _delete(self, ids: list[str] | None, where: Mapping[str, Any] | None) -> int:
        self._check_writable()
        if ids is None:
            return self._engine.remove(None, self._source.filter(where))
        return self._engine.remove(unique(ids), None)

    # --- reading ---

    def _documents_by_id(self, ids: Sequence[str]) -> Mapping[str, Document]:
        return {id_: kept.document for id_, kept in self._engine.kept(unique(ids)).items()}

    def count(self, where: Mapping[str, Any] | None = None) -> int:
        """Return how many rows there are, or how many match a filter."""
        return self._engine.count(self._source.filter(where))

    def ids(self, *, with_vector: bool = False) -> list[str]:
        """Return all ids in the engine's order, which is that of `vectors` and `documents`."""
        parts = self._engine.scroll(None, vectors=with_vector)
        return [one.id for part in parts for one, z in part if not with_vector or z is not None]

    def vectors_by_id(self, ids: Sequence[str]) -> dict[str, Floats]:
        """Return the vectors (width,) of those of these rows that have one, by id."""
        return {id_: z for id_, (_, z) in self._engine.fetch(unique(ids)).items() if z is not None}

    def _all_vectors(self) -> Floats:
        z = [z for part in self._engine.scroll(None, vectors=True) for _, z in part if z is not None]
        bound = self._engine.bound()
        return np.array(z, dtype=np.float32).reshape(len(z), 1 if bound is None else bound.width)

    def _documents(self, where: Mapping[str, Any] | None, *, with_vector: bool) -> Iterator[Document]:
        """Iterate over all rows, or those that match a filter, in the engine's order."""
        for part in self._engine.scroll(self._source.filter(where), vectors=with_vector):
            yield from (one for one, z in part if not with_vector or z is not None)

    # --- finding ---

    def thumbnail(self, id: str) -> None:
        """Return None: pictures are kept in collections on this machine only."""
        return None

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
        """Measure ladders on the engine against its own exact search, and search by the one that is chosen.

        Args:
            target_recall: the share of the ten nearest that must be found; a `Goal` can say of how many queries.
            memory: not here: the engine has its own limits.
            latency: not here.
            queries: (m, width) vectors of real questions; without them rows moved a little.
            seed: of the queries drawn.
            progress: called as progress(done, total).

        Raises:
            UsageError: a limit was given, or the target cannot be.
        """
        self._check_writable()
        if memory is not None or latency is not None:
            raise UsageError(
                f"{self.label} is planned by recall alone, without a limit of memory or latency",
                hint="leave the limit out: the cheapest ladder is taken first",
            )
        asked = None if queries is None else np.atleast_2d(np.asarray(queries, dtype=np.float32))
        return tune(self._engine, target_recall, asked, seed, progress)

    def settle(self) -> None:
        """Have the engine look after its indexes."""
        if self._write:
            self._engine.settle()

    @property
    def bound(self) -> Bound | None:
        """The model that the vectors here are of, None before the first one."""
        return self._engine.bound()

    @property
    def engine(self) -> Engine:
        """What keeps and searches the rows."""
        return self._engine

    def bind(self, bound: Bound) -> None:
        """Record the model of the vectors to come; see `Collection.bind`."""
        self._engine.prepare(bound)
