"""The studies: which pictures, which sizes, which network and how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from experiments.matryoshka.glyphs import glyphs
from experiments.matryoshka.pictures import Part, Pictures, digits, read_pictures
from experiments.matryoshka.saved_results import Arrays, Shelf
from imi.errors import UsageError


@dataclass(frozen=True)
class Study:
    """One data set with everything that is trained on it.

    Attributes:
        name: of the data set and of its files.
        data: a folder, zip or npz; empty where the data is drawn or ships with a library.
        dims: the nesting; fixed: the sizes that are also trained alone; between: sizes that nothing was trained for.
        stages: channels of the residual network's stages; empty for the fully connected network.
        epochs, rate: of training. flip, shift: how pictures are varied.
        shortlist: the first shortlist of adaptive retrieval.
    """

    name: str
    data: str = ""
    dims: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512)
    fixed: tuple[int, ...] = (8, 16, 64, 512)
    between: tuple[int, ...] = (12, 24, 48, 96, 192, 384)
    stages: tuple[int, ...] = (16, 32, 64)
    epochs: int = 20
    rate: float = 0.2
    flip: bool = False
    shift: int = 1
    shortlist: int = 50

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the names of what is trained."""
        return ("mrl", "mrl-e", *(f"ff-{size}" for size in self.fixed), "slimmable")

    def with_dims(self, dims: Sequence[int]) -> Study:
        """Return the study with other sizes: trained alone are the first two, the middle one and the last."""
        sizes = tuple(sorted(set(dims)))
        if len(sizes) < 2 or sizes[0] < 1:
            raise UsageError(f"dims are {list(dims)}, at least two sizes above zero are needed", hint="8,16,32,64")
        fixed = tuple(sorted({sizes[0], sizes[1], sizes[len(sizes) // 2], sizes[-1]}))
        between = tuple((a + b) // 2 for a, b in pairwise(sizes) if b - a > 1)
        return replace(self, dims=sizes, fixed=fixed, between=between)

    def pictures(self, shelf: Shelf) -> Pictures:
        """Return the data, decoded once and kept on the shelf.

        Raises:
            UsageError: the data is not where the study says.
        """
        kept = shelf.arrays(f"{self.name}-pictures", (self.name, self.data), lambda: _pack(self._read()))
        return _unpack(self.name, kept)

    def _read(self) -> Pictures:
        if self.data:
            return read_pictures(Path(self.data))
        return digits() if self.name == "digits" else glyphs()


GLYPHS = Study("glyphs", epochs=18)
DIGITS = Study("digits", dims=(2, 4, 8, 16, 32, 64), fixed=(2, 4, 16, 64), between=(3, 6, 12, 24, 48), stages=(),
               epochs=30, shortlist=25)  # fmt: skip
PHOTOS = Study("photos", stages=(24, 48, 96), epochs=12, flip=True, shift=3)
CLOTHES = Study("clothes", epochs=14, flip=True, shift=3)
STUDIES = (GLYPHS, PHOTOS, CLOTHES, DIGITS)


def _pack(pictures: Pictures) -> Arrays:
    import numpy as np

    out: Arrays = {"classes": np.array(pictures.classes), "groups": np.array(pictures.groups, dtype=str)}
    for name in ("train", "held", "test", "novel"):
        part = getattr(pictures, name)
        if part is not None:
            out |= {f"{name}.x": part.x.astype(np.float16), f"{name}.y": part.y}
    return out


def _unpack(name: str, kept: Arrays) -> Pictures:
    import numpy as np

    parts = {
        part: Part(kept[f"{part}.x"].astype(np.float32), kept[f"{part}.y"])
        for part in ("train", "held", "test", "novel")
        if f"{part}.x" in kept
    }
    return Pictures(
        name,
        parts["train"],
        parts["held"],
        parts["test"],
        tuple(kept["classes"].tolist()),
        tuple(kept["groups"].tolist()),
        parts.get("novel"),
    )
