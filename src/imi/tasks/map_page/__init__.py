"""The map as one standalone page: its modules joined, its data inside, and nothing fetched from anywhere."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imi.atomic import whole
from imi.tasks.regions import regions
from imi.types import Floats


class MapData(Protocol):
    """What the page draws; `imi.tasks.map.Map` is one."""

    @property
    def points(self) -> Floats:
        """Coordinates, (n, 2)."""

    @property
    def neighbours(self) -> NDArray[np.int64]:
        """Each row's nearest rows, (n, k)."""

    @property
    def ids(self) -> tuple[str, ...]:
        """One id a row."""

    @property
    def texts(self) -> tuple[str, ...]:
        """One text a row."""

    @property
    def columns(self) -> Mapping[str, Sequence[Any]]:
        """Metadata columns that can colour the points, by name."""

    @property
    def colour(self) -> str | None:
        """The column that colours them first."""

    @property
    def pictures(self) -> Mapping[str, bytes]:
        """Small JPEG files by id, of rows that are pictures."""


MODULES = (
    "words.js",
    "cells.js",
    "colours.js",
    "raster.js",
    "points.js",
    "labels.js",
    "moving.js",
    "panel.js",
    "map.js",
)
"""In the order in which each needs only those before it."""
STYLES = ("theme.css", "map.css")
_TEXT = 400
"""Characters of a text that the page carries."""
_VALUES = 200
"""A column of texts with more different values, nearly all of them different, colours nothing and is left out."""
_MODULE_LINES = re.compile(r"^import [^;]*;\n|^export (?=function|class|const)", re.MULTILINE)


def write_page(drawn: MapData, path: str | Path, title: str) -> None:
    """Write a map as a page that opens from disk."""
    with whole(Path(path)) as beside:
        beside.write_text(page(page_data(drawn, title)), encoding="utf-8")


def page_data(drawn: MapData, title: str) -> dict[str, Any]:
    """Return what the page's `mountMap` takes: coordinates as base64 float32, texts, ids, columns and neighbours."""
    points = np.asarray(drawn.points, dtype="<f4")
    near = np.asarray(drawn.neighbours[:, :5], dtype="<i4")
    return {
        "title": title,
        "points": base64.b64encode(points.tobytes()).decode("ascii"),
        "neighbours": base64.b64encode(near.tobytes()).decode("ascii"),
        "near": int(near.shape[1]),
        "colour": drawn.colour,
        "pictures": {
            row: f"data:image/jpeg;base64,{base64.b64encode(drawn.pictures[id_]).decode('ascii')}"
            for row, id_ in enumerate(drawn.ids)
            if id_ in drawn.pictures
        },
        "regions": regions(drawn.points, drawn.texts).to_dict(),
        **rows_data(drawn.ids, drawn.texts, drawn.columns, keep=drawn.colour),
    }


def rows_data(
    ids: Sequence[str],
    texts: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    characters: int = _TEXT,
    *,
    keep: str | None = None,
) -> dict[str, Any]:
    """Return what the points are: ids, the beginnings of texts, and the columns that can tell points apart.

    Args:
        ids: one a point.
        texts: one a point.
        columns: metadata by name, one value a point.
        characters: of a text that are carried.
        keep: a column that is carried whatever it holds.
    """
    telling = {name: values for name, values in columns.items() if name == keep or _tells(values)}
    return {
        "ids": list(ids),
        "texts": [_cut(text, characters) for text in texts],
        "columns": {str(name): _column(values) for name, values in telling.items()},
    }


def page(data: dict[str, Any]) -> str:
    """Return the whole page; scripts and styles are allowed by their hashes alone."""
    style = "".join(map(_read, STYLES))
    script = "".join(_MODULE_LINES.sub("", _read(name)) for name in MODULES) + _read("start.js")
    # "<" cannot end the data's element, nor begin a comment in it, once it is written as an escape.
    inside = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    allowed = f"script-src '{_hash(script)}'; style-src '{_hash(style)}'"
    policy = f"default-src 'none'; {allowed}; img-src data:; base-uri 'none'; form-action 'none'"
    parts = {"policy": policy, "title": html.escape(data["title"]), "style": style, "data": inside, "script": script}
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read("page.html"))


def _read(name: str) -> str:
    return resources.files("imi.tasks.map_page").joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _tells(values: Sequence[Any]) -> bool:
    """Return whether a column is plain and says more than that every point is another one."""
    if not all(value is None or isinstance(value, str | int | float) for value in values):
        return False
    different = {value for value in values if isinstance(value, str)}
    return len(different) <= max(_VALUES, len(values) // 4)


def _column(values: Sequence[Any]) -> list[Any]:
    return [None if isinstance(value, float) and not math.isfinite(value) else value for value in values]
