"""What a camera wrote beside a picture: when, where, and which camera; whatever is damaged in it is left out."""

from __future__ import annotations

import contextlib
import datetime
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ROTATION = 0x0112
DETAILS, GPS = 0x8769, 0x8825
"""The blocks within the block: of the exposure, and of the place."""
_MAKE, _MODEL, _CHANGED = 0x010F, 0x0110, 0x0132
_TAKEN, _TAKEN_OFFSET = 0x9003, 0x9011
_SOUTH, _LATITUDE, _WEST, _LONGITUDE = 1, 2, 3, 4
_DATE = re.compile(r"(\d{4})[:\-/](\d{1,2})[:\-/](\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_OFFSET = re.compile(r"[+-]\d{2}:\d{2}")
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Shot:
    """When and where a picture was taken, and by what; None where it does not say.

    taken: as ISO 8601 writes it, with the offset from UTC where the camera knew it. place: latitude and longitude in
    degrees, north and east positive.
    """

    taken: str | None = None
    camera: str | None = None
    place: tuple[float, float] | None = None


NOTHING = Shot()


def read_shot(block: Mapping[int, Any], details: Mapping[int, Any], gps: Mapping[int, Any]) -> Shot:
    """Return what the three blocks of EXIF say."""
    return Shot(_taken(block, details), _camera(block), _place(gps))


def _taken(block: Mapping[int, Any], details: Mapping[int, Any]) -> str | None:
    for value in (details.get(_TAKEN), block.get(_CHANGED)):
        found = _DATE.match(_text(value))
        if not found:
            continue
        with contextlib.suppress(ValueError):  # cameras whose clock was never set write 0000:00:00
            year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
            when = datetime.datetime(year, month, day, hour, minute, second)
            offset = _text(details.get(_TAKEN_OFFSET))
            return when.isoformat() + (offset if _OFFSET.fullmatch(offset) else "")
    return None


def _camera(block: Mapping[int, Any]) -> str | None:
    make, model = _text(block.get(_MAKE)), _text(block.get(_MODEL))
    # Many makers write their name into the model too: "Canon" and "Canon EOS R6".
    if make and make.split()[0].lower() in model.lower():
        make = ""
    return f"{make} {model}".strip()[:_LONGEST] or None


def _place(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    found = []
    for sign, value, most in ((_SOUTH, _LATITUDE, 90), (_WEST, _LONGITUDE, 180)):
        try:
            degrees, minutes, seconds = (float(part) for part in gps[value])
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            return None
        whole = degrees + minutes / 60 + seconds / 3600
        if not math.isfinite(whole) or not 0 <= whole <= most:
            return None
        found.append(round(-whole if _text(gps.get(sign)).upper() in ("S", "W") else whole, 6))
    # What has no fix writes zeros: nobody's album is from the sea off Africa.
    return None if found == [0, 0] else (found[0], found[1])


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return "".join(one for one in str(value or "") if one.isprintable()).strip()
