"""Which first rungs are worth trying for these vectors, and what they take of memory."""

from __future__ import annotations

from collections.abc import Sequence

from imi.index.measure import Prefix
from imi.index.native import load_rabitqlib
from imi.index.rungs import Rung
from imi.index.structures import lists_for

_SHARE = 0.8
"""Of the memory that is left: what a build may count on while the rest of the machine goes on."""


def prefix_sizes(width: int) -> list[int]:
    """Return prefixes to measure: from 32 up by half octaves, multiples of 32, below the width."""
    sizes = []
    size = 32
    while size < width:
        sizes.append(size)
        if size >= 64 and size * 3 // 2 < width:
            sizes.append(size * 3 // 2)
        size *= 2
    return sizes


def row_bytes(rung: Rung, rows: int) -> float:
    """Estimate the bytes of memory that a first rung takes a row.

    Measured on built indexes: SymphonyQG holds for each of 32 neighbours a bit a number and three words, HNSW of faiss
    64 links and a level list, HNSW-RaBitQ 32 links.
    """
    number = {"float32": 4.0, "float16": 2.0, "int8": 1.0, "pq": 0.25, "rabitq": 0.5, "binary": 0.125}[rung.codec]
    if rung.structure == "symphonyqg":
        return 32 * (rung.dims / 8 + 12) + rung.dims * number + 8
    if rung.structure == "hnsw-rabitq":
        return rung.dims * number + 180
    if rung.structure == "hnsw":
        return rung.dims * number + 272
    if rung.structure == "ivf":
        number = 0.125 if rung.codec == "rabitq" else number
        return rung.dims * number + 8 + 4 * rung.dims * lists_for(rows) / max(rows, 1)
    return rung.dims * (0.125 if rung.codec == "rabitq" else number)


def building_bytes(rung: Rung, rows: int) -> float:
    """Estimate the bytes that building a first rung takes for a while: rabitqlib is given all rows in one table."""
    table = 4 * rung.dims * rows if rung.structure in ("symphonyqg", "hnsw-rabitq") else 0
    return table + row_bytes(rung, rows) * rows


def first_rungs(
    rows: int,
    width: int,
    worth: Sequence[Prefix],
    matryoshka: bool,
    memory: int | None,
    room: int | None = None,
) -> list[Rung]:
    """Return first rungs to try, keeps yet to be found, that fit the memory; most promising first.

    Args:
        rows: of the whole table.
        width: of a vector.
        worth: what each prefix needs for the target.
        matryoshka: whether prefixes are worth more than random dimensions; if not, a learnt rotation takes their place.
        memory: bytes that the ladder may take beside the full vectors, None for any.
        room: bytes that this machine has left for building, None where it does not say.
    """
    usable = [prefix.dims for prefix in worth if prefix.keep is not None and prefix.dims >= 64]
    # The full width comes first: where memory does not matter, it is the one to beat, and a busy machine tries few.
    sizes = [width, *_spread(usable)] if matryoshka else [width]
    rotated = [] if matryoshka else _spread([size for size in prefix_sizes(width) if size >= 64])[:2]
    out: list[Rung] = []
    fast = load_rabitqlib() is not None
    for size in [*sizes, *rotated]:
        turn = size in rotated
        if fast and size >= 64:
            out.append(Rung(size, 10, "int8", "symphonyqg", rotated=turn))
        else:
            out.append(Rung(size, 10, "int8", "hnsw", rotated=turn))
    prefixes = rotated or sizes[1:] or sizes
    small = prefixes[0]
    out.append(Rung(small, 10, "pq", "ivf", rotated=bool(rotated)))
    if fast:
        out.append(Rung(small, 10, "int8", "hnsw", rotated=bool(rotated)))
    middle = prefixes[min(1, len(prefixes) - 1)]
    out.append(Rung(middle, 10, "pq", "ivf", rotated=bool(rotated)))
    return [
        rung
        for rung in dict.fromkeys(out)
        if (memory is None or row_bytes(rung, rows) * rows <= memory)
        and (room is None or building_bytes(rung, rows) <= _SHARE * room)
    ]


def _spread(sizes: Sequence[int]) -> list[int]:
    """Return at most two of the sizes: the smallest, and about twice that."""
    if not sizes:
        return []
    return sorted({sizes[0], next((size for size in sizes if size >= 2 * sizes[0]), sizes[-1])})
