"""Labelled pictures for the experiments: from a zip, a folder or an npz file, or those that scikit-learn ships."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import DataError, Failure, MissingExtra, UsageError
from imi.types import Floats

Labels = NDArray[np.int64]
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")

# What is alike by nature, so that "a coarse prefix confuses relatives" can be measured.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "animals": ("bird", "cat", "deer", "dog", "frog", "horse"),
    "vehicles": ("airplane", "automobile", "ship", "truck"),
    "tops": ("longsleeve", "outwear", "shirt", "t-shirt", "dress"),
    "bottoms": ("pants", "shorts", "skirt"),
    "other wear": ("hat", "shoes"),
}


@dataclass(frozen=True)
class Part:
    """Pictures (n, channels, height, width) or texts (n, longest) float32, and their labels (n,)."""

    x: Floats
    y: Labels

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Pictures:
    """A data set in three parts that share no picture: for training, for choosing thresholds, for the figures.

    classes: name of each label. groups: name of each label's superclass, empty where none is known. novel: pictures of
    classes that training never sees, labelled from 0. shifted: the test part changed in several ways, by name.
    outside: rows that belong to no class at all. texts: what the test part says, where it is text.
    """

    name: str
    train: Part
    held: Part
    test: Part
    classes: tuple[str, ...]
    groups: tuple[str, ...] = ()
    novel: Part | None = None
    shifted: Mapping[str, Part] = field(default_factory=dict)
    outside: Part | None = None
    texts: tuple[str, ...] = ()

    def parts(self) -> dict[str, Part]:
        """Return all parts that there are, by name; shifted ones as `shift.NAME`."""
        named = {"train": self.train, "held": self.held, "test": self.test, "novel": self.novel}
        named |= {"outside": self.outside, **{f"shift.{name}": part for name, part in self.shifted.items()}}
        return {name: part for name, part in named.items() if part is not None}

    def __post_init__(self) -> None:
        if len(np.unique(self.train.y)) != len(self.classes):
            raise DataError(
                f"{self.name}: training knows {len(np.unique(self.train.y))} of {len(self.classes)} classes"
            )


def read_pictures(source: Path, *, size: int = 32, seed: int = 0) -> Pictures:
    """Read labelled pictures and split them 70 / 10 / 20, class by class.

    Args:
        source: a zip or folder in which a picture's folder names its class, or an npz with `x` (n, height, width[, 3])
            and `y` (n,).
        size: pixels a side; others are scaled.
        seed: of the split.

    Raises:
        UsageError: there is no such file, or it is none of these.
        DataError: a picture cannot be read, or a class has fewer than ten.
    """
    if source.is_dir():
        x, names = _decode(_of_folder(source), size)
    elif source.suffix == ".zip" and source.is_file():
        x, names = _decode(_of_zip(source), size)
    elif source.suffix == ".npz" and source.is_file():
        x, names = _of_npz(source)
    else:
        raise UsageError(
            f"{source} is not a folder, zip or npz of pictures",
            hint="python -m experiments.matryoshka digits needs no data",
        )
    return split(source.stem, x, names, seed=seed)


def digits(seed: int = 0) -> Pictures:
    """Return the 1,797 handwritten digits of 8 × 8 pixels that scikit-learn ships."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as missing:
        raise MissingExtra("scikit-learn", "train") from missing
    data = load_digits()
    return split(
        "digits", (data.images * (255 / 16)).astype(np.uint8), [str(label) for label in data.target], seed=seed
    )


def split(name: str, x: NDArray[np.uint8], names: list[str], *, seed: int = 0) -> Pictures:
    """Split pictures (n, height, width[, 3]) into train, held and test, 70 / 10 / 20 of each class, and scale them.

    Raises:
        DataError: a class has fewer than ten pictures.
    """
    classes, y = np.unique(names, return_inverse=True)
    random = np.random.default_rng(seed)
    parts: tuple[list[Any], ...] = ([], [], [])
    for label in range(len(classes)):
        rows = random.permutation(np.flatnonzero(y == label))
        if len(rows) < 10:
            raise DataError(f"{name}: class {classes[label]!r} has {len(rows)} pictures, at least 10 are needed")
        cuts = round(0.7 * len(rows)), round(0.8 * len(rows))
        for part, some in zip(parts, np.split(rows, cuts), strict=True):
            part.append(some)
    train, held, test = (np.sort(np.concatenate(part)) for part in parts)
    scale = Scale.of(x[train])
    groups = tuple(next((group for group, all_ in GROUPS.items() if name_ in all_), "") for name_ in classes.tolist())
    first, second, third = (Part(scale(x[rows]), y[rows].astype(np.int64)) for rows in (train, held, test))
    return Pictures(name, first, second, third, tuple(classes.tolist()), groups if all(groups) else ())


@dataclass(frozen=True)
class Scale:
    """Brings bytes to mean 0 and spread 1, by the training pictures' channels."""

    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, x: NDArray[np.uint8]) -> Scale:
        """Measure pictures (n, height, width[, channels])."""
        channels = x.reshape(*x.shape[:3], -1).astype(np.float32)
        spread = channels.std(axis=(0, 1, 2))
        return cls(channels.mean(axis=(0, 1, 2)), np.where(spread > 0, spread, 1).astype(np.float32))

    def __call__(self, x: NDArray[np.uint8]) -> Floats:
        """Return (n, channels, height, width) float32."""
        channels = x.reshape(*x.shape[:3], -1).astype(np.float32)
        return np.ascontiguousarray(((channels - self.mean) / self.spread).transpose(0, 3, 1, 2), dtype=np.float32)


def _of_folder(folder: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
        yield path.relative_to(folder).as_posix(), path.read_bytes


def _of_zip(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for name in sorted(name for name in archive.namelist() if Path(name).suffix.lower() in SUFFIXES):
            yield name, lambda name=name: archive.read(name)  # type: ignore[misc]


def _of_npz(path: Path) -> tuple[NDArray[np.uint8], list[str]]:
    with np.load(path) as arrays:
        if not {"x", "y"} <= set(arrays.files):
            raise DataError(f"{path} holds {', '.join(arrays.files)}, needed are x and y")
        x, y = arrays["x"], arrays["y"]
    if x.dtype != np.uint8 or x.ndim not in (3, 4) or len(x) != len(y):
        raise DataError(f"x is {x.dtype} {x.shape} beside {len(y)} labels, needed is uint8 (n, height, width[, 3])")
    return x, [str(label) for label in y.tolist()]


def _decode(files: Iterator[tuple[str, Callable[[], bytes]]], size: int) -> tuple[NDArray[np.uint8], list[str]]:
    try:
        from PIL import Image
    except ImportError as missing:
        raise MissingExtra("pillow", "pictures") from missing
    pictures, names, failures = [], [], []
    for name, read in files:
        try:
            with Image.open(io.BytesIO(read())) as picture:
                whole = picture.convert("RGB")
                scaled = whole if whole.size == (size, size) else whole.resize((size, size), Image.Resampling.BOX)
                pictures.append(np.asarray(scaled))
        except OSError as wrong:
            failures.append(Failure(name, None, str(wrong)))
            continue
        names.append(Path(name).parent.name)
    if failures or not pictures:
        raise DataError(f"{len(failures)} pictures cannot be read, {len(pictures)} can", failures=failures)
    return np.stack(pictures), names
