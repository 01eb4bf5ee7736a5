"""The store: what is read from and written to the SQLite file, and nothing derived.

Each thread has its own connection; a process that was forked opens new ones and never touches its parent's. Reading
happens inside
`reading()`, which shows one state of the file throughout; writing inside `writing()`, which is all or nothing.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import apsw
import numpy as np

from imi.atomic import identity, link_new, rename_new, sibling
from imi.errors import CollectionError, Gone, Locked, UsageError
from imi.records import Document
from imi.store import database
from imi.store.filters import Condition, read_field, read_raw, read_type
from imi.store.forking import inside
from imi.store.fulltext import FullText
from imi.store.names import FILE as FILE
from imi.store.names import MAKING as MAKING
from imi.store.names import check_names
from imi.store.rows import (
    COLUMNS,
    Dtype,
    New,
    Stored,
    ascending,
    damaged_file,
    decode_document,
    decode_vectors,
    document_checksum,
    encode_vector,
    vector_checksum,
)
from imi.types import Floats, Rows

VectorTable = Literal["vectors", "next_vectors"]


class Store(FullText):
    """One collection's file. Every method but the context managers must run inside `reading()` or `writing()`."""

    def __init__(self, folder: Path, *, write: bool, durable: bool = True, vfs: str = database.VFS) -> None:
        self.folder = folder
        # What a relative name stands for is decided now: a program may go to another folder.
        self.path = Path(os.path.abspath(folder)) / FILE
        self.write = write
        self._durable = durable
        self._vfs = vfs
        self._local = threading.local()
        self._open: list[database.Opened] = []
        self._pid = os.getpid()
        self._writer = threading.Lock()
        self._counted = (None, {})
        self.written = 0  # rows that were committed here

    def _fresh_after_fork(self) -> None:
        # SQLite forbids both using and closing a connection of the parent: forget them, and begin again.
        if self._pid != os.getpid():
            _orphans.extend(self._open)
            self._local, self._open, self._pid, self._writer = threading.local(), [], os.getpid(), threading.Lock()

    @property
    def connection(self) -> apsw.Connection:
        """This thread's connection, opened when first needed."""
        self._fresh_after_fork()
        opened: database.Opened | None = getattr(self._local, "opened", None)
        if opened is None:
            with inside:
                opened = self._connected()
            self._local.opened = opened
            self._open.append(opened)
        return opened.connection

    def _connected(self) -> database.Opened:
        """Open one more connection; the file may be moved, and another come, at the very moment."""
        try:
            return database.connect(self.path, write=self.write, durable=self._durable, vfs=self._vfs)
        except CollectionError:
            now = identity(self.path)
            if not self._open or now == self._open[-1].identity:
                raise
            if now is None:
                raise self._gone() from None
        return database.connect(self.path, write=self.write, durable=self._durable, vfs=self._vfs)

    def _present(self) -> apsw.Connection:
        """Return this thread's connection to the file that is at the path now.

        Raises:
            Gone: there is none any more.
        """
        connection = self.connection
        if self._vfs == database.VFS and not self._local.opened.is_at(self.path):
            if not self.path.exists():
                raise self._gone()
            kept = getattr(self._local, "kept", None)
            if kept is not None and kept != identity(self.path):
                raise self._replaced("while this was under way, which would end in another file")
            self.release()
            connection = self.connection
        return connection

    @contextmanager
    def one_file(self) -> Iterator[None]:
        """Keep what this thread does in the block to one file: where another takes its place, the next step refuses.

        Raises:
            Gone: it was replaced, moved or deleted; what was committed before is in the file that was there.
        """
        before = getattr(self._local, "kept", None)
        with self.reading():
            self._local.kept = before or self._local.opened.identity
        try:
            yield
        finally:
            self._local.kept = before

    def _gone(self) -> Gone:
        return Gone(
            f"{self.folder} was moved or deleted while it was open here", hint="open the collection where it is now"
        )

    def _replaced(self, when: str) -> Gone:
        return Gone(
            f"{self.folder} was replaced {when}", hint="run it again: what is there now takes it from the start"
        )

    def close(self) -> None:
        """Close every connection of this process; safe to call twice."""
        self._fresh_after_fork()
        for opened in self._open:
            opened.close(self.path)
        self._open.clear()
        self._local = threading.local()

    def release(self) -> None:
        """Close this thread's connection: for a thread that ends."""
        self._fresh_after_fork()
        opened: database.Opened | None = getattr(self._local, "opened", None)
        if opened is not None:
            self._open.remove(opened)
            self._local.opened = None
            with inside:
                opened.close(self.path)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See one state of the file until the block ends; inside another block, that one's."""
        if self.connection.in_transaction:
            yield
            return
        with inside, database.translated(self.path), database.transaction(self._present(), write=False):
            self._local.meta = {}
            try:
                yield
            finally:
                self._local.meta = None

    @property
    def committed(self) -> bool:
        """Whether this thread sees a state that was committed, inside `reading()` and not inside `writing()`."""
        return getattr(self._local, "meta", None) is not None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the file so that nobody else has it open until the block ends, which may put another in its place.

        Raises:
            Locked: others have it open; it says who.
        """
        self.check_writable()
        self.close()
        with self._writer, database.alone(self.path) as connection:
            self._local.opened = database.Opened(connection, identity(self.path))
            self._local.meta = {}
            try:
                yield
            finally:
                self._local = threading.local()

    def check_writable(self) -> None:
        """Refuse a collection that was opened for reading only.

        Raises:
            CollectionError: it was.
        """
        if not self.write:
            raise CollectionError(f"{self.folder} was opened for reading only", hint='open it with mode="rw"')

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write all or nothing; waits for another writer, then raises Locked.

        Raises:
            CollectionError: the collection was opened for reading only.
            Gone: its file was replaced, moved or deleted meanwhile, so that nothing of this is in what is there now.
        """
        self.check_writable()
        self._fresh_after_fork()  # before the lock is taken: in a child, a thread of the parent may hold the old one
        with self._writer, inside, database.translated(self.path):
            connection = self._begun()
            self._local.inserted, self._local.edited = 0, False
            with database.transaction(connection, begun=True):
                yield
                self._note_edits()
                connection.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'changes'")
                self._check_present()
            self._check_present()
            self.written += self._local.inserted

    def _note_edits(self) -> None:
        """Count the transactions that changed metadata in place; a writer that counts none is taken for one of them."""
        at, _, count = (self.meta("edits") or "").partition(":")
        edits = int(count) if count.isdigit() else 0
        missed = at != str(self.changes)
        self.set_meta("edits", f"{self.changes + 1}:{edits + (self._local.edited or missed)}")

    @property
    def edits(self) -> int | None:
        """How often metadata was changed in place: rows of one number have what they had. None where nobody counted."""
        at, _, count = (self.meta("edits") or "").partition(":")
        return int(count) if at == str(self.changes) and count.isdigit() else None

    def _begun(self) -> apsw.Connection:
        """Take the right to write to the file that is at the path; while it was waited for, it may become another."""
        while True:
            connection = self._present()
            connection.execute("BEGIN IMMEDIATE")
            if self._vfs != database.VFS:
                return connection
            try:
                if self._local.opened.is_at(self.path):
                    check_names(self.path)
                    return connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("ROLLBACK")

    def _check_present(self) -> None:
        if self._vfs == database.VFS and not self._local.opened.is_at(self.path):
            if not self.path.exists():
                raise self._gone()
            raise self._replaced("while it was written to, so this is not in it")

    @contextmanager
    def keeping(self, *, wait: bool = True) -> Iterator[None]:
        """Write what is derived from rows and changes none, all or nothing; `changes` stays as it is.

        Args:
            wait: False to give up at once, with Locked, where another writer is at work.
        """
        self.check_writable()
        if not self._writer.acquire(blocking=wait):
            raise Locked(f"{self.folder} is being written", hint="wait for the other writer to end")
        try:
            with inside, database.translated(self.path):
                self._present().set_busy_timeout(database.WAIT_MS if wait else 0)
                try:
                    connection = self._begun()
                    with database.transaction(connection, begun=True):
                        yield
                        self._check_present()
                finally:
                    self.connection.set_busy_timeout(database.WAIT_MS)
        finally:
            self._writer.release()

    # --- what the collection is ---

    def meta(self, key: str) -> str | None:
        """Return a value of the table `meta`, None where it is absent; read once in a block of `reading()`."""
        known: dict[str, str] | None = getattr(self._local, "meta", None)
        if known is not None:
            if not known:
                known.update(self.connection.execute("SELECT key, value FROM meta"))
            return known.get(key)
        found: str | None = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).get
        return found

    def set_meta(self, key: str, value: str | int) -> None:
        """Set a value of the table `meta`."""
        self.connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, str(value)))

    def _number(self, key: str) -> int:
        """Return a whole number of the table `meta`, 0 where it is absent."""
        found = self.meta(key) or "0"
        try:
            return int(found)
        except ValueError:
            raise damaged_file(self.path, f"{key} is not a number") from None

    @property
    def line(self) -> str:
        """Which file this is: its own identity, and its place on the disk, as a backup put back may share the first."""
        place = self._local.opened.identity or (0, 0)
        return f"{self.meta('identity')}/{place[0]}:{place[1]}"

    def check_line(self, line: str) -> None:
        """Refuse to go on where `line` was another before.

        Raises:
            Gone: the file was replaced since.
        """
        if self.line != line:
            raise self._replaced("while it was read")

    @property
    def version(self) -> tuple[str | None, int, int]:
        """Which state of which file this is: two readers with the same one see the same rows and vectors."""
        return (self.line, self.epoch, self.changes)

    def row_checksum(self, row: int) -> int | None:
        """Return the checksum that a document is stored with, None where the row is not there."""
        found: int | None = self.connection.execute("SELECT checksum FROM documents WHERE row = ?", (row,)).get
        return found

    def deleted_row(self, number: int) -> int | None:
        """Return the row that the deletion of this number was of."""
        found: int | None = self.connection.execute("SELECT row FROM deletions WHERE seq = ?", (number,)).get
        return found

    @property
    def last_row(self) -> int:
        """The highest number that a row ever had."""
        sql = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'documents'), 0)"
        return int(self.connection.execute(sql).get)

    @property
    def changes(self) -> int:
        """How many transactions have written to the file: two readers with the same number see the same rows."""
        return self._number("changes")

    @property
    def next_width(self) -> int | None:
        """How many dimensions a vector of the migration under way has; None where there is none."""
        return self._number("next_width") or None

    @property
    def epoch(self) -> int:
        """How often all vectors were replaced by those of another model: row numbers stay, vectors do not."""
        return self._number("epoch")

    @property
    def dtype(self) -> Dtype:
        """How vectors are stored."""
        return "float16" if self.meta("dtype") == "float16" else "float32"

    @property
    def width(self) -> int | None:
        """How many dimensions a vector has; None before the first one."""
        return self._number("width") or None

    def fields(self) -> list[str]:
        """Return every metadata key that any row ever had, sorted."""
        return [name for (name,) in self.connection.execute("SELECT name FROM fields ORDER BY name")]

    def kinds(self, fields: Sequence[str]) -> dict[str, str]:
        """Return the JSON type of those fields whose values are all of one: integer, real, text or true (for both)."""
        found = {}
        for field in fields:
            sql = read_type(field)
            rows = self.connection.execute(f"SELECT DISTINCT {sql.sql} FROM documents", sql.parameters)
            kinds = {"true" if kind == "false" else str(kind) for (kind,) in rows} - {"None", "null"}
            if len(kinds) == 1:
                found[field] = kinds.pop()
        return found

    def has_chunks(self) -> bool:
        """Return whether any row was cut from a parent."""
        sql = 'SELECT EXISTS (SELECT 1 FROM documents WHERE coalesce(parent, start, "end") IS NOT NULL)'
        return bool(self.connection.execute(sql).get)

    # --- documents ---

    def by_ids(self, ids: Iterable[str]) -> dict[str, Stored]:
        """Return the rows with these ids, verified; absent ids are left out."""
        wanted = json.dumps(list(ids))
        sql = f"SELECT {COLUMNS} FROM documents WHERE id IN (SELECT value FROM json_each(?))"
        found = (decode_document(values) for values in self.connection.execute(sql, (wanted,)))
        return {stored.document.id: stored for stored in found}

    def by_rows(self, rows: Sequence[int] | Rows) -> dict[int, Document]:
        """Return the documents in these rows, verified; absent rows are left out."""
        if len(rows) == 0:
            return {}
        sql = f"SELECT {COLUMNS} FROM documents WHERE row IN carray(?)"
        found = self.connection.execute(sql, (apsw.carray(np.ascontiguousarray(rows, dtype=np.int64)),))
        return {stored.row: stored.document for stored in map(decode_document, found)}

    def documents(self, condition: Condition | None = None, *, after: int = 0, limit: int = -1) -> Iterator[Stored]:
        """Iterate over the rows above `after` that pass, in row order, verified; at most `limit`, -1 for all."""
        where, parameters = _and(condition)
        sql = f"SELECT {COLUMNS} FROM documents WHERE row > ?{where} ORDER BY row LIMIT ?"
        found = self.connection.execute(sql, (after, *parameters, limit))
        return map(decode_document, ascending(found, after, self.path))

    def ids(self, *, with_vector: bool = False) -> list[str]:
        """Return the ids of all rows in row order, or only of those that have a vector."""
        only = " WHERE row IN (SELECT row FROM vectors)" if with_vector else ""
        return [id_ for (id_,) in self.connection.execute(f"SELECT id FROM documents{only} ORDER BY row")]

    def rows_of(self, condition: Condition, among: Rows | None = None) -> Rows:
        """Return the numbers of the rows that pass, ascending, of all rows or of some."""
        narrowed = "" if among is None else "row IN carray(?) AND "
        given = () if among is None else (apsw.carray(np.ascontiguousarray(among, dtype=np.int64)),)
        sql = f"SELECT row FROM documents WHERE {narrowed}{condition.sql} ORDER BY row"
        found = ascending(self.connection.execute(sql, (*given, *condition.parameters)), 0, self.path)
        return np.fromiter((row for (row,) in found), dtype=np.int64)

    def raw_values(self, field: str, after: int = 0) -> tuple[Rows, list[str | None]] | None:
        """Return the rows above a number, ascending, and a field of each as the JSON that was written.

        None where the field's name cannot be read so; a row without it has None.
        """
        value = read_raw(field)
        if value is None:
            return None
        sql = f"SELECT row, {value.sql} FROM documents WHERE row > ? ORDER BY row"
        found = list(ascending(self.connection.execute(sql, (*value.parameters, after)), after, self.path))
        return np.array([row for row, _ in found], dtype=np.int64), [value for _, value in found]

    def count(self, condition: Condition | None = None) -> int:
        """Return how many rows there are, or how many pass."""
        if condition is None:
            return self._number("count")
        return int(
            self.connection.execute(f"SELECT count(*) FROM documents WHERE {condition.sql}", condition.parameters).get
        )

    def facet(self, field: str, rows: Rows | None = None) -> dict[str, int]:
        """Return how often each value of a field occurs over all rows, or the given ones, most frequent first."""
        value = read_field(field)
        if rows is not None and len(rows) == 0:
            return {}
        narrowed, parameters = ("", ()) if rows is None else (" WHERE row IN carray(?)", (apsw.carray(rows),))
        sql = (
            f"SELECT {value.sql} AS value, count(*) FROM documents{narrowed} "
            "GROUP BY value HAVING value IS NOT NULL ORDER BY 2 DESC, 1"
        )
        return {str(value): count for value, count in self.connection.execute(sql, (*value.parameters, *parameters))}

    def insert(self, new: Sequence[New], dtype: Dtype) -> list[int]:
        """Write new rows with their full texts and vectors; return their numbers."""
        executemany = self.connection.executemany
        # A row's number is part of its checksum, so the numbers are taken before the rows are written.
        last = self.last_row
        rows = list(range(last + 1, last + 1 + len(new)))
        executemany(
            f"INSERT INTO documents ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (row, one.document.id, one.document.text, one.metadata, one.document.parent, one.document.start,
                one.document.end,
                 document_checksum(row, one.document, one.metadata))
                for row, one in zip(rows, new, strict=True)
            ),
        )  # fmt: skip
        executemany(
            "INSERT INTO fulltext (rowid, tokens) VALUES (?, ?)",
            ((row, one.tokens) for row, one in zip(rows, new, strict=True) if one.tokens is not None),
        )
        blobs = (
            (row, encode_vector(one.vector, dtype))
            for row, one in zip(rows, new, strict=True)
            if one.vector is not None
        )
        executemany(
            "INSERT INTO vectors (row, vector, checksum) VALUES (?, ?, ?)",
            ((row, blob, vector_checksum(row, blob)) for row, blob in blobs),
        )
        self.set_meta("vectors", self.vector_count + sum(one.vector is not None for one in new))
        self._local.inserted = getattr(self._local, "inserted", 0) + len(rows)
        return rows

    def replace_metadata(self, row: int, document: Document, metadata: str) -> None:
        """Change a row's metadata and place in its parent; its text and vector stay."""
        self._local.edited = True
        self.connection.execute(
            'UPDATE documents SET metadata = ?, parent = ?, start = ?, "end" = ?, checksum = ? WHERE row = ?',
            (metadata, document.parent, document.start, document.end, document_checksum(row, document, metadata), row),
        )

    def note_fields(self, names: Iterable[str]) -> None:
        """Remember metadata keys: a filter on a field that never was is a mistake, not an empty answer."""
        self.connection.executemany("INSERT OR IGNORE INTO fields (name) VALUES (?)", ((name,) for name in names))

    def remove(self, rows: Sequence[int] | Rows) -> None:
        """Delete rows with their full text and vectors; their numbers are noted for indexes and never used again."""
        numbers = [(int(row),) for row in rows]
        executemany = self.connection.executemany
        executemany("DELETE FROM documents WHERE row = ?", numbers)
        executemany("DELETE FROM fulltext WHERE rowid = ?", numbers)
        executemany("INSERT INTO deletions (row) VALUES (?)", numbers)
        before = self.connection.total_changes()
        executemany("DELETE FROM vectors WHERE row = ?", numbers)
        self.set_meta("vectors", self.vector_count - (self.connection.total_changes() - before))

    @property
    def vector_count(self) -> int:
        """How many rows have a vector."""
        return self._number("vectors")

    def add_to_count(self, difference: int) -> None:
        """Keep the number of rows, which SQLite would have to count again each time."""
        self.set_meta("count", self.count() + difference)

    # --- vectors ---

    def vectors(
        self, rows: Rows | None = None, *, after: int = 0, limit: int = -1, table: VectorTable = "vectors"
    ) -> tuple[Rows, Floats]:
        """Return row numbers, ascending, and vectors (n, width), verified: all, those given, those above `after`."""
        width = self.width if table == "vectors" else self.next_width
        if width is None or (rows is not None and len(rows) == 0):
            return np.empty(0, np.int64), np.empty((0, width or 1), np.float32)
        narrowed = "" if rows is None else " AND row IN carray(?)"
        given = () if rows is None else (apsw.carray(np.ascontiguousarray(rows, dtype=np.int64)),)
        sql = f"SELECT row, vector, checksum FROM {table} WHERE row > ?{narrowed} ORDER BY row LIMIT ?"
        found = list(ascending(self.connection.execute(sql, (after, *given, limit)), after, self.path))
        numbers: list[Any] = [values[0] for values in found]
        blobs: list[Any] = [values[1] for values in found]
        checksums: list[Any] = [values[2] for values in found]
        return np.array(numbers, dtype=np.int64), decode_vectors(numbers, blobs, checksums, width, self.dtype)

    def newest_vectors(self, highest: int, most: int) -> tuple[Rows, Floats]:
        """Return the rows up to a number that have a vector, the newest of them, ascending, with their vectors."""
        sql = "SELECT row FROM vectors WHERE row <= ? ORDER BY row DESC LIMIT ?"
        rows = sorted(row for (row,) in self.connection.execute(sql, (highest, most)))
        return self.vectors(np.array(rows, dtype=np.int64))

    def has_vector(self, rows: Rows) -> set[int]:
        """Return those of the rows that have a vector."""
        if len(rows) == 0:
            return set()
        carray = apsw.carray(np.ascontiguousarray(rows, dtype=np.int64))
        return {row for (row,) in self.connection.execute("SELECT row FROM vectors WHERE row IN carray(?)", (carray,))}

    def deletions(self, after: int = 0) -> tuple[int, Rows]:
        """Return the last deletion's number and the rows deleted after the given one."""
        sql = "SELECT seq, row FROM deletions WHERE seq > ? ORDER BY seq"
        found = list(ascending(self.connection.execute(sql, (after,)), after, self.path))
        if not all(isinstance(row, int) for _, row in found):
            raise damaged_file(self.path, "its deletions are not row numbers")
        last = found[-1][0] if found else after
        return last, np.array([row for _, row in found], dtype=np.int64)


