"""Index files: a manifest with checksums, replaced in one step, and vectors checked block by block as they are read.

A folder holds `manifest.json` and the files it names, which carry their generation in their names. Writing makes new
files beside the old ones, flushes them, and replaces the manifest last; a crash at any point leaves the old index
whole. Nothing here is the truth: whatever fails its checksum is Damaged, and the owner builds it again from its store.
"""

from __future__ import annotations

import json
import os
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import Damaged, TooNew, UsageError
from imi.index import checked
from imi.index.memory import let_go, mapped
from imi.row_sets import distinct
from imi.trust import is_sealed, seal

FORMAT = 1
_STATE = ("bytes", "inode", "device", "written", "changed")
MANIFEST = "manifest.json"
_CHUNK = 1 << 22
_BLOCK_BYTES = 1 << 16
HELD_BYTES = 1 << 27
"""What is read of a mapped table before it is let go of."""
AROUND = 1 << 21
"""What Linux may bring in with a page that is touched, where it holds a file in large ones."""
_HINT = "the index is derived: it is built again from the collection (imi repair COLLECTION)"

Write = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder holds: its generation, what its owner wrote about it, and each file's size and checksum.

    `sealed` says that this user wrote it on this machine.
    """

    generation: int
    about: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]
    sealed: bool = True


def read_manifest(folder: Path, *, foreign: bool = False) -> Manifest:
    """Read and verify the manifest, not the files.

    Args:
        folder: of the index.
        foreign: whether it may be another's, of which only tables of numbers are read.

    Raises:
        Damaged: it is missing, unreadable, does not agree with its checksum, or is another's.
        TooNew: a newer imi wrote it.
    """
    path = folder / MANIFEST
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        body, checksum = plain["body"], plain["crc32"]
        if checksum != _text_crc(body):
            raise Damaged(f"{path} does not agree with its checksum", hint=_HINT)
        if body["format"] > FORMAT:
            raise TooNew(f"{path} has format {body['format']}, this imi reads up to {FORMAT}", hint="upgrade imi")
        sealed = is_sealed(_plain(body), plain.get("seal"))
        if not sealed and not foreign:
            # A checksum can be computed by anybody, and what comes next is fed to native code.
            raise Damaged(f"{path} was not written by this user on this machine, or was altered", hint=_HINT)
        return Manifest(body["generation"], body["about"], body["files"], sealed)
    except FileNotFoundError as missing:
        raise Damaged(f"{path} is missing", hint=_HINT) from missing
    except (ValueError, KeyError, TypeError, OSError) as unreadable:
        raise Damaged(f"{path} cannot be read: {unreadable}", hint=_HINT) from unreadable


def write_files(
    folder: Path,
    about: Mapping[str, Any],
    writers: Mapping[str, Write],
    keep: Mapping[str, Mapping[str, Any]] | None = None,
) -> Manifest:
    """Write files and then the manifest that names them, in one step for any reader; drop what it no longer names.

    Args:
        folder: made when missing.
        about: JSON values that come back in `Manifest.about`.
        writers: for each name, what writes the file at a path.
        keep: entries of the present manifest whose files stay as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generation = _last_generation(folder) + 1
    files = dict(keep or {})
    for name, write in writers.items():
        path = folder / f"{name}-{generation}"
        write(path)
        _flush(path)
        files[name] = {"path": path.name, "crc32": file_crc(path), "digest": file_digest(path), **_state(path)}
    body = {"format": FORMAT, "generation": generation, "about": dict(about), "files": files}
    temporary = folder / f"{MANIFEST}.{os.getpid()}.{threading.get_ident()}"
    temporary.write_text(
        json.dumps({"body": body, "crc32": _text_crc(body), "seal": seal(_plain(body))}), encoding="utf-8"
    )
    _flush(temporary)
    os.replace(temporary, folder / MANIFEST)
    _flush(folder)
    named = {entry["path"] for entry in files.values()}
    for path in folder.iterdir():
        stem, _, tail = path.name.rpartition("-")
        if stem and tail.isdigit() and path.name not in named:
            path.unlink(missing_ok=True)
    return Manifest(generation, about, files)


def _last_generation(folder: Path) -> int:
    """Return the highest generation in any file's name, so that a broken manifest never leads to a name used twice."""
    tails = [path.name.rpartition("-")[2] for path in folder.iterdir()]
    return max((int(tail) for tail in tails if tail.isdigit()), default=0)


