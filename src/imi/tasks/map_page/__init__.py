"""The map as one standalone page: its modules joined, its data inside, and nothing fetched from anywhere."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from imi.tasks.map import Map

MODULES = ("points.js", "colours.js", "map.js")
"""In the order in which each needs only those before it."""
_TEXT = 400
"""Characters of a text that the page carries."""
_MODULE_LINES = re.compile(r"^import [^;]*;\n|^export (?=function|class|const)", re.MULTILINE)


def write_page(drawn: Map, path: str | Path, title: str) -> None:
    """Write a map as a page that opens from disk."""
    Path(path).write_text(page(page_data(drawn, title)), encoding="utf-8")


def page_data(drawn: Map, title: str) -> dict[str, Any]:
    """Return what the page's `mountMap` takes: coordinates as base64 float32, texts, ids, columns and neighbours."""
    points = np.asarray(drawn.points, dtype="<f4")
    near = np.asarray(drawn.neighbours[:, :5], dtype="<i4")
    return {
        "title": title,
        "points": base64.b64encode(points.tobytes()).decode("ascii"),
        "neighbours": base64.b64encode(near.tobytes()).decode("ascii"),
        "near": int(near.shape[1]),
        "ids": list(drawn.ids),
        "texts": [_cut(text) for text in drawn.texts],
        "columns": {str(name): _column(values) for name, values in drawn.columns.items()},
        "colour": drawn.colour,
    }


def page(data: dict[str, Any]) -> str:
    """Return the whole page; scripts and styles are allowed by their hashes alone."""
    style = _read("map.css")
    script = "".join(_MODULE_LINES.sub("", _read(name)) for name in MODULES) + _read("start.js")
    # "<" cannot end the data's element, nor begin a comment in it, once it is written as an escape.
    inside = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    allowed = f"script-src '{_hash(script)}'; style-src '{_hash(style)}'"
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    parts = {"policy": policy, "title": html.escape(data["title"]), "style": style, "data": inside, "script": script}
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read("page.html"))


def _read(name: str) -> str:
    return resources.files("imi.tasks.map_page").joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"


def _column(values: Sequence[Any]) -> list[Any]:
    return [None if isinstance(value, float) and not math.isfinite(value) else value for value in values]
