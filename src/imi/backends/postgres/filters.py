"""Filters as SQL over the column `fields` (jsonb); names and values are parameters, never text of the statement."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from imi.backends.filter_tree import Both, DateRange, FieldComparison, Filter, Not

Condition = tuple[str, list[Any]]
_TEXT, _NUMBER = "string", "number"


def with_texts(where: Filter, texts: Callable[[str], Sequence[str]]) -> Filter:
    """Return a filter in which ranges of dates are lists of the texts that say them.

    Args:
        where: the filter.
        texts: returns the different texts of a field; their dates are parsed outside SQL.
    """
    if isinstance(where, Both):
        return Both(where.word, tuple(with_texts(part, texts) for part in where.parts))
    if isinstance(where, Not):
        return Not(with_texts(where.part, texts))
    if isinstance(where, DateRange):
        return FieldComparison(where.name, "in", tuple(one for one in texts(where.name) if where.holds(one)))
    return where


def compile_filter(where: Filter) -> Condition:
    """Return a condition and its parameters, in order; ranges of dates are lists of texts by then."""
    if isinstance(where, DateRange):
        raise TypeError("a range of dates is to be made a list of texts first")
    if isinstance(where, Both):
        parts = [compile_filter(part) for part in where.parts]
        word = " AND " if where.word == "and" else " OR "
        return "(" + word.join(sql for sql, _ in parts) + ")", [value for _, values in parts for value in values]
    if isinstance(where, Not):
        sql, values = compile_filter(where.part)
        return f"NOT coalesce({sql}, false)", values
    return _compare(where)


def _compare(one: FieldComparison) -> Condition:
    name, value = one.name, one.value
    if isinstance(value, str) and "\0" in value and one.operator in ("=", "contains"):
        return "false", []  # no text here holds U+0000, and no parameter can
    if one.operator == "in":
        return _one_of(name, list(value))
    if one.operator == "contains":
        member = _json(value)
        if isinstance(value, str):
            sql = (
                "CASE jsonb_typeof(fields -> %s) WHEN 'string' THEN strpos((fields ->> %s) COLLATE \"C\", %s) > 0 "
                "WHEN 'array' THEN fields -> %s @> %s::jsonb ELSE false END"
            )
            return sql, [name, name, value, name, member]
        sql = "CASE jsonb_typeof(fields -> %s) WHEN 'array' THEN fields -> %s @> %s::jsonb ELSE false END"
        return sql, [name, name, member]
    if value is None:
        return "coalesce(jsonb_typeof(fields -> %s), 'null') = 'null'", [name]
    if one.operator == "=":
        # Containment is what the GIN index over the fields answers.
        return "fields @> %s::jsonb", [json.dumps({name: value}, ensure_ascii=False)]
    if isinstance(value, str):
        sql = (
            f"CASE jsonb_typeof(fields -> %s) WHEN '{_TEXT}' "
            f'THEN (fields ->> %s) COLLATE "C" {one.operator} %s ELSE false END'
        )
        return sql, [name, name, value]
    # CASE, since AND may be evaluated in any order and a text is not a number.
    sql = (
        f"CASE jsonb_typeof(fields -> %s) WHEN '{_NUMBER}' "
        f"THEN (fields ->> %s)::numeric {one.operator} %s::numeric ELSE false END"
    )
    return sql, [name, name, _json(value)]


def _one_of(name: str, values: list[Any]) -> Condition:
    scalars = [_json(value) for value in values if value is not None and not (isinstance(value, str) and "\0" in value)]
    sql, parameters = "false", []
    if scalars:
        sql, parameters = "coalesce(fields -> %s = ANY(%s::jsonb[]), false)", [name, scalars]
    if None in values:
        null, more = _compare(FieldComparison(name, "=", None))
        return f"({sql} OR {null})", [*parameters, *more]
    return sql, parameters


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
