"""Measure how rows that pass a filter are best compared: by which prefix, by which codes, and what each takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.index.codes import Code, PackedCodes, RowCodes, codes_to_try
from imi.index.exact import Exact
from imi.index.ladder import Ladder
from imi.index.manifest import gathered
from imi.index.measure import Prefix
from imi.index.passing import Filtering, Passing, PassingScan
from imi.index.rungs import Rung
from imi.types import Floats, Rows

_SAMPLE = 40_000
_QUERIES = 8
_TOPICS = 64
_ENOUGH = 0.98
_GRAPHS = ("symphonyqg", "hnsw", "hnsw-rabitq")
_SHARES = (0.4, 0.15, 0.04)
_POWERS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
_ASKED = 64
"""Queries of a kind by which the effort under filters is set."""
_FEW, _MANY = 1 << 13, 1 << 16


def choose_filtering(
    ladder: Ladder,
    prefixes: Sequence[Prefix],
    queries: Sequence[Floats],
    k: int,
    random: np.random.Generator,
    room: float | None = None,
    target: float = 0.95,
) -> Ladder:
    """Return the ladder with the way of comparing rows that pass a filter which was measured to be best.

    Args:
        ladder: the one that was chosen for searches without filters.
        prefixes: what they are worth.
        queries: groups of (m, d), like the rows and unlike them.
        k: neighbours.
        random: draws the filters.
        room: bytes that codes may take, None for any.
        target: recall that a graph must keep under filters.
    """
    prefix, growth = prefix_for(ladder, prefixes, k), growth_for(ladder, queries, k, target, random)
    plain = ladder.with_filtering(Filtering(prefix))
    seconds = _seconds_a_row(plain.scan_of_passing, queries[0], len(ladder), random)
    filtering = Filtering(prefix, seconds, growth=growth)
    code = code_for(ladder, queries, k, random, room)
    if code is None:
        return ladder.with_filtering(filtering)
    codes = ladder.code_rows(code)
    filtering = _timed(replace(filtering, code=code), ladder, codes, queries[0], k)
    return ladder.with_filtering(filtering, codes)


def prefix_for(ladder: Ladder, prefixes: Sequence[Prefix], k: int) -> Rung | None:
    """Choose the prefix by which rows that pass are compared where codes are not packed.

    Its shortlist is several times what unfiltered searches need, since a filter may leave no row near a query: by half
    the dimensions and the same shortlist, recall fell to .87 where it did.
    """
    last = ladder.rungs[-1].dims
    unit = ladder.scales.get(last) is None  # products of prefixes say nothing of rows of all lengths
    small = [one for one in prefixes if one.dims >= 64 and 2 * one.dims <= last and ladder.width % one.dims == 0]
    fitting = [one.dims for one in small if one.keep is not None and one.keep <= 6 * k and unit]
    return Rung(fitting[0], 20 * k) if fitting else None


def code_for(
    ladder: Ladder, queries: Sequence[Floats], k: int, random: np.random.Generator, room: float | None = None
) -> Code | None:
    """Return the shortest code whose shortlists hold the nearest rows that pass, for any filter; None for none.

    Filters are half of a sample drawn at random, and for each query the half of its topics that lies furthest from it.
    """
    count = len(ladder)
    some = np.sort(random.choice(count, min(count, _SAMPLE), replace=False))
    sample = np.asarray(gathered(ladder.vectors, some), dtype=np.float32)
    scale = ladder.scales.get(ladder.width)
    exact, drawn = Exact(sample, ladder.metric), np.flatnonzero(random.random(len(some)) < 0.5)
    asked = np.concatenate([group[:_QUERIES] for group in queries])
    cases: list[tuple[Rows, Floats]] = [(drawn, asked)]
    centres = sample[random.choice(len(sample), min(len(sample), _TOPICS), replace=False)]
    topic = np.argmax(sample @ centres.T, axis=1)
    for query in asked:
        order = np.argsort(centres @ query)
        cases.append((np.flatnonzero(np.isin(topic, order[: len(order) // 2])), query[None]))
    cases = [(rows, group) for rows, group in cases if len(rows) >= k]
    last = [exact.search(group, k, rows)[0][:, -1:] for rows, group in cases]
    bars = [bar - 1e-5 * np.maximum(np.abs(bar), 1) for bar in last]
    for code in codes_to_try(ladder.width, count):
        if room is not None and code.whole * count > room:
            continue
        codes = RowCodes.build(sample, code, ladder.metric, None if scale is None else scale[some], ladder.threads)
        scan = ladder.scan_over(sample, None if scale is None else scale[some], codes)
        found = [
            (scan.search_packed(group, k, codes.packed(rows), grow=False)[0] >= bar).mean()
            for (rows, group), bar in zip(cases, bars, strict=True)
        ]
        if cases and found[0] >= _ENOUGH and np.mean(found[1:] or found) >= _ENOUGH:
            return code
    return None


def growth_for(
    ladder: Ladder, queries: Sequence[Floats], k: int, target: float, random: np.random.Generator
) -> float | None:
    """Return the least power of the widening with which a graph's effort must grow; None where none is enough.

    On average a quarter of what the target leaves is kept in hand: the least of several powers that reach it on some
    tens of queries finds less for others (.908 and .95 where .95 was planned). Of queries that find less than that
    without a filter no more is asked: a wider search finds what they miss no sooner.
    """
    if ladder.rungs[0].structure not in _GRAPHS:
        return None
    count, held = len(ladder), ladder.held_out
    alone, exact, cases = ladder.without_held_out(), Exact(ladder.vectors, ladder.metric), []
    without = [1.0] * len(queries)
    for share in (1.0, *_SHARES):
        mask = random.random(count) < share
        if held is not None:
            mask[held.rows] = False  # the queries among them
        passing = Passing(mask)
        if len(passing) < 10 * k:
            return None
        for place, group in enumerate(queries):
            asked = group[:_ASKED]
            last = exact.search(asked, k, passing.rows)[0][:, -1:]
            bar = last - 1e-5 * np.maximum(np.abs(last), 1)
            if share == 1:
                without[place] = _found(alone, asked, k, passing, bar)
            else:
                cases.append((asked, passing, bar, without[place]))
    least = np.array([min(target, most) for *_, most in cases])
    wanted = np.mean([min(target + (1 - target) / 4, most) for *_, most in cases])
    for power in _POWERS:
        tried = alone.with_filtering(replace(ladder.filtering, growth=power))
        found = np.array([_found(tried, asked, k, passing, bar) for asked, passing, bar, _ in cases])
        if found.mean() >= wanted and (found >= least).all():
            return power
    return None


def _found(ladder: Ladder, queries: Floats, k: int, passing: Passing, bar: NDArray[np.floating]) -> float:
    """Return the share of the nearest rows, those not below the bar (m, 1), that a widened shortlist holds."""
    return float((ladder.widened(queries, k, passing) >= bar).mean())


def _timed(filtering: Filtering, ladder: Ladder, codes: RowCodes, queries: Floats, k: int) -> Filtering:
    """Measure packing, and searches over few and many packed rows."""
    scan = ladder.with_filtering(filtering, codes).scan_of_passing
    half = Passing(np.arange(len(ladder)) % 2 == 0)
    scan.search_masked(queries[:1], k, half, codes)  # all rows are packed
    masked = _median(lambda query: scan.search_masked(query, k, half, codes), queries)
    times, sizes, packing = [], [], filtering.packing
    for size in sorted({min(len(ladder), _FEW), min(len(ladder), _MANY)}):
        rows = np.linspace(0, len(ladder) - 1, size).astype(np.int64)
        started = time.perf_counter()
        packed = codes.packed(rows)
        packing = (time.perf_counter() - started) / size
        times.append(_median(partial(_search_packed, scan, packed, k), queries))
        sizes.append(size)
    if len(sizes) == 1:
        each = masked / len(ladder)
        return replace(filtering, packing=packing, coded=times[0] / sizes[0], base=0.0, masked=each)
    coded = max(1e-10, (times[1] - times[0]) / (sizes[1] - sizes[0]))
    base = max(0.0, times[0] - coded * sizes[0])
    return replace(filtering, packing=packing, coded=coded, base=base, masked=max(1e-10, (masked - base) / len(ladder)))


def _seconds_a_row(scan: PassingScan, queries: Floats, rows: int, random: np.random.Generator) -> float:
    """Return the seconds that a scan takes for one row, by a few thousand rows that lie scattered."""
    mask = np.zeros(rows, dtype=bool)
    mask[random.choice(rows, min(rows, _FEW), replace=False)] = True
    passing = Passing(mask)
    return _median(lambda query: scan.search(query, 10, passing), queries) / max(len(passing), 1)


def _search_packed(scan: PassingScan, packed: PackedCodes, k: int, query: Floats) -> None:
    scan.search_packed(query, k, packed)


def _median(search: Callable[[Floats], Any], queries: Floats) -> float:
    """Return the seconds of the median query, each the best of three: others may be busy on this machine."""
    times = []
    for at in range(min(20, len(queries))):
        took = []
        for _ in range(3):
            started = time.perf_counter()
            search(queries[at : at + 1])
            took.append(time.perf_counter() - started)
        times.append(min(took))
    return float(np.median(times))
