"""Near duplicates: every pair with a cosine at or above a threshold, joined into groups, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.tasks.rows import read_rows
from imi.vectors import Floats

Ints = NDArray[np.int64]
Keep = Literal["longest", "first", "central"]
_ROUNDING = 1e-9
"""What float64 products of rows normalised in float64 may be off by: equal rows count at a threshold of 1."""
_BLOCK = 1024


@dataclass(frozen=True)
class DuplicateGroup:
    """One group of near duplicates: the row to keep, those to drop, the least cosine between kept and dropped."""

    keep: int
    drop: tuple[int, ...]
    similarity: float
    ids: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {"keep": self.ids[0], "drop": list(self.ids[1:]), "similarity": self.similarity}


class Duplicates(Sequence[DuplicateGroup]):
    """Groups of near duplicates, the largest first; each has `.keep`, `.drop` (row numbers) and `.similarity`."""

    def __init__(self, groups: Sequence[DuplicateGroup], threshold: float) -> None:
        self.groups = tuple(groups)
        self.threshold = threshold

    @overload
    def __getitem__(self, at: int) -> DuplicateGroup: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[DuplicateGroup]: ...
    def __getitem__(self, at: int | slice) -> DuplicateGroup | Sequence[DuplicateGroup]:
        return self.groups[at]

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def drop(self) -> tuple[int, ...]:
        """Return all rows to drop, ascending."""
        return tuple(sorted(row for group in self.groups for row in group.drop))

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the keys that `--json` prints, one dict a group."""
        return [group.to_dict() for group in self.groups]

    def figure(self, path: Any) -> None:
        """Draw how large the groups are and how alike their rows."""
        from imi.tasks.plots import COLOURS, new_figure, save_figure

        figure, axes = new_figure(7, 4)
        sizes = [len(group.drop) + 1 for group in self.groups]
        axes.plot(sizes, [group.similarity for group in self.groups], "o", color=COLOURS[0], alpha=0.6, markersize=5)
        axes.axhline(self.threshold, color="black", linewidth=1, linestyle="--")
        axes.set_xlabel("rows in the group")
        axes.set_ylabel("least cosine to the kept row")
        axes.set_title(f"{len(self.groups)} groups, {len(self.drop)} rows to drop at {self.threshold:g}", fontsize=11)
        save_figure(figure, path)


