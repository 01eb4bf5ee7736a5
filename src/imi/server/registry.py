"""The collections that a server holds open, by name."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from pathlib import Path

import imi
from imi.backends.address import Address, is_address, read_address
from imi.collection import Collection
from imi.collection.paths import SUFFIX, resolve
from imi.errors import ImiError, UsageError
from imi.server.http.responses import ApiError
from imi.server.models import Models

_NAME = re.compile(r"[\w][\w.-]{0,99}")


class Shelf:
    """Opens collections once and hands them out; all their methods may be called from any thread."""

    def __init__(self, paths: tuple[str, ...], root: Path | None, models: Models) -> None:
        """Open what is to be served.

        Args:
            paths: of collections, also URLs of engines; a folder of collections stands for all in it.
            root: the folder in which clients may make new ones, whose collections are served, too.
            models: those that are loaded already, which collections share.

        Raises:
            UsageError: there is no such collection, or two have one name.
        """
        self._root = root
        self._models = models
        self._changing = threading.Lock()
        self._open: dict[str, Collection] = {}
        self._places: dict[str, str] = {}  # where each lies, without secrets
        if root is not None:
            root.mkdir(parents=True, exist_ok=True)
        inside = sorted(root.glob(f"*{SUFFIX}")) if root is not None else []
        try:
            for place in [*collection_paths(paths), *inside]:
                self._put(place)
        except BaseException:
            self.close()
            raise

    def _put(self, place: Path | Address) -> None:
        """Open a collection under its name, once."""
        name = place.stem if isinstance(place, Path) else place.name
        shown = str(place.resolve()) if isinstance(place, Path) else place.shown
        if self._places.setdefault(name, shown) != shown:
            raise UsageError(
                f"two collections are called {name!r}: {self._places[name]} and {shown}", hint="rename one of them"
            )
        if name not in self._open:
            self._open[name] = self._opened(place)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def creates(self) -> bool:
        """Whether there is a folder in which new collections can be made."""
        return self._root is not None

    def names(self) -> list[str]:
        """Return the names, sorted."""
        return sorted(self._open)

    def get(self, name: str) -> Collection:
        """Return a collection.

        Raises:
            ApiError: 404, naming what there is.
        """
        found = self._open.get(name)
        if found is None:
            raise ApiError(404, f"There is no collection {name[:100]!r} here.", code="collection_not_found")
        return found

    def create(self, name: str, model: str | None) -> Collection:
        """Make a new collection in the root folder; its vectors will be the model's, None for the client's own or ours.

        Raises:
            ApiError: no folder was given for it, the name is taken or cannot be a name, or the model is unknown.
        """
        if self._root is None:
            raise ApiError(
                403,
                "This server makes no new collections; start it with --folder FOLDER to allow it.",
                code="creation_not_allowed",
            )
        if not _NAME.fullmatch(name):
            raise ApiError(
                400,
                f"Invalid 'name': {name[:100]!r}. Allowed are up to 100 letters, digits, '_', '-' and '.', "
                "beginning with a letter, a digit or '_'.",
                param="name",
                code="invalid_value",
            )
        served = None if model is None else self._models.get(model)
        with self._changing:
            path = self._root / f"{name}{SUFFIX}"
            if name in self._open or path.exists():
                raise ApiError(
                    409, f"There is a collection {name!r} already.", param="name", code="collection_exists",
                    headers={"x-should-retry": "false"},
                )  # fmt: skip
            self._open[name] = imi.open(path, model=None if served is None else served.given)
            return self._open[name]

    def warm(self) -> None:
        """Search each collection once, so that no client waits for its first search, and begin a build that is due."""
        for collection in list(self._open.values()):
            with suppress(ImiError):  # one that is empty or damaged says so to whom it is asked for
                collection.search("warm", 1, "hybrid")
                collection.settle()

    def close(self) -> None:
        """Close all."""
        for collection in self._open.values():
            collection.close()
        self._open.clear()

    def _opened(self, place: Path | Address) -> Collection:
        """Open a collection that is there, with a loaded model where that is the one that it was filled with."""
        given = place if isinstance(place, Path) else place.given
        collection = imi.open(given, mode="rw")
        bound = collection.bound
        if bound is None and isinstance(place, Address):
            collection.close()
            raise _absent(place.shown)
        served = None if bound is None else self._models.of(bound.info.fingerprint)
        if served is None:
            return collection
        collection.close()
        return imi.open(given, model=served.embedder)


def collection_paths(paths: tuple[str, ...]) -> list[Path | Address]:
    """Return where the collections lie that are to be served, those in a folder of collections one by one.

    Raises:
        UsageError: there is none at a path, or a URL cannot be read.
    """
    found: list[Path | Address] = []
    for given in paths:
        if is_address(given):
            found.append(read_address(given))
            continue
        path = resolve(given)
        inside = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() and path.suffix != SUFFIX else []
        if not inside and not path.is_dir():
            raise _absent(given)
        found += inside or [path]
    return found


def _absent(shown: str) -> UsageError:
    return UsageError(f"there is no collection {shown}", hint=f"imi add {shown} FILE makes one")
