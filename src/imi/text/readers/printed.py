"""Text in pictures, by `tesseract` where it is installed: screenshots, scans, pages of a PDF that are pictures.

tesseract gets the dots of a picture that imi has unpacked, never a file. Photos are not tried: a page or a screen has
one ground over much of it, which photos seldom have.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from imi.pictures import Picture, Pixels

VARIABLE = "IMI_TESSERACT"
LARGE = 3000
"""Longest side that tesseract is given; letters of a page of A4 then have about thirty dots."""
_SMALLEST = 200
_GROUND, _NEAR = 0.35, 8
"""Where a picture may hold text: the share of it that is within this many levels of its commonest grey."""
_SURE, _LEAST = 50.0, 4
"""How sure tesseract is of a word that is kept, in percent, and the fewest letters that count as text."""
_SECONDS = 120.0
_LANGUAGES = ("jpn", "eng")
_BETWEEN = re.compile(r"(?<=[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]) (?=[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef])")


@cache
def tesseract() -> tuple[str, str] | None:
    """Return the program and the languages that it is to read, None where it is not installed or turned off."""
    asked = os.environ.get(VARIABLE, "tesseract")
    program = None if asked in ("", "off") else shutil.which(asked)
    if program is None:
        return None
    try:
        # The program that the user installed or named, without a shell and without a word of a file.
        listed = subprocess.run(  # noqa: S603
            [program, "--list-langs"], capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    there = [one for one in _LANGUAGES if one in listed.stdout.split()]
    return (program, "+".join(there)) if there else None


def may_hold_text(picture: Picture) -> bool:
    """Say whether a picture looks like a page or a screen."""
    if min(picture.width, picture.height) < _SMALLEST:
        return False
    grey = picture.pixels.astype(np.float32).mean(axis=2).astype(np.int64)
    counts = np.convolve(np.bincount(grey.ravel(), minlength=256), np.ones(2 * _NEAR + 1), "same")
    return bool(counts.max() >= _GROUND * grey.size)


def read_printed(pixels: Pixels) -> str | None:
    """Return the text of a picture line by line, None where there is none or tesseract is not there.

    Args:
        pixels: (height, width, 3) uint8.
    """
    found = tesseract()
    if found is None:
        return None
    program, languages = found
    command = [program, "stdin", "stdout", "-l", languages, "--psm", "3", "tsv"]
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    try:
        done = subprocess.run(  # noqa: S603  the same program; a picture goes to it as pixels
            command, input=_png(pixels), capture_output=True, timeout=_SECONDS, check=True, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return None
    table = io.StringIO(done.stdout.decode("utf-8", "replace"))
    text = _lines(csv.DictReader(table, dialect="excel-tab", quoting=csv.QUOTE_NONE))
    return text if sum(one.isalnum() for one in text) >= _LEAST else None


def _png(pixels: Pixels) -> bytes:
    from PIL import Image

    image: Any = Image.fromarray(pixels).convert("L")
    if max(image.size) < LARGE // 3:
        # Letters of a screen have ten dots, and tesseract was taught on print.
        image = image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _lines(words: Iterable[dict[str, str]]) -> str:
    """Return the words that are sure, in lines, a blank line between blocks."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for word in words:
        text = (word.get("text") or "").strip()
        try:
            sure = float(word.get("conf") or -1)
        except ValueError:
            continue
        if text and sure >= _SURE:
            place = str(word["block_num"]), str(word["par_num"]), str(word["line_num"])
            lines.setdefault(place, []).append(text)
    found, before = [], None
    for (block, paragraph, _), parts in lines.items():
        if before not in (None, (block, paragraph)):
            found.append("")
        before = (block, paragraph)
        found.append(_BETWEEN.sub("", " ".join(parts)))
    return "\n".join(found)
