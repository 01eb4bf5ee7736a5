"""From the name of a collection on the command line to the collection."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from imi.backends.address import is_address

if TYPE_CHECKING:
    from imi.collection import Collection

SUFFIX = ".imi"


def open_to_read(name: str, model: str | None = None) -> Collection:
    """Open a collection that exists, for reading."""
    import imi

    return imi.open(name, model=model, mode="r")


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
