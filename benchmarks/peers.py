"""Graph indexes side by side on texts, for queries like the rows and for questions that are not; k of 10 and of 100.

    python benchmarks/peers.py --rows 20000                                        a first look
    python benchmarks/peers.py --rows 100000 --cache FOLDER                        real texts of both languages
    python benchmarks/peers.py --rows 100000 --cache FOLDER --build hnswlib        builds one and ends

What is installed takes part: faiss, hnswlib, usearch, scalable-vs, lorann. All indexes are built first (kept in the
folder) and stay in memory; each is set to the cheapest effort that reaches the recall on 300 queries of the kind, and
then single queries are timed in turns, so that a busy moment meets all. One thread; medians of single queries.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from questions import data
from recording import DOCS, Record, say

from imi.index.exact import Exact
from imi.index.ladder import Ladder
from imi.index.rungs import Rung
from imi.index.saved import load_index

Search = Callable[[np.ndarray, int, int], np.ndarray]
COLUMNS = {
    "queries": "", "k": "", "recall": ".2f", "reached": ".4f", "effort": "", "µs a query": ".0f",
    "times hnswlib": ".2f", "bytes a row": ",.0f", "build s": ".0f",
}  # fmt: skip
EFFORTS = sorted({max(10, round(one)) for one in np.geomspace(10, 1000, 20)})
TARGETS = (0.90, 0.95, 0.99)


@dataclass
class Peer:
    """An index in memory: search(queries, k, effort) gives row numbers; efforts from cheap to dear."""

    search: Search
    bytes: float
    seconds: float
    efforts: list[int]


def hnsw_peer(x: np.ndarray, path: Path) -> Peer:
    def build() -> None:
        index = faiss.IndexHNSWFlat(x.shape[1], 32)
        index.add(x)
        faiss.write_index(index, str(path))

    seconds = built(path, build)
    index = faiss.read_index(str(path))

    def search(q: np.ndarray, k: int, effort: int) -> np.ndarray:
        return index.search(q, k, params=faiss.SearchParametersHNSW(efSearch=max(effort, k)))[1]

    return Peer(search, path.stat().st_size / len(x), seconds, EFFORTS)


def hnswlib_peer(x: np.ndarray, path: Path) -> Peer:
    import hnswlib

    def build() -> None:
        index = hnswlib.Index("ip", x.shape[1])
        index.init_index(len(x), ef_construction=200, M=16)
        index.add_items(x, num_threads=1)
        index.save_index(str(path))

    seconds = built(path, build)
    index = hnswlib.Index("ip", x.shape[1])
    index.load_index(str(path))

    def search(q: np.ndarray, k: int, effort: int) -> np.ndarray:
        index.set_ef(max(effort, k))
        return index.knn_query(q, k, num_threads=1)[0].astype(np.int64)

    return Peer(search, path.stat().st_size / len(x), seconds, EFFORTS)


def usearch_peer(x: np.ndarray, path: Path) -> Peer:
    from usearch.index import Index

    def build() -> None:
        index = Index(ndim=x.shape[1], metric="cos", dtype="i8")
        index.add(np.arange(len(x)), x, threads=1)
        index.save(str(path))

    seconds = built(path, build)
    index = Index.restore(str(path))

    def search(q: np.ndarray, k: int, effort: int) -> np.ndarray:
        index.expansion_search = max(effort, k)
        return np.atleast_2d(index.search(q, k, threads=1).keys).astype(np.int64)

    return Peer(search, path.stat().st_size / len(x), seconds, EFFORTS)


def svs_peer(x: np.ndarray, path: Path) -> Peer:
    import svs

    parts = [str(path / part) for part in ("config", "graph", "data")]

    def build() -> None:
        how = svs.VamanaBuildParameters(graph_max_degree=64, window_size=128, alpha=0.95)
        svs.Vamana.build(how, x, svs.DistanceType.MIP, num_threads=1).save(*parts)

    seconds = built(path, build)
    index = svs.Vamana(parts[0], svs.GraphLoader(parts[1]), svs.VectorDataLoader(parts[2], svs.DataType.float32),
                       distance=svs.DistanceType.MIP, num_threads=1)  # fmt: skip

    def search(q: np.ndarray, k: int, effort: int) -> np.ndarray:
        index.search_window_size = max(effort, k)
        return index.search(q, k)[0].astype(np.int64)

    size = sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return Peer(search, size / len(x), seconds, EFFORTS)


def lorann_peer(x: np.ndarray, path: Path) -> Peer:
    import lorann

    started = time.process_time()
    lists = int(np.sqrt(len(x)))
    index = lorann.LorannIndex(data=x, n_clusters=lists, global_dim=256, rank=32, distance=lorann.IP)
    index.build(verbose=False, n_threads=1)
    seconds = time.process_time() - started

    def search(q: np.ndarray, k: int, effort: int) -> np.ndarray:
        return np.atleast_2d(index.search(q, k, min(effort, lists), 20 * k, n_threads=1)).astype(np.int64)

    return Peer(search, float("nan"), seconds, [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256])


def imi_peers(x: np.ndarray, path: Path) -> dict[str, Peer]:
    """Return the ladder that a plan takes here, and its graph alone, which ranks by eight-bit codes."""

    def build() -> None:
        first = Rung(x.shape[1], 15, "int8", "symphonyqg", 60)
        Ladder.build(x, (first, Rung(x.shape[1], 10)), threads=1).save(path)

    seconds = built(path, build)
    kept = load_index(path)
    assert isinstance(kept, Ladder)
    ladder = Ladder(x, kept.rungs, kept.structure, kept.space, kept.scales)
    ladders: dict[tuple[int, int], Ladder] = {}

    def climb(q: np.ndarray, k: int, effort: int) -> np.ndarray:
        if (k, effort) not in ladders:
            keep = max(k + 2, round(1.1 * k))
            rungs = (Rung(x.shape[1], keep, "int8", "symphonyqg", max(effort, keep)), Rung(x.shape[1], k))
            ladders[k, effort] = ladder.with_rungs(rungs)
            ladders[k, effort].threads = 1
        return ladders[k, effort].search(q, k)[1]

    def alone(q: np.ndarray, k: int, effort: int) -> np.ndarray:
        return kept.structure.search(q, k, max(effort, k), 1)

    size = max(one.stat().st_size for one in path.glob("structure*")) / len(x)
    return {"imi": Peer(climb, size, seconds, EFFORTS), "SymphonyQG alone": Peer(alone, size, seconds, EFFORTS)}


def built(path: Path, build: Callable[[], None]) -> float:
    """Build what is not there yet and return the processor's seconds that this took, now or then."""
    told = path.with_name(path.name + ".seconds")
    if not told.exists():
        say(f"building {path.name}")
        if path.suffix == ".folder":
            path.mkdir(parents=True, exist_ok=True)
        started = time.process_time()
        build()
        told.write_text(json.dumps(time.process_time() - started))
    return float(json.loads(told.read_text()))


