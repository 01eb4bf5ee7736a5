"""Filtered search by meaning: time, recall and hits as fewer rows pass, and where a filter goes against the query.

    python benchmarks/filters.py --rows 20000                     a first look
    python benchmarks/filters.py --rows 250000 --cache FOLDER     real texts of both languages, planned and built once

Queries are texts like the rows, and questions. Filters are drawn at random, put together (and, ranges, lists), or tied
to the meaning: the topics nearest to a query, those furthest from it, rows of the other language. Every answer is
compared with an exact search over the rows that pass; times are of single queries on one thread, medians.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from questions import data
from recording import DOCS, Record, say

import imi
from imi.index.exact import Exact
from imi.index.ladder import Ladder
from imi.index.passing import Passing
from imi.index.saved import load_index

COLUMNS = {
    "passing": ".2%", "recall@10": ".4f", "hits": ".2f", "µs a query": ".0f", "µs without": ".0f",
    "times unfiltered": ".2f", "µs, mask new": ".0f", "of questions": ".4f",
}  # fmt: skip
_TOPICS = 64
_BEFORE = 100


def topics(rows: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the topic of each row and the topics' centres: k-means by another name, three rounds of it."""
    centres = rows[random.choice(len(rows), _TOPICS, replace=False)]
    for _ in range(3):
        nearest = np.concatenate(
            [np.argmax(rows[at : at + 8192] @ centres.T, axis=1) for at in range(0, len(rows), 8192)]
        )
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, rows)
        centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return nearest, centres


def filters(rows: np.ndarray, query: np.ndarray, kinds: tuple[np.ndarray, np.ndarray], random) -> dict[str, np.ndarray]:
    """Return masks for one query."""
    count = len(rows)
    draw = random.random(count)
    year, tag = random.integers(1900, 2025, count), random.integers(0, 50, count)
    topic, centres = kinds
    order = np.argsort(-(centres @ query))
    made = {f"{share:.1%} at random": draw < share for share in (0.5, 0.25, 0.1, 0.04, 0.01, 0.001)}
    made["two conditions, a third each"] = (draw < 1 / 3) & (random.random(count) < 1 / 3)
    made["a range of years"] = (year >= 1950) & (year < 2000)
    made["a list of five tags of fifty"] = np.isin(tag, (3, 14, 15, 9, 26))
    made["the nearest eighth of the topics"] = np.isin(topic, order[: _TOPICS // 8])
    made["all but the nearest quarter of the topics"] = ~np.isin(topic, order[: _TOPICS // 4])
    made["the furthest half of the topics"] = np.isin(topic, order[_TOPICS // 2 :])
    made["the furthest eighth of the topics"] = np.isin(topic, order[-_TOPICS // 8 :])
    return made


def asked(index: Ladder, exact: Exact, query: np.ndarray, mask: np.ndarray) -> tuple[float, ...]:
    """Return recall, hits, and the seconds with a known filter, with a new mask, and beside them without a filter."""
    passing = Passing(mask)
    bar = exact.search(query, 10, passing.rows)[0]
    wanted = int((bar > -np.inf).sum())
    last = bar[:, max(wanted, 1) - 1 : max(wanted, 1)]
    for _ in range(_BEFORE):
        index.search(query, 10, passing)
    times, good, hits = [], wanted, wanted
    for one in (passing, passing, passing, mask.copy(), mask.copy(), mask.copy(), None, None, None):
        started = time.perf_counter()
        found = index.search(query, 10, one)
        times.append(time.perf_counter() - started)
        if one is not None:
            good = min(good, int(((found[0] >= last - 4e-6) & (found[1] >= 0)).sum()))
            hits = min(hits, int((found[1] >= 0).sum()))
    return good / max(wanted, 1), hits / max(wanted, 1), *(float(np.median(times[at : at + 3])) for at in (0, 3, 6))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--queries", type=int, default=40, help="of each kind")
    options.add_argument("--cache", type=Path, help="folder where vectors and the index are kept for the next run")
    options.add_argument("--out", type=Path, default=DOCS)
    chosen = options.parse_args()
    random = np.random.default_rng(1)
    made = data(chosen.rows, 1000, chosen.cache, "both")
    rows = made.pop("rows")
    kept = None if chosen.cache is None else chosen.cache / f"filters-{chosen.rows}"
    if kept is not None and kept.exists():
        index = load_index(kept)
    else:
        say("planning")
        plan = imi.plan(rows)
        index = plan.build(rows)
        say(plan.table.splitlines()[1])
        if kept is not None:
            index.save(kept)
    if not isinstance(index, Ladder):
        raise SystemExit(f"{chosen.rows} rows are searched exactly: ask for more")
    index.threads = 1
    record = Record(f"filters-{chosen.rows}", {"rows": chosen.rows}, True, chosen.out)
    exact, kinds = Exact(rows), topics(rows, random)
    groups = {"rows": made["like the rows"], "questions": np.concatenate(list(made.values())[1:])[::2]}
    found: dict[str, dict[str, list]] = {}
    for group, queries in groups.items():
        for at in random.choice(len(queries), chosen.queries, replace=False):
            query = queries[at : at + 1]
            for name, mask in filters(rows, query[0], kinds, random).items():
                results = (*asked(index, exact, query, mask), mask.mean())
                found.setdefault(name, {"rows": [], "questions": []})[group].append(results)
    for name, both in found.items():
        recall, hits, *_, share = np.array(both["rows"]).mean(axis=0)
        known, new, plain = np.median(np.array(both["rows"])[:, 2:5], axis=0)
        row = {
            "passing": share, "recall@10": recall, "hits": hits, "µs a query": known * 1e6,
            "µs without": plain * 1e6, "times unfiltered": known / plain, "µs, mask new": new * 1e6,
            "of questions": float(np.array(both["questions"])[:, 0].mean()),
        }  # fmt: skip
        say(name, {key: round(float(value), 4) for key, value in row.items()})
        record.put(name, [row])
    notes = (
        f"`python benchmarks/filters.py --rows {chosen.rows} --cache FOLDER`: {chosen.queries} texts like the rows and "
        "as many questions; hits are those found of the ten, or of as many as pass; recall and hits are the worse of "
        "known and new. A filter is known after a hundred searches with it: the codes of its rows were packed where "
        "that is quicker. A mask is new when it is met for the first time. Each query is also asked without a filter, "
        "beside it."
    )
    say("written", record.page(f"Filtered search, {chosen.rows:,} × 512", COLUMNS, notes))


if __name__ == "__main__":
    main()
