"""Writing texts with their vectors to a file: CSV with literal lists, JSONL, Parquet or .npy, chosen by the suffix."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imi.atomic import whole
from imi.errors import DataError, MissingExtra, UsageError

KINDS = (".csv", ".jsonl", ".parquet", ".npy")
VECTOR_COLUMN = "embedding"


def check_kind(path: Path) -> None:
    """Refuse a file whose suffix names no kind.

    Raises:
        UsageError: the suffix is not one of `KINDS`.
    """
    if path.suffix.lower() not in KINDS:
        raise UsageError(f"{path}: the suffix is {path.suffix!r}, allowed are {', '.join(KINDS)}")


def literal(vector: ArrayLike) -> str:
    """Return a vector as the literal list that `DataFrame.to_csv` writes: the shortest digits that give it back."""
    shortest = np.asarray(vector, np.float32).astype(str).astype(float)
    return "[" + ", ".join(map(repr, shortest.tolist())) + "]"


def write_vectors(path: Path, texts: Sequence[str], z: NDArray[np.float32]) -> None:
    """Write n texts and their vectors, (n, d), to a file; .npy holds the vectors alone.

    Raises:
        UsageError: the suffix is not one of `KINDS`.
        DataError: the file cannot be written.
        MissingExtra: a Parquet file without pyarrow.
    """
    check_kind(path)
    writers = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet, ".npy": _npy}
    try:
        with whole(path) as beside:
            writers[path.suffix.lower()](beside, texts, z)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from error


def _csv(path: Path, texts: Sequence[str], z: NDArray[np.float32]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", VECTOR_COLUMN])
        writer.writerows([text, literal(vector)] for text, vector in zip(texts, z, strict=True))


def _jsonl(path: Path, texts: Sequence[str], z: NDArray[np.float32]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for text, vector in zip(texts, z, strict=True):
            file.write(json.dumps({"text": text, VECTOR_COLUMN: vector.tolist()}, ensure_ascii=False) + "\n")


def _parquet(path: Path, texts: Sequence[str], z: NDArray[np.float32]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as missing:
        raise MissingExtra("pyarrow", "tables") from missing
    vectors = pyarrow.array(list(z), type=pyarrow.list_(pyarrow.float32()))
    pyarrow.parquet.write_table(pyarrow.table({"text": list(texts), VECTOR_COLUMN: vectors}), path)


def _npy(path: Path, texts: Sequence[str], z: NDArray[np.float32]) -> None:
    with path.open("wb") as file:
        np.save(file, z)
