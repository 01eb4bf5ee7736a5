"""Exporting a collection to a file that other programs read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from imi.text.readers.rows import Row
from imi.text.writers import check_kind, write

if TYPE_CHECKING:
    from imi.collection.collection import Collection

_BATCH = 1000


def export(
    collection: Collection, path: Path, *, vectors: bool = True, progress: Callable[[int, int], None] | None = None
) -> int:
    """Write all rows to a .csv, .jsonl, .parquet or .npy file and return how many; see `Collection.export`."""
    check_kind(path)
    with_vector = set(collection.ids(with_vector=True)) if vectors else set()
    total = collection.count()

    def rows() -> Iterator[Row]:
        done = 0
        documents = collection.documents()
        while batch := list(islice(documents, _BATCH)):
            wanted = [document.id for document in batch if document.id in with_vector]
            found = dict(zip(wanted, collection.vectors(wanted), strict=True)) if wanted else {}
            for document in batch:
                yield Row(document, found.get(document.id))
            done += len(batch)
            if progress is not None:
                progress(done, total)

    return write(path, rows, collection.info.fields)
