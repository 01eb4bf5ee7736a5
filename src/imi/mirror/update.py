"""Bringing the index of a folder up to date with its files, and opening it.

A file is known by its size, time and inode; what was read of it is noted after its rows are written, so that a process
that is killed leaves files that are read once more, never rows that nobody knows of.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from imi.collection import FolderCollection
from imi.errors import CollectionError, Damaged, Failure, ImiError, Locked, ModelMismatch, UsageError
from imi.mirror.cache import Holder, Mirror
from imi.progress import Progress
from imi.records import Document
from imi.store.sources import digests, forget, ids_from, note_digests
from imi.text.walk import UNREAD, Found, Walk, walk

if TYPE_CHECKING:
    from imi.mirror.reading import FileRows

_READING = "3"
"""Counts up when files are read in another way, so that all are read again."""
_ROWS = 1024
_SECONDS = 0.5
"""A batch is written at this many rows or after this long, so that others can find what was read."""
_PATIENCE = 3.0
"""How long to wait for the first rows of another process that reads the folder for the first time."""
_JUST_NOW = 0.1
"""A file written so short a time ago may be written again without its time telling."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What was done to bring an index up to date.

    files: below the folder, as far as they may be read.
    read: files that were read now, with their rows, and `removed` those of which the rows were deleted.
    pending: files that have still to be read.
    holder: who is reading them, where another process is.
    left_out: why files were left out, and which; of those read now where their content decided that.
    failed: what could not be read.
    """

    files: int = 0
    read: int = 0
    rows: int = 0
    removed: int = 0
    pending: int = 0
    holder: Holder | None = None
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    failed: tuple[Failure, ...] = ()


def open_mirror(
    mirror: Mirror, *, seconds: float | None = None, progress: Progress | None = None, empty: bool = False
) -> tuple[FolderCollection, Refreshed]:
    """Return the collection of a folder, brought up to date, opened for reading, and what that took.

    Args:
        mirror: the folder's index.
        seconds: after which to stop reading and leave the rest to a background process; None reads everything.
        progress: called as progress(files read, files to read).
        empty: whether a folder in which nothing can be read is opened too: files may come later.

    Raises:
        UsageError: there is no such folder, or nothing in it can be read.
        Locked: another process has only begun to read it.
    """
    _heal(mirror)
    try:
        return _opened(mirror, seconds, progress, empty=empty)
    except Damaged:
        # It is a cache: the files are the truth.
        _discard(mirror)
        return _opened(mirror, seconds, progress, empty=empty)


def _heal(mirror: Mirror) -> None:
    """Delete an index that is damaged or cannot be opened: cut short, of another format, or not even a collection."""
    if mirror.suspected:
        _discard(mirror)
    if mirror.exists:
        try:
            FolderCollection(mirror.collection, mirror.model, "r").close()
        except (CollectionError, ModelMismatch, UsageError):
            _discard(mirror)
    elif mirror.collection.exists():  # what somebody left of it, or another process is just making
        _discard(mirror)


def _discard(mirror: Mirror) -> None:
    with mirror.writing() as mine:
        if mine:
            mirror.discard()


def _opened(
    mirror: Mirror, seconds: float | None, progress: Progress | None, *, empty: bool
) -> tuple[FolderCollection, Refreshed]:
    done = refresh(mirror, seconds=seconds, progress=progress)
    if done.holder is not None and not _begun(mirror):
        done = refresh(mirror, seconds=seconds, progress=progress)  # whoever read it may have ended meanwhile
        if done.holder is not None and not mirror.exists:
            raise Locked(
                f"{mirror.root} is being read for the first time by {done.holder}", hint="ask again in a moment"
            )
    if not mirror.exists:
        if not empty:
            raise _nothing(mirror, done)
        _make(mirror)
    collection = FolderCollection(mirror.collection, mirror.model, "r")
    if not done.pending and len(collection) == 0 and not empty:
        collection.close()
        raise _nothing(mirror, done)
    if done.pending and done.holder is None:
        read_on(mirror)
    collection.on_damage = mirror.suspect
    return collection, done


def _begun(mirror: Mirror) -> bool:
    """Wait a moment for the first rows that another process reads; say whether there is an index."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if mirror.exists:
            with suppress(ImiError), FolderCollection(mirror.collection, mirror.model, "r") as collection:
                if len(collection):
                    return True
        with mirror.writing() as free:
            if free:  # it has ended, or was killed
                break
        time.sleep(0.02)
    return mirror.exists


