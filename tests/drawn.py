"""Small pictures that tests draw: shapes of a colour on a ground, the same everywhere."""

import zlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL", reason="the extra `pictures` is not installed")

from PIL import Image, ImageDraw

COLOURS = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (30, 60, 200)}


def draw(shape: str = "disc", colour: str = "red", *, size: tuple[int, int] = (96, 96), shift: int = 0) -> Image.Image:
    """Return a disc, box or cross in the middle, moved by `shift` pixels."""
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    width, height = size
    left, top, right, bottom = width // 4 + shift, height // 4, 3 * width // 4 + shift, 3 * height // 4
    if shape == "disc":
        pen.ellipse((left, top, right, bottom), fill=COLOURS[colour])
    elif shape == "box":
        pen.rectangle((left, top, right, bottom), fill=COLOURS[colour])
    else:
        pen.line((left, top, right, bottom), fill=COLOURS[colour], width=width // 8)
        pen.line((left, bottom, right, top), fill=COLOURS[colour], width=width // 8)
    return picture


def album(folder: Path) -> dict[str, Path]:
    """Write discs, boxes and crosses in three colours into folders named by the shape; return them by name."""
    found = {}
    for shape in ("disc", "box", "cross"):
        (folder / shape).mkdir(parents=True, exist_ok=True)
        for colour in COLOURS:
            found[f"{shape} {colour}"] = folder / shape / f"{colour}.png"
            draw(shape, colour).save(found[f"{shape} {colour}"])
    return found


def page(seed: int = 0) -> Image.Image:
    """Return lines of small print on white, as a scanned page has them."""
    picture = Image.new("RGB", (300, 400), "white")
    pen, words = ImageDraw.Draw(picture), ["lorem", "ipsum", "dolor", "sit", "amet", "consectetur"]
    for line, y in enumerate(range(20, 380, 14)):
        pen.text((20, y), " ".join(words[(seed + line + 2 * word) % 6] for word in range(8)), fill="black")
    return picture


def noise(width: int = 96, height: int = 64, seed: int = 0) -> np.ndarray:
    """Return a picture whose neighbours differ, (height, width, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png_head(width: int, height: int) -> bytes:
    """Return a PNG that says to be of a size and holds next to nothing: a decompression bomb."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
