"""Adaptive and funnel retrieval as one statement: a graph over a prefix, then one materialised CTE for each rerank.

    WITH r0 AS MATERIALIZED (SELECT … ORDER BY subvector(vector, 1, 128)::halfvec(128) <=> $1 LIMIT 200),
         r1 AS MATERIALIZED (SELECT … FROM r0 ORDER BY subvector(vector, 1, 256)::halfvec(256) <=> $2 LIMIT 50)
    SELECT id, 1 - (vector <=> $3) FROM r1 ORDER BY vector <=> $3 LIMIT 10

The first rung is answered by an HNSW index over the same expression. Cosine distance divides by the lengths of both
prefixes, which is what `imi.vectors.truncate` does by re-normalising.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from imi.backends.postgres.filters import Condition
from imi.errors import UsageError
from imi.index.rungs import Rung, parse_ladder
from imi.types import Floats
from imi.vectors import truncate

_WIDEST = 4000  # dimensions of a halfvec that an HNSW index takes
_WIDEST_BITS = 64_000
_WIDE = 1024
_LEAST_EFFORT, _MOST_EFFORT = 10, 1000
_SCANNED = 20_000
METHODS = {"hnsw": "hnsw", "ivf": "ivfflat", "flat": ""}
"""What pgvector calls each structure."""


@dataclass(frozen=True, slots=True)
class Column:
    """The vectors' column: its width, and whether a number takes two bytes ("halfvec") or four ("vector")."""

    width: int
    dtype: str


def default_ladder(dims: Sequence[int], width: int) -> str:
    """Return the ladder that a new index is made for: signs first for wide vectors, else a quarter of them."""
    if width >= _WIDE:
        return f"hnsw.binary/{min(width, _WIDEST_BITS)}:400,{width}:10"
    trained = [size for size in sorted(dims) if 64 <= size < width and 4 * size >= width]
    first = trained[0] if trained else width
    return f"hnsw/{first}:200,{width}:10" if first < width else f"hnsw/{width}:100,{width}:10"


def read_ladder(text: str, width: int) -> tuple[Rung, ...]:
    """Read a ladder that PostgreSQL can climb.

    Raises:
        UsageError: it cannot be read, or its first rung is not a HNSW index of floats or signs.
    """
    rungs = parse_ladder(text, width, structure="hnsw")
    first = rungs[0]
    if first.structure not in METHODS or first.codec not in ("float32", "float16", "binary") or first.rotated:
        raise UsageError(
            f"the rung {first} is not one of pgvector's",
            hint=f"hnsw/64:200,{width}:10, ivf.float16/128:60@12,{width}:10, or hnsw.binary/{width}:400,{width}:10",
        )
    widest = _WIDEST_BITS if first.codec == "binary" else _WIDEST
    if first.structure != "flat" and first.dims > widest:
        raise UsageError(
            f"the rung {first} has {first.dims} numbers, an index of pgvector's takes {widest}",
            hint=f"hnsw.binary/{width}:400,{width}:10",
        )
    return rungs


def index_over(rung: Rung, column: Column, rows: int) -> sql.Composed:
    """Return the method, expression and options of the index of a first rung: `USING …`.

    Lists of an inverted file are as many as the square root of the rows, so that lists and their rows cost alike.
    """
    over = _expression(rung, column)
    if rung.structure == "ivf":
        return sql.SQL("USING ivfflat {over} WITH (lists = {lists})").format(over=over, lists=sql.Literal(_lists(rows)))
    return sql.SQL("USING hnsw {over}").format(over=over)


def _lists(rows: int) -> int:
    return max(1, min(math.isqrt(rows), 32_768))


def _expression(rung: Rung, column: Column) -> sql.Composed:
    if rung.codec == "binary":
        return sql.SQL("(({code}) bit_hamming_ops)").format(code=_bits(rung.dims, column))
    return sql.SQL("(({prefix}) halfvec_cosine_ops)").format(prefix=_prefix(rung.dims, column, indexed=True))


def _prefix(dims: int, column: Column, *, indexed: bool = False) -> sql.Composed:
    """Return the first dimensions of the column, as halfvec where an index holds them so."""
    if dims == column.width:
        whole = sql.SQL("vector::halfvec({dims})") if indexed and column.dtype != "halfvec" else sql.SQL("vector")
        return whole.format(dims=sql.Literal(dims))
    kind = sql.SQL("halfvec" if indexed else column.dtype)
    return sql.SQL("subvector(vector, 1, {dims})::{kind}({dims})").format(dims=sql.Literal(dims), kind=kind)


