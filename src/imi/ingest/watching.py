"""Adding again whenever a file appears, changes or goes."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence

from imi.errors import DataError, UsageError
from imi.text.readers import files_of
from imi.text.walk import Walking

LOOK_SECONDS = 1.0
Stamps = dict[str, tuple[int, int]]


def watch(paths: Sequence[str], walking: Walking, changed: Callable[[], bool]) -> None:
    """Look at files until `changed`, which is called after each change, returns False.

    Args:
        paths: files and folders.
        walking: which files of folders count.
        changed: adds what is new.

    Raises:
        UsageError: standard input is among them.
    """
    if "-" in paths:
        raise UsageError("standard input cannot be watched: -", hint="give files or folders")
    seen = stamps(paths, walking)
    while True:
        time.sleep(LOOK_SECONDS)
        now = stamps(paths, walking)
        if now != seen:
            seen = now
            if not changed():
                return


def stamps(paths: Sequence[str], walking: Walking) -> Stamps:
    """Return what tells that a file has changed, for each file that paths stand for."""
    found: Stamps = {}
    for path in paths:
        # A file may go between being listed and being looked at, and a folder may be empty for a while.
        with contextlib.suppress(DataError, OSError):
            for file in files_of(path, walking):
                stat = os.stat(file)
                found[file] = (stat.st_mtime_ns, stat.st_size)
    return found
