"""A folder of Qdrant's local mode, read without running what is in it: its points are pickles.

Only the opcodes of plain values are of use there, and the few classes that Qdrant's client keeps are replaced by one of
imi's own. Anything else that a pickle names is refused before it is looked up, so that nothing of it is imported.
"""

from __future__ import annotations

import io
import json
import pickle
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import DataError
from imi.foreign_sqlite import opened

_LARGEST = 1 << 26
"""Bytes of one point."""
_KNOWN = ("PointStruct", "SparseVector", "Document", "Image", "InferenceObject")


class _Point:
    """What stands for every class of Qdrant's client: its fields, and no behaviour."""

    fields: dict[str, Any]

    def __setstate__(self, state: Any) -> None:
        inner = state.get("__dict__", state) if isinstance(state, dict) else {}
        self.fields = dict(inner) if isinstance(inner, dict) else {}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("qdrant_client.") and name in _KNOWN:
            return _Point
        if (module, name) == ("uuid", "UUID"):
            return _Uuid
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is not among what Qdrant keeps")


class _Uuid:
    """A UUID as it is pickled: a number, or text."""

    value: uuid.UUID | None = None

    def __setstate__(self, state: Any) -> None:
        number = state.get("int") if isinstance(state, dict) else None
        self.value = uuid.UUID(int=number) if isinstance(number, int) and 0 <= number < 1 << 128 else None

    def __str__(self) -> str:
        return str(self.value)


def names_of(folder: Path) -> list[str]:
    """Return the collections in a folder."""
    return sorted(str(one.parent.name) for one in (folder / "collection").glob("*/storage.sqlite"))


def points_of(folder: Path, name: str) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield the points of a collection in the order in which they were written: id, payload, vector as it was kept.

    Raises:
        DataError: a point is not what Qdrant keeps.
    """
    path = folder / "collection" / name / "storage.sqlite"
    cosine = _is_cosine(folder, name)
    with opened(path) as file:
        newest = {key: row for row, key in file.rows("SELECT rowid, id FROM points ORDER BY rowid")}
        for row, key, blob in file.rows("SELECT rowid, id, point FROM points ORDER BY rowid"):
            if newest.get(key) != row:
                continue
            fields = _point(path, blob)
            yield _id(fields.get("id")), dict(fields.get("payload") or {}), _vector(fields.get("vector"), cosine)


def _point(path: Path, blob: Any) -> dict[str, Any]:
    if not isinstance(blob, bytes) or len(blob) > _LARGEST:
        raise DataError(f"{path} holds a point that is not bytes, or more than {_LARGEST >> 20} MB of them")
    try:
        point = _Unpickler(io.BytesIO(blob)).load()
    except Exception as wrong:  # an altered pickle fails in any way there is
        raise DataError(f"{path} holds a point that Qdrant's client did not write: {wrong}") from wrong
    if not isinstance(point, _Point) or not isinstance(getattr(point, "fields", None), dict):
        raise DataError(f"{path} holds a point that Qdrant's client did not write: it is {type(point).__name__}")
    return point.fields


def _id(value: Any) -> str:
    if isinstance(value, int | str | _Uuid) and str(value):
        return str(value)
    raise DataError(f"the id of a point is {type(value).__name__}, allowed are numbers, texts and UUIDs")


def _vector(value: Any, cosine: bool) -> Any:
    """Return a vector as the client shows it: of unit length where points are compared by their cosine."""
    if isinstance(value, dict):
        return {str(name): _vector(one, cosine) for name, one in value.items()}
    if not isinstance(value, list) or not all(isinstance(one, int | float) for one in value):
        return None
    z: NDArray[np.float32] = np.asarray(value, np.float32)
    length = float(np.linalg.norm(z))
    return z / length if cosine and np.isfinite(length) and length > 0 else z


def _is_cosine(folder: Path, name: str) -> bool:
    try:
        plain = json.loads((folder / "meta.json").read_text("utf-8"))["collections"][name]["vectors"]
        return isinstance(plain, dict) and "Cosine" in json.dumps(plain)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