def verified(folder: Path, manifest: Manifest, name: str, whole: bool = True) -> Path:
    """Return a file's path after its size and, when `whole`, its content agree with the manifest.

    Raises:
        Damaged: they do not, or the file is missing.
    """
    entry = manifest.files.get(name)
    if entry is None:
        raise Damaged(f"{folder / MANIFEST} names no {name}", hint=_HINT)
    path = folder / str(entry["path"])
    if not path.is_file():
        raise Damaged(f"{path} is missing", hint=_HINT)
    if path.stat().st_size != entry["bytes"]:
        raise Damaged(f"{path} has {path.stat().st_size} bytes, {entry['bytes']} were written", hint=_HINT)
    if not whole:
        return path
    # The very file that was written needs no more than a look for flipped bits; any other must be it, byte for byte.
    state = _state(path)
    same = not manifest.sealed or state == {name: entry.get(name) for name in _STATE}
    found = (*state.values(), entry["crc32"])
    if same and checked.is_whole(found):
        return path
    if file_crc(path) != entry["crc32"] if same else file_digest(path) != entry.get("digest"):
        raise Damaged(f"{path} does not agree with its checksum", hint=_HINT)
    if same:
        checked.note(found)
    return path


def file_crc(path: Path) -> int:
    """Return the CRC-32 of a file, read in pieces."""
    crc = 0
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            crc = zlib.crc32(piece, crc)
    return crc


def file_digest(path: Path) -> str:
    """Return a digest of a file's bytes that nobody can aim at."""
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _state(path: Path) -> dict[str, int]:
    """Return what a file's system says of it: another file, or the same written to again, differs in one of these."""
    state = path.stat()
    return {
        "bytes": state.st_size,
        "inode": state.st_ino,
        "device": state.st_dev,
        "written": state.st_mtime_ns,
        "changed": state.st_ctime_ns,
    }


def _plain(body: Any) -> bytes:
    return json.dumps(body, sort_keys=True).encode()


def _text_crc(body: Any) -> int:
    return zlib.crc32(_plain(body))


