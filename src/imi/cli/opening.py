"""From the name of a collection on the command line to the collection."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from imi.backends.schemes import is_address
from imi.cli.options import FolderReading

if TYPE_CHECKING:
    from imi.collection import Collection
    from imi.mirror import Refreshed

SUFFIX = ".imi"
_PATIENCE = 1.2
"""Seconds of reading a folder after which what was read is searched, and the rest is read in the background."""


def open_to_read(
    name: str, model: str | None = None, reading: FolderReading | None = None, *, empty: bool = False
) -> Collection:
    """Open a collection that exists, for reading; a plain folder is read first, as far as it has changed.

    Args:
        name: its path or URL, or a plain folder.
        model: what embeds; None for the collection's own.
        reading: what of a plain folder is read.
        empty: whether a plain folder in which nothing can be read is opened too.
    """
    import imi

    if not is_address(name) and _is_plain_folder(name):
        return _open_folder(name, model, reading or FolderReading(), empty=empty)
    return imi.open(name, model=model, mode="r")


def _is_plain_folder(name: str) -> bool:
    from imi.collection.paths import is_plain_folder

    return is_plain_folder(name)


def _open_folder(name: str, model: str | None, reading: FolderReading, *, empty: bool) -> Collection:
    from imi.cli.output import note, progress
    from imi.mirror import Mirror, open_mirror

    mirror = Mirror.of(name, hidden=reading.hidden, no_ignore=reading.no_ignore, model=model)
    mirror.call(name if name.strip("./") else str(mirror.root))
    with progress("reading", quiet=reading.quiet) as bar:
        seconds = None if reading.wait else _PATIENCE
        collection, done = open_mirror(mirror, seconds=seconds, progress=bar, empty=empty)
        while reading.wait and done.holder is not None:  # another process reads what is still to be read
            collection.close()
            time.sleep(0.1)
            collection, done = open_mirror(mirror, seconds=seconds, progress=bar, empty=empty)
    for line in described(done):
        note(line, quiet=reading.quiet)
    collection.label = name
    return collection


def described(done: Refreshed) -> list[str]:
    """Return what a person should know of how a folder was read: only what is new, or still to come."""
    from imi.language import local

    lines = []
    if done.rows or done.removed or done.failed:
        files, rows = "" if done.files == 1 else "s", "" if done.rows == 1 else "s"
        lines.append(local(f"read {done.read:,} of {done.files:,} file{files}: {done.rows:,} row{rows}"))
        if done.removed:
            lines.append(local(f"rows deleted: {done.removed:,}"))
        for reason, paths in sorted(done.left_out.items()):
            shown = ", ".join(paths[:3])
            if len(paths) > 3:
                shown = local(f"{shown} and {len(paths) - 3:,} more")
            lines.append(local(f"left out, {local(reason)}: {shown}"))
        for failure in done.failed[:5]:
            place = failure.source if failure.line is None else f"{failure.source}:{failure.line}"
            lines.append(local(f"left out {place}: {local(failure.reason)}"))
        if len(done.failed) > 5:
            lines.append(local(f"… and {len(done.failed) - 5:,} more that cannot be read"))
    if done.pending:
        if done.holder is None:
            left = f"files still being read in the background: {done.pending:,}; these hits are from the others"
        else:
            left = (
                f"files still being read by {local(str(done.holder))}: {done.pending:,}; these hits are from the others"
            )
        lines.append(local(left))
    return lines


@contextmanager
def opened_together(
    name: str, also: Sequence[str], model: str | None = None, reading: FolderReading | None = None
) -> Iterator[list[Collection]]:
    """Open collections that exist, for reading; the model asked for is the first one's."""
    with ExitStack() as stack:
        opened = [stack.enter_context(open_to_read(name, model, reading))]
        opened += [stack.enter_context(open_to_read(one, None, reading)) for one in also]
        yield opened


def open_existing(name: str, model: str | None = None) -> Collection:
    """Open a collection that exists, for writing."""
    import imi

    open_to_read(name).close()
    return imi.open(name, model=model)


def open_to_write(name: str, model: str | None = None, *, own_vectors: bool = False) -> Collection:
    """Open a collection to write in, made where it is missing, by the suffix `.imi` where the name has none.

    Args:
        name: its path or URL.
        model: asked for by option; for a new collection IMI_MODEL is asked next.
        own_vectors: whether rows bring their vectors, so that a new collection is bound to no model.
    """
    import imi

    if is_address(name):
        return imi.open(name, model=model)
    path = Path(name)
    if not exists(name):
        if not path.suffix and not path.exists():
            path = path.with_name(path.name + SUFFIX)
        if not own_vectors:
            model = model or os.environ.get("IMI_MODEL") or None
    return imi.open(path, model=model)


def reranked(collection: Collection, by: str, budget: float | None) -> None:
    """Say whether the finer model orders a collection's hits, and let what it reads be kept.

    Raises:
        UsageError: no such order, or a budget below 0.
    """
    from imi.collection.rankings import Rerank

    rerank = Rerank.of(by)
    collection.rerank = Rerank(rerank.by, budget)
    collection.keep_read()


def exists(name: str) -> bool:
    """Whether a collection of this name is there, with or without its suffix."""
    return is_address(name) or Path(name).is_dir() or Path(name + SUFFIX).is_dir()


def home() -> Path:
    """Return the folder for what imi keeps for itself: IMI_HOME, else the user's cache folder."""
    given = os.environ.get("IMI_HOME")
    if given:
        return Path(given)
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "imi"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imi"
