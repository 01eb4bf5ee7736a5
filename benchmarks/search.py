"""Vector search side by side at equal recall: ours, faiss, hnswlib, usearch, SymphonyQG alone, exact; one run.

    python benchmarks/search.py --rows 20000                                       a first look, two minutes
    python benchmarks/search.py --rows 500000 --cache FOLDER --minutes 20          real vectors × 512
    python benchmarks/search.py --rows 1000000 --width 1024 --cache FOLDER --only exact,HNSW32,SymphonyQG,imi

Every line is one index at the cheapest setting that reached the recall: median time of single queries with one thread
(of five rounds), queries a second in one batch with one thread and with two, bytes a row, seconds to build with all
processors. Settings of all are chosen on the same queries; "as planned" is what `imi.plan` chose without having seen
them. Results are kept in docs/benchmarks as they come: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from recording import DOCS, Record, say
from threadpoolctl import ThreadpoolController
from vector_data import ceilings, vectors

import imi
from imi.index.exact import Exact
from imi.index.ladder import Ladder

Search = Callable[[np.ndarray, Any, int], np.ndarray]
GRAPH = sorted({max(10, round(one)) for one in np.geomspace(12, 1200, 22)})
LISTS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]
COLUMNS = {
    "recall@10": ".2f", "reached": ".4f", "setting": "", "µs a query": ".1f", "queries/s": ",.0f",
    "batch/s": ",.0f", "batch/s, 2 threads": ",.0f", "bytes a row": ",.0f", "build s": ".0f",
}  # fmt: skip


@dataclass
class Peer:
    """One built index: how it searches at a setting, the settings from cheap to dear, and its bytes."""

    search: Search
    settings: list[Any]
    bytes: int
    index: Any = None


def file_bytes(write: Callable[[str], object]) -> int:
    """Return how many bytes an index's file takes."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "index")
        write(path)
        return os.path.getsize(path)


def in_blocks(x: np.ndarray, add: Callable[[np.ndarray], object]) -> None:
    """Hand over a table that may be a memory map without copying it whole."""
    for start in range(0, len(x), 1 << 16):
        add(np.ascontiguousarray(x[start : start + (1 << 16)]))


def exact_peer(x: np.ndarray) -> Peer:
    index = Exact(x)
    pools = ThreadpoolController()

    def search(q: np.ndarray, setting: int, threads: int) -> np.ndarray:
        with pools.limit(limits=threads):
            return index.search(q, 10)[1]

    return Peer(search, [0], x.nbytes)


def hnsw_peer(x: np.ndarray) -> Peer:
    index = faiss.IndexHNSWFlat(x.shape[1], 32)
    in_blocks(x, index.add)

    def search(q: np.ndarray, setting: int, threads: int) -> np.ndarray:
        faiss.omp_set_num_threads(threads)
        index.hnsw.efSearch = setting
        return index.search(q, 10)[1]

    return Peer(search, GRAPH, file_bytes(lambda path: faiss.write_index(index, path)))


