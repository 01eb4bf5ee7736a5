"""Reading back what `imi.collection.exporting` wrote, databases of `llm` and stores of others: rows, vectors, whose."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from imi.collection.description import Bound, check_same, read_bound, write_bound
from imi.collection.exporting import EMBEDDING, FORMAT, METADATA, MODEL, PLAIN, TEXT, listing, listing_of
from imi.collection.model import CollectionModel
from imi.collection.other_stores import read_store, recognise
from imi.errors import DataError, Failure, MissingExtra, ModelMismatch, TooNew
from imi.foreign_sqlite import opened
from imi.records import Added, Document, ModelInfo
from imi.store.store import Store
from imi.types import Floats

Pairs = Iterator[tuple[Document, Floats | None]]
_LARGEST_CELL = 1 << 30
_BATCH = 1024
_COMPARED, _SAME = 32, 0.98
"""Rows of a store whose vectors are compared with a model's, and the median cosine from which they are its own."""


@dataclass(frozen=True)
class ExportedFile:
    """An exported collection: the model of its vectors, if any, and its rows, read as they are needed.

    `foreign` tells that nothing is known of the model.
    """

    bound: Bound | None
    rows: Pairs
    foreign: bool = False


def is_export(path: Path) -> bool:
    """Say whether a file was written by `export`, or a file or folder is a store of others."""
    return kind_of(path) is not None


def kind_of(path: Path, asked: str | None = None) -> str | None:
    """Return what an export is: "imi", "llm", or one of the stores of others; None for other files and folders.

    Args:
        path: a file or folder.
        asked: the kind that the user named; some are taken for what they look like only then.
    """
    try:
        if place := recognise(path, asked):
            return place.kind
        return ("llm" if path.suffix.lower() == ".db" else "imi") if _probe(path) else None
    except (OSError, ValueError, UnicodeError, csv.Error, DataError):
        return None


