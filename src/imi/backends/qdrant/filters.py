"""Filters for Qdrant: digests of facts, and ranges over numbers and dates."""

from __future__ import annotations

from collections.abc import Sequence

from qdrant_client import models

from imi.backends.filter_digests import any_of, check_range, column, dated, present, seconds
from imi.backends.filter_tree import Both, DateRange, FieldComparison, Filter, Not

_BOUNDS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def compile_filter(where: Filter, texts: frozenset[str], label: str) -> models.Filter:
    """Return a filter.

    Raises:
        UsageError: Qdrant cannot do it.
    """
    if isinstance(where, Both):
        parts = [compile_filter(part, texts, label) for part in where.parts]
        return models.Filter(must=parts) if where.word == "and" else models.Filter(should=parts)
    if isinstance(where, Not):
        return models.Filter(must_not=[compile_filter(where.part, texts, label)])
    if isinstance(where, DateRange):
        start, end = (None if one is None else seconds(one) for one in (where.start, where.end))
        within = models.Range(gte=start, lt=end)
        return models.Filter(must=[models.FieldCondition(key=f"numbers.{dated(where.name)}", range=within)])
    if where.operator in _BOUNDS:
        return _range(where, label)
    wanted, null = any_of(where, texts, label)
    either: list[models.Filter] = []
    if wanted:
        either.append(models.Filter(must=[has_any("facts", wanted)]))
    if null:
        either.append(models.Filter(must_not=[has_any("facts", [present(where.name)])]))
    if not either:
        either.append(nothing())
    return either[0] if len(either) == 1 else models.Filter(should=either)


def has_any(key: str, values: Sequence[str]) -> models.FieldCondition:
    """Return the condition that a list of texts holds any of the values."""
    return models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))


def nothing() -> models.Filter:
    """Return a filter that no row passes."""
    return models.Filter(must=[models.FieldCondition(key="facts", match=models.MatchValue(value="none"))])


def _range(one: FieldComparison, label: str) -> models.Filter:
    check_range(one, label)
    bounds = models.Range(**{_BOUNDS[one.operator]: float(one.value)})
    return models.Filter(must=[models.FieldCondition(key=f"numbers.{column(one.name)}", range=bounds)])