def ivf_peer(x: np.ndarray) -> Peer:
    base = faiss.index_factory(x.shape[1], f"IVF{int(4 * np.sqrt(len(x)))},PQ{x.shape[1] // 4}x4fs")
    base.train(np.ascontiguousarray(x[:: max(1, len(x) // 100_000)]))
    index = faiss.IndexRefineFlat(base)
    in_blocks(x, index.add)
    index.k_factor = 20

    def search(q: np.ndarray, setting: int, threads: int) -> np.ndarray:
        faiss.omp_set_num_threads(threads)
        base.nprobe = setting
        return index.search(q, 10)[1]

    return Peer(search, LISTS, file_bytes(lambda path: faiss.write_index(index, path)))


def hnswlib_peer(x: np.ndarray) -> Peer:
    import hnswlib

    index = hnswlib.Index("ip", x.shape[1])
    index.init_index(len(x), ef_construction=200, M=16)
    in_blocks(x, lambda block: index.add_items(block, num_threads=2))

    def search(q: np.ndarray, setting: int, threads: int) -> np.ndarray:
        index.set_ef(max(10, setting))
        return index.knn_query(q, 10, num_threads=threads)[0].astype(np.int64)

    return Peer(search, GRAPH, file_bytes(index.save_index))


def usearch_peer(x: np.ndarray, dtype: str) -> Peer:
    from usearch.index import Index

    index = Index(ndim=x.shape[1], metric="cos", dtype=dtype)
    in_blocks(x, lambda block: index.add(np.arange(len(index), len(index) + len(block)), block, threads=2))

    def search(q: np.ndarray, setting: int, threads: int) -> np.ndarray:
        index.expansion_search = setting
        return np.atleast_2d(index.search(q, 10, threads=threads).keys).astype(np.int64)

    return Peer(search, GRAPH, file_bytes(index.save))


def symphonyqg_peer(x: np.ndarray) -> Peer:
    import rabitqlib

    index = rabitqlib.SymqgIndex(x.shape[1], 32, "l2", 8)
    index.build(np.ascontiguousarray(x), 200, 2)

    def search(q: np.ndarray, setting: int, threads: int) -> np.ndarray:
        return index.search(q, 10, max(10, setting), threads)[0].astype(np.int64)

    return Peer(search, GRAPH, file_bytes(index.save))


def imi_peer(x: np.ndarray, memory: int | None) -> Peer:
    plan = imi.plan(x, target_recall=0.95, memory=memory, progress=lambda done, total: say(f"  plan {done}/{total}"))
    say("  " + plan.table.splitlines()[1].strip())
    index = plan.build(x)
    if not isinstance(index, Ladder):
        peer = exact_peer(x)
        return Peer(peer.search, peer.settings, 0, index)
    first = index.rungs[0]
    efforts = LISTS if first.structure == "ivf" else [0] if first.structure == "flat" else GRAPH
    keeps = [12, 15, 20, 30, 45, 70, 110, 200]
    settings = [(effort, keep) for effort in efforts for keep in keeps if efforts is not GRAPH or keep <= effort]
    ladders = {one: _with(index, *one) for one in settings}

    def search(q: np.ndarray, setting: tuple[int, int] | str, threads: int) -> np.ndarray:
        ladder = index if setting == "as planned" else ladders[setting]
        ladder.threads = threads
        return ladder.search(q, 10)[1]

    return Peer(search, settings, plan.chosen.bytes, index)


def _with(index: Ladder, effort: int, keep: int) -> Ladder:
    first, *later = index.rungs
    shorter = [replace(rung, keep=min(rung.keep, keep)) for rung in later]
    return index.with_rungs((replace(first, effort=effort, keep=keep), *shorter))


def median_single(search: Search, q: np.ndarray, setting: Any) -> float:
    """Return the median seconds of a single query over five rounds, each of a second at most."""
    started = time.perf_counter()
    search(q[:1], setting, 1)
    count = int(np.clip(1 / max(time.perf_counter() - started, 1e-6), 10, min(len(q), 500)))
    rounds = []
    for _ in range(5):
        times = []
        for at in range(count):
            started = time.perf_counter()
            search(q[at : at + 1], setting, 1)
            times.append(time.perf_counter() - started)
        rounds.append(float(np.median(times)))
    return float(np.median(rounds))


def swept(peer: Peer, x: np.ndarray, q: np.ndarray, bar: np.ndarray, top: float) -> list[tuple[float, float, Any]]:
    """Return (recall, batch seconds, setting) of each setting until the highest recall is passed."""
    found = []
    dearest = None
    for setting in peer.settings:
        effort = setting[0] if isinstance(setting, tuple) else setting
        if dearest is not None and effort > dearest:
            break
        started = time.perf_counter()
        rows = peer.search(q, setting, 2)
        seconds = time.perf_counter() - started
        found.append((recall_of(rows, x, q, bar), seconds, setting))
        if found[-1][0] >= top:
            dearest = effort
    return found


def recall_of(rows: np.ndarray, x: np.ndarray, q: np.ndarray, bar: np.ndarray) -> float:
    return float(np.mean((np.vecdot(q[:, None], x[rows]) >= bar - 2e-6) & (rows >= 0)))


def measured(peer: Peer, q: np.ndarray, target: float, reached: float, setting: Any) -> dict:
    single = median_single(peer.search, q, setting)
    batch = {}
    for threads in (1, 2):
        some = q[: int(np.clip(10 / single, 10, len(q)))]
        started = time.perf_counter()
        peer.search(some, setting, threads)
        batch[threads] = len(some) / (time.perf_counter() - started)
    named = "/".join(map(str, setting)) if isinstance(setting, tuple) else str(setting)
    return {
        "recall@10": target, "reached": reached, "setting": named, "µs a query": single * 1e6,
        "queries/s": 1 / single, "batch/s": batch[1], "batch/s, 2 threads": batch[2],
    }  # fmt: skip


def report(peer: Peer, x: np.ndarray, q: np.ndarray, bar: np.ndarray, targets: list[float]) -> list[dict]:
    """Return a row for each target: of the settings that reach it, the three quickest in a batch are timed alone."""
    found = swept(peer, x, q[:500], bar[:500], max(targets))
    rows: list[dict] = []
    for target in targets:
        good = sorted((one for one in found if one[0] >= target), key=lambda one: one[1])[:3]
        if not good:
            rows.append({"recall@10": target, "reached": max(one[0] for one in found), "setting": "not reached"})
            continue
        same = next((row for row in rows if row.get("reached", 0) >= target and len(peer.settings) == 1), None)
        if same is not None:  # exact search has one setting
            rows.append({**same, "recall@10": target})
            continue
        quickest = min(good, key=lambda one: median_single(peer.search, q[:100], one[2]))
        rows.append(measured(peer, q, target, quickest[0], quickest[2]))
    if isinstance(peer.index, Ladder):
        reached = recall_of(peer.search(q, "as planned", 2), x, q, bar)
        rows.append(measured(peer, q, 0.95, reached, "as planned"))
    return rows


def peers(x: np.ndarray) -> dict[str, Callable[[], Peer]]:
    """Return what can be built here, the most telling first."""
    fast = importlib.util.find_spec("rabitqlib")
    made: dict[str, Callable[[], Peer] | None] = {
        "exact": lambda: exact_peer(x),
        "faiss HNSW32": lambda: hnsw_peer(x),
        "imi.plan": lambda: imi_peer(x, None),
        "SymphonyQG 8 bits alone": (lambda: symphonyqg_peer(x)) if fast else None,
        "imi.plan, 700 B a row": lambda: imi_peer(x, len(x) * 700),
        "faiss IVF-PQ FastScan + refine": lambda: ivf_peer(x),
        "hnswlib M16": (lambda: hnswlib_peer(x)) if importlib.util.find_spec("hnswlib") else None,
        "usearch i8": (lambda: usearch_peer(x, "i8")) if importlib.util.find_spec("usearch") else None,
        "usearch f32": (lambda: usearch_peer(x, "f32")) if importlib.util.find_spec("usearch") else None,
    }
    return {name: make for name, make in made.items() if make is not None}


def draw(record: Record, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for name, rows in record.results.items():
        points = [(row["reached"], row["queries/s"]) for row in rows if row.get("queries/s")]
        if points:
            axes.plot(*zip(*sorted(points), strict=True), "o-", label=name)
    axes.set_yscale("log")
    axes.set_xlabel("recall of the 10 nearest")
    axes.set_ylabel("single queries a second, one thread")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)


def ratios(record: Record) -> str:
    """Return in words how ours compares with HNSW32 and the best other, at each recall and for the memory."""
    rows = [row for row in record.rows() if row.get("queries/s") and row["setting"] != "as planned"]
    told = []
    for target in sorted({row["recall@10"] for row in rows}):
        at = {row["name"]: row for row in rows if row["recall@10"] == target}
        hnsw, other = at.get("faiss HNSW32"), [row for name, row in at.items() if not name.startswith("imi")]
        for name in ("imi.plan", "imi.plan, 700 B a row"):
            if hnsw is None or name not in at:
                continue
            best = max(other, key=lambda row: row["queries/s"])
            told.append(
                f"- recall {target:.2f}, {name}: {at[name]['queries/s'] / hnsw['queries/s']:.1f} times HNSW32, "
                f"{at[name]['queries/s'] / best['queries/s']:.2f} of the best other ({best['name']}), "
                f"{hnsw['bytes a row'] / max(at[name]['bytes a row'], 1):.1f} times less memory than HNSW32"
            )
        exact, ours = at.get("exact"), at.get("imi.plan")
        if exact is not None and ours is not None:
            told.append(
                f"- every row compared (exact): {exact['µs a query'] / 1000:,.1f} ms a query, "
                f"{exact['µs a query'] / ours['µs a query']:,.0f} times as long as imi.plan at recall {target:.2f}"
            )
    return "\n".join(told)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--width", type=int, default=512)
    options.add_argument("--cache", type=Path, help="folder where the vectors are kept for the next run")
    options.add_argument("--targets", default="0.90,0.95,0.99")
    options.add_argument("--only", default="", help="peers whose names hold one of these, separated by commas")
    options.add_argument("--minutes", type=float, default=1e9, help="after so many no other index is begun")
    options.add_argument("--older", action="store_true", help="keep rows measured with other weights of the model")
    options.add_argument("--again", action="store_true", help="measure again what an earlier run has, of --only those")
    options.add_argument("--out", type=Path, default=DOCS)
    asked = options.parse_args()
    targets = [float(one) for one in asked.targets.split(",")]
    began = time.monotonic()
    say("vectors")
    x, q = vectors(asked.rows, asked.width, asked.cache)
    name = f"search-{asked.rows}x{asked.width}"
    chosen = [one for one in asked.only.split(",") if one]
    about = {"rows": asked.rows, "width": asked.width, "targets": targets}
    record = Record(name, about, asked.again and not chosen, asked.out, older=asked.older)
    say("exact neighbours of", len(q), "queries")
    bar = Exact(x).search(q, 10)[0][:, 9:]
    held = "; ".join(f"first {one['first']}: {one['best 10']:.3f}, {one['best 100']:.3f}" for one in ceilings(x, q))
    for peer_name, make in peers(x).items():
        if (peer_name in record and not asked.again) or (chosen and not any(one in peer_name for one in chosen)):
            continue
        if (time.monotonic() - began) / 60 > asked.minutes:
            say(f"{peer_name}: left for the next run, {asked.minutes:g} minutes are over")
            continue
        say(f"{peer_name}: building")
        started = time.perf_counter()
        peer = make()
        seconds = time.perf_counter() - started
        say(f"{peer_name}: built in {seconds:.0f} s")
        rows = [
            {**row, "bytes a row": peer.bytes / len(x), "build s": seconds} for row in report(peer, x, q, bar, targets)
        ]
        record.put(peer_name, rows)
        for row in rows:
            say("  ", {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()})
        del peer
        gc.collect()
    if importlib.util.find_spec("matplotlib"):
        draw(record, asked.out / f"{name}.png")
    kind = "real sentences by the built-in model" if asked.width == 512 else "vectors lifted from real ones"
    notes = (
        f"`python benchmarks/search.py --rows {asked.rows} --width {asked.width}`: {kind}, 1,000 queries that are not "
        f"among the rows. Of the true ten, prefixes hold in their best 10 and 100: {held}.\n\n{ratios(record)}"
    )
    say("written", record.page(f"Search over {asked.rows:,} × {asked.width}", COLUMNS, notes, f"{name}.png"))


if __name__ == "__main__":
    main()
