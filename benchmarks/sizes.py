"""What 10^6 to 10^10 vectors take: memory, disk, money and arithmetic by dimensions and codec, for `docs/scale.md`.

    python benchmarks/sizes.py [--width 512] [--memory-price 4] [--disk-price 0.1]

Nothing is measured here: it is multiplication, and every factor is named. Prices are dollars for a GB and month.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from imi.index.search_cost import cost_table

ROWS = tuple(10**power for power in range(6, 11))
BYTES = {"float32": 4.0, "float16": 2.0, "int8": 1.0, "signs": 0.125}
LINKS = 32
"""Neighbours of a row on the ground floor of an HNSW graph with M = 16; the upper floors add a fifteenth."""
LINK_BYTES = {"faiss, Qdrant, Milvus": 4, "pgvector": 6}
SCAN = 10e9
"""Bytes a second that one core reads from memory, for the exact scan."""


def graph_bytes(link: int) -> float:
    """Return the bytes of a row's links."""
    return LINKS * link * (1 + 1 / 15)


def size(number: float) -> str:
    """Return bytes as people read them."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} PB"


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a table in Markdown."""
    names = list(head)
    print("| " + " | ".join(names) + " |")
    print("|" + "---|" * len(names))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print()


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--memory-price", type=float, default=4.0)
    parser.add_argument("--disk-price", type=float, default=0.1)
    options = parser.parse_args()
    width = options.width
    sizes = [dims for dims in (64, 128, 256, 512, 1024) if dims <= width]
    print(f"Bytes of the vectors alone: rows x dimensions x bytes a dimension (width {width})\n")
    ways = [(dims, codec) for dims in sizes for codec in BYTES if dims == width or codec != "float32"]
    table(
        ["dimensions, codec", "a row", *(f"10^{len(str(rows)) - 1}" for rows in ROWS)],
        [
            [f"{dims} {codec}", size(dims * BYTES[codec]), *(size(rows * dims * BYTES[codec]) for rows in ROWS)]
            for dims, codec in ways
        ],
    )
    link = LINK_BYTES["faiss, Qdrant, Milvus"]
    print(
        f"Memory for a graph over a prefix (codes + {LINKS} links of {link} bytes), whole vectors on disk as float16\n"
    )
    rows_ = []
    graphs = [(width, "float32"), (width, "int8"), *((dims, "int8") for dims in sizes[:-1]), (width, "signs")]
    for dims, codec in graphs:
        memory = dims * BYTES[codec] + graph_bytes(link)
        disk = 0 if (dims, codec) == (width, "float32") else width * BYTES["float16"]
        month = [rows * (memory * options.memory_price + disk * options.disk_price) / 1e9 for rows in ROWS]
        held = [f"{size(rows * memory)} (${money:,.0f})" for rows, money in zip(ROWS, month, strict=True)]
        rows_.append([f"{dims} {codec}", size(memory), size(disk), *held])
    table(["graph over", "memory a row", "disk a row", *(f"10^{len(str(rows)) - 1}" for rows in ROWS)], rows_)
    print(f"Millions of multiply-adds a query, first 64 dimensions, 200 reranked by {width} (`imi cost --search`)\n")
    costs = {rows: cost_table(rows, width, 200, 64) for rows in ROWS}
    table(
        ["way", "order", *(f"10^{len(str(rows)) - 1}" for rows in ROWS)],
        [
            [one.way, one.formula, *(f"{costs[rows][at].mflops:.4g}" for rows in ROWS)]
            for at, one in enumerate(costs[ROWS[0]])
        ],
    )
    print(f"Seconds of one exact scan on one core, {SCAN / 1e9:.0f} GB/s\n")
    table(
        ["read", *(f"10^{len(str(rows)) - 1}" for rows in ROWS)],
        [
            [f"{dims} {codec}", *(f"{rows * dims * BYTES[codec] / SCAN:.3g}" for rows in ROWS)]
            for dims, codec in ((width, "float32"), (64, "int8"), (width, "signs"))
        ],
    )


if __name__ == "__main__":
    main()
