"""Metadata as facts: short digests of what is true of a row, for engines whose filters know less than JSON does.

A fact says that a field equals a value, has one at all, is a number or a date, or is a list that holds a value. Filters
then ask for digests alone, so that no name and no value of a user's ever stands in an engine's expression; only the
numbers and moments that a range compares are kept as they are, under a digest of their field's name.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from imi.backends.engine import cannot
from imi.backends.filter_tree import Both, FieldComparison, Filter, Not
from imi.records import FACTS
from imi.values import as_date

_LARGEST = 2**53


def digest(*parts: object) -> str:
    """Return 20 letters over what is said."""
    said = json.dumps(parts, ensure_ascii=True).encode()
    return "f" + hashlib.blake2b(said, digest_size=10).hexdigest()


def equals(name: str, value: object) -> str:
    """Return the fact that a field is a value; numbers are alike whether written 5 or 5.0."""
    return digest("=", name, *_typed(value))


def present(name: str) -> str:
    """Return the fact that a field is there and not null."""
    return digest("has", name)


def numeric(name: str) -> str:
    """Return the fact that a field is a number."""
    return digest("number", name)


def texted(name: str) -> str:
    """Return the mark that some row's field is a text."""
    return digest("text", name)


def holds(name: str, value: object) -> str:
    """Return the fact that a field is a list that holds a value."""
    return digest("in", name, *_typed(value))


def column(name: str) -> str:
    """Return the key under which the numbers of a field are kept."""
    return digest("column", name)


def dated(name: str) -> str:
    """Return the fact that a field says a date, and the key under which its moments are kept."""
    return digest("date", name)


def seconds(moment: str) -> float:
    """Return a moment, an ISO text in UTC, as seconds from 1970 on."""
    return (datetime.datetime.fromisoformat(moment) - datetime.datetime(1970, 1, 1)).total_seconds()


def facts_of(metadata: Mapping[str, Any]) -> tuple[list[str], dict[str, float]]:
    """Return the facts of a row, and its numbers by column."""
    found: list[str] = []
    numbers: dict[str, float] = {}
    for name, value in metadata.items():
        if value is None or name == FACTS:
            continue
        found.append(present(name))
        if isinstance(value, list | tuple):
            found += [holds(name, one) for one in value if isinstance(one, str | int | float)]
        elif not isinstance(value, Mapping):
            found.append(equals(name, value))
            if isinstance(value, str) and (period := as_date(value)) is not None:
                found.append(dated(name))
                numbers[dated(name)] = seconds(period[0])
            if isinstance(value, int | float) and not isinstance(value, bool):
                found.append(numeric(name))
                numbers[column(name)] = _float(value)
    return sorted(set(found)), numbers


def is_number(value: object) -> bool:
    """Say whether a value of a filter is compared as a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def any_of(one: FieldComparison, texts: frozenset[str], label: str) -> tuple[list[str], bool]:
    """Return the facts of which any must hold for a comparison that is not a range, and whether null passes too.

    Args:
        one: "=", "in" or "contains".
        texts: the fields that have held texts, in which parts of texts cannot be looked for.
        label: how errors call the collection.

    Raises:
        UsageError: the engine would have to look inside texts.
    """
    if one.operator == "contains":
        if isinstance(one.value, str) and one.name in texts:
            raise cannot(label, f"look for a part of the texts in {one.name!r}", "use = or in, or search the mode text")
        return [holds(one.name, one.value)], False
    values = one.value if one.operator == "in" else (one.value,)
    return [equals(one.name, value) for value in values if value is not None], None in values


def check_range(one: FieldComparison, label: str) -> None:
    """Refuse a range over texts.

    Raises:
        UsageError: it is one.
    """
    if isinstance(one.value, str):
        raise cannot(label, f"compare texts by {one.operator}", "use = or in, or a number for what is to be ordered")


def without_not(where: Filter, negated: bool = False) -> Filter:
    """Return the filter with "not" only before single comparisons, for engines in which null spreads."""
    if isinstance(where, Not):
        return without_not(where.part, not negated)
    if isinstance(where, Both):
        word = where.word if not negated else "and" if where.word == "or" else "or"
        return Both(word, tuple(without_not(part, negated) for part in where.parts))
    return Not(where) if negated else where


def _typed(value: object) -> tuple[str, object]:
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int | float):
        whole = isinstance(value, int) or value.is_integer()
        return "number", int(value) if whole else value
    return "text", value


def _float(value: float) -> float:
    # Beyond 64 bits a float has no room; the end of its range keeps the order right.
    try:
        return float(value)
    except OverflowError:
        return 1.7e308 if value > 0 else -1.7e308
