"""Remembers which files of the package were compared with their hashes, so that a question does not read 38 MB for it.

A note holds a file's size, times, inode and hash. Whatever writes to the file, or puts another in its place, changes
one of the first, and the file is then read whole again; so it is a week later, in case the disk itself has gone bad.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from imi.atomic import write_whole

_DAYS = 7
_FRESH_SECONDS = 2
"""Files written so short a time ago are not noted: where clocks are coarse, a second write would not be seen."""


State: TypeAlias = dict[str, list[Any]] | None


def notes_path() -> Path:
    """Return where the notes are: in IMI_HOME, else in the user's cache folder.

    Raises:
        RuntimeError: the user has no home folder.
    """
    home = os.environ.get("IMI_HOME")
    base = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imi"
    return base / "checked.json"


def seen(folder: Path, files: dict[str, str]) -> bool:
    """Say whether all these files, unchanged since, were compared with these hashes in the last week."""
    noted = _notes().get(str(folder))
    return isinstance(noted, dict) and noted.get("files") == state_of(folder, files) and _recent(noted.get("checked"))


def remember(folder: Path, files: dict[str, str], state: State) -> None:
    """Note that all these files have these hashes; where nothing can be written, they are read again next time.

    Args:
        folder: where they are.
        files: their hashes.
        state: what `state_of` said before they were read.
    """
    newest = max((one[1] for one in (state or {}).values()), default=0) / 1e9
    if not state or newest > time.time() - _FRESH_SECONDS or state != state_of(folder, files):
        return
    notes = {name: one for name, one in _notes().items() if isinstance(one, dict) and _recent(one.get("checked"))}
    notes[str(folder)] = {"checked": int(time.time()), "files": state}
    with suppress(OSError, RuntimeError):
        path = notes_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(notes).encode())


def _recent(checked: Any) -> bool:
    return isinstance(checked, int) and 0 <= time.time() - checked < _DAYS * 86400


def _notes() -> dict[str, Any]:
    try:
        notes = json.loads(notes_path().read_bytes())
    except (OSError, ValueError, RuntimeError):
        return {}
    return notes if isinstance(notes, dict) else {}


def state_of(folder: Path, files: dict[str, str]) -> State:
    """Return what tells each file from one that was written since, None where one is missing."""
    state = {}
    for name, digest in files.items():
        try:
            about = os.stat(folder / name)
        except OSError:
            return None
        newest = max(about.st_mtime_ns, about.st_ctime_ns)
        state[name] = [about.st_size, newest, about.st_mtime_ns, about.st_ino, about.st_dev, digest]
    return state
