"""Search judged by labels, as the Matryoshka paper judges it: single-shot HNSW32 against adaptive, funnel and exact.

    python benchmarks/labelled.py                                             Banking77, a minute
    python benchmarks/labelled.py --sets banking77,glyphs --shelf FOLDER      the lab's pictures too; trains them once
    python benchmarks/labelled.py --rows 100000                               widened to so many rows

A hit is right when it has the query's label. Banking77's training part is cut in two by a hash: rows and queries.
Widened rows are a row moved by what parts two others of its label: labels and their mixture stay, the graph gets as
large as it would be. Of each way the quickest setting is shown whose mAP@10 is within .002 of exact search by all
numbers; time is the median of single queries with one thread. MFLOPs are counted as the paper does: numbers compared,
d for each row of an exact search, d · log2 N for a graph.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from recording import DOCS, Record, say

import imi
from imi.evaluate.ranking import average_precision, gains_of_labels, precision
from imi.evaluate.sets import load_set
from imi.index.base import Index
from imi.index.exact import Exact
from imi.index.ladder import Ladder
from imi.index.native import load_rabitqlib
from imi.index.rungs import Rung, format_ladder

SLACK = 0.002
COLUMNS = {
    "mAP@10": ".4f", "P@10": ".4f", "top-1": ".4f", "recall@10": ".3f", "MFLOPs": ".4f", "µs": ".1f",
    "times HNSW32": ".1f", "µs in a batch": ".2f", "times, batch": ".1f",
    "MFLOPs of exact": ".4f", "mAP@25": ".4f", "mAP@50": ".4f", "mAP@100": ".4f",
    "P@25": ".4f", "P@50": ".4f", "P@100": ".4f", "ladder": "",
}  # fmt: skip


@dataclass
class Set:
    """Rows and queries with their labels; sizes are those the vectors are nested in."""

    rows: np.ndarray
    labels: np.ndarray
    queries: np.ndarray
    asked: np.ndarray
    sizes: list[int]


def banking(data: Path) -> Set:
    found = load_set("banking77", data)
    model = imi.load()
    (train, train_labels), (test, test_labels) = found.train, found.test
    rows, queries = model.embed(train, kind="document"), model.embed(test, kind="query")
    return Set(rows, np.array(train_labels), queries, np.array(test_labels), [16, 32, 64, 128, 256, rows.shape[1]])


def lab(name: str, shelf: Path) -> Set:
    from experiments.matryoshka.saved_results import Shelf
    from experiments.matryoshka.studies import DIGITS, GLYPHS
    from experiments.matryoshka.training import train

    study = {"glyphs": GLYPHS, "digits": DIGITS}[name]
    kept = Shelf(shelf)
    pictures = study.pictures(kept)
    z = train(study, pictures, "mrl", 0, kept).arrays
    width = study.dims[-1]
    rows, queries = (imi.normalize(z[f"z.{part}.{width}"].astype(np.float32)) for part in ("train", "test"))
    return Set(rows, pictures.train.y, queries, pictures.test.y, list(study.dims))


def widened(one: Set, rows: int, seed: int = 0) -> Set:
    """Return the set with so many rows, each moved by what parts two rows of its label."""
    random = np.random.default_rng(seed)
    order = np.argsort(one.labels, kind="stable")
    names, starts, counts = np.unique(one.labels[order], return_index=True, return_counts=True)
    base = random.integers(0, len(one.rows), rows - len(one.rows))
    place = np.searchsorted(names, one.labels[base])
    a, b = (order[starts[place] + random.integers(0, counts[place])] for _ in range(2))
    more = imi.normalize(one.rows[base] + 0.5 * (one.rows[a] - one.rows[b]))
    table = np.concatenate([one.rows, more]).astype(np.float32)
    return Set(table, np.concatenate([one.labels, one.labels[base]]), one.queries, one.asked, one.sizes)


def single(index: Index, queries: np.ndarray) -> float:
    """Return the median seconds of a single query over five rounds."""
    rounds = []
    for _ in range(5):
        times = []
        for at in range(min(len(queries), 200)):
            started = time.perf_counter()
            index.search(queries[at : at + 1], 10)
            times.append(time.perf_counter() - started)
        rounds.append(float(np.median(times)))
    return float(np.median(rounds))


def batch(index: Index, queries: np.ndarray) -> float:
    """Return the seconds of a query when all are asked at once: without Python's share, the median of five rounds."""
    rounds = []
    for _ in range(5):
        started = time.perf_counter()
        index.search(queries, 10)
        rounds.append((time.perf_counter() - started) / len(queries))
    return float(np.median(rounds))


def quality(index: Index, one: Set, truth: np.ndarray, depth: int) -> dict[str, float]:
    rows = index.search(one.queries, min(depth, len(one.rows)))[1]
    gains = gains_of_labels(rows, one.asked, one.labels)
    found = {"top-1": float(precision(gains, 1).mean())}
    for k in (10, 25, 50, 100):
        if k <= rows.shape[1]:
            found[f"mAP@{k}"] = float(average_precision(gains, k).mean())
            found[f"P@{k}"] = float(precision(gains, k).mean())
    same = (rows[:, :10, None] == truth[:, None, :]).any(axis=2)
    return found | {"recall@10": float(same.mean())}


def mflops(one: Set, rungs: tuple[Rung, ...]) -> float:
    """Count numbers compared: the first rung by all rows or down a graph, each later one by the shortlist before it."""
    steps = len(one.rows) if rungs[0].structure == "flat" else math.log2(len(one.rows))
    later = sum(before.keep * rung.dims for before, rung in pairwise(rungs))
    return (steps * rungs[0].dims + later) / 1e6


