"""What rounding to eight bits costs: the trained model in float32 beside the folder that was written of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from imi.embedders.builtin import BuiltIn
from imi.embedders.pieces import Pieces
from imi.evaluate.scores import encode
from imi.evaluate.sets import load_set
from imi.records import Kind
from imi.train.prepared import Floats, split_all
from imi.train.student import DIMS, Student
from imi.vectors import normalize

SETS = ("stsb-en", "stsb-ja", "jsick", "jsts", "tatoeba", "docs", "jaquad", "squad", "cranfield")
_BATCH = 4096


class Unrounded:
    """The student as it was trained, as an embedder."""

    def __init__(self, student: Student, pieces: Pieces) -> None:
        self._student = student
        self._pieces = pieces

    def embed(self, texts: Sequence[str], kind: Kind = "document") -> Floats:
        """Return (n, 512) float32 unit rows."""
        parts = [self._some(list(texts[first : first + _BATCH])) for first in range(0, len(texts), _BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, DIMS[-1]), np.float32)

    def _some(self, texts: list[str]) -> Floats:
        ids, offsets = split_all(self._pieces, texts)
        with torch.no_grad():
            z: Floats = self._student.forward(ids, offsets[:-1])[0].numpy()
        return normalize(z)


def rounding_cost(student: Student, folder: Path, data: Path) -> dict[str, dict[int, float]]:
    """Return by set and dims how much the folder's value is above the student's; negative is a loss.

    Args:
        student: what was trained.
        folder: what `write_model` wrote of it.
        data: the folder of public data, whose development sets are measured.
    """
    shipped = BuiltIn(folder)
    trained = Unrounded(student, Pieces(folder / "pieces.model"))
    cost: dict[str, dict[int, float]] = {}
    for name in SETS:
        one = load_set(name, data)
        rounded = one.measure(encode(shipped, one.sides()), DIMS)
        whole = one.measure([trained.embed(texts, kind=kind) for texts, kind in one.sides()], DIMS)
        cost[name] = {dims: rounded[dims].value - whole[dims].value for dims in DIMS}
    return cost