def _bits(dims: int, column: Column) -> sql.Composed:
    return sql.SQL("binary_quantize({prefix})::bit({dims})").format(
        prefix=_prefix(dims, column), dims=sql.Literal(dims)
    )


def _distance(rung: Rung, column: Column) -> sql.Composed:
    """Return the distance of a first rung to a parameter, written as its index is."""
    dims = sql.Literal(rung.dims)
    if rung.codec == "binary":
        asked = sql.SQL("binary_quantize(%s::{kind}({dims}))::bit({dims})").format(
            kind=sql.SQL(column.dtype), dims=dims
        )
        return sql.SQL("{code} <~> {asked}").format(code=_bits(rung.dims, column), asked=asked)
    return sql.SQL("{prefix} <=> %s::halfvec({dims})").format(
        prefix=_prefix(rung.dims, column, indexed=True), dims=dims
    )


def _exact_distance(dims: int, column: Column) -> sql.Composed:
    return sql.SQL("{prefix} <=> %s::{kind}({dims})").format(
        prefix=_prefix(dims, column), kind=sql.SQL(column.dtype), dims=sql.Literal(dims)
    )


def ladder_statement(
    table: sql.Identifier,
    column: Column,
    rungs: Sequence[Rung],
    vector: Floats,
    keep: int,
    where: Condition | None,
    dims: int,
) -> tuple[sql.Composed, list[Any]]:
    """Return the statement, with its parameters, that climbs the rungs and ranks by the first `dims` dimensions."""
    passes, values = ("vector IS NOT NULL", []) if where is None else (f"vector IS NOT NULL AND {where[0]}", where[1])
    steps = [rung for at, rung in enumerate(rungs) if at == 0 or rung.dims < dims]
    parts, parameters = [], []
    for at, rung in enumerate(steps):
        parts.append(
            sql.SQL(
                "{name} AS MATERIALIZED (SELECT row, id, vector FROM {source}{where} ORDER BY {distance} LIMIT %s)"
            ).format(
                name=sql.Identifier(f"r{at}"),
                source=table if at == 0 else sql.Identifier(f"r{at - 1}"),
                where=sql.SQL(f" WHERE {passes}") if at == 0 else sql.SQL(""),
                distance=_distance(rung, column) if at == 0 else _exact_distance(rung.dims, column),
            )
        )
        parameters += [*(values if at == 0 else []), text_of(vector, rung.dims), max(rung.keep, keep)]
    last = _exact_distance(dims, column)
    statement = sql.SQL("WITH {parts} SELECT id, 1 - distance FROM (SELECT row, id, {last} AS distance FROM {source}) "
                        "AS ranked ORDER BY distance, row LIMIT %s").format(
        parts=sql.SQL(", ").join(parts), last=last, source=sql.Identifier(f"r{len(steps) - 1}")
    )  # fmt: skip
    return statement, [*parameters, text_of(vector, dims), keep]


def exact_statement(
    table: sql.Identifier, column: Column, vector: Floats, keep: int, where: Condition | None, dims: int
) -> tuple[sql.Composed, list[Any]]:
    """Return the statement, with its parameters, that compares every row that passes."""
    passes, values = ("true", []) if where is None else where
    # No index is on a sum, so the server cannot use a graph, which would leave rows out.
    statement = sql.SQL(
        "SELECT id, 1 - distance FROM (SELECT row, id, ({distance}) + 0 AS distance FROM {table} "
        "WHERE vector IS NOT NULL AND {passes}) AS held ORDER BY distance, row LIMIT %s"
    ).format(distance=_exact_distance(dims, column), table=table, passes=sql.SQL(passes))
    return statement, [text_of(vector, dims), *values, keep]


def settings(rungs: Sequence[Rung], keep: int, filtered: bool) -> dict[str, str]:
    """Return the settings, for one transaction, under which the first rung finds as many rows as it should."""
    first = rungs[0]
    wanted = max(first.keep, keep)
    if first.structure == "ivf":
        scan = "relaxed_order" if filtered else "off"
        return {"ivfflat.probes": str(first.effort or 10), "enable_seqscan": "off", "ivfflat.iterative_scan": scan}
    effort = min(max(first.effort or wanted, _LEAST_EFFORT), _MOST_EFFORT)
    found = {"hnsw.ef_search": str(effort), "enable_seqscan": "off"}
    scan = "strict_order" if filtered or wanted > effort else "off"
    return found | {"hnsw.iterative_scan": scan, "hnsw.max_scan_tuples": str(max(_SCANNED, 20 * wanted))}


def text_of(vector: Floats, dims: int) -> str:
    """Return the first dimensions of a vector, at length one, as pgvector reads them."""
    return "[" + ",".join(map(repr, truncate(vector, dims).tolist())) + "]"
