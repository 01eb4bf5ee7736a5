"""Zip archives: what the files in them hold; a broken member is left out by its own name and stops nothing."""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from imi.errors import Failure, ImiError, UsageError
from imi.records import composed, with_facts
from imi.text.readers.encodings import guess_encoding
from imi.text.readers.epub import EPUB
from imi.text.readers.limits import RATIO, WHOLE, overlapping, packed_again, too_much
from imi.text.readers.office import OFFICE
from imi.text.readers.opendocument import OPEN_DOCUMENTS
from imi.text.readers.pictures import opened
from imi.text.readers.reasons import reason_of
from imi.text.readers.rows import ReadOptions, Row

Items = Iterator[Row | Failure]
Reader = Callable[[str, ReadOptions], Items]
_LARGEST_MEMBER = 2**30
PACKED = (EPUB, *OFFICE, *OPEN_DOCUMENTS, ".xlsx", ".xlsm", ".xlsb", ".ods")
"""Documents that are zip archives themselves."""
_UTF8 = 0x800
"""The bit of a member's flags that says that its name is UTF-8."""


def read_zip(
    source: str,
    options: ReadOptions,
    reader_of: Callable[[str], Reader | None],
    stops: Callable[[UsageError, Reader], bool],
) -> Items:
    """Yield what the files in an archive hold; a member's source is the archive's path, a slash and its own name.

    Args:
        source: the archive.
        options: how its members become documents.
        reader_of: gives the reader for a member's name, None where there is none.
        stops: whether an option that a reader refuses stops all, not only its member.
    """
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError) as broken:
        cause = reason_of(broken)
        yield Failure(source, None, cause if "zip archive" in cause else f"no zip archive: {cause}")
        return
    if overlapping(archive.infolist(), os.path.getsize(source)):
        archive.close()
        yield Failure(source, None, "its members stand in each other's bytes, as no program packs them")
        return
    with archive, tempfile.TemporaryDirectory() as folder:
        members = sorted((member_name(one), one) for one in archive.infolist() if not one.is_dir())
        for number, (inside, member) in enumerate(members):
            if inside.startswith("__MACOSX/") or os.path.basename(inside).startswith("."):
                continue  # metadata that macOS adds
            name = f"{source}/{inside}"
            reader = reader_of(inside)
            if reader is None:
                if options.report is not None:
                    options.report.ignore(name)
                continue
            # We choose the name: an archive must not decide a path.
            path = os.path.join(folder, f"{number}{_suffixes(inside)}")
            reason = _unpack(archive, member, path)
            if reason is not None:
                yield Failure(name, None, reason)
                continue
            try:
                yield from named(path, name, replace(options, noted=None, inside=True), reader)
            except (ImiError, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as broken:
                if isinstance(broken, UsageError) and stops(broken, reader):
                    raise UsageError(broken.message.replace(path, name), hint=broken.hint) from broken
                yield Failure(name, None, why(broken, path).replace(path, name))
            os.remove(path)


def why(broken: Exception, path: str) -> str:
    """Return in one line why a file could not be read."""
    if isinstance(broken, ImiError):
        hint = "" if broken.hint is None else f"; {broken.hint}"
        return f"{broken.message}{hint}".removeprefix(f"{path}: ")
    return f"it cannot be read: {reason_of(broken)}"


def _suffixes(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return os.path.splitext(stem)[1] + suffix if suffix.lower() == ".gz" else suffix


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: str) -> str | None:
    """Unpack a member, and return why it cannot be; None where it was."""
    if member.file_size > _LARGEST_MEMBER:
        return f"unpacked it has {member.file_size:,} bytes; unpack the archive yourself"
    if too_much(member.compress_size, member.file_size, small=WHOLE):
        return f"unpacked it has {member.file_size:,} bytes, more than {RATIO} times its packed size"
    if packed_again(member, (*PACKED, ".zip")):
        return "it is a packed file that was packed again to far less, as no real one can be"
    try:
        with archive.open(member) as packed, open(path, "wb") as unpacked:
            while piece := packed.read(2**20):
                unpacked.write(piece)
    except (zipfile.BadZipFile, OSError, RuntimeError, zlib.error, EOFError) as broken:
        return f"it cannot be unpacked: {reason_of(broken)}"
    return None


def member_name(member: zipfile.ZipInfo) -> str:
    """Return a member's name: as UTF-8 where it is said to be or is, else in the encoding that its bytes likely are."""
    name = member.filename
    if not member.flag_bits & _UTF8 and not name.isascii():
        try:
            raw = name.encode("cp437")
        except UnicodeEncodeError:
            return composed(name)
        try:
            name = raw.decode()
        except UnicodeDecodeError:
            guess, _ = guess_encoding(raw)
            if guess in ("cp932", "euc-jp"):
                name = raw.decode(guess, "replace").replace("\\", "/")
    return composed(name)


def named(path: str, name: str, options: ReadOptions, reader: Reader) -> Items:
    """Yield what a file holds, under another name than the one that it is read by."""
    if options.report is not None:
        options.report.names[path] = name
    for item in reader(path, options):
        yield _renamed(item, path, name)


def _renamed(item: Row | Failure, path: str, name: str) -> Row | Failure:
    if isinstance(item, Failure):
        return replace(item, source=name, reason=item.reason.replace(path, name))
    if item.document.picture is not None:
        item = opened(item)
        if isinstance(item, Failure):
            return replace(item, source=name)
    document = item.document
    parent = None if document.parent is None else document.parent.replace(path, name, 1)
    metadata = with_facts(document.metadata, {"source": name})
    if "folder" in metadata and document.picture is not None:
        metadata["folder"] = name.rsplit("/", 2)[-2]
    return Row(replace(document, id=document.id.replace(path, name, 1), metadata=metadata, parent=parent), item.vector)
