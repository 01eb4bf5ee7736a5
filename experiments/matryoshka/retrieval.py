"""Adaptive and funnel retrieval on a study's embeddings, through imi's own ladder: accuracy, work and time.

Work is counted as the paper counts it: one multiplication and addition a number compared, exact search for the first
rung. Time is processor time of one thread on this machine, through the index, every way in turn and compared in pairs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from experiments.matryoshka.measure import safe_unit
from experiments.matryoshka.pictures import Pictures
from experiments.matryoshka.training import Trained, one_thread
from imi.evaluate.intervals import mean_difference
from imi.evaluate.ranking import average_precision, gains_of_labels, precision
from imi.index.ladder import Ladder
from imi.index.native import load_faiss
from imi.index.rungs import Rung

CUTS = (10, 25, 50, 100)
ROUNDS, TIMED = 7, 200
"""How often every way to search is timed, and with how many queries."""


@dataclass(frozen=True)
class Searched:
    """One way to search: its rungs, accuracy, work and time.

    Attributes:
        kind: "single", "adaptive", "funnel" or "hnsw".
        rungs: (dims, keep) of each.
        mflops: multiplications with their additions a query, in millions, counting the first rung as exact.
        micros: microseconds a query, the median of the rounds.
        faster: how many times as fast as the largest size alone in the same round, the median of the rounds.
        gap: 95 % interval of mAP@10 minus that of the largest size alone, query by query.
        map10, p10, top1: mean over the test pictures; maps: mAP@k and P@k at the other cuts.
        recall: share of the ten nearest by all dimensions that are among the ten found.
    """

    kind: str
    rungs: tuple[tuple[int, int], ...]
    mflops: float
    micros: float
    faster: float
    gap: tuple[float, float]
    map10: float
    p10: float
    top1: float
    recall: float
    maps: dict[str, float]


def mflops(count: int, rungs: Sequence[tuple[int, int]]) -> float:
    """Return the millions of numbers a query compares: all rows at the first dims, each shortlist at the next."""
    candidates = [count, *(keep for _, keep in rungs)]
    return sum(n * dims for n, (dims, _) in zip(candidates, rungs, strict=False)) / 1e6


def funnel_rungs(sizes: Sequence[int], first: int) -> tuple[tuple[int, int], ...]:
    """Return the funnel: sizes growing, shortlists halving from `first`, never below ten."""
    return tuple((size, max(10, first >> at)) for at, size in enumerate(sizes))


def ways(sizes: Sequence[int], shortlist: int) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
    """Return what is tried: each size alone, each smaller size reranked by each larger one, the funnel."""
    alone = [("single", ((size, 100),)) for size in sizes]
    pairs = [
        ("adaptive", ((small, shortlist), (large, shortlist)))
        for at, small in enumerate(sizes)
        for large in sizes[at + 1 :]
    ]
    return [*alone, *pairs, ("funnel", funnel_rungs(sizes, 4 * shortlist))]


def search_all(model: Trained, pictures: Pictures, shortlist: int) -> list[dict[str, Any]]:
    """Return every way to search a nested method's embeddings, as plain dicts of `Searched`."""
    width = model.sizes[-1]
    base, asked = safe_unit(model.z("train", width), width), safe_unit(model.z("test", width), width)
    truth = _found(_ladder(base, ((width, 100),), "flat"), asked, ((width, 100),))[:, :10]
    small = model.sizes[1] if len(model.sizes) > 1 else width
    tried = [(kind, rungs, "flat") for kind, rungs in ways(model.sizes, shortlist)]
    tried += [("hnsw", ((width, 100),), "hnsw"), ("hnsw", ((small, shortlist), (width, shortlist)), "hnsw")]
    ladders = [_ladder(base, rungs, structure) for _, rungs, structure in tried]
    whole = tried.index(("single", ((width, 100),), "flat"))
    micros, faster = timed(ladders, [rungs[-1][1] for _, rungs, _ in tried], asked, whole)
    found = [_found(ladder, asked, rungs) for ladder, (_, rungs, _) in zip(ladders, tried, strict=True)]
    precise = [average_precision(gains_of_labels(rows, pictures.test.y, pictures.train.y), 10) for rows in found]
    out = []
    for at, ((kind, rungs, _), rows) in enumerate(zip(tried, found, strict=True)):
        gains = gains_of_labels(rows, pictures.test.y, pictures.train.y)
        same = np.mean([len(np.intersect1d(a, b)) for a, b in zip(rows[:, :10], truth, strict=True)]) / 10
        maps = {f"map@{k}": float(average_precision(gains, k).mean()) for k in CUTS if k <= rows.shape[1]}
        maps |= {f"p@{k}": float(precision(gains, k).mean()) for k in CUTS if k <= rows.shape[1]}
        p10, top1 = float(precision(gains, 10).mean()), float(precision(gains, 1).mean())
        gap = mean_difference(precise[at], precise[whole]).interval
        speed = (mflops(len(base), rungs), micros[at], faster[at], gap)
        out.append(asdict(Searched(kind, rungs, *speed, maps["map@10"], p10, top1, float(same), maps)))
    return out


