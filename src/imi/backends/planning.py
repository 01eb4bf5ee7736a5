"""Planning on an engine: its ladders measured against its own exact search, the first that is good enough kept.

The engine is the instrument: what a graph, a quantised prefix and a shortlist find depends on the rows that it holds
and on how it was built, so nothing is carried over from a measurement elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from imi.backends.engine import Engine
from imi.collection.rankings import How
from imi.errors import UsageError
from imi.index.exact import Exact
from imi.index.goal import Goal
from imi.index.measure import confidence
from imi.index.plan import Plan, Tried
from imi.index.rungs import parse_ladder
from imi.types import Floats

K = 10
_SAMPLE = 2000
"""Rows that queries are made of."""
_QUERIES = 100
_EFFORTS = (1, 2, 4, 8)


def tune(
    engine: Engine,
    target: float | Goal,
    queries: Floats | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Plan:
    """Measure ladders, cheapest first, until one finds the target share; the engine searches by it from then on.

    Args:
        engine: what is measured.
        target: the share of the ten nearest that must be found, or a goal.
        queries: (m, width) of real questions; None for stand-ins that are like the rows.
        seed: of the stand-ins.
        progress: called as progress(done, total), in ladders.

    Raises:
        UsageError: the target is not between 0 and 1, or there are not more than ten rows.
    """
    goal = Goal.of(target)
    bound, rows = engine.bound(), engine.count(None)
    if bound is None or rows <= K:
        raise UsageError(f"{engine.label} has {rows} rows, more than {K} are needed to measure anything")
    asked = _queries(engine, seed) if queries is None else list(queries)
    truth = [{id_ for id_, _ in engine.nearest(query, K, None, How(exact=True))[0]} for query in asked]
    held = engine.size().about.get("prefixes")  # what an engine keeps as separate vectors, and no others
    sizes = _prefixes(bound.info.dims, bound.width) if held is None else [*held, bound.width]
    tried: list[Tried] = []
    total = len(sizes) * len(_EFFORTS)
    for at, first in enumerate(sizes):
        if first != bound.width and _ceiling(engine, asked, truth, first) < goal.recall:
            continue
        engine.set_ladder(f"hnsw/{first}:{8 * K},{bound.width}:{K}")
        for step, effort in enumerate(_EFFORTS):
            tried.append(_measure(engine, asked, truth, f"hnsw/{first}:{8 * K * effort},{bound.width}:{K}", goal))
            if progress is not None:
                progress(at * len(_EFFORTS) + step + 1, total)
            if _value(tried[-1]) >= goal.bar:
                return _chosen(engine, tried[-1], tried, goal, rows)
    return _chosen(engine, max(tried, key=_value), tried, goal, rows)


def _chosen(engine: Engine, best: Tried, tried: Sequence[Tried], goal: Goal, rows: int) -> Plan:
    plan = best.to_dict()["ladder"]
    engine.set_ladder(plan)
    bound = engine.bound()
    width, matryoshka = (0, False) if bound is None else (bound.width, bound.info.matryoshka)
    said = "found" if _value(best) >= goal.bar else "no ladder of this engine finds as much; the best is kept:"
    note = f"{engine.name}: {plan} {said} {best.recall:.3f} of the {K} nearest, {goal} was asked for"
    return Plan(goal.recall, K, "cosine", rows, width, best, tuple(tried), matryoshka, (), note, share=goal.share)


def _value(one: Tried) -> float:
    return one.recall if one.share is None else one.share


def _queries(engine: Engine, seed: int) -> list[Floats]:
    """Return queries like the rows but not among them: a row that is in a graph is found too easily."""
    z: list[Floats] = []
    for part in engine.scroll(None, vectors=True, size=_SAMPLE):
        z += [vector for _, vector in part if vector is not None]
        if len(z) >= _SAMPLE:
            break
    return list(_stand_ins(np.array(z[:_SAMPLE]), _QUERIES, np.random.default_rng(seed)))


def _stand_ins(vectors: Floats, count: int, random: np.random.Generator) -> Floats:
    """Return (count, d) queries like the rows but not among them, for want of real ones.

    A row that is in a graph is found far more easily than a query that is not, since its neighbours are linked to it.
    So each stand-in is a row moved by what parts another row from its nearest one: about as far from the table as a row
    of it is from the others, and in a direction in which such vectors differ.
    """
    places = np.sort(random.choice(len(vectors), min(count, len(vectors)), replace=False))
    rows = np.asarray(vectors[places], dtype=np.float32)
    pairs = random.permutation(len(rows))[:300]
    nearest = Exact(vectors).search(rows[pairs], 2)[1]
    other = np.where(nearest[:, 0] == places[pairs], nearest[:, 1], nearest[:, 0])
    steps = np.asarray(vectors[other], dtype=np.float32) - rows[pairs]
    moved: Floats = rows + steps[random.integers(0, len(steps), len(rows))]
    return moved[random.permutation(len(moved))]


def _prefixes(dims: Sequence[int], width: int) -> list[int]:
    """Return the sizes worth a separate graph: trained prefixes from 64 dimensions up to half, then the whole."""
    return [*(size for size in sorted(dims) if 64 <= size <= width // 2), width]


def _ceiling(engine: Engine, queries: Sequence[Floats], truth: Sequence[set[str]], dims: int) -> float:
    """Return which share of the truth the exact best by a prefix hold: no graph over it can find more."""
    longest = 8 * K * _EFFORTS[-1]
    held = [
        len(true & {id_ for id_, _ in engine.nearest(query, longest, None, How(dims, exact=True))[0]})
        for query, true in zip(queries[::5], truth[::5], strict=True)
    ]
    return sum(held) / (K * len(held))


def _measure(engine: Engine, queries: Sequence[Floats], truth: Sequence[set[str]], ladder: str, goal: Goal) -> Tried:
    shares, started = [], time.perf_counter()
    for query, true in zip(queries, truth, strict=True):
        shares.append(len(true & {id_ for id_, _ in engine.nearest(query, K, None, How(ladder=ladder))[0]}) / K)
    seconds = time.perf_counter() - started
    rungs = parse_ladder(ladder, len(queries[0]), structure="hnsw")
    qps = len(queries) / max(seconds, 1e-9)
    recalls = np.array(shares)
    share = None if goal.share is None else goal.value(recalls)
    return Tried(rungs, *confidence(recalls), qps, engine.size().index or 0, engine.name, share=share)
