"""How much a packed file may hold: its directory is looked at before anything is unpacked, and bytes are counted."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Collection, Iterable, Sequence
from typing import IO

from imi.errors import DataError

WHOLE = 64 * 2**20
"""Bytes of a file that is read whole; as a tree it takes ten times as many."""
RATIO = 200
"""How many times its packed size a file may have where it is not small; a thousand pages of text have about ten."""
SMALL = 2**22
_TAGS = 3 * 2**20
"""Opening brackets in the XML that is made into trees: two for an element, which takes two hundred bytes and 2 µs."""
_FEW_TAGS, _TAGS_A_BYTE = 2**20, 4
"""Opening brackets in the XML of a workbook, all together, and for each byte of its archive; a cell has four."""
_PIECE = 2**20
_DECLARED = tuple("<!DOCTYPE".encode(one) for one in ("utf-8", "utf-16-le", "utf-16-be"))


def too_much(packed: int, unpacked: int, *, small: int = SMALL) -> bool:
    """Return whether a file unpacks to more than it may; what is small may be packed as well as it can be."""
    return unpacked > small and unpacked > RATIO * packed


def refuse_office(
    archive: zipfile.ZipFile, largest: int = WHOLE, *, parts: Sequence[zipfile.ZipInfo] | None = None
) -> None:
    """Refuse an office file or a book by the directory of its archive.

    Args:
        archive: the file.
        largest: bytes to which its XML may unpack.
        parts: the members that hold XML; by default those whose names say so.

    Raises:
        ValueError: it would unpack to too much.
    """
    if parts is None:
        parts = [one for one in archive.infolist() if one.filename.lower().endswith((".xml", ".rels"))]
    unpacked, packed = sum(one.file_size for one in parts), sum(one.compress_size for one in parts)
    if unpacked > largest or too_much(packed, unpacked):
        raise ValueError(
            f"its XML would unpack from {packed:,} to {unpacked:,} bytes; allowed are {largest:,}, and {RATIO} times "
            "the packed size"
        )
    if _tags(archive, parts, _TAGS) > _TAGS:
        raise ValueError(f"it has more than {_TAGS // 2:,} elements")


def refuse_workbook(archive: zipfile.ZipFile, parts: Iterable[zipfile.ZipInfo], size: int) -> None:
    """Refuse a packed spreadsheet by the directory of its archive, and by how many elements its XML has.

    Args:
        archive: the file.
        parts: its members that are read.
        size: bytes of the file.

    Raises:
        ValueError: it would unpack to too much, or has more elements than a file of its size holds.
    """
    parts = list(parts)
    unpacked, packed = sum(one.file_size for one in parts), sum(one.compress_size for one in parts)
    if too_much(packed, unpacked):
        raise ValueError(f"it would unpack from {packed:,} to {unpacked:,} bytes; allowed is {RATIO} times its size")
    most = max(_FEW_TAGS, _TAGS_A_BYTE * size)
    if _tags(archive, [one for one in parts if one.filename.lower().endswith((".xml", ".rels"))], most) > most:
        raise ValueError(f"it has more than {most // 2:,} elements in {size:,} bytes")


def _tags(archive: zipfile.ZipFile, parts: Iterable[zipfile.ZipInfo], most: int) -> int:
    """Return how many opening brackets there are; counting ends where there are more than `most`.

    Of a damaged part those before the damage are counted: whoever reads it comes no further either.
    """
    found = 0
    for one in parts:
        with contextlib.suppress(zipfile.BadZipFile, zlib.error, EOFError), archive.open(one) as file:
            while found <= most and (piece := file.read(_PIECE)):
                found += piece.count(b"<")
    return found


def sound_tags(raw: str) -> str:
    """Return a page that may be made into a tree.

    Raises:
        ValueError: it has too many elements.
    """
    if raw.count("<") > _TAGS:
        raise ValueError(f"it has more than {_TAGS // 2:,} elements; divide it")
    return raw


def sound_xml(name: str, raw: bytes) -> bytes:
    """Return XML that may be made into a tree.

    Raises:
        ValueError: it declares a document type, with which a few bytes stand for many.
    """
    if any(mark in raw for mark in _DECLARED):
        raise ValueError(f"{name} declares a document type, which no office program writes")
    return raw


def overlapping(members: Iterable[zipfile.ZipInfo], size: int) -> bool:
    """Return whether members of an archive stand in the same bytes, so that a few of them unpack many times.

    Args:
        members: of the archive.
        size: bytes of the archive.
    """
    return sum(one.compress_size for one in members) > size


def packed_again(member: zipfile.ZipInfo, suffixes: Collection[str]) -> bool:
    """Return whether a member that is packed itself could be packed further, as only a bomb in a bomb can."""
    name = member.filename.lower()
    large = member.file_size > SMALL and member.file_size > 20 * member.compress_size
    return large and name.endswith((".gz", *suffixes))


def read_whole(file: IO[bytes], source: str) -> bytes:
    """Return all that a file holds.

    Raises:
        DataError: it is too large to be read whole.
    """
    raw = file.read(WHOLE + 1)
    if len(raw) > WHOLE:
        raise too_large(source)
    return raw


def too_large(source: str) -> DataError:
    """Return the refusal of a file that would have to be read whole."""
    return DataError(f"{source}: larger than {WHOLE:,} bytes, which a file of its kind may have", hint="divide it")
