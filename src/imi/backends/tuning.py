"""Tuning on an engine: its ladders measured against its own exact search, the first that is good enough kept.

The engine is the instrument: what a graph, a quantised prefix and a shortlist find depends on the rows that it holds
and on how it was built, so nothing is carried over from a measurement elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from imi.backends.engine import Engine, Floats, Way
from imi.errors import UsageError
from imi.index.measure import stand_ins

_SAMPLE = 2000
"""Rows that queries are made of."""
_QUERIES = 100
_EFFORTS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One ladder: the share of the true nearest that it found, and queries a second, one after another."""

    ladder: str
    recall: float
    qps: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was asked for, what was chosen, and everything that was tried.

    `reached` says whether the chosen ladder meets the target; where none did, the best is chosen.
    """

    target: float
    k: int
    rows: int
    chosen: Attempt
    tried: tuple[Attempt, ...]

    @property
    def recall(self) -> float:
        """The recall of the chosen ladder."""
        return self.chosen.recall

    @property
    def reached(self) -> bool:
        """Whether that is what was asked for."""
        return self.chosen.recall >= self.target

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        plain = {"target": self.target, "k": self.k, "rows": self.rows, "chosen": self.chosen.to_dict()}
        return plain | {"tried": [one.to_dict() for one in self.tried], "reached": self.reached}


def tune(engine: Engine, target: float, k: int = 10, seed: int = 0) -> Tuned:
    """Measure ladders, cheapest first, until one finds the target share; the engine searches by it from then on.

    Raises:
        UsageError: the target is not between 0 and 1, or there are fewer rows than k.
    """
    if not 0 < target <= 1:
        raise UsageError(f"target_recall is {target!r}, allowed are numbers above 0 and up to 1", hint="0.95")
    bound, rows = engine.bound(), engine.count(None)
    if bound is None or rows <= k:
        raise UsageError(f"{engine.label} has {rows} rows, more than k={k} are needed to measure anything")
    queries = _queries(engine, seed)
    truth = [{id_ for id_, _ in engine.nearest(query, k, None, Way(exact=True))[0]} for query in queries]
    tried: list[Attempt] = []
    for first in _prefixes(bound.info.dims, bound.width):
        if first != bound.width and _ceiling(engine, queries, truth, first, k) < target:
            continue
        engine.set_ladder(f"hnsw/{first}:{8 * k},{bound.width}:{k}")
        for effort in _EFFORTS:
            ladder = f"hnsw/{first}:{8 * k * effort},{bound.width}:{k}"
            tried.append(_measure(engine, queries, truth, ladder, k))
            if tried[-1].recall >= target:
                engine.set_ladder(ladder)
                return Tuned(target, k, rows, tried[-1], tuple(tried))
    best = max(tried, key=lambda one: one.recall)
    engine.set_ladder(best.ladder)
    return Tuned(target, k, rows, best, tuple(tried))


def _queries(engine: Engine, seed: int) -> list[Floats]:
    """Return queries like the rows but not among them: a row that is in a graph is found too easily."""
    z: list[Floats] = []
    for part in engine.scroll(None, vectors=True, size=_SAMPLE):
        z += [vector for _, vector in part if vector is not None]
        if len(z) >= _SAMPLE:
            break
    return list(stand_ins(np.array(z[:_SAMPLE]), _QUERIES, "cosine", np.random.default_rng(seed)))


def _prefixes(dims: Sequence[int], width: int) -> list[int]:
    """Return the sizes worth a graph of their own: trained prefixes from 64 numbers up to half, then the whole."""
    return [*(size for size in sorted(dims) if 64 <= size <= width // 2), width]


def _ceiling(engine: Engine, queries: Sequence[Floats], truth: Sequence[set[str]], dims: int, k: int) -> float:
    """Return which share of the truth the exact best by a prefix hold: no graph over it can find more."""
    longest = 8 * k * _EFFORTS[-1]
    few = range(0, len(queries), 5)
    held = [
        len(truth[at] & {id_ for id_, _ in engine.nearest(queries[at], longest, None, Way(dims, exact=True))[0]})
        for at in few
    ]
    return sum(held) / (k * len(held))


def _measure(engine: Engine, queries: Sequence[Floats], truth: Sequence[set[str]], ladder: str, k: int) -> Attempt:
    found, started = 0, time.perf_counter()
    for query, true in zip(queries, truth, strict=True):
        found += len(true & {id_ for id_, _ in engine.nearest(query, k, None, Way(ladder=ladder))[0]})
    seconds = time.perf_counter() - started
    return Attempt(ladder, found / (k * len(queries)), len(queries) / max(seconds, 1e-9))
