"""How much memory this machine has left, so that a plan does not build what will not fit; and giving some back."""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def free_memory(proc: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return the bytes that this process may still take without swapping; None where the system does not say.

    Linux says what is available, a container's limit (cgroup v2) may be lower; elsewhere the machine's whole memory
    is the best that is known.

    Args:
        proc: what the kernel says of memory.
        group: the container's own files.
    """
    found = []
    try:
        lines = dict(line.split(":", 1) for line in proc.read_text().splitlines() if ":" in line)
        found.append(int(lines["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError, IndexError):
        if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError):  # no container, or "max"
        most, taken = int((group / "memory.max").read_text()), int((group / "memory.current").read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        # What is only remembered of files is given up when memory is asked for.
        found.append(most - taken + int(stat.get("inactive_file", 0)))
    return max(0, min(found)) if found else None


def mapped(table: NDArray[Any]) -> mmap.mmap | None:
    """Return the map of a file that an array is a view of, None for one in memory."""
    base: Any = table
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def let_go(table: NDArray[Any]) -> None:
    """Take a mapped file's pages out of this process's memory: the system keeps them, and they come back when read.

    Nothing happens to arrays that are no maps, to pages that are locked in memory, and where the system cannot do it.
    """
    base = mapped(table)
    if base is not None and hasattr(mmap, "MADV_DONTNEED"):
        with contextlib.suppress(OSError):
            base.madvise(mmap.MADV_DONTNEED)