def _flush(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def block_rows(width: int, dtype: np.dtype[Any]) -> int:
    """Return how many rows of a table are checked together: about 64 KiB."""
    return max(1, _BLOCK_BYTES // (width * dtype.itemsize))


def block_checksums(vectors: NDArray[Any], start: int = 0) -> NDArray[np.uint32]:
    """Return the CRC-32 of each block of rows of a C-contiguous table."""
    rows = block_rows(vectors.shape[1], vectors.dtype)
    blocks = blocks_of(vectors, rows, start)
    return np.array([zlib.crc32(np.ascontiguousarray(block).data) for _, block in blocks], dtype=np.uint32)


class CheckedVectors:
    """A memory-mapped table whose blocks of rows are compared with their checksums when they are first read.

    Where the file is written to afterwards, they are compared again.
    """

    def __init__(
        self, path: Path, shape: tuple[int, int], dtype: str, checksums: NDArray[np.uint32], fresh: bool = False
    ) -> None:
        """Map a file of raw rows; one just written by this process is `fresh` and needs no checking.

        Raises:
            Damaged: the file's size is not that of the shape, or the checksums are not one a block.
        """
        kind = np.dtype(dtype)
        if kind not in (np.dtype("<f4"), np.dtype("<f2")):
            raise UsageError(f"dtype {dtype!r} of mapped vectors: float32 or float16 are possible")
        self._path = path
        self._rows = block_rows(shape[1], kind)
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._file)
        state = os.fstat(self._file)
        if state.st_size != shape[0] * shape[1] * kind.itemsize or len(checksums) != -(-shape[0] // self._rows):
            raise Damaged(f"{path} does not hold {shape[0]} × {shape[1]} numbers of {kind}", hint=_HINT)
        with os.fdopen(self._file, "rb", closefd=False) as file:
            self.array: NDArray[Any] = (
                # A plain array: each slice of a memmap takes 4 µs more, and there are hundreds.
                np.empty(shape, kind) if shape[0] == 0 else np.asarray(np.memmap(file, kind, "r", shape=shape))
            )
        self._written = state.st_mtime_ns, state.st_ctime_ns
        self.checksums = checksums
        self._is = (state.st_dev, state.st_ino, state.st_size), zlib.crc32(np.ascontiguousarray(checksums).data)
        fresh = fresh or checked.is_whole(self._name())
        self._unread = np.full(len(checksums), not fresh)
        self._left = 0 if fresh else len(checksums)

    def _name(self) -> checked.State:
        """Return which file this is, in the state that was looked at last."""
        file, sums = self._is
        return (*file, *self._written, sums)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return (int(self.array.shape[0]), int(self.array.shape[1]))

    @property
    def ndim(self) -> int:
        """Two."""
        return 2

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float16."""
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        rows = key[0] if isinstance(key, tuple) else key
        self._look()
        if self._left:
            self.ensure(self._touched(rows))
        return np.asarray(self.array[key])

    def _look(self) -> None:
        """Refuse a file that was cut since it was mapped, as reading beyond its end would kill the process.

        What was written to since is to be checked again.
        """
        state = os.fstat(self._file)
        if state.st_size < self.array.nbytes:
            raise Damaged(
                f"{self._path} was cut to {state.st_size} bytes, {self.array.nbytes} were written", hint=_HINT
            )
        if (state.st_mtime_ns, state.st_ctime_ns) != self._written:
            self._unread[:] = True
            self._left = len(self._unread)
            self._written = state.st_mtime_ns, state.st_ctime_ns  # last, or another thread would not wait for the above

    def _touched(self, rows: Any) -> NDArray[np.int64]:
        """Return rows that lie in every block a key reads, without listing them all for a slice."""
        if not isinstance(rows, slice):
            return np.arange(len(self))[rows] if np.asarray(rows).dtype == bool else np.asarray(rows, dtype=np.int64)
        taken = range(len(self))[rows]
        if not len(taken):
            return np.empty(0, dtype=np.int64)
        low, high = min(taken[0], taken[-1]), max(taken[0], taken[-1])
        return np.append(np.arange(low, high, self._rows), high)

    def ensure(self, rows: NDArray[np.int64] | np.int64) -> None:
        """Check the blocks that hold these rows, those not checked before; -1 stands for no row.

        Raises:
            Damaged: a block's content is not what was written; `rows` says which. Or the file was cut.
        """
        self._look()
        if not self._left:
            return
        asked = np.atleast_1d(rows) // self._rows
        if not np.count_nonzero(self._unread.take(asked, mode="wrap")):
            return
        blocks = distinct(asked)
        for block in blocks[blocks >= 0]:
            if not self._unread[block]:
                continue
            first = int(block) * self._rows
            if zlib.crc32(self.array[first : first + self._rows].data) != self.checksums[block]:
                last = min(first + self._rows, len(self))
                raise Damaged(
                    f"{self._path}: rows {first} to {last - 1} do not agree with their checksum",
                    hint=_HINT,
                    rows=range(first, last),
                )
            self._unread[block] = False
        self._left = int(self._unread.sum())
        if not self._left:
            checked.note(self._name())


def blocks_of(
    vectors: NDArray[Any] | CheckedVectors, rows: int = 1 << 14, start: int = 0
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield a table's rows, some at a time, and the number of the first of these.

    What was read of a mapped table is let go of, so that reading all of it does not take its size of memory.
    """
    read = 0
    for first in range(start, len(vectors), rows):
        block = vectors[first : first + rows]
        yield first, block
        read += block.nbytes
        if read >= HELD_BYTES:
            let_go_of(vectors)
            read = 0
    let_go_of(vectors)


def gathered(vectors: NDArray[Any] | CheckedVectors, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Return rows that lie anywhere, (n, d), without the memory of all that lies around them in a mapped table."""
    if mapped(vectors.array if isinstance(vectors, CheckedVectors) else vectors) is None:
        return vectors[rows]
    out = np.empty((len(rows), vectors.shape[1]), dtype=vectors.dtype)
    step = max(1, HELD_BYTES // AROUND)
    for first in range(0, len(rows), step):
        out[first : first + step] = vectors[rows[first : first + step]]
        let_go_of(vectors)
    return out


def let_go_of(vectors: NDArray[Any] | CheckedVectors) -> None:
    """Take what was read of a mapped table out of this process's memory."""
    let_go(vectors.array if isinstance(vectors, CheckedVectors) else vectors)


def vector_parts(vectors: NDArray[Any] | CheckedVectors, tail: str = "") -> dict[str, Write]:
    """Return the writers of a table of vectors and of its blocks' checksums, their names ending in `tail`."""
    table = vectors.array if isinstance(vectors, CheckedVectors) else vectors

    def write(path: Path) -> None:
        with path.open("wb") as file:
            for _, block in blocks_of(vectors):
                file.write(np.ascontiguousarray(block).data)

    return {f"vectors{tail}": write, f"sums{tail}": lambda path: block_checksums(table).tofile(path)}
