"""Exact and approximate search over vectors: the ladder, its planner and its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imi.index.policy import IndexPolicy

if TYPE_CHECKING:
    from imi.index.exact import Exact
    from imi.index.ladder import Ladder

__all__ = ["IndexPolicy", "load"]


def save(index: Ladder | Exact, folder: str | Path) -> None:
    """Write an index with its vectors to a folder; `load` reads it back, the vectors by memory map.

    Raises:
        UsageError: the first rung is a scan, which was not built.
    """
    index.save(folder)


def load(folder: str | Path) -> Ladder | Exact:
    """Read an index that `save` wrote; vectors stay on disk, memory-mapped, and are checked as they are read.

    Raises:
        Damaged: a file is missing, cut short or altered: build the index again.
        MissingExtra: it needs rabitqlib, which is not installed here.
    """
    from imi.index.saved import load_index

    return load_index(Path(folder))
