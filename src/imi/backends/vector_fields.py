"""The vector fields that an engine keeps for a row, the full width and prefixes, and the ladder over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imi.backends.engine import cannot
from imi.collection.rankings import How
from imi.index.rungs import Rung, format_ladder, parse_ladder

FULL = "full"
"""The field of the whole vector."""


def prefix_name(dims: int) -> str:
    """Return the name of the field that holds a prefix."""
    return f"first{dims}"


@dataclass(frozen=True)
class VectorFields:
    """What a collection keeps of each vector.

    label: what the collection is called in messages.
    prefixes: the prefixes that are kept beside the full width, ascending.
    width: the full width; 0 before the first row.
    keeps: how many rows the usual ladder keeps of each prefix.
    ladder: the ladder that a plan has set, None where none has.
    """

    label: str
    prefixes: tuple[int, ...] = ()
    width: int = 0
    keeps: tuple[int, ...] = ()
    ladder: str | None = None

    def name(self, dims: int) -> str:
        """Return the field that holds so many dimensions.

        Raises:
            UsageError: none does.
        """
        if dims == self.width:
            return FULL
        if dims not in self.prefixes:
            held = ", ".join(map(str, (*self.prefixes, self.width)))
            hint = f"it keeps {held}; &prefixes={dims} for a new one"
            raise cannot(self.label, f"compare by {dims} dimensions", hint)
        return prefix_name(dims)

    def rungs(self, ladder: str | None = None) -> tuple[Rung, ...]:
        """Return the rungs of a ladder, or of the planned or usual one.

        Raises:
            UsageError: the text does not describe a ladder, or a rung has no field.
        """
        if ladder is None and self.ladder is None and not self.prefixes:
            return (Rung(self.width, 10, structure="hnsw"),)
        first = [f"{dims}:{keep}" for dims, keep in zip(self.prefixes, self.keeps, strict=False)]
        usual = ",".join([*first, f"{self.width}:10"])
        rungs = parse_ladder(ladder or self.ladder or usual, self.width, structure="hnsw")
        for rung in rungs:
            self.name(rung.dims)
        return rungs

    def climbed(self, how: How, dims: int) -> tuple[tuple[Rung, ...], str]:
        """Return the rungs below the dimensions that order the answer, and what the whole is called."""
        rungs = () if how.exact else tuple(rung for rung in self.rungs(how.ladder) if rung.dims < dims)
        return rungs, format_ladder(rungs) if rungs else "exact" if how.exact else f"hnsw/{dims}"


def prefixes_of(asked: Sequence[int] | None, usual: Sequence[int], width: int) -> tuple[int, ...]:
    """Return the prefixes that a new collection keeps: those asked for, or the engine's usual ones, below the width."""
    return tuple(dims for dims in asked or usual if dims < width)
