"""Index size and build time by dims, exact against HNSW32, as in the Matryoshka paper's table 20.

python benchmarks/table20.py --rows 20000 --width 512
"""

from __future__ import annotations

import argparse
import time

import faiss
from vector_data import lifted_vectors, real_vectors

import imi


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--width", type=int, default=512)
    asked = options.parse_args()
    x, _ = real_vectors(asked.rows) if asked.width == 512 else lifted_vectors(asked.rows, asked.width)
    print(f"{len(x)} rows\n dims | exact MB | build s | HNSW32 MB | build s")
    dims = 8
    while dims <= asked.width:
        short = imi.truncate(x, dims)
        cells = []
        for index in (faiss.IndexFlatL2(dims), faiss.IndexHNSWFlat(dims, 32)):
            started = time.perf_counter()
            index.add(short)
            seconds = time.perf_counter() - started
            cells.append(f"{len(faiss.serialize_index(index)) / 1e6:8.1f} | {seconds:7.2f}")
        print(f"{dims:5} | {cells[0]} | {cells[1]}", flush=True)
        dims *= 2


if __name__ == "__main__":
    main()
