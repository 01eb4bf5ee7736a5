"""Time, memory and recall of the planned ladder as rows grow, with the slope of time over rows.

python benchmarks/scale.py                                    10k and 30k rows × 256
python benchmarks/scale.py --rows 10000,100000,1000000,10000000 --memory 60    the long run, bytes a row limited
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from vector_data import lifted_vectors

import imi
from imi.index.exact import Exact
from imi.index.measure import latency


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", default="10000,30000")
    options.add_argument("--width", type=int, default=256)
    options.add_argument("--memory", type=int, default=None, help="bytes a row beside the vectors")
    options.add_argument("--figure", default="")
    asked = options.parse_args()
    points = []
    print("    rows | recall |  µs a query | index MB | plan and build s | peak MB")
    for rows in (int(one) for one in asked.rows.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "vectors.npy"
            made, queries = lifted_vectors(rows, asked.width)
            np.save(path, made)
            del made
            x = np.load(path, mmap_mode="r")
            bar = Exact(x).search(queries[:300], 10)[0][:, 9:]
            started = time.perf_counter()
            plan = imi.plan(x, memory=None if asked.memory is None else asked.memory * rows)
            seconds = time.perf_counter() - started
            index = plan.build(x)
            recall = float(np.mean(index.search(queries[:300], 10)[0] >= bar - 2e-6))
            one = latency(index, queries, 10)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
            points.append((rows, one))
            print(
                f"{rows:8} | {recall:6.3f} | {one * 1e6:11.1f} | {plan.chosen.bytes / 1e6:8.1f} |"
                f" {seconds:16.1f} | {peak:7.0f}",
                flush=True,
            )
    n, t = np.log(np.array(points).T)
    if len(points) > 1:
        print(f"slope of log time over log rows: {np.polyfit(n, t, 1)[0]:.2f} (1 is linear, exact search)")
    if asked.figure:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        axes.loglog(*np.array(points).T, "o-")
        axes.set_xlabel("rows")
        axes.set_ylabel("seconds a query")
        figure.savefig(asked.figure, dpi=150)


if __name__ == "__main__":
    main()
