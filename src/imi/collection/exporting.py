"""Writing a collection to a file: CSV with literal lists, JSONL, Parquet, npy with JSONL, or a database of `llm`.

Every kind carries the model and its fingerprint (in CSV and JSONL with the first row), so that reading it back by
`imi.collection.importing` is guarded and exact.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np

from imi.atomic import alone_in, sibling, sync_folder
from imi.collection.description import Bound, read_bound
from imi.errors import CollectionError, MissingExtra, UsageError
from imi.progress import Progress
from imi.records import Document
from imi.store.store import Store
from imi.types import Floats

Rows = Iterator[tuple[Document, Floats | None]]
FORMAT = 1
PLAIN = ("id", "text", "parent", "start", "end")
EMBEDDING, MODEL, METADATA = "embedding", "imi_model", "metadata"
TEXT = "text_column"
VECTORS = "vectors"
"""What a listing says of itself: the digest of the table whose rows it lists."""
_NOT_YET = "0" * 32
_FORSAKEN = 3600.0
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Shape:
    """What columns a table needs.

    fields: the metadata fields; kinds: those whose values are all of one JSON type, with it.
    chunks: whether any row was cut from a parent.
    gaps: whether any row has no vector.
    text: the name of the column of texts; another one than "text" is for whoever else reads the file.
    """

    fields: tuple[str, ...]
    kinds: Mapping[str, str]
    chunks: bool
    gaps: bool
    text: str = "text"

    @property
    def plain(self) -> tuple[str, ...]:
        """The columns that are not metadata."""
        return PLAIN if self.chunks else PLAIN[:2]

    def columns(self) -> dict[str, str]:
        """Return the column of each field; one that would be taken for another column is prefixed."""
        taken = {*PLAIN, self.text, EMBEDDING, MODEL, METADATA, ""}
        return {
            name: f"metadata.{name}" if name in taken or name.startswith("metadata.") else name for name in self.fields
        }


def export(store: Store, path: Path, *, vectors: bool, text_column: str = "text", progress: Progress | None) -> int:
    """Write all rows to a file; it appears whole or not at all. Return how many rows there were.

    Raises:
        UsageError: the suffix names no format, or the column of texts cannot have that name.
        MissingExtra: Parquet was asked for without pyarrow.
        CollectionError: the file cannot be written.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise UsageError(f"{path} ends in {path.suffix!r}, allowed are {', '.join(WRITERS)}")
    _check_text_column(text_column, path)
    beside = sibling(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
        with store.reading():
            bound, fields = read_bound(store) if vectors else None, store.fields()
            shape = Shape(
                tuple(fields), store.kinds(fields), store.has_chunks(), store.vector_count < store.count(), text_column
            )
            count = writer(beside, _rows(store, vectors, store.count(), progress), bound, shape)
        _put(beside, path)
        return count
    except (OSError, sqlite3.Error) as cannot:
        said = getattr(cannot, "strerror", None) or cannot
        hint = "free disk space, or choose another place; what was there before is as it was"
        raise CollectionError(f"{path} cannot be written: {said}", hint=hint) from cannot
    finally:
        for left in path.parent.glob(f"{escape(beside.name)}*"):
            left.unlink(missing_ok=True)


def _check_text_column(name: str, path: Path) -> None:
    if name == "text":
        return
    if path.suffix.lower() != ".csv":
        raise UsageError(f"the column of texts is called {name!r} in .csv alone, not in {path.suffix}")
    if not name or name in (*PLAIN, EMBEDDING, MODEL, METADATA):
        raise UsageError(f"the column of texts cannot be called {name!r}", hint="--text-column combined")


def _put(beside: Path, path: Path) -> None:
    """Give an export that is whole its name, and the rights of the file that was there.

    A table of vectors and its listing are two files. The listing is put under a temporary name first, and is found
    there by `listing_of` from the moment on in which the table has its place: there is no moment of one without the
    other.
    """
    pair = [(listing(beside), listing(path)), (beside, path)] if listing(beside).exists() else [(beside, path)]
    for new, old in pair:
        if old.exists():
            shutil.copymode(old, new)
        with new.open("rb") as file:
            os.fsync(file.fileno())
    with alone_in(path.parent):
        if len(pair) == 2:
            os.replace(listing(beside), _waiting(path))
        os.replace(beside, path)
        if len(pair) == 2:
            os.replace(_waiting(path), listing(path))
    sync_folder(path.parent)


def _clear(path: Path) -> None:
    """Remove what exports to this place left behind that were killed; one under way writes all the time."""
    for left in path.parent.glob(f".{escape(path.name)}.*.new*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _FORSAKEN:
                left.unlink()


def _rows(store: Store, vectors: bool, total: int, progress: Progress | None) -> Rows:
    after = done = 0
    while part := list(store.documents(after=after, limit=_BATCH)):
        found: dict[int, Floats] = {}
        if vectors:
            rows, z = store.vectors(np.array([one.row for one in part], dtype=np.int64))
            found = dict(zip(rows.tolist(), z, strict=True))
        yield from ((one.document, found.get(one.row)) for one in part)
        after, done = part[-1].row, done + len(part)
        if progress is not None:
            progress(done, max(total, done))


def listing(path: Path) -> Path:
    """Return the file that says which row each vector of a .npy file belongs to."""
    return path.with_name(f"{path.name}.jsonl")


def _waiting(path: Path) -> Path:
    return path.with_name(f".{path.name}.jsonl.next")


def listing_of(path: Path) -> Path:
    """Return the listing that belongs to the table as it is: of an export that was cut off, the one that waits.

    Raises:
        ValueError: none does.
    """
    whose = _digest(path)
    for one in (listing(path), _waiting(path)):
        try:
            with one.open(encoding="utf-8") as file:
                noted = json.loads(file.readline())[MODEL].get(VECTORS)
        except (OSError, ValueError, KeyError, AttributeError):
            continue
        if noted in (None, whose):  # an earlier imi wrote no such note
            return one
    raise ValueError(f"{listing(path).name} is missing or of other vectors than these")


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def about(bound: Bound | None) -> dict[str, Any]:
    """Return what an export says of itself."""
    said: dict[str, Any] = {"format": FORMAT}
    if bound is not None:
        said |= {"fingerprint": bound.fingerprint, "width": bound.width, "model": json.loads(bound.to_json())}
    return said


def _plain(document: Document, shape: Shape) -> dict[str, Any]:
    return {name: getattr(document, name) for name in shape.plain}


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _jsonl(path: Path, rows: Rows, bound: Bound | None, shape: Shape) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for document, vector in rows:
            row = _plain(document, shape) | {METADATA: dict(document.metadata)}
            row |= {} if vector is None else {EMBEDDING: vector.tolist()}
            file.write(_dumps(row if count else row | {MODEL: about(bound)}) + "\n")
            count += 1
    return count


def cell(value: object) -> str:
    """Return a value as a CSV cell: texts as they are, the rest, and texts that would be mistaken for it, as JSON."""
    if isinstance(value, str) and value and value[0] not in '"[{' and not _is_json(value):
        return value
    return _dumps(value)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _text_cell(text: str) -> str:
    """Return a text as people expect to read it; only an empty one, or one in quotes, is written as JSON."""
    return _dumps(text) if not text or text[0] == text[-1] == '"' else text


def _csv(path: Path, rows: Rows, bound: Bound | None, shape: Shape) -> int:
    names, count = shape.columns(), 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                shape.plain[0],
                shape.text,
                *shape.plain[2:],
                *names.values(),
                *([] if bound is None else [EMBEDDING]),
                MODEL,
            ]
        )
        for document, vector in rows:
            line = [document.id, "" if document.text is None else _text_cell(document.text)]
            line += ["" if (value := getattr(document, name)) is None else cell(value) for name in shape.plain[2:]]
            line += [cell(document.metadata[name]) if name in document.metadata else "" for name in names]
            if bound is not None:
                line.append("" if vector is None else str(vector.tolist()))
            said = about(bound) | ({} if shape.text == "text" else {TEXT: shape.text})
            writer.writerow([*line, "" if count else _dumps(said)])
            count += 1
    return count


