"""The collections that a server holds open, by name."""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import imi
from imi.atomic import Identity, identity
from imi.backends.address import Address, read_address
from imi.backends.schemes import is_address
from imi.collection import Collection
from imi.collection.paths import SUFFIX, is_plain_folder, resolve
from imi.collection.rankings import VARIABLE, Rerank
from imi.errors import Damaged, ImiError, UsageError
from imi.mirror import Mirror, open_mirror
from imi.server.http.responses import ApiError
from imi.server.models import Models
from imi.store.store import FILE

_NAME = re.compile(r"[\w][\w.-]{0,99}")
_PATIENCE = 1.2
"""Seconds in which a plain folder is read before it is served; the rest is read meanwhile."""


@dataclass(slots=True, eq=False)
class _Opened:
    """A collection that is open, the file that it was opened from, and how many requests use it."""

    collection: Collection
    file: Identity | None
    users: int = 0
    retired: bool = False


@dataclass(slots=True, eq=False)
class _Place:
    """Where a collection lies, and what is known of it."""

    place: Path | Address
    shown: str
    """The place without secrets."""
    mirror: Mirror | None = None
    """Of a plain folder, whose index the collection is."""
    opened: _Opened | None = None
    opening: threading.Lock = field(default_factory=threading.Lock)
    described: tuple[Any, dict[str, Any]] | None = None

    @property
    def file(self) -> Path | None:
        """The file that is the collection; None for an engine's."""
        return self.place / FILE if isinstance(self.place, Path) else None

    @property
    def stamp(self) -> Any:
        """What changes when the collection does; None where that is not seen from here."""
        if self.file is None:
            return None
        states = [_state(self.file), _state(self.file.with_name(FILE + "-wal"))]
        return [None if one is None else (one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) for one in states]


