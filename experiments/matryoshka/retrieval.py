"""Adaptive and funnel retrieval on a study's embeddings, through imi's own ladder: accuracy, work and time.

Work is counted as the paper counts it: one multiplication and addition a number compared, exact search for the first
rung. Time is wall clock of one thread on this machine, through the index.
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
from imi.evaluate.ranking import average_precision, gains_of_labels, precision
from imi.index.ladder import Ladder
from imi.index.native import load_faiss
from imi.index.rungs import Rung

CUTS = (10, 25, 50, 100)


@dataclass(frozen=True)
class Searched:
    """One way to search: its rungs, accuracy, work and time.

    Attributes:
        kind: "single", "adaptive", "funnel" or "hnsw".
        rungs: (dims, keep) of each.
        mflops: multiplications with their additions a query, in millions, counting the first rung as exact.
        micros: microseconds a query.
        map10, p10, top1: mean over the test pictures; maps: mAP@k and P@k at the other cuts.
        recall: share of the ten nearest by all dimensions that are among the ten found.
    """

    kind: str
    rungs: tuple[tuple[int, int], ...]
    mflops: float
    micros: float
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
    truth = _rows(base, asked, ((width, 100),), "flat")[0][:, :10]
    small = model.sizes[1] if len(model.sizes) > 1 else width
    tried = [(kind, rungs, "flat") for kind, rungs in ways(model.sizes, shortlist)]
    tried += [("hnsw", ((width, 100),), "hnsw"), ("hnsw", ((small, shortlist), (width, shortlist)), "hnsw")]
    out = []
    for kind, rungs, structure in tried:
        rows, micros = _rows(base, asked, rungs, structure)
        gains = gains_of_labels(rows, pictures.test.y, pictures.train.y)
        same = np.mean([len(np.intersect1d(a, b)) for a, b in zip(rows[:, :10], truth, strict=True)]) / 10
        maps = {f"map@{k}": float(average_precision(gains, k).mean()) for k in CUTS if k <= rows.shape[1]}
        maps |= {f"p@{k}": float(precision(gains, k).mean()) for k in CUTS if k <= rows.shape[1]}
        p10, top1 = float(precision(gains, 10).mean()), float(precision(gains, 1).mean())
        work = mflops(len(base), rungs)
        out.append(asdict(Searched(kind, rungs, work, micros, maps["map@10"], p10, top1, float(same), maps)))
    return out


def ablation(model: Trained, pictures: Pictures, shortlists: Sequence[int]) -> list[dict[str, float]]:
    """Return mAP@10 by the shortlist's length K: the smallest size first, then all dimensions."""
    width, small = model.sizes[-1], model.sizes[0]
    base, asked = safe_unit(model.z("train", width), width), safe_unit(model.z("test", width), width)
    out = []
    for keep in (keep for keep in shortlists if keep <= len(base)):
        rows, _ = _rows(base, asked, ((small, keep), (width, 10)), "flat")
        gains = gains_of_labels(rows, pictures.test.y, pictures.train.y)
        work = mflops(len(base), ((small, keep), (width, 10)))
        out.append({"k": keep, "map10": float(average_precision(gains, 10).mean()), "mflops": work})
    return out


def _rows(base: Any, asked: Any, rungs: Sequence[tuple[int, int]], structure: str) -> tuple[Any, float]:
    """Return the rows found (n, the last keep) and the microseconds a query, the better of two passes of one thread."""
    ladder = Ladder.build(
        base,
        [
            Rung(dims, keep, "float32", structure if at == 0 else None)  # type: ignore[arg-type]
            for at, (dims, keep) in enumerate(rungs)
        ],
    )
    ladder.threads = 1
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        _, rows = ladder.search(asked, min(rungs[-1][1], len(base)))
        seconds.append(time.perf_counter() - started)
    return rows, min(seconds) / len(asked) * 1e6


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
