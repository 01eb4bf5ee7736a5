"""Filters for Milvus as expressions that hold digests and numbers alone: nothing of a user's is ever quoted in one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from imi.backends.filter_digests import any_of, check_range, column, dated, numeric, present, seconds, without_not
from imi.backends.filter_tree import Both, DateRange, FieldComparison, Filter, Not

_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
NOTHING, EVERYTHING = 'pk == ""', 'pk != ""'
_LONGEST = 30  # bytes of a token that stands in the index as it is; Milvus cuts off words of more than 40 letters


def compile_filter(where: Filter, texts: frozenset[str], label: str) -> str:
    """Return an expression.

    Raises:
        UsageError: Milvus cannot do it.
    """
    return _expression(without_not(where), texts, label)


def _expression(where: Filter, texts: frozenset[str], label: str) -> str:
    if isinstance(where, Both):
        return "(" + f" {where.word} ".join(_expression(part, texts, label) for part in where.parts) + ")"
    negated = isinstance(where, Not)
    one = where.part if isinstance(where, Not) else where
    if isinstance(one, DateRange):
        return _dates(one, negated)
    if not isinstance(one, FieldComparison):
        return _expression(without_not(where), texts, label)
    if one.operator in _OPPOSITE:
        return _range(one, negated, label)
    wanted, null = any_of(one, texts, label)
    parts = [f"json_contains_any(facts, {json.dumps(wanted)})"] if wanted else []
    parts += [f"(not json_contains(facts, {json.dumps(present(one.name))}))"] if null else []
    if not parts:
        return EVERYTHING if negated else NOTHING
    either = " or ".join(parts)
    return f"(not ({either}))" if negated else f"({either})"


def _range(one: FieldComparison, negated: bool, label: str) -> str:
    check_range(one, label)
    has = f"json_contains(facts, {json.dumps(numeric(one.name))})"
    key, value = json.dumps(column(one.name)), repr(float(one.value))
    if negated:
        return f"((not {has}) or numbers[{key}] {_OPPOSITE[one.operator]} {value})"
    return f"({has} and numbers[{key}] {one.operator} {value})"


def _dates(one: DateRange, negated: bool) -> str:
    fact = json.dumps(dated(one.name))
    parts = [] if one.start is None else [f"numbers[{fact}] {'<' if negated else '>='} {seconds(one.start)!r}"]
    parts += [] if one.end is None else [f"numbers[{fact}] {'>=' if negated else '<'} {seconds(one.end)!r}"]
    if negated:
        return f"((not json_contains(facts, {fact})) or {' or '.join(parts)})"
    return f"(json_contains(facts, {fact}) and {' and '.join(parts)})"


def one_of(keys: Sequence[str]) -> str:
    """Return the expression for the rows with these keys."""
    return f"pk in {json.dumps(list(keys))}"


def both(*parts: str | None) -> str:
    """Return the expression under which all parts hold; a part that is None always does."""
    return " and ".join(f"({part})" for part in parts if part)


def word(token: str) -> str:
    """Return a token as a word of letters and digits, which every analyzer leaves whole."""
    sent = token.encode()
    if 2 * len(sent) <= _LONGEST:
        return "w" + sent.hex()
    return "x" + hashlib.blake2b(sent, digest_size=12).hexdigest()


def has_word(token: str) -> str:
    """Return the expression for the rows that hold a token."""
    return f'text_match(words, "{word(token)}")'