_orphans: list[Any] = []  # connections of a parent process; closing them in a child would break the parent's locks


def _and(condition: Condition | None) -> tuple[str, tuple[Any, ...]]:
    return ("", ()) if condition is None else (f" AND {condition.sql}", condition.parameters)


def make(folder: Path, *, dtype: Dtype = "float32") -> bool:
    """Make a new collection, which appears whole or not at all; False where somebody else was quicker.

    Nothing is removed but what was made here.

    Raises:
        UsageError: an unknown dtype; CollectionError: the folder cannot be made.
    """
    if dtype not in ("float32", "float16"):
        raise UsageError(f"dtype is {dtype!r}, allowed are 'float32' and 'float16'")
    place = Path(os.path.abspath(folder))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        # A folder that is there keeps its owner and its rights: only the file is new in it.
        there = place.is_dir()
        beside = place / f"{MAKING}{os.urandom(6).hex()}" if there else sibling(place)
        beside.mkdir()
        try:
            database.create(beside / FILE)
            if dtype != "float32":
                store = Store(beside, write=True)
                with store.writing():
                    store.set_meta("dtype", dtype)
                store.close()
            return link_new(beside / FILE, place / FILE) if there else rename_new(beside, place)
        finally:
            import shutil

            shutil.rmtree(beside, ignore_errors=True)
    except OSError as cannot:
        raise CollectionError(
            f"{folder} cannot be made: {cannot.strerror}", hint="choose a folder that you may write"
        ) from cannot
