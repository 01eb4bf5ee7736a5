"""Looking after a collection: verify it, repair what is damaged, back it up while it is used."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from imi.atomic import rename_new, sibling, sync_folder
from imi.collection.pictures import picture_embedder_of
from imi.embedders.base import Embedder
from imi.errors import CollectionError, Damaged, ImiError, UsageError
from imi.progress import Progress
from imi.records import Document
from imi.store import database
from imi.store.deep_vectors import COLUMNS as DEEP_COLUMNS
from imi.store.deep_vectors import FINGERPRINT as DEEP_FINGERPRINT
from imi.store.deep_vectors import WIDTH as DEEP_WIDTH
from imi.store.deep_vectors import check_deep_vector, deep_count, deep_vectors, holds_deep, put_deep_vectors
from imi.store.names import SET_ASIDE
from imi.store.pictures import COLUMNS as PICTURE_COLUMNS
from imi.store.pictures import MADE_BY, StoredPicture, decode_picture, holds_pictures, pictures_of, put_pictures
from imi.store.rows import COLUMNS, New, decode_document, decode_vectors, encode_metadata
from imi.store.schema import PAGE_SIZE
from imi.store.store import FILE, MAKING, Store, make
from imi.text.lexical import index_tokens

_TABLES = {
    "documents": COLUMNS,
    "vectors": "row, vector, checksum",
    "pictures": PICTURE_COLUMNS,
    "deep_vectors": DEEP_COLUMNS,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not agree: which check, the row or file it is about, and what was seen."""

    check: str
    where: str
    detail: str

    def to_dict(self) -> dict[str, str]:
        """Return the keys that `--json` prints."""
        return {"check": self.check, "where": self.where, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found; `ok` when there is no problem."""

    rows: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {"ok": self.ok, "rows": self.rows, "problems": [problem.to_dict() for problem in self.problems]}


@dataclass(frozen=True, slots=True)
class Repaired:
    """What `repair` kept and what it set aside, with the folder that holds the old file."""

    kept: int
    embedded_again: int
    lost: tuple[str, ...]
    old: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {"kept": self.kept, "embedded_again": self.embedded_again, "lost": list(self.lost), "old": self.old}


def verify(store: Store, progress: Progress | None = None) -> Verification:
    """Read every page and every row and compare all checksums and counts."""
    problems: list[Problem] = []
    rows = 0
    with store.reading():
        connection = store.connection
        try:
            for (line,) in connection.execute("PRAGMA integrity_check(100)"):
                if line != "ok":
                    problems.append(Problem("structure", FILE, line))
        except apsw.Error as broken:
            problems.append(Problem("structure", FILE, f"a page cannot be read: {broken}"))
        counts = dict.fromkeys(_TABLES, 0)
        highest = _highest(connection)
        for table, columns in _TABLES.items():
            if table == "pictures" and not holds_pictures(store):
                continue
            if table == "deep_vectors" and not holds_deep(store):
                continue
            for row, values in _rows(connection, table, columns, highest):
                counts[table] += 1
                problem = _wrong(store, table, row, values)
                if problem is not None:
                    problems.append(problem)
                if progress is not None and counts[table] % 1000 == 0:
                    progress(min(row, highest), highest)
        rows = counts["documents"]
        problems += _count_problems(store, counts)
    return Verification(rows, tuple(problems))


def _highest(connection: apsw.Connection) -> int:
    try:
        return int(connection.execute("SELECT coalesce((SELECT max(seq) FROM sqlite_sequence), 0)").get)
    except apsw.Error:
        return 0


def _rows(
    connection: apsw.Connection, table: str, columns: str, highest: int
) -> Iterator[tuple[int, tuple[Any, ...] | None]]:
    """Yield each row of a table, None for one that cannot be read; a bad page costs only the rows on it."""
    after = 0
    while True:
        try:
            for values in connection.execute(f"SELECT {columns} FROM {table} WHERE row > ? ORDER BY row", (after,)):
                after = values[0]
                yield after, values
            return
        except apsw.Error:
            # The scan stopped at a bad page: go on row by row until one can be read again.
            readable = False
            while after < highest and not readable:
                after += 1
                try:
                    values = connection.execute(f"SELECT {columns} FROM {table} WHERE row = ?", (after,)).fetchone()
                    readable = values is not None
                    if values is not None:
                        yield after, values
                except apsw.Error:
                    yield after, None
            if not readable:
                return


def _wrong(store: Store, table: str, row: int, values: tuple[Any, ...] | None) -> Problem | None:
    if values is None:
        return Problem(table, f"row {row}", "its page cannot be read")
    try:
        if table == "documents":
            decode_document(values)
        elif table == "pictures":
            decode_picture(values)
        elif table == "deep_vectors":
            check_deep_vector(values, int(store.meta(DEEP_WIDTH) or 0))
        else:
            decode_vectors([row], [values[1]], [values[2]], store.width or 0, store.dtype)
    except Damaged as damage:
        return Problem(table, f"row {row}", damage.message)
    return None


def _count_problems(store: Store, counts: dict[str, int]) -> Iterator[Problem]:
    try:
        if store.count() != counts["documents"]:
            yield Problem("count", "meta", f"{store.count()} rows are noted, {counts['documents']} are there")
        lone = store.connection.execute(
            "SELECT count(*) FROM vectors WHERE NOT EXISTS (SELECT 1 FROM documents WHERE documents.row = vectors.row)"
        ).get
        if lone:
            yield Problem("vectors", "vectors", f"{lone} vectors belong to no document")
        if deep_count(store) != counts["deep_vectors"]:
            said = f"{deep_count(store)} second vectors are noted, {counts['deep_vectors']} are there"
            yield Problem("count", "meta", said)
    except apsw.Error as broken:
        yield Problem("structure", FILE, f"a page cannot be read: {broken}")


def backup(store: Store, target: Path, progress: Progress | None = None) -> None:
    """Copy the file while it is used, page by page, into a new collection's folder, which appears whole or not at all.

    Raises:
        UsageError: something is there already; CollectionError: it cannot be written.
    """
    if target.exists():
        raise UsageError(f"{target} is there already", hint="give the name of a folder that is not there")
    beside = sibling(Path(os.path.abspath(target)))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir()
        # One state of the file throughout, however much is written meanwhile.
        with store.reading(), database.translated(beside / FILE):
            store.meta("identity")  # the state begins with the first thing that is read
            flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
            copy = apsw.Connection(str(beside / FILE), flags=flags, vfs=database.VFS)
            copy.reserve_bytes("main", 8)
            copy.pragma("page_size", PAGE_SIZE)
            # The layer of checksums learns from a first page that there are any. Without it, pages that come from the
            # source's log, where they have none yet, would be written as they are.
            copy.execute("CREATE TABLE first_page (empty INTEGER)")
            with copy.backup("main", store.connection, "main") as copying:
                while not copying.done:
                    copying.step(256)
                    if progress is not None:
                        progress(copying.page_count - copying.remaining, copying.page_count)
            copy.pragma("journal_mode", "WAL")
            copy.execute("UPDATE meta SET value = lower(hex(randomblob(16))) WHERE key = 'identity'")
            copy.close()
        _sync(beside / FILE)
        sync_folder(beside)
        if not rename_new(beside, target):
            raise UsageError(f"{target} is there by now", hint="give the name of a folder that is not there")
    except OSError as cannot:
        raise CollectionError(
            f"{target} cannot be written: {cannot.strerror}", hint="choose another folder"
        ) from cannot
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def repair(store: Store, embedder: Callable[[], Embedder], progress: Progress | None = None) -> Repaired:
    """Write a new file of all rows that agree with their checksums and put it in the place of the old one.

    A text whose vector is damaged is embedded again; the full text and the index are made again. The old file stays in
    the folder's `damaged` until it is deleted by hand. Row numbers change, ids do not.

    Nobody else may have the collection open: what was acknowledged to them meanwhile would be in the old file.

    Raises:
        Locked: others have it open; it says who.
        CollectionError: not even the table of contents can be read (then restore a backup).
    """
    folder = store.path.parent
    beside = folder / f"{MAKING}{secrets.token_hex(6)}"
    with store.alone():
        try:
            meta = dict(store.connection.execute("SELECT key, value FROM meta"))
        except apsw.Error as broken:
            raise CollectionError(
                f"{store.path} cannot be repaired: its first pages cannot be read ({broken})",
                hint="restore the last `imi backup`",
            ) from broken
        try:
            make(beside, dtype=store.dtype)
            new = Store(beside, write=True)
            try:
                lost, again = _copy_rows(store, new, meta, embedder, progress)
                kept = new.count()
            finally:
                new.close()
            old = _unused(folder / SET_ASIDE)
            _set_aside(store.path, old, beside / FILE)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    shutil.rmtree(folder / "index", ignore_errors=True)
    return Repaired(kept, again, tuple(lost), str(store.folder / old.name))


def _unused(folder: Path) -> Path:
    """Return a name for a folder that none has: what earlier repairs set aside stays."""
    number, path = 2, folder
    while path.exists():
        number, path = number + 1, folder.with_name(f"{folder.name}-{number}")
    return path


def _set_aside(path: Path, old: Path, new: Path) -> None:
    """Put the new file in the place of the old one in one step; at no moment is there none."""
    old.mkdir()
    try:
        os.link(path, old / FILE)
    except OSError:  # a file system without second names
        shutil.copyfile(path, old / FILE)
    sync_folder(old)
    os.replace(new, path)
    sync_folder(path.parent)


def _copy_rows(
    store: Store, new: Store, meta: dict[str, str], embedder: Callable[[], Embedder], progress: Progress | None
) -> tuple[list[str], int]:
    highest, again, lost = _highest(store.connection), 0, list[str]()
    with new.writing():
        for key in ("model", "fingerprint", "width", MADE_BY):
            if key in meta:
                new.set_meta(key, meta[key])
    batch: list[Document] = []
    seen: set[str] = set()
    for row, values in _rows(store.connection, "documents", COLUMNS, highest):
        try:
            document = None if values is None else decode_document(values).document
        except Damaged:
            document = None
        if document is None or document.id in seen:
            lost.append(f"row {row}" if values is None else f"row {row} (id {values[1]!r})")
            continue
        seen.add(document.id)
        batch.append(document)
        if len(batch) == 1024:
            again += _write(store, new, batch, embedder, lost)
            batch = []
            if progress is not None:
                progress(row, highest)
    return lost, again + _write(store, new, batch, embedder, lost)


def _write(store: Store, new: Store, batch: list[Document], embedder: Callable[[], Embedder], lost: list[str]) -> int:
    """Write documents with their old vectors, or new ones where these are damaged; return how many are new."""
    vectors: dict[str, Any] = {}
    pictures: dict[str, StoredPicture] = {}
    bare: list[Document] = []
    for document in batch:
        row = -1
        try:
            row = store.connection.execute("SELECT row FROM documents WHERE id = ?", (document.id,)).get or -1
            if kept := pictures_of(store, [row]):
                pictures[document.id] = kept[row]
        except (Damaged, apsw.Error):
            lost.append(f"the picture of id {document.id!r}")
        try:
            found, z = store.vectors(np.array([row], dtype=np.int64))
            if len(found):
                vectors[document.id] = z[0]
        except (Damaged, apsw.Error):
            bare.append(document)
    again = _embed_again(bare, pictures, vectors, embedder)
    lost += [f"the vector of id {document.id!r}" for document in bare if document.id not in vectors]
    rows = [
        New(
            document,
            encode_metadata(document.metadata),
            None if document.text is None else " ".join(index_tokens(document.text)),
            vectors.get(document.id),
        )
        for document in batch
        if document.text is not None or document.id in vectors or document.id in pictures
    ]
    finer = _second_vectors(store, batch)
    with new.writing():
        numbers = new.insert(rows, new.dtype)
        by_id = {one.document.id: number for number, one in zip(numbers, rows, strict=True)}
        read = [id_ for id_ in by_id if id_ in finer]
        if read:
            second = np.array([finer[id_] for id_ in read], np.float32)
            put_deep_vectors(new, [by_id[id_] for id_ in read], second, store.meta(DEEP_FINGERPRINT) or "")
        shown = ((number, pictures.get(one.document.id)) for number, one in zip(numbers, rows, strict=True))
        put_pictures(new, [(number, picture) for number, picture in shown if picture is not None])
        new.note_fields({name for one in rows for name in json.loads(one.metadata)})
        new.add_to_count(len(rows))
    return again


def _second_vectors(store: Store, batch: list[Document]) -> dict[str, NDArray[np.float32]]:
    """Return the second vectors that can be read, by id; the others are read again when they are needed."""
    try:
        rows = {stored.row: id_ for id_, stored in store.by_ids(document.id for document in batch).items()}
        if not holds_deep(store):
            return {}
        found, z = deep_vectors(store, np.array(sorted(rows), dtype=np.int64))
    except (Damaged, apsw.Error):
        return {}
    return {rows[row]: vector for row, vector in zip(found.tolist(), z, strict=True)}


def _embed_again(
    bare: list[Document], pictures: dict[str, StoredPicture], vectors: dict[str, Any], embedder: Callable[[], Embedder]
) -> int:
    """Embed the texts, and pictures by their thumbnails, whose vectors are damaged; return how many it could."""
    seen = [one for one in bare if one.id in pictures]
    read = [one for one in bare if one.text is not None and one.id not in pictures]
    before = len(vectors)
    with contextlib.suppress(ImiError):
        if read:
            z = embedder().embed([one.text or "" for one in read])
            vectors.update(zip((one.id for one in read), z, strict=True))
    with contextlib.suppress(ImiError):
        if seen:
            z = picture_embedder_of(embedder()).embed_images([pictures[one.id].thumbnail for one in seen])
            vectors.update(zip((one.id for one in seen), z, strict=True))
    return len(vectors) - before


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