def _parquet(path: Path, rows: Rows, bound: Bound | None, shape: Shape) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as missing:
        raise MissingExtra("pyarrow", "tables") from missing
    columns = [("id", pa.string()), ("text", pa.string())]
    if shape.chunks:
        columns += [("parent", pa.string()), ("start", pa.int64()), ("end", pa.int64())]
    # Fields of one kind get their own column, for whoever reads the file; the JSON is what is read back exactly.
    kinds = {"integer": pa.int64(), "real": pa.float64(), "text": pa.string(), "true": pa.bool_()}
    flat = {name: column for name, column in shape.columns().items() if shape.kinds.get(name) in kinds}
    columns += [(column, kinds[shape.kinds[name]]) for name, column in flat.items()]
    columns.append((METADATA, pa.string()))
    if bound is not None:
        # A list of fixed size that is missing cannot be read back by pyarrow before 26.
        columns.append((EMBEDDING, pa.list_(pa.float32(), -1 if shape.gaps else bound.width)))
    schema = pa.schema(columns, metadata={MODEL: _dumps(about(bound))})
    count = 0
    with pq.ParquetWriter(path, schema) as writer:
        batch: list[dict[str, Any]] = []
        for document, vector in rows:
            row = _plain(document, shape) | {METADATA: _dumps(dict(document.metadata))}
            row |= {column: document.metadata.get(name) for name, column in flat.items()}
            batch.append(row if bound is None else row | {EMBEDDING: vector})
            count += 1
            if len(batch) == _BATCH:
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                batch = []
        writer.write_table(pa.Table.from_pylist(batch, schema=schema))
    return count


