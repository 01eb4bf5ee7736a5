"""Reading other projects' stores: Chroma and LanceDB by their own packages, Qdrant's and txtai's files directly.

None of them records reliably which model made its vectors. They are imported as vectors of one's own, which only
full-text search finds by words (`imi migrate --model …` embeds the texts again); or, where a model is named and makes
the same vectors of the same texts, as vectors of that model.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.collection.faiss_file import read_vectors
from imi.collection.qdrant_store import names_of, points_of
from imi.errors import DataError, MissingExtra
from imi.foreign_sqlite import opened
from imi.records import Document

Pairs = Iterator[tuple[Document, NDArray[np.float32] | None]]
_PAGE = 1000
_TEXTS = ("text", "document", "page_content", "content", "body", "chunk")
_MOST_VALUES, _DEEPEST = 100_000, 60
_IDS = ("id", "_id", "uuid", "doc_id")


@dataclass(frozen=True, slots=True)
class Place:
    """A store, and which of its collections or tables is meant; None where it has only one."""

    kind: str
    folder: Path
    part: str | None


def recognise(path: Path, asked: str | None = None) -> Place | None:
    """Return the store at a path, None where there is none; FOLDER#NAME names one of several collections.

    Args:
        path: a folder.
        asked: the kind that the user named. Some kinds are recognised only where they were named.
    """
    folder, part = path, None
    if not path.exists() and "#" in path.name:
        name, _, part = path.name.rpartition("#")
        folder = path.with_name(name) if name else path
    if folder.name == "chroma.sqlite3" and folder.is_file():
        folder = folder.parent
    if not folder.is_dir():
        return None
    known = (kind for kind, (is_one, _) in _STORES.items() if is_one(folder))
    kind = next((kind for kind in known if kind not in ASKED_ONLY or kind == asked), None)
    if kind == "lancedb" and folder.suffix == ".lance":
        folder, part = folder.parent, folder.stem
    return None if kind is None else Place(kind, folder, part)


def read_store(place: Place) -> Pairs:
    """Yield the rows of a store with their vectors.

    Raises:
        DataError: it cannot be read, or holds several collections and none was named.
        MissingExtra: the package that reads it is not installed.
    """
    return _STORES[place.kind][1](place)


def _one_of(place: Place, names: Sequence[str], what: str) -> str:
    """Return the part that was named, or the only one."""
    if place.part in names:
        return str(place.part)
    if place.part is None and len(names) == 1:
        return names[0]
    held = ", ".join(sorted(names)) or "none"
    wrong = "exactly one can be read" if place.part is None else f"{place.part!r} is not among them"
    example = f"{place.folder}#{sorted(names)[0]}" if names else None
    raise DataError(f"{place.folder} holds the {what} {held}; {wrong}", hint=example)


# --- Chroma ---


def _is_chroma(folder: Path) -> bool:
    return (folder / "chroma.sqlite3").is_file()


def _chroma(place: Place) -> Pairs:
    try:
        import chromadb
    except ImportError as missing:
        raise MissingExtra("chromadb", "chroma") from missing
    client = chromadb.PersistentClient(str(place.folder), chromadb.Settings(anonymized_telemetry=False))
    name = _one_of(place, [one.name for one in client.list_collections()], "collections")
    # No function that embeds is asked for: its model would be loaded, or downloaded.
    collection = client.get_collection(name, embedding_function=None)
    for offset in range(0, collection.count(), _PAGE):
        page = collection.get(limit=_PAGE, offset=offset, include=["embeddings", "documents", "metadatas"])
        for at, id_ in enumerate(page["ids"]):
            metadata = _plain(page["metadatas"][at] or {})
            yield Document(id_, page["documents"][at], metadata), np.asarray(page["embeddings"][at], np.float32)


# --- LanceDB ---


def _is_lance(folder: Path) -> bool:
    if folder.suffix == ".lance" and (folder / "_versions").is_dir():
        return True
    return any((one / "_versions").is_dir() for one in folder.glob("*.lance"))


def _lance(place: Place) -> Pairs:
    try:
        import lancedb
    except ImportError as missing:
        raise MissingExtra("lancedb", "lancedb") from missing
    tables = [one.stem for one in place.folder.glob("*.lance")]
    table = lancedb.connect(str(place.folder)).open_table(_one_of(place, tables, "tables"))
    vectors = [field.name for field in table.schema if "fixed_size_list" in str(field.type)]
    if not vectors:
        raise DataError(f"{place.folder} has no column of vectors", hint="read it as a table: export it to Parquet")
    vector = "vector" if "vector" in vectors else vectors[0]
    number = 0
    for batch in table.search().to_batches(_PAGE):
        for row in batch.to_pylist():
            number += 1
            found = row.pop(vector)
            yield _document(row, str(number)), None if found is None else np.asarray(found, np.float32)


# --- Qdrant ---


def _is_qdrant(folder: Path) -> bool:
    return (folder / "meta.json").is_file() and any((folder / "collection").glob("*/storage.sqlite"))


def _qdrant(place: Place) -> Pairs:
    name = _one_of(place, names_of(place.folder), "collections")
    for id_, payload, vector in points_of(place.folder, name):
        inner = payload.pop("metadata", None)
        # As LangChain keeps it: what is in `metadata` is the row's own.
        payload |= inner if isinstance(inner, dict) else {} if inner is None else {"metadata": inner}
        yield _document({**payload, "id": id_}, id_), _dense(place, vector)


def _dense(place: Place, vector: Any) -> NDArray[np.float32] | None:
    if isinstance(vector, Mapping):
        if len(vector) > 1:
            raise DataError(
                f"the points of {place.folder} have the vectors {', '.join(vector)}, one a point can be read"
            )
        vector = next(iter(vector.values()), None)
    return None if vector is None else np.asarray(vector, np.float32)


# --- txtai ---


def _is_txtai(folder: Path) -> bool:
    return (folder / "embeddings").is_file() and ((folder / "config.json").is_file() or (folder / "config").is_file())


def _txtai(place: Place) -> Pairs:
    """Read txtai's SQLite file and faiss index; its package would load the model that it was filled with."""
    file = place.folder / "documents"
    if not file.is_file():
        raise DataError(f"{place.folder} keeps vectors without texts", hint="txtai keeps them with content=True")
    vectors = read_vectors(place.folder / "embeddings")
    sql = (
        "SELECT sections.indexid, sections.id, sections.text, sections.tags, documents.data FROM sections "
        "LEFT JOIN documents ON documents.id = sections.id ORDER BY sections.indexid"
    )
    with opened(file) as rows:
        for number, id_, text, tags, data in rows.rows(sql):
            try:
                metadata = json.loads(data) if data else {}
                metadata.pop("text", None)
            except (ValueError, TypeError, AttributeError, RecursionError) as wrong:
                raise DataError(f"{file} cannot be read as txtai's documents: {wrong}") from wrong
            yield Document(str(id_), text, _plain(metadata) | ({"tags": tags} if tags else {})), vectors.get(number)