class Registry:
    """Lends collections by name, from any thread; at most `most` are open, and the least recently used is closed.

    A collection whose file was replaced, restored or moved is opened again by the next request; one whose file is gone
    is missing until there is a file again.
    """

    def __init__(
        self, paths: tuple[str, ...], root: Path | None, models: Models, most: int = 100, model: str | None = None
    ) -> None:
        """Open what is to be served.

        Args:
            paths: of collections, also URLs of engines; a folder of collections stands for all in it, and a plain
                folder is read.
            root: the folder in which clients may make new ones, whose collections are served, too.
            models: those that are loaded already, which collections share.
            most: how many may be open at once.
            model: by which plain folders are read; None for the usual one.

        Raises:
            UsageError: there is no such collection, or two have one name.
        """
        self._root = root
        self._models = models
        self._most = most
        self._changing = threading.Lock()
        self._places: dict[str, _Place] = {}
        self._recent: OrderedDict[_Opened, None] = OrderedDict()  # the one used last at the end
        self._closer = ThreadPoolExecutor(1, thread_name_prefix="imi-close")
        if root is not None:
            root.mkdir(parents=True, exist_ok=True)
        inside = sorted(root.glob(f"*{SUFFIX}")) if root is not None else []
        try:
            for place in [*collection_paths(paths, model), *inside]:
                self._put(place)
        except BaseException:
            self.close()
            raise

    def _put(self, given: Path | Address | Mirror) -> None:
        """Note where a collection lies, and open it while there is room: what is wrong with it is then said at once."""
        mirror = given if isinstance(given, Mirror) else None
        place = given.collection if isinstance(given, Mirror) else given
        name = place.stem if isinstance(place, Path) else place.name
        shown = str(place.resolve()) if isinstance(place, Path) else place.shown
        if mirror is not None:
            name, shown = _name_of(mirror.root), str(mirror.root)
        known = self._places.get(name)
        if known is not None and known.shown != shown:
            raise UsageError(
                f"two collections are called {name!r}: {known.shown} and {shown}", hint="rename one of them"
            )
        if known is not None:
            return
        if mirror is not None:
            open_mirror(mirror, seconds=_PATIENCE, empty=True)[0].close()
        made = self._places[name] = _Place(place, shown, mirror)
        if len(self._recent) < self._most or made.file is None:
            made.opened = _Opened(self._opened(made), None if made.file is None else identity(made.file))
            self._recent[made.opened] = None

    def __len__(self) -> int:
        return len(self._places)

    @property
    def open_count(self) -> int:
        """How many collections are open, those that are being closed left out."""
        return len(self._recent)

    @property
    def mirrors(self) -> list[Mirror]:
        """The plain folders that are served, which somebody has to bring up to date."""
        return [one.mirror for one in [*self._places.values()] if one.mirror is not None]

    @property
    def creates(self) -> bool:
        """Whether there is a folder in which new collections can be made."""
        return self._root is not None

    def names(self) -> list[str]:
        """Return the names of the collections, sorted."""
        return sorted(name for name, one in [*self._places.items()] if one.file is None or _state(one.file) is not None)

    def check(self, name: str) -> None:
        """Refuse a name that is not there.

        Raises:
            ApiError: 404.
        """
        one = self._places.get(name)
        if one is None or (one.file is not None and _state(one.file) is None):
            raise _not_found(name)

    def is_local(self, name: str) -> bool:
        """Return whether a collection is a folder of this machine, not an engine's table."""
        one = self._places.get(name)
        return one is not None and one.file is not None

    @contextmanager
    def use(self, name: str) -> Iterator[Collection]:
        """Lend a collection for a block; it is opened where it is not, and open until the block ends.

        Raises:
            ApiError: 404. ImiError: it cannot be opened.
        """
        one = self._take(name)
        try:
            yield one.collection
        except Damaged as damage:
            place = self._places.get(name)
            if place is not None and place.mirror is not None:
                place.mirror.suspect(damage)
            raise
        finally:
            self._give_back(one)

    def describe(self, name: str, call: Callable[[Collection], dict[str, Any]]) -> dict[str, Any]:
        """Return what `call` says of a collection; not asked again, nor opened for it, while its file is the same."""
        place = self._places.get(name)
        if place is None:
            raise _not_found(name)
        stamp = place.stamp
        if stamp is not None and place.described is not None and place.described[0] == stamp and place.opened is None:
            return place.described[1]
        with self.use(name) as collection:
            result = call(collection)
        place.described = (stamp, result)
        return result

    def create(self, name: str, model: str | None) -> None:
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
        path = self._root / f"{name}{SUFFIX}"
        with self._changing:
            known = self._places.get(name)
            if (known is not None and (known.file is None or _state(known.file) is not None)) or path.exists():
                raise ApiError(
                    409, f"There is a collection {name!r} already.", param="name", code="collection_exists",
                    headers={"x-should-retry": "false"},
                )  # fmt: skip
            made = _Place(path, str(path.resolve()))
            collection = _for_requests(imi.open(path, model=None if served is None else served.given))
            made.opened = _Opened(collection, identity(path / FILE))
            if known is not None:
                self._retire(known)
            self._places[name] = made
            self._recent[made.opened] = None
        self._trim()

    def warm(self) -> None:
        """Search each open collection once, so that no client waits for that, and begin a build that is due."""
        for name in self.open_names():
            with suppress(ImiError, ApiError), self.use(name) as collection:
                # One that is empty or damaged says so to whom it is asked for.
                collection.search("warm", 1, "hybrid")
                collection.settle()

    def open_names(self) -> list[str]:
        """Return the names of the collections that are open."""
        return [name for name, one in [*self._places.items()] if one.opened is not None]

    def private(self) -> dict[str, str]:
        """Return what no reply may tell, each with what is said instead: where collections lie on this machine."""
        found: dict[str, str] = {}
        for name, one in [*self._places.items()]:
            if isinstance(one.place, Path):
                found |= {str(one.place): name, str(one.place.absolute()): name, one.shown: name}
            if one.mirror is not None:
                found[str(one.mirror.home)] = name
        if self._root is not None:
            found |= {str(root): "FOLDER" for root in (self._root, self._root.absolute(), self._root.resolve())}
        return found

    def close(self) -> None:
        """Close all."""
        for one in self._places.values():
            if one.opened is not None:
                one.opened.collection.close()
                one.opened = None
        self._recent.clear()
        self._closer.shutdown(wait=True)

    # --- opening and closing ---

    def _take(self, name: str) -> _Opened:
        place = self._places.get(name)
        if place is None:
            raise _not_found(name)
        with place.opening:
            file = None if place.file is None else identity(place.file)
            with self._changing:  # what is lent is counted before anybody can close it as idle
                gone = place.file is not None and file is None
                if gone or (place.opened is not None and place.opened.file != file):
                    self._retire(place)
                opened = place.opened
                if opened is not None:
                    self._lend(opened)
            if gone:
                raise _not_found(name)
            if opened is None:
                opened = self._open_now(name, place, file)
                with self._changing:
                    place.opened = opened
                    self._lend(opened)
        if len(self._recent) > self._most:
            self._trim()
        return opened

    def _open_now(self, name: str, place: _Place, file: Identity | None) -> _Opened:
        """Open a collection whose file may be moved or replaced at the very moment."""
        while True:
            try:
                return _Opened(self._opened(place), file)
            except ImiError:
                now = None if place.file is None else identity(place.file)
                if now == file:
                    raise
                if now is None:
                    raise _not_found(name) from None
                file = now

    def _lend(self, opened: _Opened) -> None:
        opened.users += 1
        self._recent[opened] = None
        self._recent.move_to_end(opened)

    def _give_back(self, opened: _Opened) -> None:
        with self._changing:
            opened.users -= 1
            last = opened.retired and not opened.users
        if last:
            self._closer.submit(opened.collection.close)

    def _retire(self, place: _Place) -> None:
        """Let the collection of a place go, now or when its last user has done; the place may be opened again."""
        opened, place.opened = place.opened, None
        if opened is None:
            return
        self._recent.pop(opened, None)
        opened.retired = True
        if not opened.users:
            self._closer.submit(opened.collection.close)

    def _trim(self) -> None:
        """Close what was not used for longest, as far as nobody uses it."""
        with self._changing:
            owners = {one.opened: one for one in self._places.values() if one.opened is not None}
            for opened in [*self._recent]:
                if len(self._recent) <= self._most:
                    return
                if not opened.users and opened in owners:
                    self._retire(owners[opened])

    def _opened(self, one: _Place) -> Collection:
        """Open a collection that is there, with a loaded model where that is the one that it was filled with."""
        given = one.place if isinstance(one.place, Path) else one.place.given
        mode: Literal["r", "rw"] = "rw" if one.mirror is None else "r"  # the rows of a plain folder are its files'
        collection = imi.open(given, mode=mode)
        bound = collection.bound
        if bound is None and isinstance(one.place, Address):
            collection.close()
            raise _absent(one.place.shown)
        served = None if bound is None else self._models.of(bound.info.fingerprint)
        if served is not None:
            collection.close()
            collection = imi.open(given, model=served.embedder, mode=mode)
        return _for_requests(collection)


