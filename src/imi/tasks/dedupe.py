"""Duplicates: texts that are the same but for typing, and rows whose vectors are near; no chain grows without end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from imi.collection.pictures import looks_of
from imi.errors import UsageError
from imi.progress import Progress, asked_to_end
from imi.tasks.report import Findings, Phrase, Reported, ReportTable
from imi.tasks.rows import Rows, is_collection, read_rows
from imi.tasks.same_text import same_texts, typed_alike
from imi.types import Floats

Ints = NDArray[np.int64]
Keep = Literal["longest", "first", "central"]
Method = Literal["near", "exact"]
_ROUNDING = 1e-9
"""What float64 products of rows normalised in float64 may be off by: equal rows count at a threshold of 1."""
_BLOCK = 512
_TILE = 8192
_PAIRS = 1 << 12
_MOST_PAIRS = 1 << 21

MEASURED: dict[str, dict[float, tuple[float, float]]] = {
    "questions": {0.8: (0.71, 0.51), 0.85: (0.74, 0.36), 0.9: (0.80, 0.22), 0.95: (0.91, 0.10), 0.98: (0.95, 0.05)},
    "captions": {0.8: (0.54, 0.84), 0.85: (0.78, 0.75), 0.9: (0.87, 0.40), 0.95: (0.95, 0.15), 0.98: (0.99, 0.07)},
}
"""What a threshold means with the built-in model, as (precision, recall): of 8,505 pairs of English questions, 44 % the
same (Quora, development), and of 11,924 pairs of Japanese captions, 11 % alike by 4 of 5 or more (JSTS, training)."""


@dataclass(frozen=True)
class DuplicateGroup:
    """One group of duplicates: the row to keep, those to drop, the least cosine between kept and dropped.

    exact: how many of the dropped rows have the kept row's text but for typing (`imi.tasks.same_text`). texts: of the
    kept row and the dropped ones, in the order of `ids`; empty where there are none.
    """

    keep: int
    drop: tuple[int, ...]
    similarity: float
    ids: tuple[str, ...]
    exact: int = 0
    texts: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints; `baseline` says how many of the dropped rows the exact text finds."""
        return {
            "keep": self.ids[0],
            "drop": list(self.ids[1:]),
            "similarity": self.similarity,
            "text": self.texts[0] if self.texts else None,
            "baseline": {"method": "exact", "drop": self.exact},
        }


