"""Vector search side by side at equal recall: ours, faiss, hnswlib, usearch, SymphonyQG alone, exact; one run.

    python benchmarks/search.py                          50,000 real vectors × 512
    python benchmarks/search.py --rows 500000            the real set
    python benchmarks/search.py --rows 1000000 --width 1024      lifted vectors

Every line is one index at the cheapest setting that reached the recall: median time of single queries with one thread,
queries a second in one batch with one thread and with two, bytes a row, seconds to build with all processors.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
from vector_data import lifted_vectors, print_ceilings, real_vectors

import imi
from imi.index.exact import Exact

Search = Callable[[np.ndarray, int, int], np.ndarray]


def file_bytes(write: Callable[[str], object]) -> int:
    """Return how many bytes an index's file takes."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "index")
        write(path)
        return os.path.getsize(path)


def faiss_peer(x: np.ndarray, text: str, refine: bool = False):
    base = faiss.index_factory(x.shape[1], text)
    base.train(x[:100_000])
    index = faiss.IndexRefineFlat(base) if refine else base
    index.add(x)

    def search(q: np.ndarray, effort: int, threads: int) -> np.ndarray:
        faiss.omp_set_num_threads(threads)
        if refine:
            index.k_factor = 20
            base.nprobe = effort
        else:
            base.hnsw.efSearch = effort
        return index.search(q, 10)[1]

    return search, file_bytes(lambda path: faiss.write_index(index, path))


def hnswlib_peer(x: np.ndarray):
    import hnswlib

    index = hnswlib.Index("ip", x.shape[1])
    index.init_index(len(x), ef_construction=200, M=16)
    index.add_items(x, num_threads=2)

    def search(q: np.ndarray, effort: int, threads: int) -> np.ndarray:
        index.set_ef(max(10, effort))
        return index.knn_query(q, 10, num_threads=threads)[0].astype(np.int64)

    return search, file_bytes(index.save_index)


def usearch_peer(x: np.ndarray, dtype: str):
    from usearch.index import Index

    index = Index(ndim=x.shape[1], metric="cos", dtype=dtype)
    index.add(np.arange(len(x)), x, threads=2)

    def search(q: np.ndarray, effort: int, threads: int) -> np.ndarray:
        index.expansion_search = effort
        return np.atleast_2d(index.search(q, 10, threads=threads).keys).astype(np.int64)

    return search, file_bytes(index.save)


def symphonyqg_peer(x: np.ndarray, bits: int):
    import rabitqlib

    index = rabitqlib.SymqgIndex(x.shape[1], 32, "l2", bits)
    index.build(x, 200, 2)
    search = lambda q, effort, threads: index.search(q, 10, max(10, effort), threads)[0].astype(np.int64)  # noqa: E731
    return search, file_bytes(index.save)


def ours(x: np.ndarray, target: float, memory: int | None):
    plan = imi.plan(x, target_recall=target, memory=memory)
    print(plan.table.splitlines()[1], flush=True)
    index = plan.build(x)

    def search(q: np.ndarray, effort: int, threads: int) -> np.ndarray:
        index.threads = threads
        return index.search(q, 10)[1]

    return search, plan.chosen.bytes


def median_single(search: Search, q: np.ndarray, effort: int) -> float:
    times = []
    for at in range(min(len(q), 500)):
        started = time.perf_counter()
        search(q[at : at + 1], effort, 1)
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def report(name: str, search: Search, size: int, built: float, x, q, bar, efforts, targets) -> None:
    for target in targets:
        for effort in efforts:
            rows = search(q, effort, 2)
            recall = float(np.mean(np.vecdot(q[:, None], x[rows]) >= bar - 2e-6))
            if recall >= target:
                break
        else:
            print(f"{name:28} {target:.2f}  not reached ({recall:.3f})", flush=True)
            continue
        single = min(median_single(search, q, effort) for _ in range(5))
        batch = []
        for threads in (1, 2):
            started = time.perf_counter()
            search(q, effort, threads)
            batch.append(len(q) / (time.perf_counter() - started))
        print(
            f"{name:28} {target:.2f} {recall:7.4f} {effort:6} {single * 1e6:9.1f} {1 / single:9.0f} {batch[0]:9.0f}"
            f" {batch[1]:9.0f} {size / len(x):8.0f} {built:8.1f}",
            flush=True,
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=50_000)
    options.add_argument("--width", type=int, default=512)
    options.add_argument("--targets", default="0.90,0.95,0.99")
    options.add_argument("--only", default="", help="peers whose names hold this, parted by commas")
    asked = options.parse_args()
    targets = [float(one) for one in asked.targets.split(",")]
    x, q = real_vectors(asked.rows) if asked.width == 512 else lifted_vectors(asked.rows, asked.width)
    print(f"{len(x)} × {x.shape[1]}, {len(q)} queries")
    print_ceilings(x, q)
    bar = Exact(x).search(q, 10)[0][:, 9:]
    graph = sorted({max(10, round(one)) for one in np.geomspace(12, 1200, 22)})
    lists = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]
    count = int(4 * np.sqrt(len(x)))
    peers: list[tuple[str, Callable, list[int]]] = [
        ("exact (numpy)", lambda: (lambda q, e, t: Exact(x).search(q, 10)[1], 0), [0]),
        ("faiss HNSW32", lambda: faiss_peer(x, "HNSW32"), graph),
        ("faiss IVF-PQ FastScan+refine", lambda: faiss_peer(x, f"IVF{count},PQ{x.shape[1] // 4}x4fs", True), lists),
    ]
    if importlib.util.find_spec("hnswlib"):
        peers.append(("hnswlib M16", lambda: hnswlib_peer(x), graph))
    if importlib.util.find_spec("usearch"):
        peers += [(f"usearch {kind}", lambda kind=kind: usearch_peer(x, kind), graph) for kind in ("f32", "i8")]
    if importlib.util.find_spec("rabitqlib"):
        peers += [(f"SymphonyQG {bits} bits", lambda bits=bits: symphonyqg_peer(x, bits), graph) for bits in (0, 8)]
    head = f"{'':28} {'want':4} {'recall':>7} {'effort':>6} {'µs':>9} {'single/s':>9} {'batch/s':>9} {'2 threads':>9}"
    print(f"{head} {'B/row':>8} {'build s':>8}")
    chosen = [one for one in asked.only.split(",") if one]
    for name, make, efforts in peers:
        if chosen and not any(one in name for one in chosen):
            continue
        started = time.perf_counter()
        search, size = make()
        report(name, search, size, time.perf_counter() - started, x, q, bar, efforts, targets)
    for memory, name in ((None, "imi.plan"), (len(x) * 700, "imi.plan, 700 B a row")):
        for target in targets:
            started = time.perf_counter()
            search, size = ours(x, target, memory)
            report(name, search, size, time.perf_counter() - started, x, q, bar, [0], [target - 0.01])


if __name__ == "__main__":
    main()
