"""`pixels`: a picture as a vector without any weights, so that what likeness means can be seen number by number.

Three ways to read a picture:

    pixels         likeness: a thumbnail, a colour histogram and a histogram of gradients, 576 dimensions
    pixels:bits    64 × 64 dots of black (1) and white (0), 4,096 dimensions: 8 bytes a row, 64 rows
    pixels:planes  a red, a green and a blue plane of 32 × 32 dots, 3,072 dimensions

Scores are cosines. That of likeness is the weighted mean of three cosines, each of them over one of its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from imi import vectors
from imi.errors import UsageError
from imi.pictures import Picture, Source, open_all_or_none
from imi.progress import Progress
from imi.records import Kind, ModelInfo
from imi.types import Floats

BITS = 64
PLANES = 32
_THUMBNAIL = 8
_CELLS = 4
_BINS = 8
_COLOURS = 4
SHARES = {"thumbnail": 0.2, "colour": 0.1, "gradient": 0.7}
"""What each part counts, chosen on photos that no figure is measured on; gradients alone find the same kind best."""
_BATCH = 64


def bits(picture: Picture) -> NDArray[np.bool_]:
    """Return the picture as (64, 64) dots, True for black: those darker than the mean."""
    grey = _grey(picture.square(BITS))
    return np.asarray(grey < grey.mean())


def planes(picture: Picture) -> NDArray[np.uint8]:
    """Return the red, green and blue planes of the picture, (3, 32, 32)."""
    return np.ascontiguousarray(picture.square(PLANES).transpose(2, 0, 1))


def likeness(picture: Picture) -> Floats:
    """Return the three parts of a picture that make two look alike, each of unit length times its share: (576,)."""
    square = picture.square(64)
    parts = {
        "thumbnail": _thumbnail(square.astype(np.float32) / np.float32(255)),
        "colour": _histogram(square),
        "gradient": _gradients(_grey(square)),
    }
    # The square root of the share, since a cosine multiplies two of them.
    return np.concatenate([np.sqrt(SHARES[name]) * _unit(part) for name, part in parts.items()]).astype(np.float32)


def _thumbnail(colours: Floats) -> Floats:
    cell = 64 // _THUMBNAIL
    small = colours.reshape(_THUMBNAIL, cell, _THUMBNAIL, cell, 3).mean(axis=(1, 3))
    return np.asarray((small - small.mean(axis=(0, 1))).ravel(), dtype=np.float32)


def _histogram(square: NDArray[np.uint8]) -> Floats:
    """Return how many dots have each of 64 colours, in the middle and around it; its root, as histograms want."""
    codes = (square // (256 // _COLOURS)).astype(np.int64) @ np.array([_COLOURS**2, _COLOURS, 1])
    middle = np.zeros((64, 64), bool)
    middle[16:48, 16:48] = True
    both = [np.bincount(codes[where], minlength=_COLOURS**3) for where in (middle, ~middle)]
    return np.asarray(np.sqrt(np.concatenate([part / part.sum() for part in both])), dtype=np.float32)


def _gradients(grey: Floats) -> Floats:
    """Return in which directions lightness changes in each of 4 × 4 cells, and in the whole, at two finenesses."""
    parts = []
    for step in (1, 4):
        fine = grey if step == 1 else grey.reshape(64 // step, step, 64 // step, step).mean(axis=(1, 3))
        down, right = np.gradient(fine)
        strength = np.hypot(down, right)
        turn = np.arctan2(down, right) % np.pi / np.pi * _BINS
        bins = np.rint(turn).astype(np.int64) % _BINS
        side = len(fine) // _CELLS
        cells = (np.arange(len(fine)) // side)[:, None] * _CELLS + np.arange(len(fine)) // side
        sums = np.bincount((cells * _BINS + bins).ravel(), strength.ravel(), _CELLS * _CELLS * _BINS)
        parts.append(np.sqrt(sums / max(float(sums.sum()), 1e-9)))
    return np.concatenate(parts).astype(np.float32)


def _grey(square: NDArray[np.uint8]) -> Floats:
    return np.asarray(square.astype(np.float32) @ np.array([0.299, 0.587, 0.114]) / 255, dtype=np.float32)


def _unit(part: Floats) -> Floats:
    length = float(np.linalg.norm(part))
    # A picture of one colour has no thumbnail and no gradients to speak of: every direction is as good.
    return part / length if length > 1e-6 else np.full_like(part, len(part) ** -0.5)


def _of_bits(picture: Picture) -> Floats:
    return np.where(bits(picture).ravel(), 1, -1).astype(np.float32)


def _of_planes(picture: Picture) -> Floats:
    # Without a shift two photos are near each other merely by both being light.
    return planes(picture).ravel().astype(np.float32) - 127.5


MODES: Mapping[str, Callable[[Picture], Floats]] = {"likeness": likeness, "bits": _of_bits, "planes": _of_planes}


class Pixels:
    """The embedder; it reads pictures only."""

    def __init__(self, mode: str = "likeness") -> None:
        """Choose how pictures are read.

        Raises:
            UsageError: there is no such mode.
        """
        if mode not in MODES:
            raise UsageError(f"pixels has no mode {mode!r}, there are: {', '.join(MODES)}", hint="pixels:bits")
        self._read = MODES[mode]
        width = len(self._read(Picture(np.zeros((1, 1, 3), np.uint8))))
        self.info = ModelInfo(
            id="pixels" if mode == "likeness" else f"pixels:{mode}",
            width=width,
            dims=(width,),
            weights=f"{mode}-1",
            pooling="none",
            licence="Apache-2.0",
            source="imi.embedders.pixels",
        )

    @property
    def picture_fingerprint(self) -> str:
        """Who made these vectors."""
        return self.info.fingerprint

    def embed_images(
        self, pictures: Sequence[Source], dims: int | None = None, *, progress: Progress | None = None
    ) -> Floats:
        """Embed pictures as (n, dims) float32 unit rows; see `PictureEmbedder`."""
        out = np.empty((len(pictures), self.info.width), np.float32)
        for first in range(0, len(pictures), _BATCH):
            for at, picture in enumerate(open_all_or_none(pictures[first : first + _BATCH]), first):
                out[at] = self._read(picture)
            if progress is not None:
                progress(min(first + _BATCH, len(pictures)), len(pictures))
        return vectors.truncate(out, self.info.width if dims is None else dims)

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = "document",
        dims: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Floats:
        """Refuse texts.

        Raises:
            UsageError: there are any.
        """
        if len(texts):
            raise UsageError(
                f"{self.info.id} reads pictures, no words: {texts[0]!r}",
                hint="ask with a picture, by --mode text, or keep the pictures with the built-in model or clip:NAME",
            )
        return np.empty((0, self.info.width if dims is None else dims), np.float32)

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return 0 for each text, (n,) int64: none of it is read."""
        return np.zeros(len(texts), np.int64)