class Duplicates(Reported, Sequence[DuplicateGroup]):
    """Groups of duplicates, the largest first; each has `.keep`, `.drop` (row numbers) and `.similarity`."""

    def __init__(
        self, groups: Sequence[DuplicateGroup], threshold: float, has_texts: bool = True, left: int = 0
    ) -> None:
        self.groups = tuple(groups)
        self.threshold = threshold
        self.has_texts = has_texts
        """Whether a row has a text; pictures and bare vectors have none."""
        self.left = left
        """How many different rows were not compared with all others, as the work was asked to end early."""

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

    @property
    def exact(self) -> int:
        """Return how many of the rows to drop have the text of their kept row but for typing: the plain measure."""
        return sum(group.exact for group in self.groups)

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the keys that `--json` prints, one dict a group."""
        return [group.to_dict() for group in self.groups]

    def findings(self) -> Findings:
        """Return the groups with their texts, beside what the exact text finds."""
        says = [
            Phrase(
                f"{len(self)} groups, {len(self.drop)} rows to drop",
                f"{len(self)} グループ、重複 {len(self.drop)} 件",
            ),
            Phrase(
                f"baseline: the same text but for case, width, marks, white space and kana finds {self.exact} of them",
                "ベースライン：大文字小文字・全角半角・記号・空白・かなの違いを除いた"
                f"完全一致では {self.exact} 件が見つかります",
            ),
        ]
        if not self.has_texts:
            says.pop()
        if self.left:
            says.append(
                Phrase(
                    f"ended early: {self.left:,} rows were not compared with all others, more may be duplicates",
                    f"途中で終了：{self.left:,} 件はほかのすべての行と比べていないため、重複がまだあるかもしれません",
                )
            )
        if not self.groups:
            says[0] = Phrase(
                f"no two rows reach {self.threshold:g}", f"類似度が {self.threshold:g} 以上の行はありません"
            )
        rows = []
        for group in self.groups:
            other = next((text for text in group.texts[1:] if text != group.texts[0]), "")
            text = group.texts[0] if group.texts else ""
            rows.append(
                [group.similarity, len(group.drop), group.exact, group.ids[0], text, " ".join(group.ids[1:]), other]
            )
        columns = (
            Phrase("similarity", "類似度"),
            Phrase("to drop", "重複数"),
            Phrase("exact text", "完全一致"),
            Phrase("keep", "残す ID"),
            Phrase("its text", "そのテキスト"),
            Phrase("drop", "重複の ID"),
            Phrase("where it differs", "異なるテキスト"),
        )
        return Findings(Phrase("Duplicates", "重複"), tuple(says), (ReportTable(columns, rows),))

    def figure(self, path: Any) -> None:
        """Draw how many groups there are of each size, exact copies and near ones apart."""
        from imi.figures import COLOURS, new_figure, save_figure, say_above

        figure, axes = new_figure(7, 4)
        copies = Counter(len(group.drop) + 1 for group in self.groups if group.similarity >= 0.9999)
        alike = Counter(len(group.drop) + 1 for group in self.groups if group.similarity < 0.9999)
        sizes = sorted({*copies, *alike})
        places, below = range(len(sizes)), [copies[size] for size in sizes]
        axes.bar(places, below, color=COLOURS[0], label="copies")
        above = [alike[size] for size in sizes]
        axes.bar(places, above, bottom=below, color=COLOURS[1], label=f"nearly alike, from {self.threshold:g} on")
        axes.set_xticks(places, [str(size) for size in sizes])
        axes.set_xlabel("rows in a group")
        axes.set_ylabel("groups")
        axes.legend(frameon=False)
        figures = f"{len(self.groups)} groups, {len(self.drop)} rows to drop"
        say_above(axes, "How often the same text is there, to the letter or nearly", figures)
        save_figure(figure, path)


def dedupe(
    data: Any,
    threshold: float = 0.95,
    texts: Sequence[str] | None = None,
    keep: Keep | None = None,
    method: Method = "near",
    *,
    dims: int | None = None,
    progress: Progress | None = None,
) -> Duplicates:
    """Find groups of duplicates, each around the row to keep.

    First come texts that are the same but for case, width, marks, white space and kana, whatever their vectors say.
    Of what is left, rows are taken in order of preference, and each takes those within the threshold that are still
    free. So every dropped row reaches the threshold with the row that is kept for it (or is typed like one that does),
    no two kept rows reach it with each other, and a chain of rows that are each a little different is cut.
    Pictures of a collection are compared as they look, dot by dot, not by what they show: copies are those that were
    made smaller, compressed again or cropped a little.

    Args:
        data: (n, d) vectors, or a collection.
        threshold: a cosine above 0, at most 1.
        texts: n texts; a collection brings its own.
        keep: which row a group is built around: "longest" (text; the earlier of equals), "first" (row) or "central"
            (the one with the most rows within the threshold); None is "longest" where there are texts, else "first".
        method: "near", or "exact" for the texts that are the same but for typing alone.
        dims: leading dimensions of each vector to use.
        progress: called as progress(done, total) in rows.

    Raises:
        UsageError: a threshold outside (0, 1], an unknown keep or method, "longest" or "exact" without texts.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold is {threshold!r}, allowed are cosines above 0 and at most 1")
    if method not in ("near", "exact"):
        raise UsageError(f"method is {method!r}, allowed are near and exact")
    rows = _by_looks(data, read_rows(data, dims, texts))
    keep = keep or ("first" if rows.texts is None else "longest")
    if keep not in ("longest", "first", "central"):
        raise UsageError(f"keep is {keep!r}, allowed are longest, first and central")
    for wanting, value in (("keep", keep), ("method", method)):
        if rows.texts is None and value in ("longest", "exact"):
            raise UsageError(f"{wanting} is {value!r} but there are no texts", hint="give texts, or keep='first'")
    order = _preferred(rows, keep, threshold)
    form = _forms(rows, order)
    representatives = order[np.unique(form[order], return_index=True)[1]]
    representatives = order[np.isin(order, representatives)]
    owner = np.arange(len(rows), dtype=np.int64)
    compared = len(representatives)
    if method == "near":
        stars, compared = _stars(rows.z, representatives, threshold, progress)
        owner[representatives] = representatives[stars]
    of_form = np.empty(int(form.max()) + 1, np.int64)
    of_form[form[representatives]] = owner[representatives]
    groups = [_group(rows, form, members) for members in _members(of_form[form])]
    found = sorted(groups, key=lambda group: (-len(group.drop), group.keep))
    return Duplicates(found, threshold, any(rows.texts or ()), len(representatives) - compared)


