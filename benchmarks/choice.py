"""How far the planner's choice is from the best ladder of an exhaustive sweep, and how well it keeps its promise.

    python benchmarks/choice.py --rows 20000                      some minutes
    python benchmarks/choice.py --rows 50000 --cache FOLDER       about half an hour on two cores

The sweep builds every prefix in every structure on all rows, sets shortlist and effort for the target with half of the
queries, tries rungs between, and takes the quickest. The plan sees none of the queries. Both are then timed in turns,
in one process: the ratio is of medians of five rounds. The bar is 1.15. Targets and seeds show what verified recall is
worth: the share of the true ten that the other half of the queries find, less the target.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from recording import DOCS, Record, say
from vector_data import vectors

import imi
from imi.index.base import Index
from imi.index.candidates import prefix_sizes
from imi.index.exact import Exact
from imi.index.goal import Goal
from imi.index.ladder import Ladder
from imi.index.measure import Truth, find_truth, front, funnels, latency
from imi.index.native import load_rabitqlib
from imi.index.rungs import Rung, format_ladder

COLUMNS = {
    "target": ".2f", "recall": ".4f", "over target": "+.4f", "µs planned": ".1f", "µs best": ".1f",
    "times the best": ".3f", "planned": "", "best": "", "plan s": ".0f", "of it build s": ".0f",
}  # fmt: skip


def firsts(width: int) -> list[Rung]:
    """Return every first rung that is worth a build."""
    sizes = [size for size in [*prefix_sizes(width), width] if size >= 64 and size * 8 >= width]
    kinds = [("hnsw", "int8"), ("ivf", "pq")]
    if load_rabitqlib() is not None:
        kinds.insert(0, ("symphonyqg", "int8"))
    return [Rung(size, 10, codec, kind) for kind, codec in kinds for size in sizes]  # type: ignore[arg-type]


def best_of_sweep(x: np.ndarray, truth: Truth, targets: list[float]) -> dict[float, Ladder]:
    """Return the quickest ladder for each target."""
    found: dict[float, tuple[float, Ladder]] = {}
    for rung in firsts(x.shape[1]):
        say("  sweep", rung)
        ladder = Ladder.build(x, (rung, Rung(x.shape[1], truth.k)))
        for target in targets:
            good = [point for point in front(ladder, [truth], Goal(target)) if point.recall >= target]
            good += [
                more
                for point in good[:2]
                for more in funnels(ladder, [truth], Goal(target), point)
                if more.recall >= target
            ]
            if good:
                quickest = min(good, key=lambda point: point.seconds)
                if target not in found or quickest.seconds < found[target][0]:
                    found[target] = (quickest.seconds, ladder.with_rungs(quickest.rungs))
    return {target: ladder for target, (_, ladder) in found.items()}


def in_turns(a: Index, b: Index, queries: np.ndarray) -> tuple[float, float]:
    """Return both medians of single queries, measured in turns so that a busy minute meets both."""
    rounds = [(latency(a, queries, 10, 0.3), latency(b, queries, 10, 0.3)) for _ in range(5)]
    first, second = np.median(np.array(rounds), axis=0)
    return float(first), float(second)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--width", type=int, default=512)
    options.add_argument("--targets", default="0.90,0.95,0.98")
    options.add_argument("--seeds", type=int, default=1, help="plans a target")
    options.add_argument("--cache", type=Path, help="folder where the vectors are kept for the next run")
    options.add_argument("--again", action="store_true", help="measure again what an earlier run has measured")
    options.add_argument("--out", type=Path, default=DOCS)
    asked = options.parse_args()
    targets = [float(one) for one in asked.targets.split(",")]
    table, queries = vectors(asked.rows, asked.width, asked.cache)
    x = np.ascontiguousarray(table)
    record = Record(f"choice-{asked.rows}x{asked.width}", {"rows": asked.rows}, asked.again, asked.out)
    left = [(t, s) for t in targets for s in range(asked.seeds) if f"{t:.2f}, seed {s}" not in record]
    truth = find_truth(x, queries, "cosine", 10)
    best = best_of_sweep(x, truth.part(slice(0, None, 2)), sorted({target for target, _ in left})) if left else {}
    checking = truth.part(slice(1, None, 2))
    for target, seed in left:
        started = time.perf_counter()
        plan = imi.plan(x, target, queries=queries[::2], seed=seed)  # what the sweep is set by, too
        seconds = time.perf_counter() - started
        index = plan.build(x)
        rungs = plan.chosen.rungs
        started = time.perf_counter()
        if rungs:
            Ladder.build(x, rungs)
        built = time.perf_counter() - started
        recall = float(checking.recalls(*index.search(checking.queries, 10)).mean())
        rival: Index = best.get(target, Exact(x))
        planned, quickest = in_turns(index, rival, checking.queries)
        row = {
            "target": target, "recall": recall, "over target": recall - target, "µs planned": 1e6 * planned,
            "µs best": 1e6 * quickest, "times the best": planned / quickest,
            "planned": format_ladder(rungs) if rungs else "exact",
            "best": format_ladder(rival.rungs) if isinstance(rival, Ladder) else "exact",
            "plan s": seconds, "of it build s": built,
        }  # fmt: skip
        record.put(f"{target:.2f}, seed {seed}", [row])
        say(row)
    notes = (
        f"`python benchmarks/choice.py --rows {asked.rows}`. {' '.join((__doc__ or '').split(chr(10) * 2)[2].split())}"
    )
    say("written", record.page(f"The planner's choice, {asked.rows:,} × {asked.width}", COLUMNS, notes))


if __name__ == "__main__":
    main()
