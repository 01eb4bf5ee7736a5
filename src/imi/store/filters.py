"""Filters over metadata: the dict form of `where`, compiled to SQL in which every name and value is a bound parameter.

    {"Score": {">=": 4}, "tag": {"in": ["a", "b"]}}      both hold
    {"or": [{"Score": 5}, {"not": {"tag": "a"}}]}         a bare value means "="

A comparison holds only between like and like: numbers with numbers, texts with texts. Texts that say dates are
compared as dates, however they are written (2024/9/1, 令和6年9月1日, ISO). A row without the field, or with null in it,
matches none but `!=`, `not` and `= null`. `contains` is a part of a text, or a member of a list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imi.errors import UsageError
from imi.records import FACTS, composed

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in", "contains")
_LOGIC = ("and", "or", "not")
_DEEPEST = 50
_MOST_PARAMETERS = 1500
"""Three a comparison; SQLite takes an expression that is a thousand levels deep, and each `and` is one."""
AS_DATE = "imi_date"
"""The function of SQL that every connection has: the first moment of the date that a text says, or NULL."""
_OWN = f"{FACTS}."
_TYPE, _VALUE = "json_type(documents.metadata, ?)", "json_extract(documents.metadata, ?)"


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of SQL over `documents`, its parameters in order, and the fields it names.

    word and parts: what it was joined of, by AND, OR or NOT; a row that does not pass a part is as one of which that
    is unknown. number: the operator and the number of a comparison that holds between numbers alone.
    """

    sql: str
    parameters: tuple[Any, ...]
    fields: frozenset[str]
    word: str = ""
    parts: tuple[Condition, ...] = ()
    number: tuple[str, int | float] | None = None


def compile_where(where: Mapping[str, Any]) -> Condition:
    """Compile a filter.

    Raises:
        UsageError: an unknown operator, a value that the operator cannot take, nesting beyond 50 levels, or more than
            some hundred comparisons; the message names it.
    """
    condition = _all(where, 0)
    if len(condition.parameters) > _MOST_PARAMETERS:
        raise UsageError(
            f"the filter makes more comparisons than SQLite reads at once, about {_MOST_PARAMETERS // 3}",
            hint='a list is one comparison: {"tag": {"in": ["a", "b"]}}',
        )
    return condition


def _all(where: object, depth: int) -> Condition:
    if not isinstance(where, Mapping) or not where:
        raise UsageError(
            f"a filter is {where!r}, allowed is a dict with at least one field", hint='{"Score": {">=": 4}}'
        )
    if depth > _DEEPEST:
        raise UsageError(f"the filter is nested deeper than {_DEEPEST} levels")
    parts = []
    for name, wanted in where.items():
        if not isinstance(name, str):
            raise UsageError(f"a filter's field is {name!r}, allowed are strings")
        _encodable(name)
        if name in ("and", "or") and isinstance(wanted, Sequence) and not isinstance(wanted, str):
            if not wanted:
                raise UsageError(f"{name!r} is followed by an empty list, at least one filter is needed")
            parts.append(_join([_all(part, depth + 1) for part in wanted], name.upper()))
        elif name == "not" and isinstance(wanted, Mapping):
            parts.append(_not(_all(wanted, depth + 1)))
        else:
            parts.append(_field(composed(name), wanted))
    return _join(parts, "AND")


def _join(parts: Sequence[Condition], word: str) -> Condition:
    if len(parts) == 1:
        return parts[0]
    sql = "(" + f" {word} ".join(part.sql for part in parts) + ")"
    fields = frozenset().union(*(part.fields for part in parts))
    return Condition(sql, tuple(value for part in parts for value in part.parameters), fields, word, tuple(parts))


def _not(part: Condition) -> Condition:
    return Condition(f"NOT coalesce({part.sql}, 0)", part.parameters, part.fields, "NOT", (part,))


def _field(name: str, wanted: object) -> Condition:
    if not isinstance(wanted, Mapping):
        return _compare(name, "=", wanted)
    if not wanted:
        raise UsageError(f"the filter on {name!r} is empty", hint=f"allowed operators: {', '.join(OPERATORS)}")
    return _join([_compare(name, str(operator), value) for operator, value in wanted.items()], "AND")


