"""What a file of a plain folder holds: rows named by the path below the folder, or why there are none."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from imi.errors import Failure, ImiError, MissingExtra
from imi.pictures import SUFFIXES
from imi.records import Document, own_facts, with_facts
from imi.text.readers import READERS, ReadOptions, read
from imi.text.readers.archives import PACKED
from imi.text.readers.documents import read_code
from imi.text.readers.rows import Row
from imi.text.readers.workbooks import WORKBOOKS
from imi.text.walk import unwritten

# What is not text; the rest is, whatever its suffix, unless a zero byte says otherwise.
_BINARY_READ = frozenset({".pdf", *PACKED, *WORKBOOKS})
_NOT_READ = {
    **dict.fromkeys(SUFFIXES, "pictures (imi add keeps them)"),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3", ".parquet"), "databases and large tables (imi add reads them)"),
    **dict.fromkeys((".zip", ".gz", ".tar", ".7z", ".xz", ".bz2", ".tgz", ".rar", ".whl", ".jar"), "archive files"),
}


@dataclass(frozen=True, slots=True)
class FileRows:
    """The rows of one file; `reason` says why there are none, `extra` which package is missing to read it."""

    documents: tuple[Document, ...] = ()
    failed: tuple[Failure, ...] = ()
    reason: str | None = None
    extra: str | None = None


def unread_kind(path: str) -> str | None:
    """Return why no file of this name is read, None where its content decides."""
    return _NOT_READ.get(os.path.splitext(path)[1].lower())


def read_file(root: str, path: str, options: ReadOptions) -> FileRows:
    """Return what a file holds, its rows named by its path below the folder.

    Args:
        root: the folder.
        path: of the file below it, with slashes.
        options: how long pieces are.
    """
    full = os.path.join(root, path)
    suffix = os.path.splitext(path)[1].lower()
    if suffix in _NOT_READ:
        return FileRows(reason=_NOT_READ[suffix])
    try:
        reason = unwritten(full, text=suffix not in _BINARY_READ)
        if reason is not None:
            return FileRows(reason=reason)
        items = list(read(full, options) if suffix in READERS else read_code(full, options))
    except MissingExtra as missing:
        return FileRows(failed=(_failure(full, path, missing),), extra=missing.package)
    except (ImiError, OSError, ValueError, RecursionError) as broken:
        return FileRows(failed=(_failure(full, path, broken),))
    rows = tuple(_below(item.document, full, path) for item in items if isinstance(item, Row))
    failed = tuple(replace(item, source=path) for item in items if isinstance(item, Failure))
    return FileRows(rows, failed)


def _below(document: Document, full: str, path: str) -> Document:
    """Return a document of a file with the path below the folder wherever the whole path stood."""

    def short(name: str | None) -> str | None:
        return path + name[len(full) :] if name is not None and name.startswith(full) else name

    source = own_facts(document.metadata).get("source", full)
    metadata = with_facts(document.metadata, {"source": short(str(source))})
    return replace(document, id=short(document.id) or path, metadata=metadata, parent=short(document.parent))


def _failure(full: str, path: str, broken: Exception) -> Failure:
    """Return what is said of a file, named by its path below the folder, and once."""
    said = broken.strerror.lower() if isinstance(broken, OSError) and broken.strerror else str(broken)
    reason = said.replace("\ntry: ", "; ").replace(full, path).removeprefix(f"{path}:")
    line, colon, rest = reason.partition(":")
    if colon and line.isdecimal() and len(line) < 12:
        return Failure(path, int(line), rest.strip())
    return Failure(path, None, reason.strip())
