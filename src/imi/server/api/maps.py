"""The maps of a server's collections: laid out once in the background, kept in memory and beside the index."""

from __future__ import annotations

import base64
import contextlib
import os
import threading
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from imi.collection import Collection
from imi.errors import ImiError
from imi.records import FACTS, Document
from imi.server.api.column_stats import colouring, columns_of
from imi.server.http.responses import ApiError
from imi.server.state import State
from imi.tasks.layout import principal_plane, tsne_plane
from imi.tasks.map_page import rows_data
from imi.tasks.neighbours import nearest_rows
from imi.tasks.regions import regions
from imi.tasks.rows import Rows, read_rows
from imi.text.readable import readable
from imi.types import Floats
from imi.vectors import normalize

MOST = 100_000
"""Points of a map; of more documents an even sample is drawn."""
_KEPT = 8
"""Maps kept in memory."""
_NEAREST = 45
_SHARE = 0.3
"""How much of the work finding neighbours is, roughly."""


class _Stopped(Exception):
    """The server stops, and nobody waits for the map any longer."""


@dataclass(slots=True)
class _Drawn:
    """One map in progress: `state` is working, sketch, ready, empty or failed."""

    version: str
    state: str = "working"
    share: float = 0.0
    dims: int | None = None
    rows: Mapping[str, Any] = field(default_factory=dict)
    plane: Floats | None = None
    regions: Mapping[str, Any] | None = None
    message: str | None = None


class Maps:
    """Draws maps one after the other; all methods may be called from any thread."""

    def __init__(self, state: State) -> None:
        self._server = state
        self._changing = threading.Lock()
        self._drawn: dict[tuple[str, int | None], _Drawn] = {}
        self._painter = ThreadPoolExecutor(1, thread_name_prefix="imi-map")

    def state(self, name: str, dims: int | None, collection: Collection) -> dict[str, Any]:
        """Return how far the map is; start one where the collection has changed since, or has none.

        Args:
            name: of the collection.
            dims: leading dimensions that the map is drawn from; None for all.
            collection: what is drawn.

        Raises:
            ApiError: 400 where the vectors have fewer dimensions.
        """
        version, width = collection.info.version, collection.info.dims
        if dims is not None and width and dims > width:
            raise ApiError(400, f"dims is {dims}; the vectors have {width}.", param="dims", code="invalid_value")
        key = (name, None if dims == width else dims)
        with self._changing:
            drawn = self._drawn.get(key)
            if drawn is None or drawn.version != version:
                self._drawn.pop(key, None)
                drawn = self._drawn[key] = _Drawn(version, dims=key[1])
                while len(self._drawn) > _KEPT:
                    del self._drawn[next(iter(self._drawn))]
                self._painter.submit(self._draw_lent, drawn, name)
        return {
            "state": drawn.state,
            "share": drawn.share,
            "version": drawn.version,
            "count": len(drawn.rows.get("ids", ())),
            "message": drawn.message,
        }

    def rows(self, name: str, _: Collection) -> Mapping[str, Any]:
        """Return ids, texts and columns of the points, and how many documents they stand for.

        Raises:
            ApiError: 409 while they are not read yet.
        """
        return self._finished(name, None).rows

    def plane(self, name: str, dims: int | None, collection: Collection) -> dict[str, Any]:
        """Return the points as base64 of little-endian float32, whether they are a sketch, and the regions' names.

        Raises:
            ApiError: 409 while there is not even a sketch.
        """
        drawn = self._finished(name, None if dims == collection.info.dims else dims)
        points = np.asarray(drawn.plane, dtype="<f4")
        return {
            "state": drawn.state,
            "version": drawn.version,
            "points": base64.b64encode(points.tobytes()).decode("ascii"),
            "regions": drawn.regions,
        }

    def _finished(self, name: str, dims: int | None) -> _Drawn:
        drawn = self._drawn.get((name, dims))
        if drawn is None or drawn.plane is None:
            raise ApiError(409, "The map is not drawn yet; GET …/map says how far it is.", code="map_not_ready")
        return drawn

    def _draw_lent(self, drawn: _Drawn, name: str) -> None:
        try:
            with self._server.registry.use(name) as collection:
                self._draw(drawn, name, collection)
        except (ApiError, ImiError) as gone:
            drawn.state, drawn.message = "failed", str(gone)

    def _draw(self, drawn: _Drawn, name: str, collection: Collection) -> None:
        """Do the work of one map on the painter's thread."""
        try:
            rows, total = _chosen(collection)
            if len(rows) == 0:
                drawn.state = "empty"
                return
            if drawn.dims is not None:
                rows = replace(rows, z=normalize(rows.z[:, : drawn.dims]))
            texts = _read_texts(rows)
            columns = colouring(_columns(rows), columns_of(rows.metadata or []))
            drawn.rows = rows_data(rows.ids, texts, columns, 160 if len(rows) > 10_000 else 400)
            drawn.rows = {**drawn.rows, "of": total, "pictures": _pictured(collection, rows.ids)}
            # A collection on an engine has no folder to keep a map in.
            folder = collection.folder if collection.local else None
            whole = self._whole(drawn, name, folder, len(rows))
            plane = None if folder is None else _load(folder, drawn.version, len(rows), drawn.dims)
            if plane is None:
                first = principal_plane(rows.z) if len(rows) > 1 else np.zeros((len(rows), 2), np.float32)
                drawn.plane, drawn.state = _turned(first, whole), "sketch"
                plane = first
                if len(rows) >= 5:
                    plane = _turned(self._laid_out(drawn, rows), whole)
                    if folder is not None:
                        _save(folder, drawn.version, plane, drawn.dims)
            drawn.regions = regions(plane, texts if any(rows.texts or ()) else [""] * len(rows)).to_dict()
            drawn.plane, drawn.state, drawn.share = plane, "ready", 1.0
        except _Stopped:
            drawn.state, drawn.message = "failed", "the server stops"
        except (ImiError, OSError, MemoryError) as broken:
            drawn.state, drawn.message = "failed", str(broken)

    def _whole(self, drawn: _Drawn, name: str, folder: Path | None, count: int) -> Floats | None:
        """Return the plane of all dimensions, to which a plane of fewer is aligned; None where there is none yet."""
        if drawn.dims is None:
            return None
        full = self._drawn.get((name, None))
        if full is not None and full.version == drawn.version and full.state == "ready":
            return full.plane
        return None if folder is None else _load(folder, drawn.version, count, None)

    def _laid_out(self, drawn: _Drawn, rows: Rows) -> Floats:
        def described(start: float, width: float) -> Any:
            def tell(done: int, total: int) -> None:
                drawn.share = start + width * done / max(1, total)
                if self._server.stopping:
                    raise _Stopped

            return tell

        cosines, near = nearest_rows(rows.z, min(_NEAREST, len(rows) - 1), progress=described(0.0, _SHARE))
        return tsne_plane(rows.z, cosines, near, progress=described(_SHARE, 1 - _SHARE))


