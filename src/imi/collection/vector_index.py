"""The derived index of a collection: brought in step with the file before each search, built behind the writes.

Nothing here is the truth. The folder `index` may be deleted, cut or flipped at any moment: what fails its checksum, or
does not count as many vectors as the file, is rebuilt from the file.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apsw
import numpy as np

from imi.collection.filtered import FilteredRows
from imi.collection.text_index import WordIndex
from imi.errors import CollectionError, Damaged, ImiError, Locked, MissingExtra, TooNew, UsageError
from imi.index.live import Live
from imi.index.manifest import MANIFEST
from imi.index.policy import IndexPolicy
from imi.progress import EndedEarly, until
from imi.store.store import Store

if TYPE_CHECKING:
    from imi.index.goal import Goal
    from imi.index.plan import Plan

FOLDER = "index"
_COMPARED = 16
"""Newest rows of an index that are compared with the file when it is opened."""


class CollectionIndex:
    """Holds the vectors of one collection; safe to share between threads."""

    def __init__(self, store: Store, policy: IndexPolicy | None = None) -> None:
        """Set up; nothing is read yet."""
        self._store = store
        self._policy = policy or IndexPolicy()
        self.folder = store.path.parent / FOLDER
        self._lock = threading.RLock()
        self._builder: threading.Thread | None = None
        self._ending = threading.Event()
        self.filtered = FilteredRows()
        self.words = WordIndex(store, self.folder, self._policy)
        self._reset()

    def _reset(self) -> None:
        self._live: Live | None = None
        self._changes = -1
        self._of = ("", -1)  # the file, and its epoch
        self._last_row = self._last_deletion = self._unsaved = 0
        self._stamp = 0
        self._pid = os.getpid()

    def forget(self) -> None:
        """Release what is held in memory; the next search reads it again."""
        with self._lock:
            self._reset()
        self.words.forget()

    def current(self) -> Live | None:
        """Return the index of the state that this thread's transaction sees, or a later one; None before any vector.

        Must run inside `reading()`.
        """
        if self._pid != os.getpid():
            # Native threads do not survive a fork, and a lock may have been held by one of them.
            self._lock, self._builder = threading.RLock(), None
            self._reset()
        with self._lock:
            width = self._store.width
            if width is None:
                return None
            epoch, changes = self._store.epoch, self._store.changes
            if self._live is None or (self._store.line, epoch) != self._of or self._replaced():
                self._open(width, epoch)
            elif changes <= self._changes:
                return self._live
            self._catch_up()
            if len(self._ready()) != self._store.vector_count:
                self._anew(width, epoch)
            self._changes = changes
            return self._live

    def renew(self) -> None:
        """Make the index from the file again, after a search found it damaged."""
        with self._lock:
            width = self._store.width
            if width is not None:
                self._anew(width, self._store.epoch)
                self._changes = self._store.changes

    def _ready(self) -> Live:
        if self._live is None:
            raise CollectionError("the index was not opened")
        return self._live

    def _replaced(self) -> bool:
        """Whether another process has written the index since; not asked while this one does."""
        return not self._building and self._manifest_time() != self._stamp

    def _manifest_time(self) -> int:
        try:
            return (self.folder / MANIFEST).stat().st_mtime_ns
        except OSError:
            return 0

    def _open(self, width: int, epoch: int) -> None:
        self._stamp = self._manifest_time()
        fingerprint = self._fingerprint(epoch)
        try:
            live = Live.open(self.folder, width, "cosine", fingerprint, self._policy)
            self._check_line(live)
        except (Damaged, TooNew, MissingExtra):
            folder = self.folder if self._store.write else None
            live = Live.create(folder, width, "cosine", fingerprint, self._policy)
        self._begin(live, epoch)

    def _check_line(self, live: Live) -> None:
        """Compare an index's newest rows with the file: one that was set back and filled again has others.

        Raises:
            Damaged: they are others.
        """
        last = live.last_key
        if last > self._store.last_row:
            raise Damaged(f"the index in {self.folder} is of a later state of the file")
        rows, z = self._store.newest_vectors(last, _COMPARED)
        there, held = live.rows_of(rows)
        if not np.array_equal(z[there].astype(np.float32), held.astype(np.float32)):
            raise Damaged(f"the index in {self.folder} is of another state of the file")

    def _anew(self, width: int, epoch: int) -> None:
        folder = self.folder if self._store.write else None
        self._begin(Live.create(folder, width, "cosine", self._fingerprint(epoch), self._policy), epoch)
        self._catch_up()

    def _begin(self, live: Live, epoch: int) -> None:
        keys = live.keys
        self._live, self._of = live, (self._store.line, epoch)
        self._last_row, self._last_deletion = int(keys[-1]) if len(keys) else 0, 0
        self._unsaved = 0

    def _fingerprint(self, epoch: int) -> str:
        # The identity keeps out the index of another file, also of one that this was restored from.
        return f"{self._store.meta('fingerprint')}/{self._store.meta('identity')}/{epoch}"

    def _catch_up(self) -> None:
        live = self._ready()
        self._last_deletion, gone = self._store.deletions(self._last_deletion)
        live.remove(gone)
        while True:
            rows, vectors = self._store.vectors(after=self._last_row, limit=self._policy.batch_rows)
            if len(rows) == 0:
                return
            live.add(rows, vectors)
            self._last_row = int(rows[-1])
            self._unsaved += len(rows)
            if len(rows) == self._policy.batch_rows and self._store.write:
                live = self._saved()

    def _saved(self) -> Live:
        """Write what is new, and read it back as a map of the files, so that memory does not grow with the rows."""
        live = self._ready()
        with self._writing() as mine:
            if mine:
                live.save()
                self._unsaved = 0
                self._stamp = self._manifest_time()
                if not self._building:
                    self._live = Live.open(self.folder, live.width, live.metric, live.fingerprint, self._policy)
        return self._ready()

    @contextmanager
    def _writing(self) -> Iterator[bool]:
        """Hold the right to write index files; yields False where another process has it, which does no harm."""
        self.folder.mkdir(exist_ok=True)
        lock = apsw.Connection(str(self.folder / "lock"))
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except apsw.BusyError:
            lock.close()
            yield False
            return
        except apsw.Error as cannot:
            lock.close()
            full = isinstance(cannot, apsw.FullError)
            raise CollectionError(
                f"{'no room left while writing' if full else 'cannot write'} the index of {self._store.folder}"
                f"{'' if full else f': {cannot}'}; the rows are safe",
                hint="free disk space, then run it again" if full else "check the permissions of the folder",
            ) from cannot
        try:
            yield True
        finally:
            lock.close()

    # --- behind the writes of this process ---

    def settle(self) -> None:
        """After writing: put new vectors into the index, write them, and begin to build in a thread what is due."""
        with self._store.reading():
            live, words = self.current(), self.words.due()
        with self._lock:
            if live is not None and self._unsaved >= self._policy.saved_rows and not self._building:
                live = self._saved()
            grown = live if live is not None and live.due is not None else None
            if (grown is not None or words) and not self._building:
                self._builder = threading.Thread(target=self._build, args=(grown, words), name="imi index build")
                self._builder.start()

    def plan(
        self,
        target_recall: float | Goal,
        memory: int | None,
        latency: float | None,
        queries: Any | None,
        seed: int,
        progress: Callable[[int, int], None] | None,
    ) -> Plan:
        """Measure, build and keep the plan with the index; see `Collection.plan`."""
        self._store.check_writable()
        self.wait()
        with self._store.reading():
            live = self.current()
        if live is None or len(live) < 2:
            raise UsageError(
                f"a plan needs at least two vectors, and {self._store.folder} has {0 if live is None else len(live)}",
                hint="imi add puts more in; until then every search is exact",
            )
        with self._writing() as mine:
            if not mine:
                raise Locked(
                    f"another process is writing the index of {self._store.folder}", hint="wait for it, then plan again"
                )
            made = live.build(
                target_recall, memory, latency, queries=queries, seed=seed, replan=True, progress=progress
            )
            self._stamp, self._unsaved = self._manifest_time(), 0
        if made is None:  # few rows: nothing is built, and the plan says so
            with self._store.reading():
                vectors = self._store.vectors()[1]
            from imi.index.planner import plan

            made = plan(vectors, target_recall, memory, latency, queries=queries, seed=seed, progress=progress)
        return made

    def current_plan(self) -> Plan | None:
        """Return the plan that the index was built by, None before there is one."""
        with self._store.reading():
            live = self.current()
        return None if live is None else live.plan

    @property
    def _building(self) -> bool:
        return self._builder is not None and self._builder.is_alive()

    def _build(self, live: Live | None, words: bool) -> None:
        """Write what is due; the words beside the vectors, as these are native work for the most part."""
        with self._warned(), until(self._ending), self._writing() as mine:
            if not mine:
                return
            beside = threading.Thread(target=self._build_words, name="imi words build")
            if words:
                beside.start()
            try:
                if live is not None:
                    live.build(memory=self._policy.memory)
                    self._stamp = self._manifest_time()
                    self._unsaved = 0
            finally:
                if words:
                    beside.join()

    def _build_words(self) -> None:
        with self._warned():
            self.words.update()

    @contextmanager
    def _warned(self) -> Iterator[None]:
        """Let a thread end with a warning where what it builds fails; the next write tries again."""
        try:
            yield
        except EndedEarly:
            pass  # it is due as before
        except (OSError, MemoryError, RuntimeError, ImiError) as failed:
            message = f"the index of {self._store.folder} could not be built, searches stay exact: {failed}"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
        finally:
            self._store.release()

    def wait(self) -> None:
        """Wait until a build under way has ended."""
        if self._builder is not None and self._pid == os.getpid():
            self._builder.join()

    def end(self) -> None:
        """Leave a build under way at its next step; it is due again when rows are written."""
        self._ending.set()
        self.wait()

    def info(self) -> dict[str, Any]:
        """Say what answers searches; must run inside `reading()`."""
        live = self.current()
        return {**({"kind": "none"} if live is None else live.info), "words": self.words.info()}