def dedupe(
    data: Any,
    threshold: float = 0.95,
    texts: Sequence[str] | None = None,
    keep: Keep | None = None,
    *,
    dims: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Duplicates:
    """Find groups of rows that are joined by pairs with cosine ≥ threshold.

    Exact: two rows whose cosine reaches the threshold are always in one group, and each row in a group reaches it
    with some other. Rows may be joined through others, so `similarity` may lie below the threshold.

    Args:
        data: (n, d) vectors, or a collection.
        threshold: a cosine above 0, at most 1.
        texts: n texts, to keep the longest of a group; a collection brings its own.
        keep: "longest" (text; the earlier of equals), "first" (row) or "central" (highest mean cosine); None is
            "longest" where there are texts, else "first".
        dims: leading numbers of each vector to use.
        progress: called as progress(done, total) in rows.

    Raises:
        UsageError: a threshold outside (0, 1], an unknown keep, "longest" without texts.
    """
    rows = read_rows(data, dims, texts)
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold is {threshold!r}, allowed are cosines above 0 and at most 1")
    keep = keep or ("first" if rows.texts is None else "longest")
    if keep not in ("longest", "first", "central"):
        raise UsageError(f"keep is {keep!r}, allowed are longest, first and central")
    if keep == "longest" and rows.texts is None:
        raise UsageError("keep is 'longest' but there are no texts", hint="give texts, or keep='first'")
    groups = []
    for members in _joined(rows.z, threshold, progress):
        kept = _chosen(members, keep, rows.z, rows.texts)
        drop = tuple(int(row) for row in members if row != kept)
        unit = _doubles(rows.z[[kept, *drop]])
        least = float(np.clip((unit[1:] @ unit[0]).min(), -1, 1))
        groups.append(DuplicateGroup(kept, drop, least, tuple(rows.ids[row] for row in (kept, *drop))))
    return Duplicates(sorted(groups, key=lambda group: (-len(group.drop), group.keep)), threshold)


class _Parts:
    """Which rows are joined so far: `of` (n,) numbers each row's part. Merged as pairs come, these never pile up."""

    def __init__(self, n: int) -> None:
        self.of: Ints = np.arange(n)

    def join(self, left: Ints, right: Ints) -> None:
        """Merge the parts of each pair."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import connected_components

        shape = (len(self.of), len(self.of))
        links = csr_matrix((np.ones(len(left), np.int8), (self.of[left], self.of[right])), shape=shape)
        self.of = connected_components(links, directed=False)[1].astype(np.int64)[self.of]


def _joined(z: Floats, threshold: float, progress: Callable[[int, int], None] | None) -> list[Ints]:
    """Return the groups of two rows or more, each ascending."""
    # Equal rows are one: a thousand copies are a thousand rows here and not half a million pairs.
    _, first, same = np.unique(
        z.view(np.dtype((np.void, z.dtype.itemsize * z.shape[1]))).ravel(), return_index=True, return_inverse=True
    )
    parts = _Parts(len(first))
    for left, right in _pairs(z[first], threshold, parts, progress):
        parts.join(left, right)
    whole = parts.of[same.ravel()]
    order = np.argsort(whole, kind="stable")
    edges = np.flatnonzero(np.diff(whole[order])) + 1
    return [members for members in np.split(order, edges) if len(members) > 1]


def _pairs(
    z: Floats, threshold: float, parts: _Parts, progress: Callable[[int, int], None] | None
) -> Iterator[tuple[Ints, Ints]]:
    """Yield rows (left, right), left < right, with cosine ≥ threshold that `part` does not know to be in one group.

    Few numbers first: rows are turned so that their leading coordinates hold most (which changes no cosine), and of
    the rest only its length is kept. By Cauchy and Schwarz the cosine is at most ⟨a, b⟩ over these numbers, so pairs
    below are out without a look at the rest; the others are compared whole, in float64.
    """
    unit = _doubles(z)
    short = _shortened(unit)
    # float32 products of rows this short are off by less than this.
    bar = np.float32(threshold - 1e-5)
    for start in range(0, len(z), _BLOCK):
        end = min(start + _BLOCK, len(z))
        possible = short[start:end] @ short[start:].T >= bar
        if possible.sum() > 64 * _BLOCK:
            possible &= parts.of[start:end, None] != parts.of[None, start:]
        left, right = np.nonzero(possible)
        left, right = left + start, right + start
        ordered = left < right
        left, right = left[ordered], right[ordered]
        for at in range(0, len(left), 1 << 15):
            some = slice(at, at + (1 << 15))
            apart = parts.of[left[some]] != parts.of[right[some]]
            a, b = left[some][apart], right[some][apart]
            near = np.einsum("nd,nd->n", unit[a], unit[b]) >= threshold - _ROUNDING
            if near.any():
                yield a[near], b[near]
        if progress:
            progress(end, len(z))


def _doubles(z: Floats) -> NDArray[np.float64]:
    unit = z.astype(np.float64)
    return np.asarray(unit / np.linalg.norm(unit, axis=1, keepdims=True), dtype=np.float64)


def _shortened(unit: NDArray[np.float64], numbers: int = 63) -> Floats:
    """Return (n, ≤ 64): the leading principal coordinates and the length of what they leave out."""
    if unit.shape[1] <= numbers + 1:
        return unit.astype(np.float32)
    some = unit[:: max(1, len(unit) // 20_000)]
    directions = np.linalg.eigh(some.T @ some)[1][:, ::-1][:, :numbers]
    lead = unit @ directions
    rest = np.sqrt(np.maximum(1 - np.einsum("nd,nd->n", lead, lead), 0))
    return np.hstack([lead, rest[:, None]]).astype(np.float32)


def _chosen(members: Ints, keep: Keep, z: Floats, texts: Sequence[str] | None) -> int:
    if keep == "longest" and texts is not None:
        return int(members[int(np.argmax([len(texts[row]) for row in members]))])
    if keep == "central":
        return int(members[int(np.argmax(z[members] @ z[members].sum(axis=0)))])
    return int(members[0])
