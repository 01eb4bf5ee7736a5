"""Pictures as numbers: a file, bytes or an image becomes a small upright RGB array, or an error that says why not.

Only the first frame of an animation is read, EXIF's rotation is applied, palettes, CMYK, grey and transparency (on
white) become RGB, and what would unpack to more than `LARGEST` pixels is refused before it is unpacked.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imi.errors import DataError, MissingExtra
from imi.exif import DETAILS, GPS, NOTHING, ROTATION, Shot, read_shot
from imi.hashing import blake2b

Pixels = NDArray[np.uint8]
Source: TypeAlias = Any
"""A path, the bytes of a file, an image of Pillow, an array (height, width[, 3]) uint8, or a `Picture`."""

_PLAIN = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
"""What Pillow may take a file for, whatever it is called: others start programs, or are parsers that few have tried."""
_PHONES = {".avif": "AVIF", ".heic": "HEIF", ".heif": "HEIF"}
"""Read where there is a decoder: Pillow 11.3 has one of AVIF, the package pillow-heif one of HEIC."""
SUFFIXES = (*_PLAIN, *_PHONES)
LARGEST = 100_000_000
"""Pixels that are unpacked at most; a JPEG is unpacked smaller where it can be, and counts as that."""
VIEW = 336
"""Longest side that is kept of a picture: the short side of a 3:2 photo is then the 224 that CLIP looks at."""
_QUALITY = 82
_UPRIGHT = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip
"""What makes a picture upright, by how EXIF says it lies."""
_opening = threading.Lock()


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """A picture that was read: `pixels` (h, w, 3) uint8 with sides of at most `VIEW`, and what the file said.

    format: "jpeg", "png" …, empty where there was no file. width, height: of the whole picture, upright. shot: when,
    where and by what it was taken, as the camera wrote it.
    """

    pixels: Pixels
    format: str = ""
    width: int = 0
    height: int = 0
    shot: Shot = NOTHING

    @property
    def digest(self) -> str:
        """Return 32 hex digits over the pixels: the same picture has the same."""
        shape = str(self.pixels.shape).encode()
        return blake2b(shape + np.ascontiguousarray(self.pixels).tobytes(), digest_size=16).hexdigest()

    def square(self, size: int) -> Pixels:
        """Return the picture squeezed into (size, size, 3) uint8."""
        from PIL import Image

        image = Image.fromarray(self.pixels)
        if image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.BILINEAR)
        return np.asarray(image)

    def thumbnail(self) -> bytes:
        """Return the picture as a JPEG file."""
        from PIL import Image

        out = io.BytesIO()
        Image.fromarray(self.pixels).save(out, "JPEG", quality=_QUALITY)
        return out.getvalue()


def is_picture(value: object) -> bool:
    """Whether something can only mean a picture: a path, bytes, an image, an array of three axes; a string is words."""
    if isinstance(value, Picture | os.PathLike | bytes) or type(value).__module__.split(".")[0] == "PIL":
        return True
    return isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 3


def is_picture_file(name: str | os.PathLike[str]) -> bool:
    """Whether a name is that of an existing file with a picture's suffix."""
    return Path(name).suffix.lower() in SUFFIXES and Path(name).is_file()


