"""A built ladder as files: what to write, and how to read it back after its checksums agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import Damaged
from imi.index.base import check_metric
from imi.index.exact import Exact
from imi.index.files import (
    CheckedVectors,
    Manifest,
    Write,
    block_checksums,
    read_manifest,
    verified,
    write_files,
)
from imi.index.graphs import HnswRabitq, SymphonyQG
from imi.index.heldout import HeldOut
from imi.index.ladder import Ladder
from imi.index.rungs import Rung
from imi.index.space import Space
from imi.index.structures import FaissStructure, Structure
from imi.vectors import Floats


def save_ladder(ladder: Ladder, folder: Path, about: Mapping[str, Any] | None = None) -> Manifest:
    """Write a ladder with its full vectors, so that `load_ladder` needs nothing else.

    Args:
        ladder: what to write.
        folder: made when missing; an older index in it is replaced in one step.
        about: more JSON values to keep with it, such as its plan.
    """
    plain, writers = ladder_parts(ladder)
    writers |= vector_parts(ladder.vectors)
    table = {"shape": [len(ladder), ladder.width], "dtype": ladder.vectors.dtype.str}
    return write_files(folder, {"ladder": plain, "table": table, **(about or {})}, writers)


def save_exact(index: Exact, folder: Path) -> Manifest:
    """Write the vectors of an exact index."""
    table = {"shape": [len(index), index.width], "dtype": index.vectors.dtype.str}
    about = {"exact": {"metric": index.metric, "dims": index.dims}, "table": table}
    return write_files(folder, about, vector_parts(index.vectors))


def load_index(folder: Path) -> Ladder | Exact:
    """Read what `save` of a ladder or of an exact index wrote.

    Raises:
        Damaged: a file is missing, cut short or altered.
    """
    manifest = read_manifest(folder)
    if "exact" not in manifest.about:
        return load_ladder(folder)[0]
    try:
        table, exact = manifest.about["table"], manifest.about["exact"]
        vectors = map_vectors(folder, manifest, (table["shape"][0], table["shape"][1]), table["dtype"])
        return Exact(vectors, exact["metric"], exact["dims"])
    except (KeyError, IndexError, TypeError, ValueError) as wrong:
        raise Damaged(f"the manifest in {folder} does not describe an index: {wrong!r}") from wrong


def load_ladder(folder: Path) -> tuple[Ladder, Mapping[str, Any]]:
    """Read what `save_ladder` wrote and return it with what was kept beside it.

    Raises:
        Damaged: a file is missing, cut short or altered; vectors are checked block by block when they are read.
        MissingExtra: the structure needs rabitqlib, which is not installed here.
    """
    manifest = read_manifest(folder)
    try:
        table = manifest.about["table"]
        vectors = map_vectors(folder, manifest, (table["shape"][0], table["shape"][1]), table["dtype"])
        return read_ladder(folder, manifest, manifest.about["ladder"], vectors), manifest.about
    except (KeyError, IndexError, TypeError, ValueError) as wrong:
        raise Damaged(f"the manifest in {folder} does not describe a ladder: {wrong!r}") from wrong


def ladder_parts(ladder: Ladder, tail: str = "") -> tuple[dict[str, Any], dict[str, Write]]:
    """Return a ladder's description and the writers of its files, the full vectors apart; names end in `tail`."""
    held = ladder.held_out
    writers: dict[str, Write] = {f"{_name(held is not None)}{tail}": ladder.structure.save}
    for dims, scale in ladder.scales.items():
        if scale is not None:
            writers[f"lengths{dims}x{tail}"] = scale.tofile
    if ladder.space.rotation is not None:
        writers[f"rotation{tail}"] = ladder.space.rotation.tofile
    if held is not None:
        writers[f"heldout{tail}"] = np.column_stack([held.rows, held.through]).tofile
    description = {
        "metric": ladder.metric,
        "rungs": [rung.to_dict() for rung in ladder.rungs],
        "longest": ladder.space.longest,
        "latency": ladder.latency,
        "held_out": None if held is None else held.through.shape[1],
        "unit": [dims for dims, scale in ladder.scales.items() if scale is None],
        "lengths": [dims for dims, scale in ladder.scales.items() if scale is not None],
    }
    return description, writers


def _name(linked: bool) -> str:
    """Name the structure's file: one that lacks rows has a name that a reader without their links does not look for."""
    return "linked" if linked else "structure"


def read_ladder(
    folder: Path,
    manifest: Manifest,
    description: Mapping[str, Any],
    vectors: NDArray[Any] | CheckedVectors,
    tail: str = "",
) -> Ladder:
    """Read a ladder's own files and put it over its vectors.

    Raises:
        Damaged: a file does not agree with its checksum, or the native loader refuses it all the same.
    """
    rungs = [Rung.from_dict(plain) for plain in description["rungs"]]
    metric = check_metric(description["metric"])
    scales: dict[int, Floats | None] = {int(dims): None for dims in description["unit"]}
    for dims in description["lengths"]:
        scales[int(dims)] = np.fromfile(verified(folder, manifest, f"lengths{dims}x{tail}"), dtype="<f4")
    links = description.get("held_out")  # indexes of before have none
    path = verified(folder, manifest, f"{_name(links is not None)}{tail}")
    readers: dict[str, Callable[[Path, Rung], Structure]] = {
        "symphonyqg": SymphonyQG.load,
        "hnsw-rabitq": HnswRabitq.load,
    }
    read = readers.get(rungs[0].structure or "", FaissStructure.load)
    try:
        structure = read(path, rungs[0])
    except (RuntimeError, ValueError, OSError, MemoryError) as refused:
        raise Damaged(f"{path} cannot be loaded: {refused}") from refused
    rotation = None
    if rungs[0].rotated:
        rotation = np.fromfile(verified(folder, manifest, f"rotation{tail}"), dtype="<f4").reshape(-1, rungs[0].dims)
    space = Space(metric, rungs[0].dims, float(description["longest"]), rotation)
    held = None
    if links is not None:
        table = np.fromfile(verified(folder, manifest, f"heldout{tail}"), dtype="<i8").reshape(-1, 1 + int(links))
        held = HeldOut(table[:, 0].copy(), table[:, 1:].copy(), len(vectors))
    return Ladder(vectors, rungs, structure, space, scales, float(description["latency"]), held)


def vector_parts(vectors: NDArray[Any] | CheckedVectors, tail: str = "") -> dict[str, Write]:
    """Return the writers of a table of vectors and of its blocks' checksums, their names ending in `tail`."""
    table = vectors.array if isinstance(vectors, CheckedVectors) else vectors

    def write(path: Path) -> None:
        with path.open("wb") as file:
            for start in range(0, len(table), 1 << 14):
                file.write(np.ascontiguousarray(vectors[start : start + (1 << 14)]).data)

    return {f"vectors{tail}": write, f"sums{tail}": lambda path: block_checksums(table).tofile(path)}


def map_vectors(folder: Path, manifest: Manifest, shape: tuple[int, int], dtype: str, tail: str = "") -> CheckedVectors:
    """Map a table that `vector_parts` wrote; its size and checksums are verified now, its blocks as they are read."""
    sums = np.fromfile(verified(folder, manifest, f"sums{tail}"), dtype="<u4")
    return CheckedVectors(verified(folder, manifest, f"vectors{tail}", whole=False), shape, dtype, sums)