def _compare(name: str, operator: str, value: object) -> Condition:
    if operator not in OPERATORS:
        raise UsageError(
            f"the filter on {name!r} has the operator {operator!r}", hint=f"allowed: {', '.join(OPERATORS)}"
        )
    read = _Reader(name)
    if operator == "in":
        if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
            raise UsageError(f"'in' on {name!r} needs a list, it got {value!r}")
        return _one_of(read, list(value))
    if operator == "contains":
        return _contains(read, value)
    if operator == "!=":
        return _not(_compare(name, "=", value))
    if value is None:
        if operator != "=":
            raise UsageError(f"{operator!r} on {name!r} cannot compare with null", hint="use = or !=")
        return read.condition("coalesce({type}, 'null') = 'null'")
    if isinstance(value, bool):
        if operator != "=":
            raise UsageError(f"{operator!r} on {name!r} cannot compare with {value}", hint="use = or !=")
        return read.condition("{type} = ?", "true" if value else "false")
    typed: str | None = getattr(value, "typed", None)
    if typed is not None and operator == "=":
        return _join(
            [_as_number(read, value), read.condition("({type} = 'text' AND {value} = ?)", composed(typed))], "OR"
        )
    if operator == "=" and isinstance(value, int):
        return _as_number(read, value)
    _scalar(name, operator, value)
    if isinstance(value, str):
        return _compare_text(read, operator, composed(value))
    return _number(read, operator, _plain(value))


def _as_number(read: _Reader, value: Any) -> Condition:
    if isinstance(value, int) and not -(2**63) <= value < 2**63 and read.raw is not None:
        # SQLite has no whole number as large: the digits are compared.
        return read.condition("({type} IN ('integer', 'real') AND {raw} = ?)", str(int(value)))
    _scalar(read.name, "=", value)
    return _number(read, "=", _plain(value))


def _number(read: _Reader, operator: str, value: int | float) -> Condition:
    # The operator is one of a fixed tuple, so no data can get in here.
    compared = read.condition(f"({{type}} IN ('integer', 'real') AND {{value}} {operator} ?)", value)
    return replace(compared, number=(operator, value))


def _plain(value: Any) -> int | float:
    return int(value) if isinstance(value, int) else float(value)


def _compare_text(read: _Reader, operator: str, value: str) -> Condition:
    """Compare with a text, or, where it says a date, with the dates that texts say, however they are written."""
    from imi.values import TIMES_END, as_date

    period = as_date(value)
    same = f"({{type}} = 'text' AND {{value}} {operator} ?)"
    if period is None:
        return read.condition(same, value)
    start, end = period
    if operator == "=":
        within = f"({{type}} = 'text' AND {AS_DATE}({{value}}) >= ? AND {AS_DATE}({{value}}) < ?)"
        return _join([read.condition(same, value), read.condition(within, start, end)], "OR")
    # After a month is after its end; from a month on is from its beginning.
    edge = end if operator in (">", "<=") else start
    than = {">": ">=", "<=": "<"}.get(operator, operator)
    found = read.condition(f"({{type}} = 'text' AND {AS_DATE}({{value}}) {than} ?)", edge)
    # Times of day and dates are of different kinds, and neither is before the other.
    if (start < TIMES_END) == (operator in ("<", "<=")):
        return found
    side = "<" if start < TIMES_END else ">="
    return _join([found, read.condition(f"{AS_DATE}({{value}}) {side} ?", TIMES_END)], "AND")


def uncompared(where: Mapping[str, Any]) -> list[tuple[str, str, Condition]]:
    """Return, for each comparison by order or with true and false, its field, what it compares, and what it cannot.

    What it compares is "numbers", "dates", "texts" or "true or false".
    """
    found: list[tuple[str, str, Condition]] = []
    for name, wanted in where.items():
        if name in ("and", "or") and isinstance(wanted, Sequence) and not isinstance(wanted, str):
            for part in wanted:
                found += uncompared(part)
        elif name == "not" and isinstance(wanted, Mapping):
            found += uncompared(wanted)
        elif isinstance(wanted, Mapping):
            for operator, value in wanted.items():
                if operator in ("<", "<=", ">", ">=") or (operator in ("=", "!=") and isinstance(value, bool)):
                    found.append((name, *_uncompared(composed(name), value)))
        elif isinstance(wanted, bool):
            found.append((name, *_uncompared(composed(name), wanted)))
    return found


def _uncompared(name: str, value: object) -> tuple[str, Condition]:
    from imi.values import TIMES_END, as_date

    read = _Reader(name)
    if isinstance(value, bool):
        return "true or false", read.condition("{type} NOT IN ('true', 'false', 'null')")
    if not isinstance(value, str):
        return "numbers", read.condition("{type} NOT IN ('integer', 'real', 'null')")
    period = as_date(value)
    if period is None:
        return "texts", read.condition("{type} NOT IN ('text', 'null')")
    timed = period[0] < TIMES_END
    alike = f"coalesce({AS_DATE}({{value}}) {'<' if timed else '>='} ?, 0)"
    other = f"({{type}} NOT IN ('text', 'null') OR ({{type}} = 'text' AND NOT {alike}))"
    return "times" if timed else "dates", read.condition(other, TIMES_END)


