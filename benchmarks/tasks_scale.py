"""Clustering, duplicates, anomalies and the map over 100,000 documents: minutes, and memory that grows with the rows.

    python benchmarks/tasks_scale.py                          20,000 and 100,000 texts; writes docs/tasks_scale.md
    python benchmarks/tasks_scale.py --rows 20000 --out FOLDER

Each task and size runs in a process of its own, so that the peak of memory is its own, and shows its progress. The
texts are those of the public data sets beside the repository. A table of all pairs would take 40 GB at 100,000 rows.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from recording import DOCS, Record, say
from vector_data import SHARED, real_texts

import imi
from imi import tasks

TASKS = {
    "cluster": lambda z, texts, tell: tasks.cluster(z, 50, texts, progress=tell),
    "cluster, k found": lambda z, texts, tell: tasks.cluster(z, None, texts, progress=tell),
    "dedupe": lambda z, texts, tell: tasks.dedupe(z, 0.95, texts, progress=tell),
    "anomalies": lambda z, texts, tell: tasks.anomalies(z, texts=texts, progress=tell),
    "map": lambda z, texts, tell: tasks.map(z, texts, progress=tell),
}
COLUMNS = {"rows": ",d", "seconds": ".0f", "processor seconds": ".0f", "MB above the vectors": ",.0f", "progress": ",d"}


def peak():
    """Return the most memory this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def measure(name, rows):
    """Run one task over so many texts, telling its progress on standard error."""
    texts = real_texts(SHARED)
    step = max(1, len(texts) // rows)
    texts = texts[::step][:rows]
    z = imi.load().embed(texts)
    before = peak()
    told = 0

    def tell(done, total):
        nonlocal told
        told += 1
        if sys.stderr.isatty():
            print(f"\r{name}: {done:,} of {total:,}   ", end="", file=sys.stderr, flush=True)

    start, busy = time.perf_counter(), time.process_time()
    TASKS[name](z, texts, tell)
    took, busy = time.perf_counter() - start, time.process_time() - busy
    return {
        "rows": len(z),
        "seconds": took,
        "processor seconds": busy,
        "MB above the vectors": peak() - before,
        "progress": told,
    }


def main():
    """Measure each task at each size, and write the page."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", default="20000,100000")
    options.add_argument("--only", choices=TASKS, action="append")
    options.add_argument("--again", action="store_true")
    options.add_argument("--out", type=Path, default=DOCS)
    options.add_argument("--one", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, int(given.rows))))
        return
    record = Record("tasks_scale", {"width": imi.load().info.width}, given.again, given.out)
    for name in given.only or TASKS:
        for rows in map(int, given.rows.split(",")):
            key = f"{name}, {rows:,}"
            if key in record:
                continue
            command = [sys.executable, __file__, "--one", name, "--rows", str(rows)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            record.put(key, [json.loads(done.stdout)])
            say(key, {what: round(value, 1) for what, value in record.results[key][0].items() if what != "at"})
    growth = []
    for name in given.only or TASKS:
        sizes = [record.results[f"{name}, {int(rows):,}"][0] for rows in given.rows.split(",")]
        if len(sizes) > 1:
            logs = [np.log([size[what] for size in sizes]) for what in ("rows", "processor seconds")]
            growth.append(f"{name} {np.polyfit(*logs, 1)[0]:.2f}")
    notes = "Real texts, vectors of 512 numbers (2 kB a row, which the memory column leaves out)."
    if growth:
        notes += f"\n\nExponent of processor time over rows (1 is linear, 2 all pairs): {', '.join(growth)}."
    print(record.page("Tasks over many documents", COLUMNS, notes + "\n\nMade by `python benchmarks/tasks_scale.py`."))


if __name__ == "__main__":
    main()