def likeness(a: Sequence[str], b: Sequence[str], model: Any) -> NDArray[np.float64]:
    """Return what `dedupe` goes by for each pair of texts, (n,): 1 for the same but for typing, else the cosine."""
    cosines = np.einsum(
        "nd,nd->n", _doubles(model.embed(list(a), "document")), _doubles(model.embed(list(b), "document"))
    )
    same = [typed_alike(one) == typed_alike(other) for one, other in zip(a, b, strict=True)]
    return np.asarray(np.where(same, 1.0, cosines), dtype=np.float64)


def _by_looks(data: Any, rows: Rows) -> Rows:
    """Return the rows with pictures as they look, dot by dot: two photos of a cat are near, and no copies."""
    store = getattr(data, "store", None) if is_collection(data) else None
    looks = looks_of(store, rows.ids) if store is not None else {}
    if not looks:
        return rows
    width = len(next(iter(looks.values())))
    z = np.zeros((len(rows), rows.z.shape[1] + width), np.float32)
    z[:, :-width] = rows.z
    for at, look in looks.items():
        z[at, :-width], z[at, -width:] = 0, look
    return replace(rows, z=z)


def _preferred(rows: Rows, keep: Keep, threshold: float) -> Ints:
    """Return all rows, those to be kept rather first."""
    if keep == "longest" and rows.texts is not None:
        return np.argsort([-len(text) for text in rows.texts], kind="stable").astype(np.int64)
    if keep == "central":
        return np.argsort(-_degrees(rows.z, threshold), kind="stable").astype(np.int64)
    return np.arange(len(rows), dtype=np.int64)


def _degrees(z: Floats, threshold: float) -> Ints:
    """Return how many rows reach the threshold with each, up to rounding."""
    count = np.zeros(len(z), np.int64)
    for start in range(0, len(z), _BLOCK):
        for at in range(0, len(z), _TILE):
            near = z[start : start + _BLOCK] @ z[at : at + _TILE].T >= np.float32(threshold - 1e-6)
            count[start : start + _BLOCK] += near.sum(axis=1)
    return count


def _forms(rows: Rows, order: Ints) -> Ints:
    """Return a number a row that rows share whose texts are the same but for typing."""
    form = np.arange(len(rows), dtype=np.int64)
    if rows.texts is not None:
        for members in same_texts(rows.texts).values():
            form[members] = members[0]
    return np.asarray(np.unique(form, return_inverse=True)[1].ravel(), dtype=np.int64)


def _members(owner: Ints) -> list[Ints]:
    """Return the rows of each owner that has two or more, the owner first."""
    order = np.argsort(owner, kind="stable")
    edges = np.flatnonzero(np.diff(owner[order])) + 1
    found = [members for members in np.split(order, edges) if len(members) > 1]
    return [np.concatenate([[kept], members[members != kept]]) for members in found for kept in [owner[members[0]]]]


def _group(rows: Rows, form: Ints, members: Ints) -> DuplicateGroup:
    unit = _doubles(rows.z[members])
    least = float(np.clip((unit[1:] @ unit[0]).min(), -1, 1))
    return DuplicateGroup(
        int(members[0]),
        tuple(members[1:].tolist()),
        least,
        tuple(rows.ids[row] for row in members),
        int((form[members[1:]] == form[members[0]]).sum()),
        () if rows.texts is None else tuple(rows.texts[row] for row in members),
    )


