"""The model of an open collection: loaded on first use, and checked against the collection's fingerprint."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from imi import trust
from imi.collection.description import Bound, check_same, no_model, read_bound
from imi.embedders.base import Embedder
from imi.embedders.load import load
from imi.errors import CollectionError, NotTrusted
from imi.llm.names import public_name
from imi.records import Mode
from imi.store.forking import ForkedLock

DEFAULT = "built-in"


class Remembers(Protocol):
    """Where a collection records its model: its own file, or an engine elsewhere."""

    @property
    def folder(self) -> Path | str:
        """The collection's name in error messages."""
        ...

    def reading(self) -> AbstractContextManager[None]:
        """Return a block within which all reads see the same state."""
        ...

    def meta(self, key: str) -> str | None:
        """Return the value recorded under a key, None where there is none."""
        ...


class CollectionModel:
    """The model that embeds for a collection: the one it was opened with, else the one it was filled with."""

    def __init__(self, store: Remembers, given: str | Embedder | None, *, trusted: bool = False) -> None:
        """Set up; nothing is loaded yet.

        Args:
            store: the collection's, which records its model.
            given: a name for `imi.load`, an embedder, or None.
            trusted: whether the model that the collection names may be loaded, even where the user never approved it.
        """
        self._store = store
        self._given = given
        self._trusted = trusted or trust.granted_now()
        self._loaded: Embedder | None = None
        self._lock = ForkedLock()

    @property
    def given(self) -> bool:
        """Whether the collection was opened with a model."""
        return self._given is not None

    @property
    def name(self) -> str | None:
        """The name to record with the first vectors; None for an embedder that was given as an object."""
        if self._given is None:
            return DEFAULT
        return public_name(self._given) if isinstance(self._given, str) else None

    @property
    def reads_slowly(self) -> bool:
        """Whether it takes the model so long to read a thousand texts that nobody should wait for all of them."""
        with self._store.reading():
            bound = read_bound(self._store)
        return (self.name if bound is None else bound.name) == "deep"

    def bind(self, embedder: Embedder) -> Bound:
        """Return what to record with the first vectors; by naming the model, the user has approved it."""
        bound = Bound(self.name, embedder.info)
        self._remember_approval(bound)
        return bound

    @property
    def untrusted(self) -> NotTrusted | None:
        """Why the collection's model may not be loaded: the user has not approved it; None where it may."""
        if self._given is not None:
            return None
        with self._store.reading():
            bound = read_bound(self._store)
        return None if bound is None or bound.name is None or self._approval(bound) else self._refused(bound.name)

    def possible(self, mode: Mode) -> tuple[Mode, tuple[str, ...]]:
        """Return the mode in which a query in words can run, and notes on why it is not the requested one.

        Where no model may embed the query, the full-text half of a hybrid search is better than an error.
        """
        if mode != "hybrid" or self._given is not None:
            return mode, ()
        with self._store.reading():
            bound = read_bound(self._store)
        if bound is None or bound.name is None or self._approval(bound) is not None:
            return ("text" if bound is not None and bound.own else mode), ()
        return "text", (f"searched by text alone: {self._refused(bound.name)}".replace("\n", "; "),)

    def embedder(self) -> Embedder:
        """Return the embedder of `bound`."""
        return self.bound()[0]

    def bound(self) -> tuple[Embedder, Bound | None]:
        """Return the embedder and what the collection remembers of it, None before its first vector.

        It is loaded on first use, and again after the collection was migrated to another model.

        Raises:
            CollectionError: the vectors are the user's own, or come from an embedder object that must be given again.
            NotTrusted: only the collection's file names the model, and it is not one of imi's own.
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
                loaded = self._loaded = self._load(bound)
            return loaded, bound

    def _load(self, bound: Bound | None) -> Embedder:
        if self._given is None and bound is not None and bound.name is not None:
            approval = self._approval(bound)
            if approval is None:
                raise self._refused(bound.name)
            loaded = load(bound.name, send_key=approval.key)
        elif self._given is None or isinstance(self._given, str):
            loaded = load(self._given or DEFAULT)
        else:
            loaded = self._given
        if bound is not None:
            check_same(self._store.folder, bound.info, loaded.info)
            self._remember_approval(bound)
        return loaded

    def _approval(self, bound: Bound) -> trust.Word | None:
        """Return the user's approval of the model that the collection names, None where there is none."""
        name, fingerprint = bound.name or "", bound.info.fingerprint
        if trust.is_own(name):
            return trust.Word(name, fingerprint, key=False)
        word = trust.word_on(name, fingerprint)
        return trust.Word(name, fingerprint, key=False) if word is None and self._trusted else word

    def _remember_approval(self, bound: Bound) -> None:
        """Record that the user approved a model, by typing its name or by trusting the collection."""
        if isinstance(self._given, str):
            trust.remember(public_name(self._given), bound.info.fingerprint, key=True)
        elif self._given is None and self._trusted and bound.name is not None:
            trust.remember(bound.name, bound.info.fingerprint, key=False)

    def _refused(self, name: str) -> NotTrusted:
        return trust.refused(self._store.folder, name)

    def check(self) -> None:
        """Compare a model that was given with the collection's.

        Raises:
            ModelMismatch: they differ.
        """
        with self._store.reading():
            bound = read_bound(self._store)
        if self.given and bound is not None:
            self.embedder()
