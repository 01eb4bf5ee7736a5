"""The tables on PostgreSQL: one for all collections, one for their fields, and one a collection.

Frozen in the first format: the primary key is the id, so that the table can be partitioned by its hash and a row can
be replaced however often it is sent; `row` is drawn again with every write of a text or vector, so that rows keep the
order in which they were written; metadata is kept twice, as the text that was given and as jsonb that is searched.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from imi.backends.postgres.ladder import Column
from imi.errors import TooNew, UsageError

FORMAT = 1
_LONGEST_NAME = 40  # bytes: PostgreSQL cuts identifiers at 63, and indexes are named after the table
_PLAIN = 3000  # bytes of a vector that may stay beside its row: fetched with it, not by a second look-up

COPIED = sql.SQL(
    'COPY {table} (id, text, metadata, parent, start, "end", tokens, length, vector, digest) FROM STDIN (FORMAT BINARY)'
)

_SHARED = """
CREATE TABLE IF NOT EXISTS imi_collections (
    name   text PRIMARY KEY,
    format int NOT NULL,
    model  text NOT NULL,
    width  int NOT NULL,
    dtype  text NOT NULL,
    ladder text,
    rows   bigint NOT NULL DEFAULT 0,
    texts  bigint NOT NULL DEFAULT 0,
    tokens bigint NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS imi_fields (
    collection text NOT NULL,
    name       text NOT NULL,
    PRIMARY KEY (collection, name)
);
"""

_TABLE = sql.SQL("""
CREATE TABLE {table} (
    row      bigint GENERATED ALWAYS AS IDENTITY,
    id       text COLLATE "C" PRIMARY KEY,
    text     text,
    metadata text NOT NULL,
    fields   jsonb GENERATED ALWAYS AS (metadata::jsonb) STORED,
    parent   text,
    start    int,
    "end"    int,
    tokens   tsvector,
    length   int,
    vector   {kind}({width}),
    digest   text
) {parting}
""")


def check_name(name: str) -> None:
    """Refuse a collection's name that PostgreSQL would cut or cannot hold.

    Raises:
        UsageError: it is longer than 40 bytes, or holds U+0000 or %, which the driver reads as a parameter's place.
    """
    if len(name.encode(errors="replace")) > _LONGEST_NAME or "\0" in name or "%" in name:
        raise UsageError(
            f"the collection's name {name!r} cannot be a table's",
            hint=f"at most {_LONGEST_NAME} bytes, no U+0000, no %",
        )


def make_shared(connection: Any) -> None:
    """Make the extension and the two tables that all collections share, where they are missing."""
    # Two sessions that make a table at once: one fails, in spite of IF NOT EXISTS. The lock lets them do it in turn.
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('imi'))")
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    connection.execute(_SHARED)


def make_table(connection: Any, table: sql.Identifier, name: str, column: Column, partitions: int) -> None:
    """Make a collection's table with its indexes by row, words and metadata."""
    parting = sql.SQL("PARTITION BY HASH (id)") if partitions else sql.SQL("")
    kind, width = sql.SQL(column.dtype), sql.Literal(column.width)
    connection.execute(_TABLE.format(table=table, kind=kind, width=width, parting=parting))
    for number in range(partitions):
        connection.execute(
            sql.SQL(
                "CREATE TABLE {part} PARTITION OF {table} FOR VALUES WITH (MODULUS {all}, REMAINDER {this})"
            ).format(
                part=sql.Identifier(f"imi_{name}_{number}"),
                table=table,
                all=sql.Literal(partitions),
                this=sql.Literal(number),
            )
        )
    if column.width * (2 if column.dtype == "halfvec" else 4) <= _PLAIN:
        connection.execute(sql.SQL("ALTER TABLE {table} ALTER COLUMN vector SET STORAGE PLAIN").format(table=table))
    for suffix, method in (
        ("row", "(row)"),
        ("words", "USING gin (tokens)"),
        ("fields", "USING gin (fields jsonb_path_ops)"),
    ):
        connection.execute(
            sql.SQL("CREATE INDEX {index} ON {table} {method}").format(
                index=sql.Identifier(f"imi_{name}_{suffix}"), table=table, method=sql.SQL(method)
            )
        )


def check_format(found: int, label: str) -> None:
    """Refuse a collection that a newer imi has made.

    Raises:
        TooNew: it is.
    """
    if found > FORMAT:
        raise TooNew(f"{label} has format {found}, this imi reads up to {FORMAT}", hint="upgrade imi")
