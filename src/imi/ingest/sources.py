"""Files that a collection was filled from: which have changed, which are gone, and what of them is stale."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Collection as Ids

from imi.store.sources import count_from, digests, forget, ids_from, note_digests
from imi.store.store import Store
from imi.text.readers.lines import open_regular

_NOTED = "2:"
"""Begins what is noted of files whose rows carry imi's own facts; before, only the field `source` said it."""
_READING = "6"
"""Counts up when files are read in another way, so that unchanged ones are read again."""
Delete = Callable[[list[str]], int]


def file_digest(path: str, reading: str) -> str:
    """Return 32 hex digits over a file's bytes and the way it is read.

    Raises:
        OSError: it cannot be read, or has no end: a pipe or a device.
    """
    digest = hashlib.blake2b(f"{_READING}{reading}".encode("utf-8", "surrogatepass"), digest_size=16)
    with open_regular(path) as file:
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()


class Sources:
    """The files behind a collection's rows, by imi's own key, never by a field of the user's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with self._store.reading():
            self._known = digests(self._store)

    @property
    def known(self) -> Mapping[str, str]:
        """What is noted of each source that was added whole: the form of the note, digest and number of rows."""
        return self._known

    def unchanged(self, found: Mapping[str, str]) -> dict[str, int]:
        """Return those of the files with these digests that need not be read, with their numbers of rows.

        A file whose rows were deleted since is read again, and one that an older imi read.
        """
        same: dict[str, int] = {}
        with self._store.reading():
            for path, digest in found.items():
                kept, _, rows = self._known.get(path, "").removeprefix(_NOTED).partition(":")
                if kept == digest and rows.isdigit() and count_from(self._store, path) == int(rows):
                    same[path] = int(rows)
        return same

    def _ids(self, path: str) -> list[str]:
        with self._store.reading():
            return ids_from(self._store, path, older=path in self._known and not self._is_noted(path))

    def _is_noted(self, path: str) -> bool:
        return self._known[path].startswith(_NOTED)

    def settle(self, path: str, digest: str | None, ids: Ids[str] | None, delete: Delete) -> int:
        """Remember a file that was read whole; delete its rows that it no longer holds, and return how many.

        Args:
            path: the file.
            digest: of its bytes; None where not all of it could be read, so that it is read again.
            ids: the rows that it holds now; None where it was never read before, so that no other can be there.
            delete: deletes rows by their ids.
        """
        stale = [] if ids is None else [one for one in self._ids(path) if one not in ids]
        removed = delete(stale) if stale else 0
        with self._store.writing():
            # What could not be read whole is known all the same, so that its rows can go when it does.
            note_digests(self._store, {path: f"{_NOTED}{digest or ''}:{count_from(self._store, path)}"})
        return removed

    def vanish(self, folders: Iterable[str], present: Ids[str], unlisted: Ids[str], delete: Delete) -> int:
        """Delete the rows of known files below these folders that are not there any more; return how many rows.

        Args:
            folders: where to look.
            present: the files that are there.
            unlisted: paths that could not be looked at, so that nothing at or below them is taken for gone.
            delete: deletes rows by their ids.
        """
        below = tuple(f"{folder.rstrip('/')}/" for folder in folders)
        unknown = tuple(f"{path.rstrip('/')}/" for path in unlisted)
        gone = [
            path
            for path in self._known
            if path.startswith(below) and path not in present and not f"{path}/".startswith(unknown)
        ]
        removed = 0
        for path in gone:
            ids = self._ids(path)
            removed += delete(ids) if ids else 0
        if gone:
            with self._store.writing():
                forget(self._store, gone)
        return removed