def _one_of(read: _Reader, values: list[object]) -> Condition:
    from imi.values import TypedFloat, TypedInt

    # Dates are compared one by one; a number as it was typed is also the text that was typed.
    alone = dict.fromkeys(value for value in values if _stands_alone(value))
    rest = [value for value in values if not _stands_alone(value)]
    texts = [composed(value) for value in rest if isinstance(value, str)]
    texts += [composed(value.typed) for value in rest if isinstance(value, TypedInt | TypedFloat)]
    numbers = [_plain(value) for value in rest if isinstance(value, int | float)]
    parts = [_compare(read.name, "=", value) for value in alone]
    for value in values:
        if not (value is None or isinstance(value, bool)):
            _scalar(read.name, "in", value)
    if texts:
        parts.append(
            read.condition("({type} = 'text' AND {value} IN (SELECT value FROM json_each(?)))", json.dumps(texts))
        )
    if numbers:
        held = "({type} IN ('integer', 'real') AND {value} IN (SELECT value FROM json_each(?)))"
        parts.append(read.condition(held, json.dumps(numbers)))
    return _join(parts, "OR") if parts else Condition("0", (), frozenset({read.name}))


def _stands_alone(value: object) -> bool:
    from imi.values import as_date

    if value is None or isinstance(value, bool):
        return True
    return isinstance(value, str) and as_date(value) is not None


def _contains(read: _Reader, value: object) -> Condition:
    _scalar(read.name, "contains", value)
    member = (
        "({type} = 'array' AND EXISTS "
        "(SELECT 1 FROM json_each({value}) WHERE json_each.value = ? AND json_each.type {kind}))"
    )
    if isinstance(value, str):
        value = composed(value)
        within = read.condition("({type} = 'text' AND instr({value}, ?) > 0)", value)
        return _join([within, read.condition(member.replace("{kind}", "= 'text'"), value)], "OR")
    return read.condition(member.replace("{kind}", "IN ('integer', 'real')"), value)


def _scalar(name: str, operator: str, value: object) -> None:
    if isinstance(value, str):
        _encodable(value)
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise UsageError(f"{operator!r} on {name!r} got {value!r}, allowed are a text or a finite number")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise UsageError(f"{operator!r} on {name!r} got {value}, allowed are whole numbers of 64 bits")


def _encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as lone:
        raise UsageError(f"a filter holds a lone surrogate: {text!r}", hint="give valid Unicode") from lone


def read_field(name: str) -> Condition:
    """Return SQL for a field's value as people write it: true and false by name, lists and dicts as JSON."""
    return _Reader(name).condition("CASE {type} WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE {value} END")


def read_raw(name: str) -> Condition | None:
    """Return SQL for a field's value as the JSON that was written, None where its name cannot be quoted in a path."""
    read = _Reader(name)
    return None if read.raw is None else read.condition("{raw}")


def read_type(name: str) -> Condition:
    """Return SQL for the JSON type of a field, NULL where it is absent."""
    return _Reader(name).condition("{type}")


class _Read:
    """An expression of SQL and what is bound in it."""

    def __init__(self, sql: str, *parameters: str) -> None:
        self.sql, self.parameters = sql, parameters


class _Reader:
    """How a field is read: by a bound JSON path, or key by key where its name cannot be quoted in one."""

    def __init__(self, name: str) -> None:
        self.name = name
        keyed = '"' in name or "\\" in name or "\0" in name
        path = name if keyed else f'$."{name}"'
        fact = f"$.{name}" if name.startswith(_OWN) and name[len(_OWN) :].isidentifier() else None
        self.raw: _Read | None
        if keyed:
            self.raw = None
            self.type = _Read("(SELECT type FROM json_each(documents.metadata) WHERE key = ?)", path)
            self.value = _Read("(SELECT value FROM json_each(documents.metadata) WHERE key = ?)", path)
        elif fact is not None:
            # What imi noted of the row, or, where it noted no such fact, a field that was given this very name.
            self.raw = _Read("coalesce(documents.metadata -> ?, documents.metadata -> ?)", fact, path)
            self.type = _Read(f"coalesce({_TYPE}, {_TYPE})", fact, path)
            self.value = _Read(f"CASE WHEN {_TYPE} IS NULL THEN {_VALUE} ELSE {_VALUE} END", fact, path, fact)
        else:
            self.raw = _Read("(documents.metadata -> ?)", path)
            self.type, self.value = _Read(_TYPE, path), _Read(_VALUE, path)

    def condition(self, template: str, *values: object) -> Condition:
        """Fill {type} and {value}; parameters follow in the order in which the places stand in the template."""
        parameters: list[object] = []
        remaining = list(values)
        places = {"{type}": self.type, "{value}": self.value} | ({} if self.raw is None else {"{raw}": self.raw})
        out, at = "", 0
        while at < len(template):
            place = next((one for one in places if template.startswith(one, at)), None)
            if place is not None:
                read = places[place]
                out, at = out + read.sql, at + len(place)
                parameters += read.parameters
            else:
                if template[at] == "?":
                    parameters.append(remaining.pop(0))
                out, at = out + template[at], at + 1
        return Condition(out, tuple(parameters), frozenset({self.name}))
