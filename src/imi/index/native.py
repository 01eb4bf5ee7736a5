"""The native libraries underneath, loaded late and with their threads under control."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType

_after_fork = False


def _in_child() -> None:
    global _after_fork
    _after_fork = True


@contextmanager
def _threads_that_sleep() -> Iterator[None]:
    """Load a library of OpenMP so that its threads sleep while they wait for each other, unless the user chose.

    By default they spin, and on a machine that also does other things most of a build is spinning: 3,000 rows of 16
    dimensions take .12 seconds of processor in place of .67. The variable is only read when the library is loaded.
    """
    if "OMP_WAIT_POLICY" in os.environ:
        yield
        return
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    try:
        yield
    finally:
        os.environ.pop("OMP_WAIT_POLICY", None)


@functools.cache
def load_faiss() -> ModuleType:
    """Import faiss, which takes a tenth of a second, and arrange for forked children."""
    with _threads_that_sleep():
        import faiss

    # OpenMP's threads do not survive a fork and waiting for them hangs: a forked child works with one.
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_child)
    module: ModuleType = faiss
    return module


@functools.cache
def load_rabitqlib() -> ModuleType | None:
    """Import rabitqlib (SymphonyQG and HNSW-RaBitQ), or return None where it is not installed or does not run."""
    if importlib.util.find_spec("rabitqlib") is None:
        return None
    load_faiss()
    try:
        with _threads_that_sleep():
            import rabitqlib
    except (ImportError, OSError):  # a processor without AVX2, a system older than the wheel
        return None
    module: ModuleType = rabitqlib
    return module


def give_memory_back() -> None:
    """Give the system what native libraries have freed in small pieces, such as the lists of an index.

    glibc keeps such memory for later, a table of vectors' half after a search by lists. Elsewhere this does nothing.
    """
    import ctypes

    with suppress(AttributeError, OSError, TypeError):  # another C library, or none to be had
        ctypes.CDLL(None).malloc_trim(0)


def processors() -> int:
    """Return how many processors this process may use; one in a forked child."""
    if _after_fork:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_to_spare() -> bool:
    """Say whether a second thread would find a processor: there are several, and the machine was not busy of late."""
    many = processors()
    return many > 1 and (not hasattr(os, "getloadavg") or os.getloadavg()[0] < many)


def set_threads(threads: int) -> int:
    """Let faiss' next calls from this thread use up to this many threads; return how many they will use."""
    allowed = min(threads, processors()) if threads > 1 else 1
    load_faiss().omp_set_num_threads(allowed)
    return allowed
