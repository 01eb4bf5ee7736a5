"""The files of a changing index: gathering live rows for a build, writing parts that are new, reading them back."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import Damaged
from imi.index.ladder import ladder_parts
from imi.index.manifest import (
    CheckedVectors,
    Manifest,
    Write,
    block_checksums,
    let_go_of,
    read_manifest,
    vector_parts,
    verified,
    write_files,
)
from imi.index.saved import map_vectors, read_ladder
from imi.index.segments import Keys, Part, joined
from imi.vectors import Metric

_MOST_PARTS = 12
_SMALL = 1 << 15
"""Rows up to which parts are joined when they are written, so that a search does not ask one after another."""
_BLOCK = 1 << 14
_HELD = 1 << 17
"""Rows that are gathered before mapped parts are let go of."""
_JOINED_BYTES = 1 << 28
"""Bytes of vectors up to which parts are joined in memory; more of them are searched one after another."""


def gather(
    parts: tuple[Part, ...], folder: Path | None, width: int
) -> tuple[Keys, Keys, NDArray[Any] | CheckedVectors, Path | None]:
    """Collect the live rows of all parts in the order of their keys.

    Returns:
        Keys, stamps, vectors, and the file that holds the vectors where a folder was given; they are mapped then.
    """
    keys = np.concatenate([part.keys[part.alive] for part in parts] or [np.empty(0, dtype=np.int64)])
    stamps = np.concatenate([part.stamps[part.alive] for part in parts] or [np.empty(0, dtype=np.int64)])
    places = [np.flatnonzero(part.alive) for part in parts]
    owner = np.repeat(np.arange(len(parts)), [len(place) for place in places])
    place = np.concatenate(places or [np.empty(0, dtype=np.int64)])
    order = np.argsort(keys, kind="stable")
    keys, stamps, owner, place = keys[order], stamps[order], owner[order], place[order]
    kind = np.result_type(*(part.vectors.dtype for part in parts)) if parts else np.dtype(np.float32)

    def block(start: int) -> NDArray[Any]:
        which, where = owner[start : start + _BLOCK], place[start : start + _BLOCK]
        rows = np.empty((len(which), width), dtype=kind)
        for at in np.unique(which):
            mine = which == at
            rows[mine] = parts[at].vectors[where[mine]]
        return rows

    starts = range(0, len(keys), _BLOCK)
    if folder is None or not len(keys):
        return keys, stamps, np.concatenate([block(s) for s in starts] or [np.empty((0, width), kind)]), None
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("gathered.*"):  # by a build that was killed
        left.unlink(missing_ok=True)
    path = folder / f"gathered.{os.getpid()}.{threading.get_ident()}"
    with path.open("wb") as file:
        for start in starts:
            file.write(block(start).data)
            if start % _HELD == 0:
                _let_go(parts)
    _let_go(parts)
    table = np.memmap(path, kind, "r", shape=(len(keys), width))
    return keys, stamps, CheckedVectors(path, table.shape, kind.str, block_checksums(table), fresh=True), path


def _let_go(parts: tuple[Part, ...]) -> None:
    """Take what was read of mapped parts out of this process's memory."""
    for part in parts:
        let_go_of(part.vectors)


def write_parts(
    folder: Path, parts: tuple[Part, ...], about: Mapping[str, Any], gathered: Path | None, join: bool
) -> tuple[Part, ...]:
    """Write the parts that no file holds yet, which rows are alive, and the manifest; return the parts as saved.

    Args:
        folder: of the index.
        parts: the present state.
        about: what else the manifest says.
        gathered: the file that already holds the vectors of the first part; it is moved to its place.
        join: whether parts may be joined.
    """
    if join:
        parts = _fewer(parts)
    try:
        old = read_manifest(folder)
        kept, entries = dict(old.files), {entry["tail"]: entry for entry in old.about["parts"]}
        following = 1 + max((int(tail) for tail in entries), default=-1)
    except (Damaged, KeyError, TypeError, ValueError):
        kept, entries, following = {}, {}, 0
    saved: list[Part] = []
    described, names = [], set()
    writers: dict[str, Write] = {}
    for part in parts:
        if part.saved is None or part.saved not in entries:
            part = replace(part, saved=str(following))
            following += 1
            entry, writing = _part_writers(part, part.saved or "")
            if gathered is not None and not saved:
                writing[f"vectors{part.saved}"] = partial(os.replace, gathered)
            writers |= writing
            described.append(entry)
        else:
            described.append(entries[part.saved])
            names |= set(entries[part.saved]["files"])
        saved.append(part)
    alive = np.packbits(np.concatenate([part.alive for part in saved] or [np.empty(0, dtype=bool)]))
    writers["alive"] = alive.tofile
    keep = {name: entry for name, entry in kept.items() if name in names}
    write_files(folder, {**about, "parts": described}, writers, keep)
    return tuple(saved)


def _fewer(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Join a part not four times as large as all newer ones with these: each row is written a few times in all."""
    tails = [part for part in parts if part.ladder is None]
    built = [part for part in parts if part.ladder is not None]
    newest = _newest(tails)
    if newest > _MOST_PARTS:
        return (*built, *tails[:-newest], joined(tails[-newest:]))
    first = after = len(tails) - 1
    count = len(tails[-1]) if tails else 0
    while after > 0 and count + len(tails[after - 1]) <= _SMALL:
        after -= 1
        if len(tails[after]) < 4 * count:
            first = after
        count += len(tails[after])
    if first < len(tails) - 1:
        tails[first:] = [joined(tails[first:])]
    return (*built, *tails)


def _newest(tails: list[Part]) -> int:
    """Return how many of the newest parts may be joined in memory."""
    sizes = np.cumsum([part.vector_bytes for part in reversed(tails)])
    return int(np.searchsorted(sizes, _JOINED_BYTES, side="right"))


def _part_writers(part: Part, tail: str) -> tuple[dict[str, Any], dict[str, Write]]:
    writers = vector_parts(part.vectors, tail)
    writers[f"keys{tail}"] = np.stack([part.keys, part.stamps]).tofile
    ladder = None
    if part.ladder is not None:
        ladder, more = ladder_parts(part.ladder, tail)
        writers |= more
    entry = {"tail": tail, "rows": len(part), "dtype": part.vectors.dtype.str, "ladder": ladder, "files": list(writers)}
    return entry, writers


def read_parts(folder: Path, manifest: Manifest, width: int, metric: Metric) -> list[Part]:
    """Read the parts that a manifest describes.

    Raises:
        Damaged: a file is missing or does not agree with its checksum.
    """
    entries = manifest.about["parts"]
    bits = np.fromfile(verified(folder, manifest, "alive"), dtype=np.uint8)
    alive = np.unpackbits(bits, count=sum(entry["rows"] for entry in entries)).astype(bool)
    parts, start = [], 0
    for entry in entries:
        tail, rows = entry["tail"], entry["rows"]
        keys, stamps = np.fromfile(verified(folder, manifest, f"keys{tail}"), dtype="<i8").reshape(2, rows)
        vectors = map_vectors(folder, manifest, (rows, width), entry["dtype"], tail)
        ladder = None if entry["ladder"] is None else read_ladder(folder, manifest, entry["ladder"], vectors, tail)
        mine = alive[start : start + rows].copy()
        parts.append(Part.make(keys, stamps, vectors, metric, ladder, tail, mine))
        start += rows
    return parts
