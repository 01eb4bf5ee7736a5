"""The name of a collection's file, and that it has no other one.

SQLite keeps what is not yet in the file beside it, under the name that it was opened by. A file with two names (hard
links) has two such logs, whose writers know nothing of each other: rows are lost, and a snapshot made of links changes.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from imi.errors import CollectionError

FILE = "collection.sqlite"
MAKING = ".imi-"
"""How the names begin under which a collection is made in a folder that is there already."""
SET_ASIDE = "damaged"
"""How the names begin of folders in which repairs put the old file."""
_WAIT_SECONDS = 2.0


def check_names(path: Path) -> None:
    """Refuse to write to a file that has a second name; one that a maker or a repair left behind is taken away.

    Raises:
        CollectionError: it has.
    """
    end = time.monotonic() + _WAIT_SECONDS
    while os.stat(path).st_nlink > 1:
        own = _own(path)
        if not own or time.monotonic() > end:
            for one in own:  # whoever was to take it away was killed
                with suppress(OSError):
                    one.unlink()
            if os.stat(path).st_nlink > 1:
                raise CollectionError(
                    f"{path} has another name somewhere (a hard link), and writing under one would spoil the other",
                    hint=f"make a separate copy: imi backup {path.parent} NEW, then use NEW; reading goes on",
                )
            return
        time.sleep(0.01)


def _own(path: Path) -> list[Path]:
    """Return the other names of a file that lie in its own folder, where making and repairing put them for a moment."""
    state = os.stat(path)
    found = []
    for folder in path.parent.iterdir():
        if folder.name.startswith((MAKING, SET_ASIDE)):
            with suppress(OSError):
                other = os.stat(folder / FILE)
                if (other.st_dev, other.st_ino) == (state.st_dev, state.st_ino):
                    found.append(folder / FILE)
    return found
