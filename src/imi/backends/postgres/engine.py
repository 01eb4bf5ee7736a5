"""PostgresEngine: each search is one statement, over a graph and an inverted index that the server keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from imi.backends.engine import Abilities, IdRanking
from imi.backends.filter_tree import Filter
from imi.backends.postgres import words
from imi.backends.postgres.connection import SETTINGS
from imi.backends.postgres.filters import Condition
from imi.backends.postgres.ladder import (
    default_ladder,
    exact_statement,
    index_over,
    ladder_statement,
    read_ladder,
    settings,
)
from imi.backends.postgres.rows import lexeme
from imi.backends.postgres.table import PostgresTable
from imi.collection.rankings import How
from imi.fusion import expected_score
from imi.index.rungs import Rung, format_ladder
from imi.types import Floats

_INDEXED_FROM = 20_000
"""From this many rows on a graph is built; below, comparing all of them takes milliseconds and is exact."""
_FEW = 5_000
"""Up to this many rows matching a filter are all compared: a graph would have to look far to find so few."""


class PostgresEngine(PostgresTable):
    """One collection on a PostgreSQL server with pgvector."""

    abilities = Abilities()

    # --- finding ---

    def nearest(self, vector: Floats, keep: int, where: Filter | None, how: How) -> tuple[IdRanking, dict[str, Any]]:
        """Rank rows by cosine: by the ladder, or exactly where there is no ladder or few rows match the filter.

        Returns the ranking, best first, and how it was found: the engine's name and the ladder.
        """
        about = self._known()
        condition = None if where is None else self._compiled(where)
        dims = how.dims or about.column.width
        text = how.ladder or about.ladder
        rungs = read_ladder(text, about.column.width) if text and not how.exact else ()
        if not rungs or (rungs[0].structure == "flat" and len(rungs) == 1) or rungs[0].dims > dims:
            return self._exactly(vector, keep, condition, dims)
        if condition is not None and self._at_most(condition, _FEW):
            return self._exactly(vector, keep, condition, dims)
        query, values = ladder_statement(self._table, about.column, rungs, vector, keep, condition, dims)
        chosen = dict(SETTINGS) | settings(rungs, keep, condition is not None)

        found = self._server.run(lambda c: _ranking(c.execute(query, values)), settings=chosen)
        return found, {"engine": self.name, "ladder": format_ladder(rungs)}

    def _exactly(
        self, vector: Floats, keep: int, where: Condition | None, dims: int
    ) -> tuple[IdRanking, dict[str, Any]]:
        query, values = exact_statement(self._table, self._known().column, vector, keep, where, dims)
        found = self._server.run(lambda c: _ranking(c.execute(query, values)))
        return found, {"engine": self.name, "ladder": "exact"}

    def _at_most(self, where: Condition, most: int) -> bool:
        query = sql.SQL("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {passes} LIMIT {most}) AS held").format(
            table=self._table, passes=sql.SQL(where[0]), most=sql.Literal(most + 1)
        )
        return self._server.run(lambda c: int(c.execute(query, where[1]).fetchone()[0])) <= most

    def term_counts(self, terms: Sequence[str]) -> dict[str, int]:
        """Return how many rows hold each term: counted up to some thousands, estimated from statistics beyond."""
        asked = [term for term in terms if "\0" not in term]
        counts = self._counts([words.quoted(term) for term in asked], [lexeme(term) for term in asked])
        return {term: count for term, count in zip(asked, counts, strict=True) if count}

    def _counts(self, queries: Sequence[str], lexemes: Sequence[str]) -> list[int]:
        if not queries or self.bound() is None:
            return [0] * len(queries)

        def work(connection: Any) -> list[int]:
            found = connection.execute(words.count_statement(self._table), (list(queries),)).fetchall()
            counts, many = words.counted(found)
            if many and lexemes:
                table = f"imi_{self._name}"
                asked = (table, [lexemes[at] for at in many])
                shares = dict(connection.execute(words.frequency_statement(), asked).fetchall())
                texts = int(
                    connection.execute("SELECT texts FROM imi_collections WHERE name = %s", (self._name,)).fetchone()[0]
                )
                for at in many:
                    counts[at] = max(counts[at], round(texts * shares.get(lexemes[at], 0.0)))
            return counts

        return self._server.run(work)

    def _texts(self) -> tuple[int, float]:
        query = "SELECT texts, tokens::float8 / greatest(texts, 1) FROM imi_collections WHERE name = %s"
        texts, average = self._server.run(lambda c: c.execute(query, (self._name,)).fetchone())
        return int(texts), max(float(average), 1.0)

    def ranked(self, weights: Mapping[str, float], keep: int, where: Filter | None) -> IdRanking:
        """Rank rows that hold any of the terms by BM25."""
        condition = None if where is None else self._compiled(where)
        query, values = words.ranked_statement(self._table, weights, self._texts()[1], keep, condition)
        return self._server.run(lambda c: _ranking(c.execute(query, values)))

    def containing(self, parts: Sequence[tuple[str, ...]], keep: int, where: Filter | None) -> IdRanking:
        """Rank rows that contain every part: rarer parts and shorter texts first."""
        if self.bound() is None or any("\0" in token for part in parts for token in part):
            return []
        texts, average = self._texts()
        counts = self._counts([way for part in parts for way in words.contains(part)], ())
        weights = [expected_score([count], texts) for count in counts]
        condition = None if where is None else self._compiled(where)
        query, values = words.containing_statement(self._table, parts, weights, average, keep, condition)
        return self._server.run(lambda c: _ranking(c.execute(query, values)))

    def facet(self, field: str, where: Filter | None, ids: Sequence[str] | None) -> dict[str, int]:
        """Count the values of a field, most frequent first."""
        passes, values = ("true", []) if where is None else self._compiled(where)
        narrowed, given = ("", []) if ids is None else (" AND id = ANY(%s)", [list(ids)])
        query = sql.SQL(
            "SELECT fields -> %s AS value, count(*) FROM {table} WHERE {passes}{narrowed} "
            "AND coalesce(jsonb_typeof(fields -> %s), 'null') <> 'null' GROUP BY value"
        ).format(table=self._table, passes=sql.SQL(passes), narrowed=sql.SQL(narrowed))
        found = self._server.run(lambda c: c.execute(query, [field, *values, *given, field]).fetchall())
        return facet_of(found)

    # --- indexes ---

    def set_ladder(self, ladder: str) -> None:
        """Build the graph of the first rung, drop those of others, and use this ladder from now on.

        Raises:
            UsageError: pgvector has no index of this kind.
        """
        about = self._known()
        rungs = read_ladder(ladder, about.column.width)
        index, rows = self._index_name(rungs[0]), self.count(None)

        def work(connection: Any) -> None:
            if rungs[0].structure != "flat":
                make = sql.SQL("CREATE INDEX IF NOT EXISTS {index} ON {table} {over}").format(
                    index=sql.Identifier(index), table=self._table, over=index_over(rungs[0], about.column, rows)
                )
                connection.execute(make)
            others = (
                "SELECT indexname FROM pg_indexes WHERE tablename = %s AND schemaname = ANY(current_schemas(false))"
            )
            for (name,) in connection.execute(others, (f"imi_{self._name}",)).fetchall():
                kinds = (f"imi_{self._name}_hnsw_", f"imi_{self._name}_ivf_")
                if name.startswith(kinds) and name != index:
                    connection.execute(sql.SQL("DROP INDEX {index}").format(index=sql.Identifier(name)))
            changed = "UPDATE imi_collections SET ladder = %s WHERE name = %s"
            connection.execute(changed, (ladder, self._name))

        self._server.run(work, write=True)
        self._read_about()

    def _index_name(self, first: Rung) -> str:
        return f"imi_{self._name}_{first.structure}_{'b' if first.codec == 'binary' else ''}{first.dims}"

    def settle(self) -> None:
        """Build a graph where there are enough rows and none exists yet, then update the server's statistics."""
        about = self._known() if self.bound() is not None else None
        if about is None or about.ladder is not None or self.count(None) < _INDEXED_FROM:
            return
        self._read_about()
        self.set_ladder(default_ladder(about.bound.info.dims, about.column.width))
        analyze = sql.SQL("ANALYZE {table}").format(table=self._table)
        self._server.run(lambda c: c.execute(analyze), write=True)


def _ranking(found: Any) -> IdRanking:
    return [(id_, float(score)) for id_, score in found]


def facet_of(found: Sequence[tuple[Any, int]]) -> dict[str, int]:
    """Return counts by value as a folder gives them: the most frequent first, numbers before texts."""

    def order(one: tuple[Any, int]) -> tuple[Any, ...]:
        value, count = one
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return (-count, 0, value, "") if number else (-count, 1, 0, _shown(value))

    return {_shown(value): count for value, count in sorted(found, key=order)}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return (
        json.dumps(value, ensure_ascii=False, separators=(",", ":")) if isinstance(value, list | dict) else str(value)
    )
