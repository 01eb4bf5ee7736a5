"""The map: documents as points on a plane, near ones together, as a page, a picture or a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imi.collection.pictures import small_pictures
from imi.errors import MissingExtra, UsageError
from imi.figures import COLOURS, new_figure, save_figure, say_above, short
from imi.progress import part_of
from imi.records import FACTS
from imi.tasks.layout import principal_plane, tsne_plane
from imi.tasks.map_page import write_page
from imi.tasks.neighbours import nearest_rows
from imi.tasks.report import Findings, Phrase, Reported, ReportTable
from imi.tasks.rows import check_count, read_rows
from imi.types import Floats

Method = Literal["tsne", "pca", "umap", "pacmap"]
METHODS: tuple[Method, ...] = ("tsne", "pca", "umap", "pacmap")
_SHOWN = 10
_PICTURES = 2000
"""Pictures that a page carries, of more evenly chosen ones: two kilobytes each."""
_SIDE = 92


@dataclass(frozen=True)
class Map(Reported):
    """Points (n, 2), each row's nearest rows (n, k) with cosines, and what the points are.

    columns: metadata columns that can colour the points, by name; values one a row, None where a row lacks it.
    pictures: small JPEG files by id, of rows that are pictures; the page shows them.
    """

    points: Floats
    neighbours: NDArray[np.int64]
    cosines: Floats
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    columns: Mapping[str, Sequence[Any]]
    colour: str | None = None
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the plain figures: how many points there are and where they lie."""
        return {"points": len(self.points), "x": self.points[:, 0].tolist(), "y": self.points[:, 1].tolist()}

    def save(self, path: str | Path, title: str = "imi") -> None:
        """Write the map; the suffix tells the kind.

        .html is a self-contained page (hover, search, colour; no network), .png and .svg are pictures, .parquet a table
        with id, text, x, y, neighbors {ids, distances} (row numbers, as Embedding Atlas reads them) and the columns.

        Raises:
            UsageError: another suffix.
            MissingExtra: .parquet without pyarrow, a picture without matplotlib.
        """
        kind = check_kind(path)
        if kind == ".html":
            write_page(self, path, title)
        elif kind == ".parquet":
            self._save_table(path)
        else:
            self.figure(path)

    def findings(self) -> Findings:
        """Return how many rows lie on the map, and its regions with their names and sizes."""
        from imi.tasks.regions import regions

        named = regions(self.points, self.texts).named if any(self.texts) else ()
        says = [
            Phrase(f"{len(self.points):,} rows; near ones mean alike", f"{len(self.points):,} 件。近い行は意味が近い")
        ]
        if self.colour:
            says.append(Phrase(f"coloured by {self.colour}", f"色分け：{self.colour}"))
        columns = (Phrase("region", "領域"), Phrase("rows", "件数"))
        rows = [[one.name, one.size] for one in sorted(named, key=lambda one: -one.size) if one.level == 0]
        table = ReportTable(columns, rows, Phrase("Regions", "領域"))
        return Findings(Phrase("Map", "地図"), tuple(says), (table,) if rows else ())

    def figure(self, path: str | Path) -> None:
        """Draw the points, coloured by the chosen column where it has few values or numbers."""
        figure, axes = new_figure(9, 7)
        size = float(np.clip(8000 / len(self.points), 0.8, 16))
        values = self.columns.get(self.colour) if self.colour else None
        numbers = None if values is None else _as_numbers(values)
        if values is None:
            axes.scatter(*self.points.T, s=size, color=COLOURS[0], linewidths=0, alpha=0.7)
        elif numbers is not None:
            drawn = axes.scatter(*self.points.T, s=size, c=numbers, cmap="viridis", linewidths=0, alpha=0.85)
            figure.colorbar(drawn, ax=axes, label=short(str(self.colour)), shrink=0.6)
        else:
            self._draw_groups(axes, ["" if value is None else str(value) for value in values], size)
        axes.set_axis_off()
        axes.set_aspect("equal", adjustable="datalim")
        say_above(axes, "Rows that mean alike lie near each other", f"{len(self.points):,} rows")
        save_figure(figure, path)

    def _draw_groups(self, axes: Any, values: list[str], size: float) -> None:
        names, place = np.unique(values, return_inverse=True)
        order = np.argsort(-np.bincount(place), kind="stable")
        for rank, code in enumerate(order):
            named = rank < len(COLOURS) and names[code]
            colour = COLOURS[rank] if named else "#c4c4c4"
            label = short(str(names[code])) if named else None
            axes.scatter(*self.points[place == code].T, s=size, color=colour, linewidths=0, alpha=0.8, label=label)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False, markerscale=2.5)

    def _save_table(self, path: str | Path) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as missing:
            raise MissingExtra("pyarrow", "tables") from missing
        near = [
            {"ids": rows.tolist(), "distances": (1 - cosines).tolist()}
            for rows, cosines in zip(self.neighbours, self.cosines, strict=True)
        ]
        table = {
            "id": list(self.ids),
            "text": list(self.texts),
            "x": self.points[:, 0],
            "y": self.points[:, 1],
            "neighbors": near,
        }
        for name, values in self.columns.items():
            free = name if name not in table else f"metadata.{name}"
            kinds = {type(value) for value in values if value is not None}
            mixed = len(kinds) > 1 and not kinds <= {int, float}
            table[free] = [None if value is None else str(value) for value in values] if mixed else list(values)
        pyarrow.parquet.write_table(pyarrow.table(table), str(path))