def ways(one: Set) -> dict[str, list[tuple[Rung, ...]]]:
    """Return the ladders of each way, to choose among."""
    full, small = one.sizes[-1], [size for size in one.sizes[:-1] if size <= 128]
    keeps = (20, 50, 100, 200)
    efforts = (10, 20, 40, 80, 160, 320)
    graphs = [size for size in small if size >= 64] if load_rabitqlib() else []
    found: dict[str, list[tuple[Rung, ...]]] = {
        "HNSW32, single shot": [(Rung(full, 10, "float32", "hnsw", effort),) for effort in efforts],
        "adaptive, HNSW32 first": [
            (Rung(size, keep, "float32", "hnsw", max(keep, effort)), Rung(full, 10))
            for size in small for keep in keeps for effort in (0, 80, 160)
        ],
        "adaptive, exact first": [
            (Rung(size, keep, "float32", "flat"), Rung(full, 10)) for size in small for keep in keeps
        ],
        "adaptive, SymphonyQG first": [
            (Rung(size, keep, "int8", "symphonyqg", max(keep, effort)), Rung(full, 10))
            for size in graphs for keep in keeps[:2] for effort in (0, 40, 80)
        ],
        "funnel, HNSW32 first": [
            (Rung(small[at], first, "float32", "hnsw", first), *_funnel([*small[at + 1 :], full], first))
            for at in range(len(small) - 1) for first in (40, 100, 200)
        ],
        "funnel, exact first": [
            (Rung(small[at], first, "float32", "flat"), *_funnel([*small[at + 1 :], full], first))
            for at in range(len(small) - 1) for first in (40, 100, 200)
        ],
    }  # fmt: skip
    return {name: ladders for name, ladders in found.items() if ladders}


def _funnel(sizes: list[int], first: int) -> list[Rung]:
    """Return the later rungs: sizes growing, shortlists halving, never below ten."""
    return [Rung(size, max(10, first >> at)) for at, size in enumerate(sizes, 1)]


def chosen(one: Set, ladders: list[tuple[Rung, ...]], truth: np.ndarray, bar: float) -> tuple[Ladder, dict] | None:
    """Return the quickest ladder whose mAP@10 is at the bar; a structure is built once for all that share it."""
    built: dict[Rung, Ladder] = {}
    good = []
    for rungs in ladders:
        first = rungs[0]
        key = Rung(first.dims, 1, first.codec, first.structure)
        if key not in built:
            built[key] = Ladder.build(one.rows, rungs)
        ladder = built[key].with_rungs(rungs)
        ladder.threads = 1
        started = time.perf_counter()
        found = quality(ladder, one, truth, 10)
        if found["mAP@10"] >= bar:
            good.append((time.perf_counter() - started, ladder))
    if not good:
        return None
    quickest = min((ladder for _, ladder in sorted(good, key=lambda pair: pair[0])[:3]),
                   key=lambda ladder: single(ladder, one.queries))  # fmt: skip
    found = quality(quickest, one, truth, 100)
    # The first ten are those of a search for ten, whose shortlists a search for a hundred widens.
    return quickest, found | quality(quickest, one, truth, 10)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sets", default="banking77", help="banking77, glyphs, digits")
    options.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    options.add_argument("--shelf", type=Path, default=Path("docs/lab/.cache"), help="where trained pictures are kept")
    options.add_argument("--rows", type=int, default=0, help="widen to so many rows")
    options.add_argument("--again", action="store_true", help="measure again what an earlier run has measured")
    options.add_argument("--out", type=Path, default=DOCS)
    asked = options.parse_args()
    for name in asked.sets.split(","):
        one = banking(asked.data) if name == "banking77" else lab(name, asked.shelf)
        if asked.rows > len(one.rows):
            one = widened(one, asked.rows)
        title = f"labelled-{name}-{len(one.rows)}"
        record = Record(title, {"rows": len(one.rows), "queries": len(one.queries)}, asked.again, asked.out)
        exact = Exact(one.rows)
        truth = exact.search(one.queries, 10)[1]
        full = one.rows.size / 1e6
        if "exact" not in record:
            record.put(
                "exact", [{**quality(exact, one, truth, 100), "MFLOPs": full, "µs": 1e6 * single(exact, one.queries)}]
            )
            say(name, record.results["exact"][0])
        bar = record.results["exact"][0]["mAP@10"] - SLACK
        for way, ladders in ways(one).items():
            if way in record:
                continue
            found = chosen(one, ladders, truth, bar)
            if found is None:
                record.put(way, [{"ladder": "not reached"}])
                continue
            ladder, values = found
            work = mflops(one, ladder.rungs)
            row = {**values, "MFLOPs": work, "MFLOPs of exact": work / full, "ladder": format_ladder(ladder.rungs)}
            row |= {"µs": 1e6 * single(ladder, one.queries), "µs in a batch": 1e6 * batch(ladder, one.queries)}
            base = record.results.get("HNSW32, single shot", [row])[0]
            row |= {
                "times HNSW32": base["µs"] / row["µs"],
                "times, batch": base["µs in a batch"] / row["µs in a batch"],
            }
            record.put(way, [row])
            say(name, way, {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()})
        notes = (
            f"`python benchmarks/labelled.py --sets {name}{f' --rows {asked.rows}' if asked.rows else ''}`: "
            f"{len(one.rows):,} rows, {len(one.queries):,} queries, {len(np.unique(one.labels))} labels, "
            f"{one.rows.shape[1]} dimensions. {' '.join((__doc__ or '').split(chr(10) * 2)[2].split())}"
        )
        say("written", record.page(f"Search judged by labels: {name}, {len(one.rows):,} rows", COLUMNS, notes))


if __name__ == "__main__":
    main()
