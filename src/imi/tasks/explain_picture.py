"""What a picture is to a machine: dots, bits, planes and a vector, and why one changed dot ends an exact match.

The slides of the seminar: 64 × 64 dots of black and white are 64 rows of 8 bytes; a picture in colour is three planes.
Two pictures that differ in one dot are not the same, and are as alike as can be.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.embedders.base import PictureEmbedder
from imi.embedders.pixels import MODES, Pixels, bits
from imi.pictures import Picture, open_picture

PLANES = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class Plane:
    """One colour of a picture: its first numbers, 0 to 255, and their mean."""

    name: str
    first: tuple[int, ...]
    mean: float


@dataclass(frozen=True, slots=True)
class OneDot:
    """The same picture with one dot changed: what an exact match says of the two, and what likeness says.

    at: column and row of the dot. same: how many of all numbers are as they were. likeness: cosines by model.
    """

    at: tuple[int, int]
    before: tuple[int, int, int]
    after: tuple[int, int, int]
    same: int
    exact_match: bool
    digests: tuple[str, str]
    likeness: dict[str, float]


@dataclass(frozen=True, slots=True)
class Other:
    """What a picture has in common with another one, or with a text: `exact_match` is None for a text."""

    name: str
    exact_match: bool | None
    likeness: dict[str, float]


@dataclass(frozen=True, slots=True)
class PictureReading:
    """A picture as numbers; `bits` are 64 rows of 8 bytes as hexadecimal, a bit of 1 is black.

    guesses: what it may show, by language ("en", "ja"), the likeliest first; empty where the model does not say, or
    finds nothing likely.
    """

    picture: str
    format: str
    width: int
    height: int
    shown: tuple[int, int]
    bits: tuple[str, ...]
    planes: tuple[Plane, ...]
    one_dot: OneDot
    model: str
    vector: tuple[float, ...]
    guesses: dict[str, tuple[str, ...]]
    other: Other | None = None

    @property
    def numbers(self) -> int:
        """How many numbers the whole picture is: one a dot and plane."""
        return self.width * self.height * len(PLANES)

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return asdict(self) | {"numbers": self.numbers}


def explain_picture(
    model: PictureEmbedder, file: str | os.PathLike[str], other: str | None = None, *, first: int = 8
) -> PictureReading:
    """Explain a picture, alone or beside another picture or a text.

    Args:
        model: what embeds it; the modes of `pixels` are compared beside it.
        file: the picture.
        other: another picture's file, or a text.
        first: how many numbers of each plane to show.

    Raises:
        DataError: a picture cannot be read.
    """
    picture = open_picture(file)
    height, width = picture.pixels.shape[:2]
    planes = tuple(
        Plane(name, tuple(int(dot) for dot in plane.ravel()[:first]), float(plane.mean()))
        for name, plane in zip(PLANES, picture.pixels.transpose(2, 0, 1), strict=True)
    )
    return PictureReading(
        picture=os.fspath(file),
        format=picture.format,
        width=picture.width,
        height=picture.height,
        shown=(width, height),
        bits=tuple(row.tobytes().hex(" ") for row in np.packbits(bits(picture), axis=1)),
        planes=planes,
        one_dot=one_dot(model, picture),
        model=model.info.id,
        vector=tuple(model.embed_images([picture])[0].tolist()),
        guesses=_guesses(model, picture),
        other=None if other is None else _other(model, picture, other),
    )


def _guesses(model: PictureEmbedder, picture: Picture) -> dict[str, tuple[str, ...]]:
    tower = getattr(model, "tower", None)
    if tower is None:
        return {"en": (), "ja": ()}
    return {language: tower.guesses([picture], language)[0] for language in ("en", "ja")}


def one_dot(model: PictureEmbedder, picture: Picture) -> OneDot:
    """Change the dot in the middle to the opposite colour and compare, as it is shown: exactly, and by likeness."""
    row, column = picture.pixels.shape[0] // 2, picture.pixels.shape[1] // 2
    changed = picture.pixels.copy()
    before: NDArray[np.uint8] = picture.pixels[row, column]
    # The half of the range further on is always another number; the opposite of grey would be grey.
    changed[row, column] = before + np.uint8(128)
    after = Picture(changed)
    return OneDot(
        at=(column, row),
        before=_colour(before),
        after=_colour(changed[row, column]),
        same=int((picture.pixels == changed).sum()),
        exact_match=bool(np.array_equal(picture.pixels, changed)),
        digests=(picture.digest, after.digest),
        likeness=_likeness(model, picture, after),
    )


def _other(model: PictureEmbedder, picture: Picture, other: str) -> Other:
    if Path(other).is_file():
        second = open_picture(other)
        return Other(other, picture.digest == second.digest, _likeness(model, picture, second))
    cosine = model.embed_images([picture])[0] @ model.embed([other], kind="query")[0]
    return Other(other, None, {model.info.id: float(cosine)})


def _likeness(model: PictureEmbedder, a: Picture, b: Picture) -> dict[str, float]:
    models: Sequence[PictureEmbedder] = [*map(Pixels, MODES), model]
    cosines = {}
    for one in models:
        z = one.embed_images([a, b])
        cosines[one.info.id] = float(min(1.0, z[0] @ z[1]))
    return cosines


def _colour(dot: NDArray[np.uint8]) -> tuple[int, int, int]:
    red, green, blue = dot.tolist()
    return red, green, blue
