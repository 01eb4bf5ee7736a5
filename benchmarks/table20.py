"""Index size and build time by dims, exact against HNSW32, as in the Matryoshka paper's table 20.

    python benchmarks/table20.py --rows 20000                       a minute
    python benchmarks/table20.py --rows 500000 --cache FOLDER       about 15 minutes on two cores

Results are kept as they come: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import faiss
import numpy as np
from recording import DOCS, Record, say
from vector_data import vectors

import imi

COLUMNS = {"exact MB": ",.1f", "exact s": ".2f", "HNSW32 MB": ",.1f", "HNSW32 s": ",.1f", "ratio of MB": ".2f"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--width", type=int, default=512)
    options.add_argument("--cache", type=Path, help="folder where the vectors are kept for the next run")
    options.add_argument("--again", action="store_true", help="measure again what an earlier run has measured")
    options.add_argument("--out", type=Path, default=DOCS)
    asked = options.parse_args()
    say("vectors")
    x, _ = vectors(asked.rows, asked.width, asked.cache)
    name = f"table20-{asked.rows}x{asked.width}"
    record = Record(name, {"rows": asked.rows, "width": asked.width}, asked.again, asked.out)
    dims = 8
    while dims <= asked.width:
        if str(dims) not in record:
            short = imi.truncate(np.asarray(x), dims)
            row: dict[str, float] = {}
            for kind, index in (("exact", faiss.IndexFlatL2(dims)), ("HNSW32", faiss.IndexHNSWFlat(dims, 32))):
                started = time.perf_counter()
                index.add(short)
                row[f"{kind} s"] = time.perf_counter() - started
                row[f"{kind} MB"] = len(faiss.serialize_index(index)) / 1e6
            record.put(str(dims), [{**row, "ratio of MB": row["HNSW32 MB"] / row["exact MB"]}])
            say(dims, row)
        dims *= 2
    notes = (
        f"`python benchmarks/table20.py --rows {asked.rows} --width {asked.width}`: what the paper's table 20 shows "
        "for ImageNet, over prefixes of sentence vectors. Rows of the table are numbers of each vector; float32, all "
        "processors. Searching fewer numbers makes both indexes smaller in proportion, but for the links of the graph."
    )
    say("written", record.page(f"Size and build time by dims, {asked.rows:,} rows", COLUMNS, notes))


if __name__ == "__main__":
    main()
