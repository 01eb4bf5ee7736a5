"""The built-in picture tower: a small residual network, in numpy, from a picture to the built-in text model's space.

    48 × 48 pixels → 3 × 3 layer → four blocks of two 3 × 3 layers, the input added back → 1 × 1 layer → mean over
    places → one linear layer → unit vector

int8 weights with one step a channel. The recipe that made them is `recipes.pictures.train`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi import vectors
from imi.errors import DataError
from imi.pictures import Pixels, Source, open_all_or_none
from imi.progress import Progress
from imi.types import Floats

FORMAT = 1
WEIGHTS = "tower.npz"
ABOUT = "tower.json"
_BATCH = 32
"""Pictures at once: what is unfolded of them stays within the processor's cache by about a factor of ten."""


class PictureTower:
    """A tower as `recipes.pictures.train` writes it: tower.npz and tower.json."""

    def __init__(self, folder: Path) -> None:
        """Read a tower.

        Raises:
            DataError: the folder holds none, or one of another format.
        """
        try:
            self.about: Mapping[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            with np.load(folder / WEIGHTS) as arrays:
                layers = {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError) as broken:
            raise DataError(
                f"{folder} is not a picture tower: {broken}",
                hint="python -m recipes.pictures.train --out FOLDER makes one",
            ) from broken
        if self.about.get("format") != FORMAT:
            raise DataError(f"{folder} has format {self.about.get('format')!r}, this imi reads {FORMAT}")
        self._weights = {
            name: _unpacked(layers[f"{name}.codes"], layers[f"{name}.steps"], layers[f"{name}.bias"])
            for name in (key.removesuffix(".codes") for key in layers if key.endswith(".codes"))
        }
        self._blocks = sum(name.endswith(".first") for name in self._weights)
        self.size = int(self.about["size"])

    @property
    def text(self) -> str:
        """The hash of the weights of the text model in whose space the vectors lie."""
        return str(self.about["text"])

    @property
    def fingerprint(self) -> str:
        """The hash of these weights."""
        return str(self.about["weights"])

    def embed(self, pictures: Sequence[Source], *, progress: Progress | None = None) -> Floats:
        """Return (n, 512) float32 unit rows.

        Raises:
            DataError: a picture cannot be read.
        """
        squares = [np.empty((0, self.size, self.size, 3), np.uint8)]
        parts = [np.empty((0, len(self._weights["head"][1])), np.float32)]
        for first in range(0, len(pictures), _BATCH):
            read = open_all_or_none(pictures[first : first + _BATCH])
            squares[:] = [np.stack([one.square(self.size) for one in read])]
            parts.append(self.forward(squares[0]))
            if progress is not None:
                progress(first + len(read), len(pictures))
        return vectors.normalize(np.concatenate(parts))

    def forward(self, pixels: Pixels) -> Floats:
        """Return the vectors before normalisation, (n, 512), of pictures (n, size, size, 3) uint8."""
        x = scaled(pixels)
        x = _relu(self._apply("stem", x, stride=2))
        for at in range(self._blocks):
            stride = 1 if at == 0 else 2
            inner = self._apply(f"{at}.second", _relu(self._apply(f"{at}.first", x, stride=stride)))
            around = self._apply(f"{at}.skip", x, stride=stride) if f"{at}.skip" in self._weights else x
            x = _relu(inner + around)
        x = _relu(self._apply("widen", x)).mean(axis=(1, 2))
        weight, bias = self._weights["head"]
        return np.asarray(x @ weight + bias, dtype=np.float32)

    def _apply(self, name: str, x: Floats, stride: int = 1) -> Floats:
        weight, bias = self._weights[name]
        return convolve(x, weight, bias, stride)


def scaled(pixels: Pixels) -> Floats:
    """Return bytes as numbers around 0, as training saw them."""
    return np.asarray((pixels.astype(np.float32) - 127.5) / 64, dtype=np.float32)


def convolve(x: Floats, weight: Floats, bias: Floats, stride: int) -> Floats:
    """Return the convolution of x (n, h, w, c) with weight (k·k·c, out), k odd, zeros around: (n, h', w', out)."""
    n, height, width, channels = x.shape
    k = round((len(weight) / channels) ** 0.5)
    edge = k // 2
    if edge:
        x = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    out_height, out_width = (height - 1) // stride + 1, (width - 1) // stride + 1
    rows, columns = (out_height - 1) * stride + 1, (out_width - 1) * stride + 1
    # Unfolded, so that one product of matrices does all the work: (n, h', w', k·k·c).
    shifted = [x[:, i : i + rows : stride, j : j + columns : stride] for i in range(k) for j in range(k)]
    unfolded = shifted[0] if k == 1 else np.concatenate(shifted, axis=-1)
    out = unfolded.reshape(-1, len(weight)) @ weight
    out += bias
    return np.asarray(out.reshape(n, out_height, out_width, -1))


def _relu(x: Floats) -> Floats:
    return np.maximum(x, 0, out=x)


def _unpacked(codes: NDArray[np.int8], steps: Floats, bias: Floats) -> tuple[Floats, Floats]:
    return codes.astype(np.float32) * steps.astype(np.float32), bias.astype(np.float32)
