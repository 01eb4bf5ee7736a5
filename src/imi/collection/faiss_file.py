"""The vectors of another program's faiss file, read without faiss: its native loader believes the sizes in a file.

Flat indexes with or without their own ids, and inverted lists of whole vectors: what keeps vectors as they were.
Every size is compared with what is left of the file before anything is read.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import DataError
from imi.types import Floats

_MOST_LISTS = 1 << 22


class _Reader:
    """A file read from front to back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw: NDArray[np.uint8] = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
        self._at = 0

    def wrong(self, what: str) -> DataError:
        return DataError(
            f"{self.path} is not a faiss index that can be read: {what}", hint="export the texts, add those"
        )

    def take(self, count: int) -> NDArray[np.uint8]:
        if not 0 <= count <= len(self._raw) - self._at:
            raise self.wrong(f"it ends at {len(self._raw)} bytes, {count} more are asked for at {self._at}")
        self._at += count
        return self._raw[self._at - count : self._at]

    def values(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(f"<{layout}", self.take(struct.calcsize(f"<{layout}")).tobytes())

    def name(self) -> str:
        return self.take(4).tobytes().decode("latin-1")

    def array(self, kind: str, unit: int = 1) -> NDArray[Any]:
        """Return an array that its number of items stands before; `unit` items of the kind are one."""
        (count,) = self.values("Q")
        return self.take(count * unit * np.dtype(kind).itemsize).view(kind)


def read_vectors(path: Path) -> dict[int, Floats]:
    """Return vectors by their numbers.

    Raises:
        DataError: it is not such a file, it is cut, or it keeps compressed vectors.
    """
    reader = _Reader(path)
    name = reader.name()
    if name in ("IxMp", "IxM2"):
        _header(reader)
        z = _flat(reader, reader.name())
        numbers = reader.array("<i8")
        if len(numbers) != len(z):
            raise reader.wrong(f"{len(numbers)} numbers stand for {len(z)} vectors")
        return dict(zip(numbers.tolist(), z, strict=True))
    if name == "IwFl":
        return _lists(reader)
    return dict(enumerate(_flat(reader, name)))


def _header(reader: _Reader) -> tuple[int, int]:
    """Return dimensions and number of vectors."""
    width, count, _, _, _, metric = reader.values("iqqqBi")
    if metric > 1:
        reader.values("f")
    if not 1 <= width <= 1 << 16 or count < 0:
        raise reader.wrong(f"{count} vectors of {width} dimensions")
    return width, count


def _flat(reader: _Reader, name: str) -> Floats:
    if name not in ("IxFI", "IxF2", "IxFl"):
        shown = name if name.isascii() and name.isprintable() else "?"
        raise reader.wrong(f"it keeps compressed vectors ({shown}), which would not be those of the texts")
    width, count = _header(reader)
    numbers = reader.array("<f4")
    if len(numbers) != width * count:
        raise reader.wrong(f"{len(numbers)} numbers are not {count} vectors of {width}")
    return np.asarray(numbers, np.float32).reshape(count, width)


def _lists(reader: _Reader) -> dict[int, Floats]:
    width, count = _header(reader)
    lists, _ = reader.values("QQ")
    _flat(reader, reader.name())  # the centres
    (kind,) = reader.values("b")
    reader.array("<i8")
    if kind == 2:
        reader.array("<i8", unit=2)
    if reader.name() != "ilar":
        raise reader.wrong("its lists lie elsewhere")
    found, size = reader.values("QQ")
    if found != lists or lists > _MOST_LISTS or size != width * 4:
        raise reader.wrong(f"{found} lists of {size} bytes a vector, {lists} of {width * 4} were announced")
    sizes = _sizes(reader, lists)
    if sum(sizes) != count:
        raise reader.wrong(f"its lists hold {sum(sizes)} vectors, {count} were announced")
    vectors: dict[int, Floats] = {}
    for one in sizes:
        z = np.asarray(reader.take(one * size).view("<f4"), np.float32).reshape(one, width)
        vectors.update(zip(reader.take(one * 8).view("<i8").tolist(), z, strict=True))
    return vectors


def _sizes(reader: _Reader, lists: int) -> list[int]:
    how = reader.name()
    table = reader.array("<u8")
    if how == "full" and len(table) == lists:
        return [int(one) for one in table]
    sizes = [0] * lists
    if how != "sprs" or len(table) % 2:
        raise reader.wrong("the sizes of its lists cannot be read")
    for at, size in table.reshape(-1, 2).tolist():
        if at >= lists:
            raise reader.wrong(f"list {at} is not among its {lists}")
        sizes[at] = size
    return sizes