def ablation(model: Trained, pictures: Pictures, shortlists: Sequence[int]) -> list[dict[str, float]]:
    """Return mAP@10 by the shortlist's length K: the smallest size first, then all dimensions."""
    width, small = model.sizes[-1], model.sizes[0]
    base, asked = safe_unit(model.z("train", width), width), safe_unit(model.z("test", width), width)
    out = []
    for keep in (keep for keep in shortlists if keep <= len(base)):
        rungs = ((small, keep), (width, 10))
        rows = _found(_ladder(base, rungs, "flat"), asked, rungs)
        gains = gains_of_labels(rows, pictures.test.y, pictures.train.y)
        work = mflops(len(base), rungs)
        out.append({"k": keep, "map10": float(average_precision(gains, 10).mean()), "mflops": work})
    return out


def _ladder(base: Any, rungs: Sequence[tuple[int, int]], structure: str) -> Ladder:
    ladder = Ladder.build(
        base,
        [
            Rung(dims, keep, "float32", structure if at == 0 else None)  # type: ignore[arg-type]
            for at, (dims, keep) in enumerate(rungs)
        ],
    )
    ladder.threads = 1
    return ladder


def _found(ladder: Ladder, asked: Any, rungs: Sequence[tuple[int, int]]) -> Any:
    """Return the rows found, (n, the last keep)."""
    return ladder.search(asked, min(rungs[-1][1], len(ladder)))[1]


def timed(
    ladders: Sequence[Ladder], keep: Sequence[int], asked: Any, whole: int, rounds: int = ROUNDS
) -> tuple[list[float], list[float]]:
    """Return for each ladder the median microseconds a query, and how many times as fast it is as one of them.

    In each round every ladder answers the same queries, one ladder after the other, and is compared within that round:
    what else the machine does in the meantime then slows both.

    Args:
        ladders: what is timed.
        keep: how many rows each returns.
        asked: the queries; at most `TIMED` of them are asked.
        whole: which ladder the others are compared with.
        rounds: how many.
    """
    some = asked[:TIMED]
    seconds = np.empty((rounds, len(ladders)))
    for row in seconds:
        for at, ladder in enumerate(ladders):
            started = time.process_time()
            ladder.search(some, min(keep[at], len(ladder)))
            row[at] = time.process_time() - started
    seconds = np.maximum(seconds, 1e-9)
    micros = np.median(seconds, axis=0) / len(some) * 1e6
    faster = np.median(seconds[:, [whole]] / seconds, axis=0)
    return [float(value) for value in micros], [float(value) for value in faster]


def index_sizes(model: Trained, sizes: Sequence[int]) -> list[dict[str, float]]:
    """Return bytes and build seconds of an exact and an HNSW32 index at each size: Table 20's measurement."""
    faiss = load_faiss()
    out = []
    with one_thread():
        for size in sizes:
            z = safe_unit(model.z("train", size), size)
            row: dict[str, float] = {"size": size, "rows": len(z)}
            for name, index in (("exact", faiss.IndexFlatL2(size)), ("hnsw", faiss.IndexHNSWFlat(size, 32))):
                started = time.perf_counter()
                index.add(z)
                row[f"{name}_seconds"] = time.perf_counter() - started
                row[f"{name}_bytes"] = len(faiss.serialize_index(index))
            out.append(row)
    return out