def check_kind(path: str | Path) -> str:
    """Return the suffix of a file that a map can be written to.

    Raises:
        UsageError: it is another one.
    """
    kind = Path(path).suffix.lower()
    if kind not in (".html", ".png", ".svg", ".parquet"):
        raise UsageError(
            f"a map cannot be written as {kind or 'a file without suffix'}: {path}",
            hint="use .html, .png, .svg or .parquet",
        )
    return kind


def map(
    data: Any,
    texts: Sequence[str] | None = None,
    method: Method = "tsne",
    *,
    colour: str | None = None,
    columns: Mapping[str, Sequence[Any]] | None = None,
    dims: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Map:
    """Lay rows out on a plane so that near ones lie together.

    Args:
        data: (n, d) vectors, or a collection.
        texts: n texts for an array, shown under the pointer.
        method: "tsne" (imi's own, also for 100,000 points), "pca" (a projection), "umap" or "pacmap" (where installed).
        colour: the column that colours the points at first.
        columns: columns for an array, n values each.
        dims: leading dimensions of each vector to use.
        seed: of the layout.
        progress: called as progress(done, total) in per cent. Where the work is asked to end early, what t-SNE has come
            to is the layout.

    Raises:
        UsageError: fewer than three rows, an unknown method or column.
        MissingExtra: umap or pacmap that is not installed.
    """
    rows = read_rows(data, dims, texts)
    check_count(3, len(rows), "the least number of rows")
    if method not in METHODS:
        raise UsageError(f"method is {method!r}, allowed are {', '.join(METHODS)}")
    known = dict(columns or {}) if rows.metadata is None else _columns(rows.metadata)
    if colour is not None and colour not in known:
        raise UsageError(f"no row has a column {colour!r}; the columns are: {', '.join(known) or 'none'}")
    for name, values in known.items():
        if len(values) != len(rows):
            raise UsageError(f"column {name!r} has {len(values)} values for {len(rows)} rows")
    looking = 0.15
    cosines, near = nearest_rows(rows.z, min(45, len(rows) - 1), seed=seed, progress=part_of(progress, 0, looking))
    points = _points(rows.z, method, cosines, near, seed, part_of(progress, looking, 1))
    shown = rows.texts if rows.texts is not None else rows.ids
    near, cosines = near[:, :_SHOWN], cosines[:, :_SHOWN]
    pictures = small_pictures(getattr(data, "store", None), rows.ids[:: -(-len(rows) // _PICTURES)], _SIDE)
    return Map(points, near, cosines, tuple(rows.ids), tuple(shown), known, colour, pictures)


def _points(
    z: Floats,
    method: Method,
    cosines: Floats,
    near: NDArray[np.int64],
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> Floats:
    if method == "tsne" and len(z) >= 5:
        return tsne_plane(z, cosines, near, seed=seed, progress=progress)
    if method in ("tsne", "pca"):
        return principal_plane(z)
    try:
        if method == "umap":
            import umap

            reducer = umap.UMAP(metric="cosine", random_state=seed)
        else:
            import pacmap

            reducer = pacmap.PaCMAP(random_state=seed)
    except ImportError as missing:
        raise MissingExtra("umap-learn" if method == "umap" else "pacmap", "map") from missing
    return np.asarray(reducer.fit_transform(z), dtype=np.float32)


def _columns(metadata: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the columns whose values are plain and do not differ in every row."""
    names = sorted({name for one in metadata for name in one} - {FACTS})
    found = {}
    for name in names:
        values = [one.get(name) for one in metadata]
        if all(value is None or isinstance(value, str | int | float | bool) for value in values):
            found[name] = values
    return found


def _as_numbers(values: Sequence[Any]) -> NDArray[np.float64] | None:
    """Return a column as numbers, NaN where there is none; None where it holds anything else, or truth values."""
    if any(isinstance(value, bool) or not isinstance(value, int | float | None) for value in values):
        return None
    return np.array([np.nan if value is None else float(value) for value in values])
