"""Diversity: how different the rows of a set are from each other, and the subset that differs most."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.figures import COLOURS, new_figure, save_figure, say_above
from imi.tasks.intervals import Interval, bootstrap
from imi.tasks.neighbours import copies_of
from imi.tasks.report import Findings, Phrase, Reported, ReportTable, span
from imi.tasks.rows import check_count, read_rows
from imi.types import Floats


@dataclass(frozen=True)
class Diversity(Reported):
    """How different n rows are.

    mean_distance: 1 minus the mean cosine over all pairs, 0 for copies, about 1 for unrelated rows; interval: its 95 %.
    vendi: the effective number of different rows, 1 to n (also at most the width). eigenvalues: (≤ d,) shares,
    falling, that sum to 1.
    """

    mean_distance: float
    vendi: float
    interval: Interval
    n: int
    eigenvalues: NDArray[np.float64]
    distinct: int = 0
    chosen: tuple[tuple[str, str, float, float], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {
            "mean_distance": self.mean_distance,
            "vendi": self.vendi,
            "interval": list(self.interval),
            "n": self.n,
            "subset": [one[0] for one in self.chosen] or None,
            "baseline": {"method": "distinct", "rows": self.distinct},
        }

    def findings(self) -> Findings:
        """Return the figures beside the number of different rows, and the subset with its texts."""
        low, high = self.interval
        says = [
            Phrase(
                f"{self.n} rows count as {self.vendi:.1f} different ones (Vendi score)",
                f"{self.n} 件は実質 {self.vendi:.1f} 種類に相当します（Vendi スコア）",
            ),
            Phrase(
                "baseline: no row is a copy of another"
                if self.distinct == self.n
                else f"baseline: {self.distinct} rows are left without exact copies",
                "ベースライン：完全な重複はありません"
                if self.distinct == self.n
                else f"ベースライン：完全な重複を除くと {self.distinct} 件",
            ),
        ]
        columns = (Phrase("", ""), Phrase("value", "値"), Phrase("95 %", "95% 信頼区間"))
        rows: list[list[Any]] = [
            [Phrase("mean distance", "平均距離"), self.mean_distance, span(low, high)],
            [Phrase("Vendi score", "Vendi スコア"), round(self.vendi, 1), None],
            [Phrase("rows without copies", "重複を除いた件数"), self.distinct, None],
        ]
        tables = [ReportTable(columns, rows)]
        if self.chosen:
            names = (
                Phrase("id", "ID"),
                Phrase("text", "テキスト"),
                Phrase("distance to those before", "それ以前の行との距離"),
                Phrase("drawn at random", "無作為の場合"),
            )
            tables.append(ReportTable(names, self.chosen, Phrase("The most different rows", "最も異なる行")))
        return Findings(Phrase("Diversity", "多様性"), tuple(says), tuple(tables))

    def figure(self, path: str | Path) -> None:
        """Draw how much of the set each direction holds."""
        figure, axes = new_figure(7, 4)
        axes.plot(np.arange(1, len(self.eigenvalues) + 1), np.cumsum(self.eigenvalues), color=COLOURS[0])
        axes.axvline(self.vendi, color=COLOURS[5], linewidth=1, linestyle="--", label=f"Vendi score {self.vendi:.1f}")
        axes.set_xscale("log")
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("how many directions of the vectors, the strongest first")
        axes.set_ylabel("share of the variety that they hold together")
        see = "The later the curve rises, the more different the rows are"
        say_above(axes, see, f"mean distance {self.mean_distance:.3f}, {self.n} rows")
        axes.legend(frameon=False)
        save_figure(figure, path)


def diversity(data: Any, *, dims: int | None = None, seed: int = 0) -> Diversity:
    """Measure how different the rows of a set are, in time and memory linear in n.

    The mean over all pairs comes from the length of the rows' sum. The Vendi score (Friedman and Dieng 2023, arXiv
    2210.02410) is the exponential of the entropy of the eigenvalues of the n × n matrix of cosines over n, whose
    other eigenvalues than zero are those of the d × d matrix zᵀz / n.

    Args:
        data: (n, d) vectors, or a collection.
        dims: leading dimensions of each vector to use.
        seed: of the interval.

    Raises:
        UsageError: fewer than two rows.
    """
    z = read_rows(data, dims).z
    check_count(2, len(z), "the least number of rows")
    n = len(z)
    total = z.sum(axis=0, dtype=np.float64)
    distance = 1 - (float(total @ total) - n) / (n * (n - 1))
    wide = z.shape[1] > n
    gram = np.zeros((n, n) if wide else (z.shape[1], z.shape[1]), np.float64)
    if wide:
        gram += z.astype(np.float64) @ z.T
    else:
        for start in range(0, n, 8192):
            block = z[start : start + 8192].astype(np.float64)
            gram += block.T @ block
    values = np.clip(np.linalg.eigvalsh(gram / n)[::-1], 0, None)
    values = values / values.sum()
    positive = values[values > 1e-15]
    vendi = float(np.exp(-(positive * np.log(positive)).sum()))
    # A row's mean cosine to all others: their mean is the statistic, and drawing rows draws these.
    each = 1 - (z.astype(np.float64) @ total - 1) / (n - 1)
    low, high = bootstrap(each, seed=seed, resamples=500)
    # The statistic is an average over pairs, whose error is twice that of an average over rows.
    return Diversity(
        max(0.0, distance),
        vendi,
        (float(distance + 2 * (low - each.mean())), float(distance + 2 * (high - each.mean()))),
        n,
        values,
        len(copies_of(z)[0]),
    )


def with_subset(found: Diversity, data: Any, k: int, *, dims: int | None = None, seed: int = 0) -> Diversity:
    """Return the findings with the k most different rows: ids, texts, and how far each is from those before it.

    Beside each stands what a row drawn at random would be from as many others, the mean of twenty draws.

    Raises:
        UsageError: k outside 1 to n.
    """
    rows = read_rows(data, dims)
    check_count(k, len(rows))
    taken = farthest_first(rows.z, k)
    rng = np.random.default_rng(seed)
    draws = np.mean([_steps(rows.z[rng.choice(len(rows), k, replace=False)]) for _ in range(20)], axis=0)
    texts = rows.texts or [""] * len(rows)
    steps = zip(taken, _steps(rows.z[taken]), draws, strict=True)
    chosen = tuple((rows.ids[row], texts[row], float(own), float(drawn)) for row, own, drawn in steps)
    return replace(found, chosen=chosen)


def _steps(z: Floats) -> NDArray[np.float64]:
    """Return the distance, 1 minus the cosine, of each row to the nearest before it; of the first to none, nan."""
    cosines = (z @ z.T).astype(np.float64)
    return np.array([np.nan, *(1 - cosines[at, :at].max() for at in range(1, len(z)))])


def subset(data: Any, k: int, *, dims: int | None = None) -> list[Any]:
    """Choose k rows that are as different as possible: each next one is the farthest from those taken.

    Farthest-first traversal (Gonzalez 1985): the least distance between two chosen rows is at least half of the best
    possible. It begins with the row that is farthest from the mean.

    Args:
        data: (n, d) vectors, or a collection.
        k: how many.
        dims: leading dimensions of each vector to use.

    Returns:
        Row numbers of an array, ids of a collection, in the order taken.

    Raises:
        UsageError: k outside 1 to n.
    """
    rows = read_rows(data, dims)
    check_count(k, len(rows))
    taken = farthest_first(rows.z, k)
    return taken if rows.metadata is None else [rows.ids[row] for row in taken]


def farthest_first(z: Floats, k: int) -> list[int]:
    """Return k row numbers of unit rows (n, d), each the farthest from those before it."""
    nearest = z @ z.mean(axis=0)
    taken = [int(nearest.argmin())]
    nearest = z @ z[taken[0]]
    while len(taken) < k:
        nearest[taken[-1]] = np.inf
        taken.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, z @ z[taken[-1]])
    return taken