def _npy(path: Path, rows: Rows, bound: Bound | None, shape: Shape) -> int:
    if bound is None:
        raise UsageError("a .npy file is nothing but vectors, and there are none", hint="export to .jsonl")
    count, at, raw = 0, 0, path.with_suffix(".raw")
    try:
        with raw.open("wb") as table, listing(path).open("w", encoding="utf-8", newline="\n") as file:
            for document, vector in rows:
                row = _plain(document, shape) | {METADATA: dict(document.metadata)}
                if vector is not None:
                    row["row"], at = at, at + 1
                    table.write(vector.astype("<f4").tobytes())
                file.write(_dumps(row if count else row | {MODEL: about(bound) | {VECTORS: _NOT_YET}}) + "\n")
                count += 1
        with path.open("wb") as file_of_vectors, raw.open("rb") as table:
            shape_of = {"descr": "<f4", "fortran_order": False, "shape": (at, bound.width)}
            np.lib.format.write_array_header_1_0(file_of_vectors, shape_of)
            while piece := table.read(1 << 20):
                file_of_vectors.write(piece)
        with listing(path).open("r+b") as file_of_rows:
            at_note = file_of_rows.readline().rfind(_NOT_YET.encode())
            if at_note >= 0:
                file_of_rows.seek(at_note)
                file_of_rows.write(_digest(path).encode())
    finally:
        raw.unlink(missing_ok=True)
    return count


_LLM = """
CREATE TABLE collections (id INTEGER PRIMARY KEY, name TEXT, model TEXT);
CREATE UNIQUE INDEX idx_collections_name ON collections (name);
CREATE TABLE embeddings (
    collection_id INTEGER REFERENCES collections(id), id TEXT, embedding BLOB, content TEXT, content_blob BLOB,
    content_hash BLOB, metadata TEXT, updated INTEGER, PRIMARY KEY (collection_id, id)
);
CREATE INDEX idx_embeddings_content_hash ON embeddings (content_hash);
CREATE TABLE imi (about TEXT);
"""
_INSERT = (
    "INSERT INTO embeddings (collection_id, id, embedding, content, content_hash, metadata, updated) "
    "VALUES (1, ?, ?, ?, ?, ?, ?)"
)


def _llm(path: Path, rows: Rows, bound: Bound | None, shape: Shape) -> int:
    """Write the layout of the tool `llm`, which knows rows with a vector only, and no parents."""
    if bound is None:
        raise UsageError("an llm database is a table of vectors, and there are none", hint="export to .jsonl")
    path.unlink(missing_ok=True)
    count, now, name = 0, int(time.time()), bound.name or bound.info.id
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_LLM)
        connection.execute("INSERT INTO imi VALUES (?)", (_dumps(about(bound)),))
        connection.execute("INSERT INTO collections VALUES (1, ?, ?)", (path.name.split(".")[1], name))
        for document, vector in rows:
            if vector is None:
                continue
            # llm keys its cache by the MD5 of the content; nothing here relies on it being hard to forge.
            digest = hashlib.md5((document.text or "").encode(), usedforsecurity=False).digest()
            metadata = _dumps(dict(document.metadata)) if document.metadata else None
            blob = vector.astype("<f4").tobytes()
            connection.execute(_INSERT, (document.id, blob, document.text, digest, metadata, now))
            count += 1
    return count


WRITERS: dict[str, Callable[[Path, Rows, Bound | None, Shape], int]] = {
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
    ".npy": _npy,
    ".db": _llm,
}