def _for_requests(collection: Collection) -> Collection:
    """Let no request wait while the finer model reads: it does so while nobody asks, or as IMI_DEEP_BUDGET says."""
    if not os.environ.get(VARIABLE):
        collection.rerank = Rerank(budget=0)
    return collection


def _state(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _not_found(name: str) -> ApiError:
    return ApiError(404, f"There is no collection {name[:100]!r} here.", code="collection_not_found")


def _name_of(root: Path) -> str:
    """Return the name by which a plain folder is served: its own, as far as a URL allows."""
    return re.sub(r"[^\w.-]+", "-", root.name).strip("-.") or "folder"


def collection_paths(paths: tuple[str, ...], model: str | None = None) -> list[Path | Address | Mirror]:
    """Return where the collections lie that are to be served, those in a folder of collections one by one.

    Args:
        paths: of collections, URLs of engines, folders of collections, and plain folders.
        model: by which plain folders are read; None for the usual one.

    Raises:
        UsageError: there is none at a path, or a URL cannot be read.
    """
    found: list[Path | Address | Mirror] = []
    for given in paths:
        if is_address(given):
            found.append(read_address(given))
            continue
        path = resolve(given)
        inside = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() and path.suffix != SUFFIX else []
        if not inside and not path.is_dir():
            raise _absent(given)
        plain = not inside and is_plain_folder(given)
        found += inside or [Mirror.of(given, model=model) if plain else path]
    return found


def _absent(shown: str) -> UsageError:
    return UsageError(f"there is no collection {shown}", hint=f"imi add {shown} FILE makes one")
