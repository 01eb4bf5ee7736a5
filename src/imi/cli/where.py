"""Filters as people type them: `Score>=4`, `tag in a,b`, `title contains bean`, or JSON as in Python.

The result is the form that collections take: `{"Score": {">=": 4}}`, `{"tag": {"in": ["a", "b"]}}`, `{"and": [...]}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from imi.errors import UsageError

Filter = dict[str, Any]

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in", "contains")
_SYMBOL = re.compile(r"(?P<field>[^<>=!]+)(?P<operator>!=|<=|>=|==|=|<|>)(?P<value>.*)", re.DOTALL)
_WORD = re.compile(r"(?<=\S)\s++(?P<negated>not\s++)?(?P<operator>in|contains)\s++", re.IGNORECASE)
_SHOWN = "write 'Score>=4', 'tag in a,b', 'title contains bean', or JSON such as '{\"Score\": {\">=\": 4}}'"


def parse_where(filters: Sequence[str]) -> Filter | None:
    """Return one filter that all of the given ones must pass; None where there is none.

    Raises:
        UsageError: a filter that cannot be read.
    """
    parsed = [parse_filter(text) for text in filters]
    if len(parsed) > 1:
        return {"and": parsed}
    return parsed[0] if parsed else None


def parse_filter(text: str) -> Filter:
    """Return the filter that one `--where` says.

    Raises:
        UsageError: it is neither a comparison nor a JSON object.
    """
    if text.lstrip().startswith("{"):
        return _from_json(text)
    # The symbol that comes first decides, so that a value may hold " in " and a field may not hold "=".
    plain = text.strip()
    symbol, word = _SYMBOL.match(plain), _WORD.search(plain)
    if word and (not symbol or word.start("operator") < symbol.start("operator")):
        return _from_word(plain[: word.start()], word, plain[word.end() :])
    field, value = (symbol["field"].strip(), symbol["value"].strip()) if symbol else ("", "")
    if not (symbol and field and value):
        raise UsageError(f"the filter {text!r} cannot be read", hint=_SHOWN)
    operator = "=" if symbol["operator"] == "==" else symbol["operator"]
    from imi.values import TRUTHS

    if operator in ("=", "!=") and value.lower() in TRUTHS and value not in ("true", "false"):
        # A column of yes and no holds true and false; the word itself may be a text's as well.
        either: Filter = {field: {"in": [value, TRUTHS[value.lower()]]}}
        return either if operator == "=" else {"not": either}
    return {field: {operator: value_of(value)}}


def value_of(text: str) -> Any:
    """Return a JSON value where the text is one (4, 1.5, true, null, "4"), else the text itself, without its quotes."""
    # The patterns that numbers are read by take longer to make than most searches have filters.
    from imi.amounts import read_amount
    from imi.values import as_number, as_typed

    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        # 1,234 and full-width digits are numbers as well.
        value = as_number(text)
        if value is None and (amount := read_amount(text)) is not None and (amount.unit or amount.style == "comma"):
            value = amount.value
        return text if value is None else as_typed(text, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return as_typed(text, value)
    return text if isinstance(value, dict | list) else value


def _from_json(text: str) -> Filter:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as wrong:
        raise UsageError(f"the filter {text!r} is not JSON: {wrong}", hint=_SHOWN) from wrong
    if not isinstance(value, dict) or not value:
        raise UsageError(f"the filter {text!r} is not a JSON object with a field", hint=_SHOWN)
    return value


def _from_word(field: str, match: re.Match[str], said: str) -> Filter:
    operator = match["operator"].lower()
    value: Any = said
    if operator == "in":
        listed = value.strip("[]()") if value[:1] in "[(" else value
        value = [value_of(part.strip()) for part in listed.split(",") if part.strip()]
    else:
        value = value_of(value) if value.startswith('"') else value
    found: Filter = {field: {operator: value}}
    return {"not": found} if match["negated"] else found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON number")