def open_picture(source: Source, view: int = VIEW) -> Picture:
    """Read a picture, at most `view` dots a side.

    Raises:
        DataError: it is not there, is not a picture, is cut off, or is larger than `LARGEST`.
        MissingExtra: Pillow is not installed.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, np.ndarray):
        return _of_array(source)
    pillow = _pillow()
    if isinstance(source, pillow.Image):
        return _read(source.copy(), "the image", view)  # reading shrinks in place
    name = "the picture" if isinstance(source, bytes) else os.fspath(source)
    with _file(source, name) as image:
        return _read(image, name, view)


def describe_picture(source: str | os.PathLike[str] | bytes) -> Picture:
    """Return what a file's head says of the picture, without unpacking it: `pixels` is empty.

    Raises:
        DataError, MissingExtra: as `open_picture`, but a picture that is cut off is not noticed.
    """
    name = "the picture" if isinstance(source, bytes) else os.fspath(source)
    with _file(source, name) as image:
        found, _ = _read_header(image)
        image.draft("RGB", (VIEW, VIEW))
        _refuse_bomb(image, name)
        return found


def open_all(sources: Sequence[Source]) -> list[Picture | DataError]:
    """Read pictures, several at a time; those that cannot be read are returned as the error that says why."""

    def one(source: Source) -> Picture | DataError:
        try:
            return open_picture(source)
        except DataError as wrong:
            return wrong

    if len(sources) < 2:
        return [one(source) for source in sources]
    # Pillow lets other threads run while it unpacks.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        return list(threads.map(one, sources))


def open_all_or_none(sources: Sequence[Source]) -> list[Picture]:
    """Read pictures, several at a time.

    Raises:
        DataError: one cannot be read.
    """
    read = open_all(sources)
    for one in read:
        if isinstance(one, DataError):
            raise one
    return [one for one in read if isinstance(one, Picture)]


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as missing:
        raise MissingExtra("pillow", "pictures") from missing
    return Image


@cache
def _formats() -> tuple[str, ...]:
    """Return the formats that are read here: the six, and those of phones where there is a decoder."""
    from PIL import features

    found = list(_FORMATS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a Pillow that has never heard of it says so
        if features.check("avif"):
            found.append("AVIF")
    if find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
        found.append("HEIF")
    return tuple(found)


def _not_read(name: str) -> DataError:
    """Return why a file is no picture: it is none, or there is no decoder of what its name says."""
    kind = _PHONES.get(Path(name).suffix.lower())
    if kind is None or kind in _formats():
        return DataError(f"{name}: it is not a picture that can be read", hint=f"known are {', '.join(SUFFIXES)}")
    package = "pillow>=11.3" if kind == "AVIF" else "pillow-heif"
    said = f"{name}: {kind.replace('HEIF', 'HEIC')} needs a decoder that is not installed"
    return DataError(said, hint=f"pip install '{package}'")


@contextlib.contextmanager
def _file(source: Any, name: str) -> Any:
    pillow = _pillow()
    try:
        formats = _formats()
        # Pillow warns of large pictures and of damaged EXIF; this module refuses the ones and leaves the other out.
        with _opening, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = pillow.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=formats)
    except OSError as broken:
        if broken.errno is None:
            raise _not_read(name) from broken
        raise DataError(f"{name}: {(broken.strerror or '').lower()}", hint="look at its path") from broken
    except pillow.DecompressionBombError as bomb:
        raise DataError(f"{name}: {str(bomb).split(',')[0]}, allowed are {LARGEST:,} pixels", hint=_SMALLER) from bomb
    except Exception as broken:  # what a damaged file does to a parser cannot be listed
        raise _damaged(name, broken) from broken
    with image:
        yield image


_SMALLER = "save it smaller, or leave it out"


def _damaged(name: str, broken: Exception) -> DataError:
    return DataError(
        f"{name}: the picture cannot be read whole: {str(broken)[:120] or type(broken).__name__}",
        hint="save it again from a program that opens it",
    )


def _refuse_bomb(image: Any, name: str) -> None:
    width, height = image.size
    if width * height > LARGEST:
        raise DataError(
            f"{name}: it would unpack to {width:,} × {height:,} = {width * height:,} pixels, allowed are {LARGEST:,}",
            hint=_SMALLER,
        )


def _read(image: Any, name: str, view: int = VIEW) -> Picture:
    found, rotation = _read_header(image)
    try:
        # A JPEG is unpacked at a half, quarter or eighth where that is still larger than what is kept.
        image.draft("RGB", (view, view))
        _refuse_bomb(image, name)
        return replace(found, pixels=_pixels(image, rotation, (view, view)))
    except DataError:
        raise
    except Exception as broken:
        raise _damaged(name, broken) from broken


def _read_header(image: Any) -> tuple[Picture, int]:
    """Return what the head says, and how the picture lies, as EXIF numbers it."""
    width, height = image.size
    rotation, shot = 1, NOTHING
    # A damaged EXIF block does not make the picture unreadable, and Pillow warns of each part of it.
    with contextlib.suppress(Exception), _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exif = image.getexif()
        rotation = int(exif.get(ROTATION, 1))
        shot = read_shot(exif, exif.get_ifd(DETAILS), exif.get_ifd(GPS))
    if 5 <= rotation <= 8:
        width, height = height, width
    return Picture(np.empty((0, 0, 3), np.uint8), (image.format or "").lower(), width, height, shot), rotation


def _pixels(image: Any, rotation: int, most: tuple[int, int]) -> Pixels:
    from PIL import Image

    image.load()
    if image.mode[0] in "IF":
        image = _deep(image)
    # Making it small first saves the work of turning and converting all of it; a palette has nothing to average.
    if image.mode in ("RGB", "L", "CMYK", "YCbCr"):
        image.thumbnail(most, Image.Resampling.BILINEAR, reducing_gap=2.0)
    if rotation in _UPRIGHT:
        image = image.transpose(Image.Transpose[_UPRIGHT[rotation]])
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image.thumbnail(most, Image.Resampling.BILINEAR)
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return np.asarray(white)
    image = image.convert("RGB")
    image.thumbnail(most, Image.Resampling.BILINEAR)
    return np.asarray(image)


def _deep(image: Any) -> Any:
    """Return a grey picture of 16 or 32 bits, or of fractions, at 8 bits."""
    from PIL import Image

    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    if image.mode.startswith("I;16") or values.max(initial=0) > 255:
        values = values / max(257.0, values.max(initial=0) / 255)
    elif image.mode == "F" and values.max(initial=0) <= 1:
        values = values * 255
    grey = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    grey.info = dict(image.info)
    return grey


def _of_array(values: NDArray[Any]) -> Picture:
    if values.dtype != np.uint8 or not (values.ndim == 2 or (values.ndim == 3 and values.shape[2] == 3)):
        raise DataError(
            f"an array of {values.dtype} and the shape {values.shape} is not a picture",
            hint="allowed is uint8 (height, width) or (height, width, 3)",
        )
    if values.size == 0:
        raise DataError(f"an array of the shape {values.shape} holds no pixels")
    return _read(_pillow().fromarray(np.ascontiguousarray(values)), "the array")