def _make(mirror: Mirror) -> None:
    """Make an index without a row, if nobody else does."""
    with mirror.writing() as mine:
        if mine and not mirror.exists:
            FolderCollection(mirror.collection, mirror.model, "rw", durable=False).close()


def _nothing(mirror: Mirror, done: Refreshed) -> UsageError:
    """Return what is said of a folder of which nothing can be searched: what it holds, and what would read that."""
    import shlex

    from imi.mirror.reading import unread_kind

    # What was looked at by an earlier search is not looked at again: its name tells.
    kinds = (unread_kind(file.path) for file in _walked(mirror).files)
    reasons = list(dict.fromkeys([*done.left_out, *filter(None, kinds)]))
    message = f"the folder {mirror.root} holds no file that can be read"
    if reasons:
        message = f"the folder {mirror.root} holds no file that can be read; left out: {'; '.join(reasons)}"
    name = mirror.root.name or "files"
    added = any("imi add" in reason for reason in reasons)
    command = shlex.join(["imi", "add", f"{name}.imi", str(mirror.root)])
    if added:
        return UsageError(message, hint=f"{command}; then search that collection")
    return UsageError(message, hint="--hidden reads names that begin with a dot too, --no-ignore what git ignores")


def refresh(mirror: Mirror, *, seconds: float | None = None, progress: Progress | None = None) -> Refreshed:
    """Read what is new or changed, drop what is gone; see `open_mirror`.

    Where another process does so already, nothing is waited for: `holder` says who.

    Raises:
        UsageError: there is no such folder.
    """
    until = None if seconds is None else time.monotonic() + seconds
    seen, found = time.time(), _walked(mirror)
    if mirror.exists:
        with FolderCollection(mirror.collection, mirror.model, "r") as collection, collection._store.reading():
            known = digests(collection._store)
    else:
        known = {}
    changed, gone = _compare(found, known)
    if not changed and not gone:
        return Refreshed(len(found.files), left_out=found.left_out)
    with mirror.writing() as mine:
        if not mine:
            return Refreshed(
                len(found.files), pending=len(changed), holder=mirror.holder() or Holder(0, "another imi", time.time())
            )
        with FolderCollection(mirror.collection, mirror.model, "rw", durable=False) as collection:
            reader = _Reader(mirror, collection, found, seen)
            reader.drop(gone)
            reader.take(changed, until, progress)
            return reader.result(len(changed))


def _walked(mirror: Mirror) -> Walk:
    try:
        return walk(mirror.root, mirror.walking)
    except OSError as wrong:
        hint = None if isinstance(wrong, PermissionError) else "give a folder"
        raise UsageError(f"{mirror.root}: {(wrong.strerror or str(wrong)).lower()}", hint=hint) from wrong


def _compare(found: Walk, known: Mapping[str, str]) -> tuple[list[Found], list[str]]:
    """Return the files to read, those written last first, and the paths whose rows must go."""
    changed = [file for file in found.files if not _is_known(known.get(file.path), file)]
    changed.sort(key=lambda file: -file.changed)
    unread = tuple(f"{path}/" for path in found.left_out.get(UNREAD, ()))
    gone = known.keys() - {file.path for file in found.files}
    return changed, sorted(path for path in gone if not f"{path}/".startswith(unread))


def _is_known(note: str | None, file: Found) -> bool:
    if note is None:
        return False
    stamp, _, extra = note.partition(";")
    if stamp != f"{_READING}:{file.stamp}":
        return False
    # What needed a package that was missing is read once the package is there.
    return not extra or importlib.util.find_spec(extra) is None


