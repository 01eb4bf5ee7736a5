"""Pictures as numbers: a file, bytes or an image becomes a small upright RGB array, or an error that says why not.

Only the first frame of an animation is read, EXIF's rotation is applied, palettes, CMYK, grey and transparency (on
white) become RGB, and what would unpack to more than `LARGEST` pixels is refused before it is unpacked.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imi.errors import DataError, MissingExtra

Pixels = NDArray[np.uint8]
Source: TypeAlias = Any
"""A path, the bytes of a file, an image of Pillow, an array (height, width[, 3]) uint8, or a `Picture`."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
"""What Pillow may take a file for, whatever it is called: others start programs, or are parsers that few have tried."""
LARGEST = 100_000_000
"""Pixels that are unpacked at most; a JPEG is unpacked smaller where it can be, and counts as that."""
VIEW = 336
"""Longest side that is kept of a picture: the short side of a 3:2 photo is then the 224 that CLIP looks at."""
_QUALITY = 82
_ROTATION, _TAKEN, _DETAILS = 0x0112, 0x9003, 0x8769  # tags of EXIF
_opening = threading.Lock()


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """A picture that was read: `pixels` (h, w, 3) uint8 with sides of at most `VIEW`, and what the file said.

    format: "jpeg", "png" …, empty where there was no file. width, height: of the whole picture, upright. taken: when,
    as the camera wrote it.
    """

    pixels: Pixels
    format: str = ""
    width: int = 0
    height: int = 0
    taken: str | None = None

    @property
    def digest(self) -> str:
        """Return 32 hex digits over the pixels: the same picture has the same."""
        shape = str(self.pixels.shape).encode()
        return hashlib.blake2b(shape + np.ascontiguousarray(self.pixels).tobytes(), digest_size=16).hexdigest()

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


def open_picture(source: Source) -> Picture:
    """Read a picture.

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
        return _read(source.copy(), "the image")  # reading shrinks in place
    name = "the picture" if isinstance(source, bytes) else os.fspath(source)
    with _file(source, name) as image:
        return _read(image, name)


def describe_picture(source: str | os.PathLike[str] | bytes) -> Picture:
    """Return what a file's head says of the picture, without unpacking it: `pixels` is empty.

    Raises:
        DataError, MissingExtra: as `open_picture`, but a picture that is cut off is not noticed.
    """
    name = "the picture" if isinstance(source, bytes) else os.fspath(source)
    with _file(source, name) as image:
        found = _read_header(image)
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


@contextlib.contextmanager
def _file(source: Any, name: str) -> Any:
    pillow = _pillow()
    try:
        # Pillow warns of large pictures, and this module refuses them: the filter is set for the moment of opening.
        with _opening, warnings.catch_warnings():
            warnings.simplefilter("ignore", pillow.DecompressionBombWarning)
            image = pillow.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_FORMATS)
    except OSError as broken:
        reason = "it is not a picture that can be read" if broken.errno is None else (broken.strerror or "").lower()
        raise DataError(f"{name}: {reason}", hint=f"known are {', '.join(SUFFIXES)}") from broken
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


def _read(image: Any, name: str) -> Picture:
    found = _read_header(image)
    try:
        # A JPEG is unpacked at a half, quarter or eighth where that is still larger than what is kept.
        image.draft("RGB", (VIEW, VIEW))
        _refuse_bomb(image, name)
        return replace(found, pixels=_pixels(image))
    except DataError:
        raise
    except Exception as broken:
        raise _damaged(name, broken) from broken


def _read_header(image: Any) -> Picture:
    width, height = image.size
    rotation, taken = 1, None
    with contextlib.suppress(Exception):  # a damaged EXIF block does not make the picture unreadable
        exif = image.getexif()
        rotation = int(exif.get(_ROTATION, 1))
        taken = str(exif.get_ifd(_DETAILS).get(_TAKEN) or "").strip("\x00 ") or None
    if 5 <= rotation <= 8:
        width, height = height, width
    return Picture(np.empty((0, 0, 3), np.uint8), (image.format or "").lower(), width, height, taken)


def _pixels(image: Any) -> Pixels:
    from PIL import Image, ImageOps

    image.load()
    if image.mode[0] in "IF":
        image = _deep(image)
    # Making it small first saves the work of turning and converting all of it; a palette has nothing to average.
    if image.mode in ("RGB", "L", "CMYK", "YCbCr"):
        image.thumbnail((VIEW, VIEW), Image.Resampling.BILINEAR, reducing_gap=2.0)
    with contextlib.suppress(ValueError, TypeError, KeyError, SyntaxError, OverflowError):
        image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image.thumbnail((VIEW, VIEW), Image.Resampling.BILINEAR)
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return np.asarray(white)
    image = image.convert("RGB")
    image.thumbnail((VIEW, VIEW), Image.Resampling.BILINEAR)
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
