"""Filters against a reading of them in plain Python, and against people who would rather write SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imi.errors import UsageError
from imi.store.filters import compile_where
from tests.examples import examples

NAMES = ["Score", "tag", "a b", 'quo"te', "back\\slash", "and", "京都", "$.x", "'; DROP TABLE documents; --", "a.b", ""]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(-5, 5, allow_nan=False),
    st.sampled_from(["", "a", "b", "ab", "猫", "5", "'", '"', "%", "true"]),
)
metadata = st.dictionaries(st.sampled_from(NAMES), st.one_of(scalars, st.lists(scalars, max_size=3)), max_size=4)
orders = st.one_of(st.integers(-5, 5), st.sampled_from(["a", "ab", "猫"]))
comparison = st.one_of(
    scalars,
    st.dictionaries(st.sampled_from(["=", "!="]), scalars, min_size=1),
    st.dictionaries(st.sampled_from(["<", "<=", ">", ">="]), orders, min_size=1),
    st.fixed_dictionaries({"in": st.lists(scalars, max_size=3)}),
    st.fixed_dictionaries({"contains": st.one_of(st.integers(-5, 5), st.sampled_from(["a", "猫", "", "'"]))}),
)
leaf = st.dictionaries(st.sampled_from([name for name in NAMES if name != "and"]), comparison, min_size=1, max_size=2)
filters = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"and": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"or": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=6,
)


def kind(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    return "number" if isinstance(value, int | float) else type(value).__name__


def same(a: object, b: object) -> bool:
    return kind(a) == kind(b) and a == b


def holds(operator: str, have: Any, want: Any) -> bool:
    """The meaning of one comparison; `have` is None where the field is absent."""
    if operator == "=":
        return same(have, want)
    if operator == "!=":
        return not same(have, want)
    if operator == "in":
        return any(same(have, one) for one in want)
    if operator == "contains":
        if isinstance(have, str) and isinstance(want, str):
            return want in have
        return isinstance(have, list) and any(same(one, want) for one in have)
    if kind(have) != kind(want):
        return False
    return {"<": have < want, "<=": have <= want, ">": have > want, ">=": have >= want}[operator]


def passes(row: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    for name, wanted in where.items():
        if name in ("and", "or") and isinstance(wanted, list):
            verdict = (all if name == "and" else any)(passes(row, part) for part in wanted)
        elif name == "not" and isinstance(wanted, dict):
            verdict = not passes(row, wanted)
        else:
            comparisons = wanted if isinstance(wanted, dict) else {"=": wanted}
            verdict = all(holds(operator, row.get(name), value) for operator, value in comparisons.items())
        if not verdict:
            return False
    return True


@given(st.lists(metadata, min_size=1, max_size=5), filters)
@settings(max_examples=examples(400))
def test_sql_agrees_with_plain_python(rows: list[dict[str, Any]], where: dict[str, Any]) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE documents (row INTEGER PRIMARY KEY, metadata TEXT)")
    connection.executemany(
        "INSERT INTO documents VALUES (?, ?)",
        [(at, json.dumps(row, ensure_ascii=False)) for at, row in enumerate(rows)],
    )
    condition = compile_where(where)
    found = [
        row for (row,) in connection.execute(f"SELECT row FROM documents WHERE {condition.sql}", condition.parameters)
    ]
    assert found == [at for at, row in enumerate(rows) if passes(row, where)]


def test_a_field_named_and_is_a_field_unless_a_list_follows() -> None:
    assert compile_where({"and": "x"}).fields == {"and"}
    assert compile_where({"and": [{"a": 1}, {"b": 2}]}).fields == {"a", "b"}


@given(st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=examples(200))
def test_names_and_values_are_data(name: str, value: str) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE documents (row INTEGER PRIMARY KEY, metadata TEXT)")
    row = json.dumps({name: value}, ensure_ascii=False)
    connection.execute("INSERT INTO documents VALUES (1, ?)", (row,))
    condition = compile_where({name: {"=": value, "contains": value, "in": [value]}})
    found = connection.execute(f"SELECT row FROM documents WHERE {condition.sql}", condition.parameters).fetchall()
    assert found == [(1,)] or "\0" in name + value  # SQLite's JSON ends names at a NUL


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({}, "at least one field"),
        ({"Score": {"~": 1}}, "allowed: =, !=, <, <=, >, >=, in, contains"),
        ({"Score": {}}, "is empty"),
        ({"Score": {">": None}}, "null"),
        ({"Score": {">": True}}, "True"),
        ({"Score": {"in": "abc"}}, "needs a list"),
        ({"Score": [1, 2]}, "finite number"),
        ({"Score": float("nan")}, "finite number"),
        ({"Score": {">": 2**70}}, "64 bits"),
        ({"and": []}, "empty list"),
        ({"tag": "\ud800"}, "surrogate"),
        ({3: 4}, "field is 3"),
    ],
)
def test_what_is_no_filter_is_named(where: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        compile_where(where)


def test_depth_is_bounded() -> None:
    where: dict[str, Any] = {"a": 1}
    for _ in range(60):
        where = {"not": where}
    with pytest.raises(UsageError, match="50 levels"):
        compile_where(where)
