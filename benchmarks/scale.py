"""Time, memory and recall of the planned ladder as rows grow, with the slope of time over rows.

    python benchmarks/scale.py                                    10k and 30k rows × 256, two minutes
    python benchmarks/scale.py --rows 10000,100000,1000000,10000000 --memory 60 --cache FOLDER     hours; bytes limited

Each size is measured in a process of its own, so that the peak of memory is its own. Results are kept as they come: the
same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from recording import DOCS, Record, say
from vector_data import vectors

import imi
from imi.index.exact import Exact
from imi.index.measure import latency

COLUMNS = {
    "rows": ",d", "recall": ".3f", "µs a query": ".1f", "index MB": ".1f", "plan and build s": ".0f", "peak MB": ",.0f",
    "ladder": "",
}  # fmt: skip


def measure(rows: int, width: int, memory: int | None, cache: Path) -> dict:
    """Plan, build and search one size."""
    x, queries = vectors(rows, width, cache)
    started = time.perf_counter()
    plan = imi.plan(x, memory=None if memory is None else memory * rows)
    seconds = time.perf_counter() - started
    index = plan.build(x)
    found = index.search(queries[:300], 10)[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bar = Exact(x).search(queries[:300], 10)[0][:, 9:]
    return {
        "rows": rows,
        "recall": float(np.mean(found >= bar - 2e-6)),
        "µs a query": float(np.median([latency(index, queries, 10) for _ in range(5)])) * 1e6,
        "index MB": plan.chosen.bytes / 1e6,
        "plan and build s": seconds,
        "peak MB": peak / 1e3,
        "ladder": plan.chosen.to_dict()["ladder"],
    }


def draw(points: np.ndarray, slope: float, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.loglog(*points.T, "o-", label=f"slope {slope:.2f}")
    axes.loglog(points[:, 0], points[0, 1] * points[:, 0] / points[0, 0], "--", color="grey", label="linear, as exact")
    axes.set_xlabel("rows")
    axes.set_ylabel("µs a query, one thread")
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", default="10000,30000")
    options.add_argument("--width", type=int, default=256)
    options.add_argument("--memory", type=int, default=None, help="bytes a row beside the vectors")
    options.add_argument("--cache", type=Path, help="folder where the vectors are kept for the next run")
    options.add_argument("--again", action="store_true", help="measure again what an earlier run has measured")
    options.add_argument("--out", type=Path, default=DOCS)
    options.add_argument("--one", type=int, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.one:
        print(json.dumps(measure(asked.one, asked.width, asked.memory, asked.cache)))
        return
    name = f"scale-{asked.width}" + ("" if asked.memory is None else f"-{asked.memory}B")
    record = Record(name, {"width": asked.width, "memory": asked.memory}, asked.again, asked.out)
    with tempfile.TemporaryDirectory() as scratch:
        cache = asked.cache or Path(scratch)
        for rows in (int(one) for one in asked.rows.split(",")):
            if f"{rows:,}" in record:
                continue
            say(f"{rows:,} rows")
            vectors(rows, asked.width, cache)  # made here, so that the peak is that of the plan alone
            command = [sys.executable, __file__, "--one", str(rows), "--width", str(asked.width), "--cache", str(cache)]
            command += [] if asked.memory is None else ["--memory", str(asked.memory)]
            found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            record.put(f"{rows:,}", [json.loads(found.splitlines()[-1])])
            say("  ", record.results[f"{rows:,}"][0])
    points = np.array(sorted((row["rows"], row["µs a query"]) for row in record.rows()))
    slope = float(np.polyfit(*np.log(points).T, 1)[0]) if len(points) > 1 else float("nan")
    if len(points) > 1:
        draw(points, slope, asked.out / f"{name}.png")
    notes = (
        f"`python benchmarks/scale.py --width {asked.width}`: lifted vectors, target .95 of the ten nearest, median of "
        f"single queries with one thread. Slope of log time over log rows: {slope:.2f}; exact search has 1."
    )
    say("written", record.page(f"Growth of search over {asked.width} dimensions", COLUMNS, notes, f"{name}.png"))


if __name__ == "__main__":
    main()
