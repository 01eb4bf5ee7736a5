"""Full text on PostgreSQL: the project's own tokens in a `tsvector`, asked by `tsquery`, ranked by BM25.

Ranking is a ladder too. The GIN index finds the texts that hold any of the words, the sum of the idf of the words that
a text holds keeps the best thousand of them, and BM25 over these decides, with the counts and positions that the
tsvector has. The idf comes from the caller; k1 and b are FTS5's, so that both engines score alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from imi.backends.postgres.filters import Condition
from imi.backends.postgres.rows import lexeme
from imi.text.lexical import ENDING, is_word

_SHORTLIST = 1000
_COUNTED = 20_000
"""Rows up to which a word's rows are counted; beyond, what the server's statistics say is near enough."""
_K1, _B = 1.2, 0.75
_PARTIAL = 3


def quoted(token: str) -> str:
    """Return a token as an operand of a tsquery, whatever characters it has."""
    return "'" + lexeme(token).replace("\\", "\\\\").replace("'", "''") + "'"


def any_of(terms: Sequence[str]) -> str:
    """Return the tsquery for texts that hold any of the terms."""
    return " | ".join(quoted(term) for term in terms)


def contains(part: Sequence[str]) -> list[str]:
    """Return the tsqueries for texts that contain a run of tokens, as `imi.text.lexical` says: whole, or as parts.

    A word of three letters or more is also found as the beginning of a longer one, and inside a word that touches
    script without spaces, whose endings are separate tokens.
    """
    first, last = part[0], part[-1]
    whole = [quoted(token) for token in part]
    ways = [" <-> ".join(whole)]
    if is_word(last) and len(last) >= _PARTIAL:
        ways.append(" <-> ".join([*whole[:-1], f"{whole[-1]}:*"]))
    if is_word(first) and len(first) >= _PARTIAL:
        ending = f"{quoted(ENDING + first)}:*"
        rest = "" if len(part) == 1 else f" & ({' | '.join(f'({way})' for way in contains(part[1:]))})"
        ways.append(ending + rest)
    return ways


def count_statement(table: sql.Identifier) -> sql.Composed:
    """Return the statement that counts the rows of each tsquery of an array, up to a bound."""
    return sql.SQL(
        "SELECT asked.at, (SELECT count(*) FROM (SELECT 1 FROM {table} WHERE tokens @@ asked.query::tsquery "
        "LIMIT {most}) AS held) FROM unnest(%s::text[]) WITH ORDINALITY AS asked(query, at) ORDER BY asked.at"
    ).format(table=table, most=sql.Literal(_COUNTED + 1))


def frequency_statement() -> str:
    """Return the statement that reads how often the commonest words occur, as ANALYZE found it."""
    return (
        "SELECT word, share FROM pg_stats, unnest(most_common_elems::text::text[], "
        "most_common_elem_freqs[1:cardinality(most_common_elems::text::text[])]) AS common(word, share) "
        "WHERE tablename = %s AND attname = 'tokens' AND schemaname = ANY(current_schemas(false)) AND word = ANY(%s)"
    )


def counted(found: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Return the counts in order, and the places of those that ran into the bound."""
    counts = [count for _, count in found]
    return counts, [at for at, count in enumerate(counts) if count > _COUNTED]


def ranked_statement(
    table: sql.Identifier, weights: Mapping[str, float], average: float, keep: int, where: Condition | None
) -> tuple[sql.Composed, list[Any]]:
    """Return the statement, with its parameters, that ranks the texts that hold any of the terms by BM25."""
    terms = list(weights)
    passes, values = ("true", []) if where is None else where
    held = sql.SQL(" + ").join([sql.SQL("(tokens @@ %s::tsquery)::int * %s::float8")] * len(terms))
    statement = sql.SQL(
        "WITH hit AS MATERIALIZED (SELECT row, id, tokens, length FROM {table} "
        "WHERE tokens @@ %s::tsquery AND {passes} ORDER BY {held} DESC, row LIMIT %s), "
        "asked AS (SELECT * FROM unnest(%s::text[], %s::float8[]) AS asked(term, idf)) "
        "SELECT hit.id, sum(asked.idf * cardinality(word.positions) * {k1p} / (cardinality(word.positions) + {k1} * "
        "({nb} + {b} * hit.length / %s::float8))) AS score "
        "FROM hit CROSS JOIN LATERAL unnest(hit.tokens) AS word(lexeme, positions, weights) "
        "JOIN asked ON asked.term = word.lexeme GROUP BY hit.row, hit.id ORDER BY score DESC, hit.row LIMIT %s"
    ).format(table=table, passes=sql.SQL(passes), held=held, **_constants())
    words = [part for term in terms for part in (quoted(term), weights[term])]
    return statement, [
        any_of(terms),
        *values,
        *words,
        max(_SHORTLIST, keep),
        [lexeme(term) for term in terms],
        [weights[term] for term in terms],
        average,
        keep,
    ]


def containing_statement(
    table: sql.Identifier,
    parts: Sequence[Sequence[str]],
    weights: Sequence[float],
    average: float,
    keep: int,
    where: Condition | None,
) -> tuple[sql.Composed, list[Any]]:
    """Return the statement that ranks the texts that contain every part; `weights` is the idf of each way to do so."""
    passes, values = ("true", []) if where is None else where
    ways = [way for part in parts for way in contains(part)]
    every = " & ".join("(" + " | ".join(f"({way})" for way in contains(part)) + ")" for part in parts)
    held = sql.SQL(" + ").join([sql.SQL("(tokens @@ %s::tsquery)::int * %s::float8")] * len(ways))
    statement = sql.SQL(
        "SELECT id, ({held}) * {k1p} / (1 + {k1} * ({nb} + {b} * length / %s::float8)) AS score "
        "FROM {table} WHERE tokens @@ %s::tsquery AND {passes} ORDER BY score DESC, row LIMIT %s"
    ).format(table=table, passes=sql.SQL(passes), held=held, **_constants())
    words = [part for way, weight in zip(ways, weights, strict=True) for part in (way, weight)]
    return statement, [*words, average, every, *values, keep]


def _constants() -> dict[str, sql.Literal]:
    return {
        "k1": sql.Literal(_K1),
        "k1p": sql.Literal(_K1 + 1),
        "b": sql.Literal(_B),
        "nb": sql.Literal(1 - _B),
    }