# --- rows ---


def _document(row: dict[str, Any], fallback: str) -> Document:
    """Return a row of named values as a document: its id, its text, all else as metadata."""
    id_ = next((name for name in _IDS if row.get(name) is not None), None)
    text = next((name for name in _TEXTS if isinstance(row.get(name), str)), None)
    metadata = {name: value for name, value in row.items() if name not in (id_, text)}
    return Document(str(row[id_]) if id_ else fallback, row[text] if text else None, _plain(metadata))


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata made of JSON values; what is empty or bytes is left out, times become texts.

    Raises:
        DataError: it is nested too deeply, or holds more values than any row should.
    """
    return _mapping(metadata, _Left(_MOST_VALUES), 0)


class _Left:
    """How many more values are allowed: lists that contain each other grow without bound when they are written out."""

    def __init__(self, count: int) -> None:
        self._count = count

    def one(self, depth: int) -> None:
        """Count one value."""
        self._count -= 1
        if self._count < 0 or depth > _DEEPEST:
            raise DataError(
                f"a row's metadata holds more than {_MOST_VALUES} values, or is nested over {_DEEPEST} deep"
            )


def _mapping(values: Mapping[Any, Any], left: _Left, depth: int) -> dict[str, Any]:
    left.one(depth)
    return {
        str(name): _value(value, left, depth + 1)
        for name, value in values.items()
        if value is not None and not _bytes(value)
    }


def _bytes(value: Any) -> bool:
    return isinstance(value, bytes | bytearray | memoryview)


def _value(value: Any, left: _Left, depth: int) -> Any:
    left.one(depth)
    if isinstance(value, Mapping):
        return _mapping(value, left, depth)
    if isinstance(value, list | tuple):
        return [_value(one, left, depth + 1) for one in value if not _bytes(one)]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, float) and value != value:
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


_STORES: dict[str, tuple[Callable[[Path], bool], Callable[[Place], Pairs]]] = {
    "chroma": (_is_chroma, _chroma),
    "lancedb": (_is_lance, _lance),
    "qdrant": (_is_qdrant, _qdrant),
    "txtai": (_is_txtai, _txtai),
}
KINDS = tuple(_STORES)
ASKED_ONLY = ("qdrant",)
"""Stores that are read only where the user says that they are such: what only looks like one is a folder of files."""
