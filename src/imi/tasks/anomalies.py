"""Anomalies: rows that stand apart from all others, or from the neighbourhood they are in, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.tasks.neighbours import nearest_rows
from imi.tasks.plots import COLOURS, new_figure, save_figure
from imi.tasks.rows import check_count, check_share, check_varied, read_rows
from imi.vectors import Floats

_LIMIT = 2.5
"""Robust standard deviations above the middle: one row in 160 of a normal spread passes."""


@dataclass(frozen=True)
class Anomalies:
    """How odd each row is, and which are flagged.

    score: (n,), higher is odder: robust standard deviations above the middle row. flagged: (n,) whether the score
    passes `threshold`.
    reasons and nearest: for each flagged row, oddest first (`rows`), why it stands out and the ids of its nearest
    normal rows.
    """

    score: Floats
    flagged: NDArray[np.bool_]
    threshold: float
    rows: NDArray[np.int64]
    reasons: tuple[str, ...]
    nearest: tuple[tuple[str, ...], ...]
    ids: tuple[str, ...]

    def to_dict(self) -> list[dict[str, Any]]:
        """Return one dict a flagged row, the oddest first."""
        return [
            {"id": self.ids[row], "score": float(self.score[row]), "reason": reason, "nearest": list(nearest)}
            for row, reason, nearest in zip(self.rows, self.reasons, self.nearest, strict=True)
        ]

    def figure(self, path: str | Path) -> None:
        """Draw how the scores are spread and where the threshold lies."""
        figure, axes = new_figure(7, 4)
        edges = np.linspace(float(self.score.min()), float(self.score.max()) + 1e-6, 60)
        axes.hist(
            self.score[~self.flagged], bins=edges, color=COLOURS[0], label=f"normal ({int((~self.flagged).sum())})"
        )
        axes.hist(self.score[self.flagged], bins=edges, color=COLOURS[5], label=f"flagged ({int(self.flagged.sum())})")
        axes.axvline(self.threshold, color="black", linewidth=1, linestyle="--")
        axes.set_yscale("symlog", linthresh=10)
        axes.set_xlabel("oddness (robust standard deviations)")
        axes.set_ylabel("rows")
        axes.legend(frameon=False)
        save_figure(figure, path)


def anomalies(
    data: Any,
    share: float | None = None,
    k: int = 20,
    *,
    dims: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Anomalies:
    """Score how far each row is from its neighbours, and flag those that stand out.

    Two views, of which the odder counts: the mean distance to the k nearest rows (far from everything), and that
    distance against the same of these neighbours (outside the group that it lies next to; Breunig et al. 2000). Both
    are put on one scale by their median and the median deviation above it, which the odd ones themselves hardly move;
    below the middle lie the copies, which say nothing about how far is far.

    Args:
        data: (n, d) vectors, or a collection.
        share: flag this share of the rows; None flags those above 2.5 robust standard deviations, which may be none.
        k: neighbours looked at; a group of odd rows as large as this passes for normal.
        dims: leading numbers of each vector to use.
        seed: of the lists that speed up large tables.
        progress: called as progress(done, total) in rows.

    Raises:
        UsageError: fewer than three rows, one vector for all, a share outside 0 to 1, k below 1.
    """
    rows = read_rows(data, dims)
    check_count(3, len(rows), "the least number of rows")
    check_count(k, max(k, len(rows)))
    check_varied(rows.z, "anomaly detection")
    k = min(k, len(rows) - 1)
    cosines, near = nearest_rows(rows.z, k, seed=seed, progress=progress)
    distance = np.maximum(1 - cosines.mean(axis=1, dtype=np.float64), 1e-7)
    # Neighbours that are copies of each other would make any row beside them look far: half the usual distance at
    # least.
    around = np.maximum(np.median(distance[near], axis=1), 0.5 * float(np.median(distance)))
    # Logarithms: distances are skewed, and what matters is how many times farther than usual.
    # A ratio below one only says that the neighbours lie apart, too.
    far, isolated = (
        _robust(np.log(distance)),
        _robust(np.log(np.maximum(distance / np.maximum(around, 1e-7), 1.0)), floor=0.2),
    )
    score = np.maximum(far, isolated)
    threshold = _LIMIT if share is None else float(np.quantile(score, 1 - check_share(share, "share")))
    flagged = score > threshold if share is None else _top(score, share)
    odd = np.flatnonzero(flagged)[np.argsort(-score[flagged], kind="stable")]
    reasons = tuple(_reason(row, distance, around, bool(far[row] >= isolated[row])) for row in odd)
    normal = _nearest_normal(rows.z, odd, near, flagged, rows.ids)
    return Anomalies(score.astype(np.float32), flagged, threshold, odd, reasons, normal, tuple(rows.ids))


def _robust(values: NDArray[np.float64], floor: float = 0.02) -> NDArray[np.float64]:
    """Return values as robust standard deviations above their median; no deviation counts as less than `floor`."""
    middle = np.median(values)
    spread = 1.4826 * np.median(values[values >= middle] - middle)
    return np.asarray((values - middle) / max(float(spread), floor), dtype=np.float64)


def _top(score: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    count = max(1, round(share * len(score)))
    flagged = np.zeros(len(score), dtype=bool)
    flagged[np.argsort(-score, kind="stable")[:count]] = True
    return flagged


def _reason(row: int, distance: NDArray[np.float64], around: NDArray[np.float64], far: bool) -> str:
    own, usual = distance[row], float(np.median(distance))
    if far:
        share = float((distance < own).mean())
        return (
            f"far from everything: mean distance to its nearest rows {own:.3f}, usual is {usual:.3f}; "
            f"farther than {share:.1%} of the rows"
        )
    times = own / max(around[row], 1e-7)
    return (
        f"outside its group: {times:.1f} times as far from its nearest rows as they are from theirs "
        f"({own:.3f} to {around[row]:.3f})"
    )


def _nearest_normal(
    z: Floats,
    odd: NDArray[np.int64],
    near: NDArray[np.int64],
    flagged: NDArray[np.bool_],
    ids: Sequence[str],
    count: int = 3,
) -> tuple[tuple[str, ...], ...]:
    found = []
    normal: NDArray[np.int64] | None = None
    for row in odd:
        own = near[row][~flagged[near[row]]]
        if not len(own) and not flagged.all():
            # All its neighbours are odd, too: look at every normal row, block by block.
            normal = np.flatnonzero(~flagged) if normal is None else normal
            own = normal[np.argsort(-(z[normal] @ z[row]), kind="stable")[:count]]
        found.append(tuple(ids[other] for other in dict.fromkeys(own[:count].tolist())))
    return tuple(found)