def _chosen(collection: Collection) -> tuple[Rows, int]:
    """Return the documents that have a vector, or of very many an even choice, and how many there are."""
    ids = collection.ids(with_vector=True)
    if not ids:
        return Rows(np.empty((0, 1), np.float32), [], [], []), 0
    if len(ids) <= MOST:
        return read_rows(collection), len(ids)
    some = [ids[at] for at in np.linspace(0, len(ids) - 1, MOST).astype(np.int64)]
    documents = collection.get(some)
    texts = [document.text or "" for document in documents]
    return Rows(normalize(collection.vectors(some)), some, texts, [one.metadata for one in documents]), len(ids)


def _columns(rows: Rows) -> dict[str, list[Any]]:
    metadata = rows.metadata or []
    names = sorted({name for one in metadata for name in one} - {FACTS})
    return {name: [one.get(name) for one in metadata] for name in names}


def _read_texts(rows: Rows) -> list[str]:
    """Return the texts as they are read, under their titles; ids where there is none."""
    found = []
    for at, id in enumerate(rows.ids):
        one = readable(Document(id, rows.texts[at] if rows.texts else None, rows.metadata[at] if rows.metadata else {}))
        found.append("\n".join(filter(None, (one.title, one.body))) or id)
    return found


def _pictured(collection: Collection, ids: Sequence[str]) -> bool:
    """Return whether the rows are pictures, by the first of them."""
    with contextlib.suppress(ImiError):
        return collection.thumbnail(ids[0]) is not None
    return False


def _turned(plane: Floats, after: Floats | None) -> Floats:
    """Return a plane turned, mirrored and scaled so that its points lie as near as can be to those of another."""
    if after is None or len(after) != len(plane):
        return plane
    a, b = plane - plane.mean(axis=0), after - after.mean(axis=0)
    u, _, v = np.linalg.svd(a.T.astype(np.float64) @ b)
    size = np.linalg.norm(b) / max(float(np.linalg.norm(a)), 1e-9)
    return np.asarray(a @ (u @ v) * size + after.mean(axis=0), np.float32)


def _file(dims: int | None) -> str:
    return "map.npz" if dims is None else f"map-{dims}.npz"


def _load(folder: Path, version: str, count: int, dims: int | None) -> Floats | None:
    """Return the layout that was kept, None where there is none of this state."""
    try:
        with np.load(folder / "index" / _file(dims)) as kept:
            plane = kept["plane"]
            fits = str(kept["version"]) == version and plane.shape == (count, 2)
            return np.asarray(plane, np.float32) if fits else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _save(folder: Path, version: str, plane: Floats, dims: int | None) -> None:
    """Keep a layout; one that cannot be written is drawn again next time."""
    temporary = folder / "index" / f"{_file(dims)}.{os.getpid()}.npz"
    try:
        temporary.parent.mkdir(exist_ok=True)
        np.savez(temporary, plane=plane, version=np.array(version))
        os.replace(temporary, folder / "index" / _file(dims))
    except OSError:
        temporary.unlink(missing_ok=True)
