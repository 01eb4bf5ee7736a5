"""What a task works on: an array of vectors, or a collection, read once into rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.records import FACTS
from imi.tasks.parts import in_parts
from imi.types import Floats
from imi.vectors import as_floats, normalize, truncate

_BLOCK = 8192
_ROUNDING = 1e-6
_MOST_READ = 20_000
_LONG = 100
"""Characters of a text on average from which reading it sentence by sentence pays."""


@dataclass(frozen=True)
class Rows:
    """Unit vectors (n, d) and what belongs to them, row by row; texts and metadata are None for a bare array.

    parts: whether the vectors are those of texts in parts (`imi.tasks.parts`).
    """

    z: Floats
    ids: Sequence[str]
    texts: Sequence[str] | None = None
    metadata: Sequence[Mapping[str, Any]] | None = None
    parts: bool = False

    def __len__(self) -> int:
        return len(self.z)

    def column(self, name: str) -> NDArray[Any]:
        """Return one metadata column as an object array (n,), None where a row lacks it.

        Raises:
            UsageError: there is no metadata, or no row has this column.
        """
        if self.metadata is None:
            raise UsageError(f"column {name!r} was asked of a bare array", hint="give the values themselves, one a row")
        values = np.empty(len(self), dtype=object)
        values[:] = [data.get(name) for data in self.metadata]
        if all(value is None for value in values):
            known = sorted({key for data in self.metadata for key in data} - {FACTS})
            raise UsageError(
                f"no row has a column {name!r}; the columns are: {', '.join(known) if known else 'none'}",
                hint="imi show COLLECTION ID prints one document with its columns",
            )
        return values

    def take(self, keep: NDArray[Any]) -> Rows:
        """Return the rows at `keep`, a mask or row numbers."""
        at = np.arange(len(self))[keep]
        return Rows(
            self.z[at],
            [self.ids[i] for i in at],
            None if self.texts is None else [self.texts[i] for i in at],
            None if self.metadata is None else [self.metadata[i] for i in at],
            self.parts,
        )


def is_collection(data: Any) -> bool:
    """Return whether data is a collection: it has vectors and documents of its own."""
    return callable(getattr(data, "vectors", None)) and callable(getattr(data, "documents", None))


def own_model(data: Any) -> Any:
    """Return the model of a collection where it is built in, and so costs nothing to ask; None elsewhere."""
    if is_collection(data) and str(getattr(data.info, "model", None) or "").startswith("built-in"):
        return data.model
    return None


def worth_reading(texts: Sequence[str], collection: Any) -> bool:
    """Return whether a collection's texts are long, few, and of a model that costs nothing to ask again."""
    own = str(getattr(collection.info, "model", None) or "").startswith("built-in")
    return own and 0 < len(texts) <= _MOST_READ and sum(map(len, texts)) / len(texts) >= _LONG


def read_rows(
    data: Any, dims: int | None = None, texts: Sequence[str] | None = None, *, sentences: bool | None = False
) -> Rows:
    """Return unit rows of an array, or of a collection with its ids, texts and metadata.

    Args:
        data: (n, d) numbers, or a collection.
        dims: leading dimensions to use, re-normalised; None for all.
        texts: n texts for an array.
        sentences: read a collection's texts also in parts, by its own model: rows of three times the width. None: where
            that pays, which is for up to 20,000 long texts with the built-in model.

    Raises:
        UsageError: parts of an array, no rows, one axis only, NaN, a zero row, dims outside the width, texts of
            another number.
    """
    if is_collection(data):
        documents = list(data.documents(with_vector=True))
        if not documents:
            raise UsageError("the collection has no row with a vector", hint="imi add COLLECTION FILE")
        ids = [document.id for document in documents]
        z = data.vectors()
        if len(z) != len(ids):  # somebody wrote in between: ask for these rows by name
            z = data.vectors(ids)
        texts = [document.text or "" for document in documents]
        unit = _unit(z, dims)
        parts = worth_reading(texts, data) if sentences is None else sentences
        if parts:
            unit = in_parts(texts, data.model, unit.shape[1], unit)
        return Rows(unit, ids, texts, [document.metadata for document in documents], parts)
    if sentences:
        raise UsageError(
            "sentences were asked of a bare array, which holds no texts",
            hint="imi.tasks.parts.in_parts(texts, model) makes the vectors to give instead",
        )
    z = _unit(data, dims)
    if texts is not None and len(texts) != len(z):
        raise UsageError(
            f"there are {len(texts)} texts for {len(z)} vectors", hint="give one text a row, '' where there is none"
        )
    return Rows(z, [str(row) for row in range(len(z))], texts)


def _unit(z: Any, dims: int | None) -> Floats:
    array = as_floats(z)
    if array.ndim != 2 or len(array) == 0:
        raise UsageError(f"vectors of shape {array.shape}: a table (n, d) with at least one row is needed")
    if dims is None and _of_length_one(array):
        return array
    first = normalize(array[:1]) if dims is None else truncate(array[:1], dims)
    unit = np.empty((len(array), first.shape[1]), np.float32)
    for at in range(0, len(array), _BLOCK):  # a few rows at a time: a table of vectors may be most of the memory
        some = array[at : at + _BLOCK]
        try:
            unit[at : at + _BLOCK] = normalize(some) if dims is None else truncate(some, dims)
        except UsageError:
            # Named by its place in the whole table.
            return normalize(array) if dims is None else truncate(array, dims)
    return unit


def _of_length_one(array: Floats) -> bool:
    """Return whether all rows are unit rows already, up to rounding."""
    lengths = (np.einsum("nd,nd->n", some, some) for some in np.array_split(array, 1 + len(array) // _BLOCK))
    with np.errstate(over="ignore"):
        return all(bool((np.abs(one - 1) <= _ROUNDING).all()) for one in lengths)


def check_varied(z: Floats, what: str) -> None:
    """Raise UsageError where all rows are the same vector: `what` cannot be answered for them."""
    if len(z) > 1 and float(np.ptp(z, axis=0).max()) < 1e-6:
        raise UsageError(
            f"all {len(z)} vectors are the same: {what} has nothing to tell apart",
            hint="imi doctor says how this may have happened",
        )


def check_count(k: int, n: int, name: str = "k", least: int = 1) -> int:
    """Return k, or raise UsageError where it is not a whole number from `least` to n."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not least <= k <= n:
        raise UsageError(
            f"{name} is {k!r}, allowed are whole numbers from {least} to {n}, the number of rows",
            hint=f"give {n} or fewer" if isinstance(k, int) and k > n >= least else f"give {least} or more",
        )
    return int(k)


def check_share(share: float, name: str) -> float:
    """Return share, or raise UsageError where it is not strictly between 0 and 1."""
    if not 0 < share < 1:
        raise UsageError(f"{name} is {share!r}, allowed are numbers above 0 and below 1")
    return float(share)
