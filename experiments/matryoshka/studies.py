"""The studies: which pictures, which sizes, which network and how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from experiments.matryoshka.glyphs import glyphs
from experiments.matryoshka.pictures import Part, Pictures, digits, read_pictures
from experiments.matryoshka.requests import DOMAIN_OF, read_requests
from experiments.matryoshka.saved_results import Arrays, Shelf
from experiments.matryoshka.shifts import shift_pictures
from imi.errors import UsageError


@dataclass(frozen=True)
class Study:
    """One data set with everything that is trained on it.

    Attributes:
        name: of the data set and of its files.
        data: a folder, zip or npz; empty where the data is drawn or ships with a library.
        dims: the nesting; fixed: the sizes that are also trained alone; between: sizes that nothing was trained for.
        text: short texts instead of pictures, trained with AdamW.
        stages: channels of the residual network's stages; empty for the fully connected network, whose inner layers'
            widths are `hidden`.
        classes: how many of the classes are used, drawn at random; 0 for all.
        epochs, rate: of training. flip, shift: how pictures are varied.
        shortlist: the first shortlist of adaptive retrieval.
    """

    name: str
    data: str = ""
    dims: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512)
    fixed: tuple[int, ...] = (8, 16, 64, 512)
    between: tuple[int, ...] = (12, 24, 48, 96, 192, 384)
    text: bool = False
    stages: tuple[int, ...] = (16, 32, 64)
    hidden: tuple[int, ...] = (128,)
    classes: int = 0
    epochs: int = 20
    rate: float = 0.2
    flip: bool = False
    shift: int = 1
    shortlist: int = 50

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the names of what is trained."""
        slim = () if self.text else ("slimmable",)  # of a bag of tokens there is little to make narrow
        return ("mrl", "mrl-e", *(f"ff-{size}" for size in self.fixed), *slim)

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
        settings = (self.name, self.data, self.classes)
        found = _unpack(self.name, shelf.arrays(f"{self.name}-pictures", settings, lambda: _pack(self._read())))
        if self.text:
            return found
        shifted = {name: Part(x, found.test.y) for name, x in shift_pictures(found.test.x).items()}
        return replace(found, shifted=shifted)

    def _read(self) -> Pictures:
        if self.text:
            some = np.random.default_rng(0).permutation(sorted(DOMAIN_OF))[: self.classes].tolist()
            return read_requests(Path(self.data), intents=some if self.classes else None)
        if self.data:
            return read_pictures(Path(self.data))
        return digits() if self.name == "digits" else glyphs()


INTENTS = Study("intents", text=True, fixed=(8, 16, 32, 64, 512), stages=(), hidden=(256,), epochs=10,
                rate=3e-3, shift=0)  # fmt: skip
GLYPHS = Study("glyphs", epochs=18)
DIGITS = Study("digits", dims=(2, 4, 8, 16, 32, 64), fixed=(2, 4, 16, 64), between=(3, 6, 12, 24, 48), stages=(),
               epochs=30, shortlist=25)  # fmt: skip
PHOTOS = Study("photos", stages=(24, 48, 96), epochs=12, flip=True, shift=3)
CLOTHES = Study("clothes", epochs=14, flip=True, shift=3)
STUDIES = (INTENTS, GLYPHS, PHOTOS, CLOTHES, DIGITS)


def _pack(pictures: Pictures) -> Arrays:
    out: Arrays = {
        "classes": np.array(pictures.classes),
        "groups": np.array(pictures.groups, dtype=str),
        "texts": np.array(pictures.texts, dtype=str),
    }
    for name, part in pictures.parts().items():
        # Numbers of table rows are whole and may exceed what half precision can tell apart.
        kept = part.x.astype(np.int16) if pictures.texts else part.x.astype(np.float16)
        out |= {f"{name}.x": kept, f"{name}.y": part.y}
    return out


def _unpack(name: str, kept: Arrays) -> Pictures:
    parts = {
        key.removesuffix(".x"): Part(rows.astype(np.float32), kept[f"{key.removesuffix('.x')}.y"])
        for key, rows in kept.items()
        if key.endswith(".x")
    }
    return Pictures(
        name,
        parts["train"],
        parts["held"],
        parts["test"],
        tuple(kept["classes"].tolist()),
        tuple(kept["groups"].tolist()),
        parts.get("novel"),
        {key.removeprefix("shift."): part for key, part in parts.items() if key.startswith("shift.")},
        parts.get("outside"),
        tuple(kept["texts"].tolist()),
    )
