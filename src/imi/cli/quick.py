"""Reads a command line that is right, without Typer; anything else is left to it, so that all complaints are Typer's.

Importing Typer takes longer than a search. The reading here is therefore strict rather than clever: whatever is
unusual, a value that begins with a dash, joined short options, a number that is not plainly one, gives None.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import os
import re
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from imi.cli.parameters import Argument, Option, Parameter

_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)


_known: dict[type[Any], list[_Field]] = {}
"""What the verbs take that were read before: a helper that is kept warm reads many command lines."""


class Verbs:
    """Stands in for a Typer application where a file registers its verbs: keeps their options and functions."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[type[Any], Callable[[Any], None]]] = {}


class _Unusual(Exception):
    """Something that Typer is to look at."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    """A field of a verb's options: what its values are, and whether there may be many."""

    name: str
    kind: type
    many: bool
    declared: Parameter
    needed: bool

    def value(self, text: str) -> Any:
        """Return a typed value as the field's kind."""
        if self.kind is int and _WHOLE.fullmatch(text):
            return self._within(int(text))
        if self.kind is float and _NUMBER.fullmatch(text):
            return self._within(float(text))
        if self.kind in (str, Path):
            return self.kind(text)
        raise _Unusual

    def _within(self, value: float) -> float:
        least, most = self.declared.min, self.declared.max
        if (least is not None and value < least) or (most is not None and value > most):
            raise _Unusual
        return value


def read(name: str, module: str, arguments: Sequence[str]) -> Callable[[], None] | None:
    """Return the call that a command line asks for, None where Typer has to read it.

    Args:
        name: the verb.
        module: where it is registered.
        arguments: what follows the verb.
    """
    verbs = Verbs()
    importlib.import_module(module).register(verbs)
    if name not in verbs.known:
        return None
    options, run = verbs.known[name]
    try:
        fields = _known.get(options)
        if fields is None:
            fields = _known[options] = _fields(options)
        if any(field.declared.envvar and os.environ.get(field.declared.envvar) for field in fields):
            raise _Unusual
        values = _values(fields, list(arguments))
    except _Unusual:
        return None
    made = options(**values)
    return lambda: run(made)


def _fields(options: type[Any]) -> list[_Field]:
    hints = get_type_hints(options, include_extras=True)
    depth = {name: at for at, kind in reversed([*enumerate(options.__mro__)]) for name in _own(kind)}
    fields = []
    for field in sorted(dataclasses.fields(options), key=lambda field: depth[field.name]):
        kind, *declared = get_args(hints[field.name]) or [None]
        if len(declared) != 1 or not isinstance(declared[0], Parameter):
            raise _Unusual
        if get_origin(kind) in (Union, types.UnionType):
            kinds = [one for one in get_args(kind) if one is not type(None)]
            kind = kinds[0] if len(kinds) == 1 else None
        many = get_origin(kind) is list
        if many:
            (kind,) = get_args(kind)
        if kind not in (str, int, float, bool, Path):
            raise _Unusual
        needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        fields.append(_Field(field.name, kind, many, declared[0], needed))
    return fields


def _own(kind: type) -> Mapping[str, Any]:
    return inspect.get_annotations(kind)


def _values(fields: Sequence[_Field], arguments: list[str]) -> dict[str, Any]:
    named: dict[str, _Field] = {}
    for field in fields:
        if isinstance(field.declared, Option):
            if not field.declared.names or any("/" in name for name in field.declared.names):
                raise _Unusual
            named.update(dict.fromkeys(field.declared.names, field))
    values: dict[str, Any] = {}
    placed: list[str] = []
    while arguments:
        word = arguments.pop(0)
        if word == "-" or not word.startswith("-"):
            placed.append(word)
            continue
        name, equals, given = word.partition("=") if word.startswith("--") else (word, "", "")
        if name not in named:
            raise _Unusual
        field = named[name]
        if field.kind is bool and not field.many:
            if equals:
                raise _Unusual
            values[field.name] = True
            continue
        if not equals:
            if not arguments or (arguments[0].startswith("-") and arguments[0] != "-"):
                raise _Unusual
            given = arguments.pop(0)
        value = field.value(given)
        if field.many:
            values.setdefault(field.name, []).append(value)
        else:
            values[field.name] = value
    _place(fields, placed, values)
    if any(field.needed and field.name not in values for field in fields):
        raise _Unusual
    return values


def _place(fields: Sequence[_Field], words: list[str], values: dict[str, Any]) -> None:
    """Give the words without a name to the arguments, in order; one that takes many takes all but what follows it."""
    takers = [field for field in fields if isinstance(field.declared, Argument)]
    for at, field in enumerate(takers):
        if not words:
            return
        if field.many:
            take = len(words) - (len(takers) - at - 1)
            if take > 0:
                values[field.name] = [field.value(word) for word in words[:take]]
                del words[:take]
        else:
            values[field.name] = field.value(words.pop(0))
    if words:
        raise _Unusual
