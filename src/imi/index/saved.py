"""Reading an index back from its files after their checksums agree; `Ladder.save` and `Exact.save` write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import Damaged
from imi.index.base import check_metric
from imi.index.codes import RowCodes
from imi.index.exact import Exact
from imi.index.heldout import HeldOut
from imi.index.ladder import Ladder, structure_name
from imi.index.manifest import (
    CheckedVectors,
    Manifest,
    read_manifest,
    verified,
)
from imi.index.passing import Filtering
from imi.index.rabitq import HnswRabitq, SymphonyQG
from imi.index.rungs import Rung
from imi.index.space import Space
from imi.index.structures import FaissStructure, Structure
from imi.types import Floats


def load_index(folder: Path) -> Ladder | Exact:
    """Read what `save` of a ladder or of an exact index wrote.

    Raises:
        Damaged: a file is missing, cut short or altered.
    """
    manifest = read_manifest(folder, foreign=True)
    if "exact" not in manifest.about:
        return load_ladder(folder)[0]
    try:
        table, exact = manifest.about["table"], manifest.about["exact"]
        vectors = map_vectors(folder, manifest, (table["shape"][0], table["shape"][1]), table["dtype"])
        return Exact(vectors, exact["metric"], exact["dims"])
    except (KeyError, IndexError, TypeError, ValueError) as wrong:
        raise Damaged(f"the manifest in {folder} does not describe an index: {wrong!r}") from wrong


def load_ladder(folder: Path) -> tuple[Ladder, Mapping[str, Any]]:
    """Read what `Ladder.save` wrote and return it with what was kept beside it.

    Raises:
        Damaged: a file is missing, cut short or altered; vectors are checked block by block when they are read.
        MissingExtra: the structure needs rabitqlib, which is not installed here.
    """
    manifest = read_manifest(folder, foreign=True)
    try:
        table = manifest.about["table"]
        vectors = map_vectors(folder, manifest, (table["shape"][0], table["shape"][1]), table["dtype"])
        description = manifest.about["ladder"]
        if not manifest.sealed:
            # Written elsewhere: its vectors are numbers, its structure would be native code's to believe.
            rungs = [Rung.from_dict(plain) for plain in description["rungs"]]
            return Ladder.build(vectors, rungs, check_metric(description["metric"])), manifest.about
        return read_ladder(folder, manifest, description, vectors), manifest.about
    except (KeyError, IndexError, TypeError, ValueError) as wrong:
        raise Damaged(f"the manifest in {folder} does not describe a ladder: {wrong!r}") from wrong


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
    path = verified(folder, manifest, f"{structure_name(links is not None)}{tail}")
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
    filtering = Filtering.from_dict(description.get("filtering"))
    ladder = Ladder(vectors, rungs, structure, space, scales, float(description["latency"]), held, filtering)
    if not description.get("coded") or filtering.code is None:
        return ladder
    codes = RowCodes.load(verified(folder, manifest, f"codes{tail}"), filtering.code, metric, len(vectors))
    if description.get("packed"):  # indexes of before have none: it is packed when a filter first needs it
        packed = verified(folder, manifest, f"packed{tail}")
        try:
            codes.load_table(packed)
        except (RuntimeError, MemoryError) as refused:
            raise Damaged(f"{packed} cannot be loaded: {refused}") from refused
    return ladder.with_filtering(filtering, codes)


def map_vectors(folder: Path, manifest: Manifest, shape: tuple[int, int], dtype: str, tail: str = "") -> CheckedVectors:
    """Map a table that `vector_parts` wrote; its size and checksums are verified now, its blocks as they are read."""
    sums = np.fromfile(verified(folder, manifest, f"sums{tail}"), dtype="<u4")
    return CheckedVectors(verified(folder, manifest, f"vectors{tail}", whole=False), shape, dtype, sums)
