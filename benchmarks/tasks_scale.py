"""Clustering, duplicates, anomalies and the map over 100,000 documents: minutes, and memory that grows with the rows.

    python benchmarks/tasks_scale.py                          20,000 and 100,000 texts; writes docs/tasks_scale.md
    python benchmarks/tasks_scale.py --rows 20000 --out FOLDER

Each task and size runs in a process of its own, so that the peak of memory is its own, and shows its progress. The
texts are those of the public data sets beside the repository. A table of all pairs would take 40 GB at 100,000 rows.
"""

import argparse
import ctypes
import gc
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from recording import Record, say
from vector_data import SHARED, real_texts

import imi
from imi import tasks

PAGE = Path(__file__).resolve().parents[1] / "docs"
BARS = {"cluster": 60, "cluster, k found": 90, "dedupe": 60, "anomalies": 30, "map": 90}
"""Seconds that 100,000 rows may take."""
TASKS = {
    "cluster": lambda z, texts, tell: tasks.cluster(z, 50, texts, progress=tell),
    "cluster, k found": lambda z, texts, tell: tasks.cluster(z, None, texts, progress=tell),
    "dedupe": lambda z, texts, tell: tasks.dedupe(z, 0.95, texts, progress=tell),
    "anomalies": lambda z, texts, tell: tasks.anomalies(z, texts=texts, progress=tell),
    "map": lambda z, texts, tell: tasks.map(z, texts, progress=tell),
}
COLUMNS = {
    "rows": ",d",
    "seconds": ".0f",
    "bar": "d",
    "processor seconds": ".0f",
    "MB above the vectors": ",.0f",
    "times the vectors": ".1f",
    "progress": ",d",
}


def held(what):
    """Return the memory that this process holds now ("VmRSS") or has held at most ("VmHWM"), in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1e3


def measure(name, rows):
    """Run one task over so many texts, telling its progress on standard error."""
    texts = real_texts(SHARED)
    step = max(1, len(texts) // rows)
    texts = texts[::step][:rows]
    z = imi.load().embed(texts)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is free is given back, or the task would use it unseen
    Path("/proc/self/clear_refs").write_text("5")  # the most held until now is forgotten: reading texts takes more
    before = held("VmRSS")
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
        "MB above the vectors": held("VmHWM") - before,
        "times the vectors": (held("VmHWM") - before) / (z.nbytes / 1e6),
        "progress": told,
    }


def main():
    """Measure each task at each size, and write the page."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", default="20000,100000")
    options.add_argument("--only", choices=TASKS, action="append")
    options.add_argument("--again", action="store_true")
    options.add_argument("--out", type=Path, default=PAGE)
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
    for name, bar in BARS.items():
        for row in record.results.get(f"{name}, 100,000", ()):
            row["bar"] = bar
    growth = []
    for name in given.only or TASKS:
        sizes = [record.results[f"{name}, {int(rows):,}"][0] for rows in given.rows.split(",")]
        if len(sizes) > 1:
            logs = [np.log([size[what] for size in sizes]) for what in ("rows", "processor seconds")]
            growth.append(f"{name} {np.polyfit(*logs, 1)[0]:.2f}")
    notes = (
        f"Real texts, vectors of {record.about['width']} dimensions (2 kB a row, which the memory columns leave out: "
        "the most that was\nheld while the task ran, less what was held before). `bar` is the time that 100,000 rows "
        "may take."
    )
    if growth:
        notes += f"\n\nExponent of processor time over rows (1 is linear, 2 all pairs): {', '.join(growth)}."
    print(record.page("Tasks over many documents", COLUMNS, notes + "\n\nMade by `python benchmarks/tasks_scale.py`."))


if __name__ == "__main__":
    main()