class _Reader:
    """Reads files into a collection in batches."""

    def __init__(self, mirror: Mirror, collection: FolderCollection, found: Walk, seen: float) -> None:
        self._mirror = mirror
        self._collection = collection
        _ = collection.model  # one that is missing is said once, not of each file
        self._store = collection._store
        # Before the first row nothing can be stale; later also a file that no note knows of may have rows, as of a
        # process that was killed.
        self._new = len(collection) == 0
        self._found = found
        self._seen = seen
        # The readers take as long to import as an unchanged folder to be searched.
        from imi.mirror.reading import read_file
        from imi.text.readers import ReadOptions

        self._read_file = read_file
        self._options = ReadOptions(
            count_tokens=lambda texts: collection.model.count_tokens(texts),
            limit=lambda: collection.model.info.max_tokens,
        )
        self._left_out: dict[str, list[str]] = {reason: list(paths) for reason, paths in found.left_out.items()}
        self._failed: list[Failure] = []
        self._batch: list[tuple[Found, FileRows]] = []
        self._read = self._rows = self._removed = 0

    def drop(self, gone: Iterable[str]) -> None:
        """Delete the rows of files that are not there any more, or are ignored now."""
        paths = list(gone)
        if not paths:
            return
        with self._store.reading():
            ids = [id_ for path in paths for id_ in ids_from(self._store, path)]
        self._removed += self._collection.delete(ids) if ids else 0
        with self._store.writing():
            forget(self._store, paths)

    def take(self, files: Sequence[Found], until: float | None, progress: Progress | None) -> None:
        """Read files until the time is up; the first batch is always read."""
        written, rows = time.monotonic(), 0
        for at, file in enumerate(files, 1):
            held = self._read_file(str(self._mirror.root), file.path, self._options)
            self._batch.append((file, held))
            rows += len(held.documents)
            now = time.monotonic()
            if rows >= _ROWS or now - written > _SECONDS:
                self._write()
                written, rows = time.monotonic(), 0
                if until is not None and written > until:
                    break
                if progress is not None:
                    progress(at, len(files))
        self._write()

    def _write(self) -> None:
        documents: list[Document] = []
        for file, held in self._batch:
            documents += held.documents
            self._failed += held.failed
            if held.reason is not None:
                self._left_out.setdefault(held.reason, []).append(file.path)
        added = self._collection.add(documents, on_error="skip")
        bad = {failure.source for failure in added.failed}
        self._failed += added.failed
        self._rows += added.added + added.updated
        self._stale()
        with self._store.writing():
            note_digests(
                self._store,
                {file.path: _note(file, held, self._seen) for file, held in self._batch if file.path not in bad},
            )
        self._read += len(self._batch)
        self._batch = []

    def _stale(self) -> None:
        """Delete the rows that changed files no longer hold."""
        stale: list[str] = []
        with self._store.reading():
            for file, held in self._batch:
                if not self._new:
                    now = {document.id for document in held.documents}
                    stale += [id_ for id_ in ids_from(self._store, file.path) if id_ not in now]
        if stale:
            self._removed += self._collection.delete(stale)

    def result(self, changed: int) -> Refreshed:
        """Return what was done."""
        return Refreshed(
            len(self._found.files),
            self._read,
            self._rows,
            self._removed,
            changed - self._read,
            None,
            self._left_out,
            tuple(self._failed),
        )


def _note(file: Found, held: FileRows, seen: float) -> str:
    # A time that is nearly now could stay the same when the file is written again: it is read once more.
    fresh = seen - file.changed / 1e9 < _JUST_NOW
    stamp = replace(file, changed=-1) if fresh else file
    return f"{_READING}:{stamp.stamp}" + (f";{held.extra}" if held.extra else "")


def read_on(mirror: Mirror) -> None:
    """Start a background process that reads what is left; it ends by itself, and another one does no harm."""
    import subprocess

    walking = mirror.walking
    flags = ["--hidden"] * walking.hidden + ["--no-ignore"] * walking.no_ignore
    command = [sys.executable, "-m", "imi.mirror", str(mirror.root), mirror.model or "", *flags]
    quiet = subprocess.DEVNULL
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    # This Python and this package, without a shell; a folder's name is one argument, whatever it contains.
    process = subprocess.Popen(  # noqa: S603
        command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True, env=environment
    )
    # Somebody has to take note of its end where this process goes on: a server, an agent's tools.
    threading.Thread(target=process.wait, daemon=True).start()
