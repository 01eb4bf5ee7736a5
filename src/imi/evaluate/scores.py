"""What a measurement gives back, and how texts become vectors in it: encoded once, cut for every dims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.embedders.base import Embedder
from imi.errors import UsageError
from imi.progress import Progress
from imi.records import Kind
from imi.types import Floats
from imi.vectors import as_floats, truncate

Dims = int | Sequence[int] | None


@dataclass(frozen=True)
class Score:
    """One figure: the metric's name, its value, its 95 % bootstrap interval.

    Attributes:
        also: further figures of the same run, by name.
        items: the metric row by row where it is a mean (so that two runs can be compared in pairs), else each row's
            prediction, as `sts` has cosines.
    """

    metric: str
    value: float
    interval: tuple[float, float]
    also: Mapping[str, float] = field(default_factory=dict)
    items: NDArray[np.float64] = field(default_factory=lambda: np.empty(0), repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what `imi evaluate --json` prints for one set and one dims; `also` only where there is more."""
        plain: dict[str, Any] = {"metric": self.metric, "value": self.value, "interval": list(self.interval)}
        return plain | ({"also": dict(self.also)} if self.also else {})


ByDims = dict[int, Score]


def widths(dims: Dims, width: int) -> tuple[int, ...]:
    """Return the dims to measure, largest first; None is the full width alone.

    Raises:
        UsageError: a dims is not between 1 and the width.
    """
    asked = (width,) if dims is None else (dims,) if isinstance(dims, int) else tuple(dims)
    for one in asked:
        if not 1 <= one <= width:
            raise UsageError(f"dims is {one}, the vectors have {width} dimensions", hint=f"choose from 1 to {width}")
    return tuple(sorted(set(asked), reverse=True))


def encode(
    model: Embedder | Sequence[Floats], sides: Iterable[tuple[Sequence[str], Kind]], progress: Progress | None = None
) -> list[Floats]:
    """Return one matrix a side at full width, encoded by the model, or the matrices given in its place.

    Args:
        model: an embedder, or one (n, d) array a side.
        sides: texts and their kind; with arrays the texts only tell how many rows there must be, empty for any.
        progress: called as progress(done, total) side by side.

    Raises:
        UsageError: the arrays do not fit the sides or each other.
    """
    sides = list(sides)
    if hasattr(model, "embed"):
        total, done, out = sum(len(texts) for texts, _ in sides), 0, []
        for texts, kind in sides:
            out.append(model.embed(texts, kind=kind))
            done += len(texts)
            if progress is not None:
                progress(done, total)
        return out
    given = [as_floats(z) for z in model]
    if len(given) != len(sides) or len({z.shape[-1] for z in given}) != 1:
        raise UsageError(f"vectors have shapes {[z.shape for z in given]}, {len(sides)} arrays of one width are needed")
    for z, (texts, _) in zip(given, sides, strict=True):
        if z.ndim != 2 or (len(texts) and len(z) != len(texts)):
            raise UsageError(f"vectors have shape {z.shape} for {len(texts)} texts", hint="give one row a text")
    return given


def at_dims(matrices: Sequence[Floats], dims: Dims) -> Iterable[tuple[int, list[Floats]]]:
    """Yield each dims asked for with all matrices cut to it, as unit rows."""
    for size in widths(dims, matrices[0].shape[1]):
        yield size, [truncate(z, size) for z in matrices]