def _probe(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        with path.open(encoding="utf-8") as file:
            return f'"{MODEL}": {{"format"' in file.readline(1 << 24)
    if suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return MODEL in next(csv.reader(file), [])
    if suffix == ".npy":
        return (listing(path).exists() and _probe(listing(path))) or _probe(listing_of(path))
    if suffix == ".parquet":
        try:
            import pyarrow.parquet as pq
        except ImportError:
            return False
        return MODEL.encode() in (pq.read_schema(path).metadata or {})
    if suffix == ".db":
        with opened(path) as file:
            return {"collections", "embeddings"} <= set(file.tables())
    return False


def read_export(path: Path) -> ExportedFile:
    """Open an export for reading.

    Raises:
        DataError: a row, or what the file says of itself, cannot be read.
        TooNew: a newer imi wrote it.
        MissingExtra: a Parquet file without pyarrow, or a store of others without its package.
    """
    # Whoever imports a folder says that it is a store.
    if place := recognise(path, "qdrant"):
        return ExportedFile(None, read_store(place), foreign=True)
    reader = {".jsonl": _jsonl, ".csv": _csv, ".npy": _npy, ".parquet": _parquet, ".db": _llm}[path.suffix.lower()]
    try:
        about, rows = reader(path)
        if int(about.get("format", FORMAT)) > FORMAT:
            raise TooNew(
                f"{path} has export format {about['format']}, this imi reads up to {FORMAT}", hint="upgrade imi"
            )
        model = about.get("model")
        bound = None if model is None else Bound.from_json(json.dumps(model))
    except (KeyError, TypeError, ValueError, UnicodeError, StopIteration, OSError) as wrong:
        raise _unreadable(path, None, wrong) from wrong
    return ExportedFile(bound, rows)


def _unreadable(path: Path, line: int | None, wrong: Exception) -> DataError:
    where = f"{path}" if line is None else f"{path} line {line}"
    return DataError(
        f"{where} cannot be read as an export of imi: {wrong}",
        hint="export it again, or read it as a plain table with --template",
        failures=[Failure(str(path), line, str(wrong))],
    )


def _jsonl(path: Path) -> tuple[dict[str, Any], Pairs]:
    def rows() -> Pairs:
        for document, row in _json_rows(path):
            vector = row.get(EMBEDDING)
            yield document, None if vector is None else np.array(vector, dtype=np.float32)

    return _first_row(path)[MODEL], rows()


def _first_row(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8") as file:
        return dict(json.loads(file.readline()))


def _json_rows(path: Path) -> Iterator[tuple[Document, dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                yield _document(row, row[METADATA]), row
            except (KeyError, TypeError, ValueError) as wrong:
                raise _unreadable(path, number, wrong) from wrong


def _document(row: Mapping[str, Any], metadata: Mapping[str, Any]) -> Document:
    return Document(row["id"], row["text"], metadata, row.get("parent"), row.get("start"), row.get("end"))


def _csv(path: Path) -> tuple[dict[str, Any], Pairs]:
    csv.field_size_limit(_LARGEST_CELL)
    rows = _csv_rows(path)
    first = next(rows, None)
    about = {} if first is None else json.loads(first[1][MODEL])
    text = str(about.get(TEXT, "text"))

    def pairs() -> Pairs:
        for number, row in chain([] if first is None else [first], rows):
            try:
                place = {name: _value(row.get(name, "")) for name in PLAIN[2:]}
                names = (name for name in row if name not in (*PLAIN, text, EMBEDDING, MODEL))
                metadata = {name.removeprefix("metadata."): _value(row[name]) for name in names if row[name] != ""}
                numbers = row.get(EMBEDDING)
                vector = np.array(json.loads(numbers), dtype=np.float32) if numbers else None
                yield _document({"id": row["id"], "text": _text(row[text])} | place, metadata), vector
            except (KeyError, TypeError, ValueError) as wrong:
                raise _unreadable(path, number, wrong) from wrong

    return about, pairs()


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            for row in reader:
                yield reader.line_num, row
        except csv.Error as wrong:
            raise _unreadable(path, reader.line_num, wrong) from wrong


def _value(cell: str) -> Any:
    """Return what `exporting.cell` made a cell of; an empty one is nothing."""
    if not cell:
        return None
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _text(cell: str) -> str | None:
    return str(json.loads(cell)) if cell and cell[0] == cell[-1] == '"' else cell or None


def _npy(path: Path) -> tuple[dict[str, Any], Pairs]:
    table, whose = np.load(path, mmap_mode="r"), listing_of(path)

    def rows() -> Pairs:
        for document, row in _json_rows(whose):
            at = row.get("row")
            if at is not None and not 0 <= at < len(table):
                raise _unreadable(path, None, ValueError(f"row {at} is not in its {len(table)} vectors"))
            yield document, None if at is None else np.array(table[at], dtype=np.float32)

    return _first_row(whose)[MODEL], rows()


def _parquet(path: Path) -> tuple[dict[str, Any], Pairs]:
    try:
        import pyarrow.parquet as pq
    except ImportError as missing:
        raise MissingExtra("pyarrow", "tables") from missing
    about = json.loads(pq.read_schema(path).metadata[MODEL.encode()])

    def rows() -> Pairs:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(1024):
                for row in batch.to_pylist():
                    vector = row.get(EMBEDDING)
                    yield (
                        _document(row, json.loads(row[METADATA])),
                        None if vector is None else np.array(vector, dtype=np.float32),
                    )

    return about, rows()


def _llm(path: Path) -> tuple[dict[str, Any], Pairs]:
    with opened(path) as file:
        tables = file.tables()
        collections = list(islice(file.rows("SELECT id, name, model FROM collections"), 1000))
        if len(collections) != 1:
            named = ", ".join(str(name) for _, name, _ in collections) or "none"
            raise ValueError(f"it holds the collections {named}, exactly one can be read")
        number, _, model = collections[0]
        if "imi" in tables:
            about = json.loads(next(file.rows("SELECT about FROM imi"))[0])
        else:
            sql = "SELECT embedding FROM embeddings WHERE collection_id = ?"
            found = next(file.rows(sql, (number,)), None)
            width = len(found[0]) // 4 if found else 1
            info = ModelInfo(id=f"llm:{model}", width=width, dims=(width,), weights="")
            about = {"model": json.loads(Bound(None, info).to_json())}

    def rows() -> Pairs:
        sql = "SELECT id, embedding, content, metadata FROM embeddings WHERE collection_id = ? ORDER BY rowid"
        with opened(path) as file:
            for id_, blob, content, metadata in file.rows(sql, (number,)):
                try:
                    vector = np.frombuffer(blob, "<f4").astype(np.float32)
                    document = Document(id_, content, json.loads(metadata) if metadata else {})
                except (TypeError, ValueError, RecursionError) as wrong:
                    raise _unreadable(path, None, wrong) from wrong
                yield document, vector

    return about, rows()


class _Adds(Protocol):
    """What takes the rows: a collection."""

    def add(self, documents: Iterable[Document], vectors: ArrayLike | None = None) -> Added: ...


def import_into(
    target: _Adds, store: Store, model: CollectionModel, path: Path, progress: Callable[[int, int], None] | None
) -> Added:
    """Add an export's rows to a collection; see `Collection.import_`."""
    export = read_export(path)
    if export.bound is not None:
        _bind(store, model, export.bound)
    result, done = Added(), 0
    rows = _claimed(store, model, export.rows) if export.foreign else iter(export.rows)
    while batch := list(islice(rows, _BATCH)):
        with_vector = [(document, vector) for document, vector in batch if vector is not None]
        without = [document for document, vector in batch if vector is None]
        if with_vector:
            documents = [document for document, _ in with_vector]
            result += target.add(documents, np.stack([vector for _, vector in with_vector]))
        if without:
            result += target.add(without)
        done += len(batch)
        if progress is not None:
            progress(done, done)
    return result


def _claimed(store: Store, model: CollectionModel, rows: Pairs) -> Pairs:
    """Return the rows of a store of others; its vectors are one's own, or of the model here if they are what it makes.

    Raises:
        ModelMismatch: the model makes other vectors of the same texts, or nothing can tell.
    """
    with store.reading():
        kept = read_bound(store)
    first = list(islice(rows, _COMPARED))
    pairs = [(document.text, vector) for document, vector in first if document.text and vector is not None]
    if (kept is None and model.given) or (kept is not None and not kept.own):
        embedder = model.embedder()
        dims = None if kept is None else kept.dims
        made = embedder.embed([text for text, _ in pairs], "document", dims)
        widths = {len(vector) for _, vector in pairs} or {0}
        agree = np.zeros(1)
        if widths == {made.shape[1]}:
            given = np.stack([vector for _, vector in pairs])
            agree = (given * made).sum(axis=1) / np.maximum(np.linalg.norm(given, axis=1), 1e-12)
        if np.median(agree) < _SAME:
            raise ModelMismatch(
                f"these vectors are not of {embedder.info.id}: over {len(pairs)} texts the median cosine of what it "
                f"makes ({made.shape[1]} dimensions) with these ({max(widths)}) is {np.median(agree):.2f}",
                hint="name the model that made them, or leave the model out and add them to a separate collection",
            )
        if kept is None:
            _bind(store, model, model.bind(embedder))
    return chain(first, rows)


def _bind(store: Store, model: CollectionModel, given: Bound) -> None:
    """Make the export's model the collection's, where it has none yet.

    Raises:
        ModelMismatch: it has another one, or was opened with another one.
    """
    with store.reading():
        kept = read_bound(store)
    if kept is None and model.given:
        check_same(store.folder, model.embedder().info, given.info)
    if kept is None:
        with store.writing():
            write_bound(store, given)
    elif kept.fingerprint != given.fingerprint:
        check_same(store.folder, kept.info, given.info)
        raise ModelMismatch(
            f"{store.folder} keeps {kept.width} dimensions of {kept.info.id}, the export {given.width}",
            hint=f"imi migrate makes the sizes agree: --dims {min(kept.width, given.width)}",
        )
