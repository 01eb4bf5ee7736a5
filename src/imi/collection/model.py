"""The model of an open collection: loaded when it is first needed, and held to the collection's fingerprint."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from imi.collection.description import Bound, check_same, no_model, read_bound
from imi.embedders.base import Embedder
from imi.embedders.load import load
from imi.errors import CollectionError

DEFAULT = "built-in"


class Remembers(Protocol):
    """What a model is written down in: a collection's file, or an engine elsewhere."""

    @property
    def folder(self) -> Path | str:
        """How errors call the collection."""
        ...

    def reading(self) -> AbstractContextManager[None]:
        """See one state until the block ends."""
        ...

    def meta(self, key: str) -> str | None:
        """Return a value written down, None where there is none."""
        ...


class CollectionModel:
    """What embeds for a collection: the model that it was opened with, else the one that it was filled with."""

    def __init__(self, store: Remembers, given: str | Embedder | None) -> None:
        """Set up; nothing is loaded yet.

        Args:
            store: the collection's.
            given: a name for `imi.load`, an embedder, or None.
        """
        self._store = store
        self._given = given
        self._loaded: Embedder | None = None
        self._lock = threading.Lock()

    @property
    def given(self) -> bool:
        """Whether the collection was opened with a model."""
        return self._given is not None

    @property
    def name(self) -> str | None:
        """The name to write down with the first vectors; None for an embedder that was given as an object."""
        if self._given is None:
            return DEFAULT
        return self._given if isinstance(self._given, str) else None

    def embedder(self) -> Embedder:
        """Return the embedder of `bound`."""
        return self.bound()[0]

    def bound(self) -> tuple[Embedder, Bound | None]:
        """Return the embedder and what the collection remembers of it, None before its first vector.

        It is loaded when it is first needed, and again where the collection was migrated.

        Raises:
            CollectionError: the vectors are the user's own, or of an embedder that must be given again.
            ModelMismatch: the model is not the collection's.
        """
        with self._lock:
            with self._store.reading():
                bound = read_bound(self._store)
            loaded = self._loaded
            if loaded is None or (bound is not None and bound.info.fingerprint != loaded.info.fingerprint):
                if self._given is None and bound is not None and bound.own:
                    raise no_model(self._store.folder)
                if self._given is None and bound is not None and bound.name is None:
                    raise CollectionError(
                        f"{self._store.folder} was filled with the embedder {bound.info.id}, given as an object",
                        hint="give it again: imi.open(path, model=embedder)",
                    )
                name = self._given or (None if bound is None else bound.name) or DEFAULT
                loaded = load(name) if isinstance(name, str) else name
                if bound is not None:
                    check_same(self._store.folder, bound.info, loaded.info)
                self._loaded = loaded
            return loaded, bound

    def check(self) -> None:
        """Compare a model that was given with the collection's.

        Raises:
            ModelMismatch: they differ.
        """
        with self._store.reading():
            bound = read_bound(self._store)
        if self.given and bound is not None:
            self.embedder()