def _stars(z: Floats, order: Ints, threshold: float, progress: Progress | None) -> tuple[Ints, int]:
    """Return, for each of n rows in order of preference, which of them takes it: itself, or an earlier one.

    And how many rows were compared with all others: fewer where the work was asked to end early.

    Few coordinates first: rows are turned so that their leading coordinates hold most (which changes no cosine), and of
    the rest only its length is kept. By Cauchy and Schwarz the cosine is at most ⟨a, b⟩ over these, so pairs
    below are out without a look at the rest; the others are compared whole, in float64.
    """
    n = len(order)
    owner = np.arange(n, dtype=np.int64)
    free = np.ones(n, dtype=bool)
    short = _shortened(z, order)
    bar = np.float32(threshold - 1e-5)  # float32 products of rows this short are off by less than this
    start = 0
    while start < n:
        # Where most rows are alike, few rows take nearly all: small blocks, so that their pairs stay few.
        alike = int((short[start : start + 4] @ short[free].T >= bar).sum() / 4) + 1
        end = min(n, start + max(4, min(_BLOCK, _MOST_PAIRS // alike)))
        block = start + np.flatnonzero(free[start:end])
        left, right = _possible(short, block, free, bar)
        near = _reach(z, order[left], order[right], threshold)
        left, right = left[near], right[near]
        edges = np.searchsorted(left, block, "left"), np.searchsorted(left, block, "right")
        for row, low, high in zip(block, *edges, strict=True):
            if low < high and free[row]:
                taken = right[low:high]
                taken = taken[free[taken]]
                free[taken], owner[taken] = False, row
        start = end
        if progress:
            progress(end, n)
        if asked_to_end():
            break
    return owner, start


def _possible(short: Floats, block: Ints, free: NDArray[np.bool_], bar: np.float32) -> tuple[Ints, Ints]:
    """Return the pairs (left, right), left < right, of a block's rows with free rows that may reach the threshold."""
    lefts, rights = [], []
    if not len(block):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    for at in range(int(block[0]), len(short), _TILE):
        left, right = np.nonzero(short[block] @ short[at : at + _TILE].T >= bar)
        left, right = block[left], right + at
        kept = (left < right) & free[right]
        lefts.append(left[kept])
        rights.append(right[kept])
    left, right = np.concatenate(lefts), np.concatenate(rights)
    order = np.argsort(left, kind="stable")
    return left[order], right[order]


def _reach(z: Floats, left: Ints, right: Ints, threshold: float) -> NDArray[np.bool_]:
    """Return whether each pair's cosine, in float64, reaches the threshold."""
    near = np.empty(len(left), dtype=bool)
    for at in range(0, len(left), _PAIRS):
        a, b = _doubles(z[left[at : at + _PAIRS]]), _doubles(z[right[at : at + _PAIRS]])
        near[at : at + _PAIRS] = np.einsum("nd,nd->n", a, b) >= threshold - _ROUNDING
    return near


def _doubles(z: Floats) -> NDArray[np.float64]:
    unit = z.astype(np.float64)
    return np.asarray(unit / np.linalg.norm(unit, axis=1, keepdims=True), dtype=np.float64)


def _shortened(z: Floats, order: Ints, numbers: int = 63) -> Floats:
    """Return (n, ≤ 64) of these rows: the leading principal coordinates and the length of what they leave out."""
    if z.shape[1] <= numbers + 1:
        return z[order].astype(np.float32)
    directions = _directions(z, order[:: max(1, len(order) // 20_000)])[:, :numbers]
    short = np.empty((len(order), numbers + 1), np.float32)
    for at in range(0, len(order), _TILE):
        lead = _doubles(z[order[at : at + _TILE]]) @ directions
        short[at : at + _TILE, :-1] = lead
        short[at : at + _TILE, -1] = np.sqrt(np.maximum(1 - np.einsum("nd,nd->n", lead, lead), 0))
    return short


def _directions(z: Floats, some: Ints) -> NDArray[np.float64]:
    """Return the principal directions (d, d) of some rows, the leading ones first."""
    gram = np.zeros((z.shape[1],) * 2)
    for at in range(0, len(some), _TILE):
        unit = _doubles(z[some[at : at + _TILE]])
        gram += unit.T @ unit
    return np.asarray(np.linalg.eigh(gram)[1][:, ::-1], dtype=np.float64)
