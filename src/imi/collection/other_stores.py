"""Reading stores of others: Chroma, LanceDB and Qdrant's folders by their own packages, txtai's by faiss and SQLite.

Which model made their vectors is not in these stores for certain. They come over as vectors of one's own, which words
find in the mode text (`imi migrate --model …` embeds the texts anew); or as those of the model that is named, where it
makes the same vectors of the same texts.
"""

from __future__ import annotations

import datetime
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import DataError, MissingExtra
from imi.records import Document

Pairs = Iterator[tuple[Document, NDArray[np.float32] | None]]
_PAGE = 1000
_TEXTS = ("text", "document", "page_content", "content", "body", "chunk")
_IDS = ("id", "_id", "uuid", "doc_id")


@dataclass(frozen=True, slots=True)
class Place:
    """A store, and which of its collections or tables is meant; None where it has one alone."""

    kind: str
    folder: Path
    part: str | None


def recognise(path: Path) -> Place | None:
    """Return what store lies at a path, None where there is none; FOLDER#NAME means one collection of several."""
    folder, part = path, None
    if not path.exists() and "#" in path.name:
        name, _, part = path.name.rpartition("#")
        folder = path.with_name(name) if name else path
    if folder.name == "chroma.sqlite3" and folder.is_file():
        folder = folder.parent
    if not folder.is_dir():
        return None
    kind = next((kind for kind, (known, _) in _STORES.items() if known(folder)), None)
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
    try:
        from qdrant_client import QdrantClient
    except ImportError as missing:
        raise MissingExtra("qdrant-client", "qdrant") from missing
    client = QdrantClient(path=str(place.folder))
    with closing(client):
        name = _one_of(place, [one.name for one in client.get_collections().collections], "collections")
        after: Any = None
        while True:
            points, after = client.scroll(name, limit=_PAGE, offset=after, with_payload=True, with_vectors=True)
            for point in points:
                payload = dict(point.payload or {})
                inner = payload.pop("metadata", None)
                # As LangChain keeps it: what is in `metadata` is the row's own.
                payload |= inner if isinstance(inner, dict) else {} if inner is None else {"metadata": inner}
                yield _document({**payload, "id": str(point.id)}, str(point.id)), _dense(place, point.vector)
            if after is None:
                return


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
    vector_of = _faiss_rows(place)
    sql = (
        "SELECT sections.indexid, sections.id, sections.text, sections.tags, documents.data FROM sections "
        "LEFT JOIN documents ON documents.id = sections.id ORDER BY sections.indexid"
    )
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        try:
            for number, id_, text, tags, data in connection.execute(sql):
                metadata = json.loads(data) if data else {}
                metadata.pop("text", None)
                yield Document(str(id_), text, _plain(metadata) | ({"tags": tags} if tags else {})), vector_of(number)
        except sqlite3.Error as wrong:
            raise DataError(f"{file} cannot be read as txtai's documents: {wrong}") from wrong


def _faiss_rows(place: Place) -> Callable[[int], NDArray[np.float32] | None]:
    """Return what gives the vector of a number; numbers that are not in the index give None."""
    import faiss

    path = place.folder / "embeddings"
    try:
        index = faiss.read_index(str(path))
    except RuntimeError as wrong:
        raise DataError(
            f"{path} is no faiss index, or keeps bits alone", hint="txtai's other backends keep it elsewhere"
        ) from wrong
    if isinstance(index, faiss.IndexIDMap) and isinstance(faiss.downcast_index(index.index), faiss.IndexFlat):
        at = {int(label): row for row, label in enumerate(faiss.vector_to_array(index.id_map))}
        # The outer index owns the inner one, which is asked through it each time.
        return lambda number: index.index.reconstruct(at[number]) if number in at else None
    if isinstance(index, faiss.IndexIVFFlat):
        index.set_direct_map_type(faiss.DirectMap.Hashtable)  # type: ignore[attr-defined]  # its stubs leave it out

        def reconstruct(number: int) -> NDArray[np.float32] | None:
            try:
                return np.asarray(index.reconstruct(number), np.float32)
            except RuntimeError:
                return None

        return reconstruct
    raise DataError(
        f"{path} keeps compressed vectors ({type(index).__name__}), which would not be those of the texts",
        hint="export the texts and add them again",
    )


# --- rows ---


def _document(row: dict[str, Any], fallback: str) -> Document:
    """Return a row of named values as a document: its id, its text, all else as metadata."""
    id_ = next((name for name in _IDS if row.get(name) is not None), None)
    text = next((name for name in _TEXTS if isinstance(row.get(name), str)), None)
    metadata = {name: value for name, value in row.items() if name not in (id_, text)}
    return Document(str(row[id_]) if id_ else fallback, row[text] if text else None, _plain(metadata))


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata made of JSON values; what is empty or bytes is left out, times become texts."""
    return {str(name): _value(value) for name, value in metadata.items() if value is not None and not _bytes(value)}


def _bytes(value: Any) -> bool:
    return isinstance(value, bytes | bytearray | memoryview)


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _plain(value)
    if isinstance(value, list | tuple):
        return [_value(one) for one in value if not _bytes(one)]
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
