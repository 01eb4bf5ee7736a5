"""Writers of files: CSV with literal lists, JSONL, Parquet and .npy, the kind told by the suffix, row by row."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from imi.errors import DataError, MissingExtra, UsageError
from imi.text.readers.rows import Row

KINDS = (".csv", ".jsonl", ".parquet", ".npy")
VECTOR_COLUMN = "embedding"
_BATCH = 1024

Rows = Callable[[], Iterable[Row]]


def check_kind(path: Path) -> None:
    """Refuse a file whose suffix names no kind.

    Raises:
        UsageError: the suffix is not one of `KINDS`.
    """
    if path.suffix.lower() not in KINDS:
        raise UsageError(f"{path}: the suffix is {path.suffix!r}, allowed are {', '.join(KINDS)}")


def write(path: Path, rows: Rows, fields: Sequence[str] = ()) -> int:
    """Write rows to a file and return how many.

    CSV has the columns id, text, one a metadata field, and `embedding` as a literal list (as pandas writes and
    `ast.literal_eval` reads it) where rows carry vectors. JSONL nests the metadata. .npy holds the vectors alone,
    (n, d) float32. The file appears when it is whole.

    Args:
        path: the file; its suffix tells the kind.
        rows: gives the rows anew each time it is called; Parquet reads them twice, to know the columns' types.
        fields: the metadata fields, in the order of the columns.

    Raises:
        UsageError: the suffix is not one of `KINDS`.
        DataError: the file cannot be written, or .npy was asked for rows without vectors.
    """
    check_kind(path)
    kinds = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet, ".npy": _write_npy}
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        count = kinds[path.suffix.lower()](unfinished, rows, fields)
        unfinished.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def literal(vector: Any) -> str:
    """Return a vector as the literal list that `DataFrame.to_csv` writes: the shortest digits that give it back."""
    return "[" + ", ".join(map(repr, np.asarray(vector, np.float32).astype(str).astype(float).tolist())) + "]"


def _write_csv(path: Path, rows: Rows, fields: Sequence[str]) -> int:
    vectors = any(row.vector is not None for row in islice(rows(), _BATCH))
    # The row's own id, text and vector keep their names; a field of the same name would hide them.
    told = [name for name in fields if name not in ("id", "text", VECTOR_COLUMN)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", *told, *([VECTOR_COLUMN] if vectors else [])])
        count = 0
        for row in rows():
            document = row.document
            cells = [_cell(document.metadata.get(name)) for name in told]
            last = [] if not vectors else ["" if row.vector is None else literal(row.vector)]
            writer.writerow([document.id, document.text or "", *cells, *last])
            count += 1
    return count


def _write_jsonl(path: Path, rows: Rows, fields: Sequence[str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows():
            value = row.document.to_dict()
            if row.vector is not None:
                value[VECTOR_COLUMN] = row.vector.tolist()
            file.write(json.dumps(value, ensure_ascii=False) + "\n")
            count += 1
    return count


def _write_npy(path: Path, rows: Rows, fields: Sequence[str]) -> int:
    vectors = [row.vector for row in rows() if row.vector is not None]
    if not vectors:
        raise DataError("there are no vectors to write", hint="a .jsonl or .csv file takes rows without vectors")
    with path.open("wb") as file:
        np.save(file, np.stack(vectors))
    return len(vectors)


def _write_parquet(path: Path, rows: Rows, fields: Sequence[str]) -> int:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as missing:
        raise MissingExtra("pyarrow", "tables") from missing
    types = {name: pyarrow.string() for name in ("id", "text")}
    types |= {name: _arrow_type(pyarrow, kinds) for name, kinds in _kinds(rows(), fields).items() if name not in types}
    if any(row.vector is not None for row in islice(rows(), _BATCH)):
        types[VECTOR_COLUMN] = pyarrow.list_(pyarrow.float32())
    schema = pyarrow.schema(types)
    count = 0
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for batch in _batches(rows()):
            values = [_record(row, types, pyarrow.string()) for row in batch]
            writer.write_table(pyarrow.Table.from_pylist(values, schema=schema))
            count += len(batch)
    return count


def _kinds(rows: Iterable[Row], fields: Sequence[str]) -> dict[str, set[type]]:
    kinds: dict[str, set[type]] = {name: set() for name in fields}
    for row in rows:
        for name, value in row.document.metadata.items():
            if value is not None and name in kinds:
                kinds[name].add(type(value))
    return kinds


def _arrow_type(pyarrow: Any, kinds: set[type]) -> Any:
    if kinds == {bool}:
        return pyarrow.bool_()
    if kinds == {int}:
        return pyarrow.int64()
    return pyarrow.float64() if kinds and kinds <= {int, float} else pyarrow.string()


def _record(row: Row, types: dict[str, Any], string: Any) -> dict[str, Any]:
    metadata = row.document.metadata
    record: dict[str, Any] = {
        name: _cell(metadata.get(name)) if kind == string else metadata.get(name) for name, kind in types.items()
    }
    record |= {"id": row.document.id, "text": row.document.text}
    if VECTOR_COLUMN in types:
        record[VECTOR_COLUMN] = row.vector
    return record


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        yield batch


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
