"""Files that a collection was filled from: which have changed, which are gone, and what of them is stale."""

from __future__ import annotations

import hashlib
from collections.abc import Collection as Ids
from collections.abc import Iterable, Mapping
from pathlib import Path

from imi.collection.collection import Collection
from imi.store.sources import digests, forget, note_digests


def file_digest(path: str, reading: str) -> str:
    """Return 32 hex digits over a file's bytes and the way it is read."""
    digest = hashlib.blake2b(reading.encode("utf-8", "surrogatepass"), digest_size=16)
    with Path(path).open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()


class Sources:
    """The files behind a collection's rows, by the metadata field `source`."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._store = collection._store
        with self._store.reading():
            self._known = digests(self._store)

    @property
    def known(self) -> Mapping[str, str]:
        """Digest and number of rows of each source that was added whole, as DIGEST:ROWS."""
        return self._known

    def unchanged(self, found: Mapping[str, str]) -> dict[str, int]:
        """Return those of the files with these digests that need not be read, with their numbers of rows.

        A file whose rows were deleted since is read again.
        """
        same: dict[str, int] = {}
        for path, digest in found.items():
            kept, _, rows = self._known.get(path, "").partition(":")
            if kept == digest and rows.isdigit() and self._count(path) == int(rows):
                same[path] = int(rows)
        return same

    def _count(self, path: str) -> int:
        return self._collection.count({"source": path}) if "source" in self._collection.info.fields else 0

    def settle(self, path: str, digest: str, ids: Ids[str] | None) -> int:
        """Remember a file that was read whole; delete its rows that it no longer holds, and return how many.

        Args:
            path: the file.
            digest: of its bytes.
            ids: the rows that it holds now; None where it was never read before, so that no other can be there.
        """
        stale: list[str] = []
        if ids is not None and self._count(path):
            stale = [one.id for one in self._collection.documents({"source": path}) if one.id not in ids]
        if stale:
            self._collection.delete(stale)
        with self._store.writing():
            note_digests(self._store, {path: f"{digest}:{self._count(path)}"})
        return len(stale)

    def vanish(self, folders: Iterable[str], present: Ids[str]) -> int:
        """Delete the rows of known files below these folders that are not there any more; return how many rows."""
        below = tuple(f"{folder.rstrip('/')}/" for folder in folders)
        gone = [path for path in self._known if path.startswith(below) and path not in present]
        removed = sum(self._collection.delete(where={"source": path}) for path in gone if self._count(path))
        if gone:
            with self._store.writing():
                forget(self._store, gone)
        return removed
