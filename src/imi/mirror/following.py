"""Follows plain folders while a process serves them: what was written or deleted is found within seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from imi.errors import CollectionError, ImiError, Locked, ModelMismatch
from imi.mirror.cache import Mirror
from imi.mirror.update import open_mirror, refresh

EVERY_SECONDS = 1.0
_SHARE = 20
"""At most one part in this many of the time is spent on scanning, however large the folder is."""


class Follower:
    """A thread that looks again and again whether files below some folders changed.

    It asks for each file's time and size instead of waiting for the system's word: network drives and containers give
    none, and ten thousand files take a tenth of a second.
    """

    def __init__(
        self, mirrors: Sequence[Mirror], every: float = EVERY_SECONDS, tell: Callable[[Exception], None] | None = None
    ) -> None:
        """Set up; nothing runs yet.

        Args:
            mirrors: the indexes of the folders.
            every: seconds between two looks; more where looking takes long.
            tell: called with an error that nobody foresaw, once for each kind; the folders are followed all the same.
        """
        self._mirrors = mirrors
        self._every = every
        self._tell = tell
        self._told: set[type[Exception]] = set()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, where there is a folder."""
        if self._mirrors:
            self._thread = threading.Thread(target=self._run, name="imi-follow", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, after what is being read."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = self._every
        while not self._stop.wait(pause):
            began = time.monotonic()
            for mirror in self._mirrors:
                self._look(mirror)
            pause = max(self._every, _SHARE * (time.monotonic() - began))

    def _refresh(self, mirror: Mirror) -> None:
        try:
            if not mirror.suspected:
                refresh(mirror, seconds=self._every)
                return
        except Locked:
            return
        except (CollectionError, ModelMismatch):
            pass
        # The index is damaged, as a search or this look has found: it is made again from the files.
        open_mirror(mirror, seconds=self._every)[0].close()

    def _look(self, mirror: Mirror) -> None:
        try:
            self._refresh(mirror)
        except (ImiError, OSError):
            pass  # a folder that is gone for now keeps its last rows, and is followed again when it is back
        except Exception as error:  # a full disk, as SQLite says it: the thread has to outlive it
            if self._tell is not None and type(error) not in self._told:
                self._tell(error)
            self._told.add(type(error))