def recall_of(rows: np.ndarray, x: np.ndarray, q: np.ndarray, bar: np.ndarray) -> float:
    good = np.concatenate([np.vecdot(q[at, None], x[rows[at]])[None] >= bar[at] - 4e-6 for at in range(len(q))])
    return float((good & (rows >= 0)).mean())


def cheapest(peer: Peer, x: np.ndarray, q: np.ndarray, bar: np.ndarray, k: int) -> dict[float, tuple[int, float]]:
    """Return for each target the first effort that reaches it, with its recall."""
    found: dict[float, tuple[int, float]] = {}
    for effort in peer.efforts:
        reached = recall_of(peer.search(q, k, effort), x, q, bar)
        for target in TARGETS:
            if reached >= target:
                found.setdefault(target, (effort, reached))
        if len(found) == len(TARGETS):
            break
    return found


def in_turns(ways: dict[str, tuple[Search, int]], q: np.ndarray, k: int, rounds: int = 5) -> dict[str, float]:
    """Return the median seconds of single queries; each round asks all indexes forty queries, one index at a time."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for at in range(rounds):
        for name, (search, effort) in ways.items():
            search(q[:1], k, effort)
            for one in range(at * 40, at * 40 + 40):
                query = q[one % len(q) : one % len(q) + 1]
                started = time.perf_counter()
                search(query, k, effort)
                times[name].append(time.perf_counter() - started)
    return {name: float(np.median(all_)) for name, all_ in times.items()}


def peers(x: np.ndarray, folder: Path, only: str) -> dict[str, Peer]:
    makers: dict[str, tuple[str, Callable[[np.ndarray, Path], Peer], str]] = {
        "hnswlib M16": ("hnswlib", hnswlib_peer, "hnswlib"),
        "faiss HNSW32": ("faiss", hnsw_peer, "hnsw32"),
        "usearch i8": ("usearch", usearch_peer, "usearch"),
        "SVS Vamana 64": ("svs", svs_peer, "svs.folder"),
        "LoRANN": ("lorann", lorann_peer, "lorann"),
    }
    made: dict[str, Peer] = {}
    for name, (package, make, file) in makers.items():
        if importlib.util.find_spec(package) is not None and only in ("", package):
            made[name] = make(x, folder / file)
    if importlib.util.find_spec("rabitqlib") is not None and only in ("", "imi"):
        made |= imi_peers(x, folder / "imi.folder")
    return made


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--cache", type=Path, default=Path("build/peers"), help="where vectors and indexes are kept")
    options.add_argument("--build", default="", help="build this package's index and end: imi, faiss, hnswlib, …")
    options.add_argument("--out", type=Path, default=DOCS)
    chosen = options.parse_args()
    faiss.omp_set_num_threads(1)
    groups = data(chosen.rows, 1000, chosen.cache, "both")
    x = np.ascontiguousarray(groups.pop("rows"))
    folder = chosen.cache / f"peers-{chosen.rows}"
    folder.mkdir(parents=True, exist_ok=True)
    made = peers(x, folder, chosen.build)
    if chosen.build:
        return
    record = Record(f"peers-{chosen.rows}", {"rows": chosen.rows, "width": x.shape[1]}, True, chosen.out)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in made}
    for kind, queries in groups.items():
        q = queries[:300]
        for k in (10, 100):
            bar = Exact(x).search(q, k)[0][:, -1]
            set_to = {name: cheapest(peer, x, q, bar, k) for name, peer in made.items()}
            for target in TARGETS:
                ways = {name: (made[name].search, at[target][0]) for name, at in set_to.items() if target in at}
                seconds = in_turns(ways, q, k)
                say(kind, k, target, {name: f"{one * 1e6:.0f} µs" for name, one in seconds.items()})
                for name, peer in made.items():
                    effort, reached = set_to[name].get(target, (0, 0.0))
                    row: dict[str, Any] = {"queries": kind, "k": k, "recall": target, "effort": effort or "not reached"}
                    if name in seconds:
                        row |= {"reached": reached, "µs a query": seconds[name] * 1e6}
                        base = seconds.get("hnswlib M16")
                        row["times hnswlib"] = None if base is None else base / seconds[name]
                    rows[name].append({**row, "bytes a row": peer.bytes, "build s": peer.seconds})
    for name, all_ in rows.items():
        record.put(name, all_)
    notes = (
        f"`python benchmarks/peers.py --rows {chosen.rows} --cache FOLDER`: real texts of both languages by the "
        "built-in model; queries like the rows, and questions that people wrote (training halves). One thread, single "
        "queries in turns, medians of 200; build times are the processor's. imi ranks what its graph finds by the full "
        "vectors."
    )
    say("written", record.page(f"Indexes beside each other, {chosen.rows:,} × {x.shape[1]}", COLUMNS, notes))


if __name__ == "__main__":
    main()
