"""Anomalies: rows that stand apart from all others by what they mean or how they are written, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from imi.errors import MissingExtra, UsageError
from imi.figures import COLOURS, new_figure, save_figure, say_above
from imi.progress import part_of
from imi.tasks.neighbours import copies_of, nearest_rows
from imi.tasks.report import Findings, Phrase, Reported, ReportTable
from imi.tasks.rows import Rows, check_count, check_share, check_varied, read_rows
from imi.tasks.text_oddness import TextOddness, text_oddness
from imi.types import Floats

Method = Literal["views", "mean", "iforest", "lof"]
METHODS: tuple[Method, ...] = get_args(Method)
_NAMES = {
    "mean": Phrase("far from its nearest rows on average", "最も近い行からの平均距離が大きい"),
    "iforest": Phrase("cut off early by an isolation forest", "Isolation Forest で早く切り離される"),
    "lof": Phrase(
        "less dense around it than around its neighbours (local outlier factor)",
        "周囲の密度が近くの行より低い（局所外れ値因子）",
    ),
}
_CLOSE = 1e-7
_FAMILY = 0.15
"""Deviations by which the distance to the last neighbours must lead: it is noisier than the mean of all."""
_ORDINARY = 0.9
"""Share of the rows, the least odd at first sight, that the others are compared with: odd rows vouch for nobody."""
_SPARE = 8
_MOST_COMPARED = 2000
_WIDE = 0.1
"""Share of the ordinary rows to which a row's distance says how unlike the whole collection it is."""
_WIDE_ALONE = 0.25
"""What the wider view counts where there are no texts, whose spelling would bear it out."""
_SPELLED, _BRIEF = 0.4, 10
"""What a deviation in spelling counts, and the characters at which half of it is believed. These and the rest above
were set on texts planted among bank requests, hotel sentences, headlines, reviews and captions (docs/tasks.md)."""
_BLOCK, _FEW, _WIDTH = 2048, 256, 16_384
_NEARLY = 0.7
"""Share of the wider view from which the distance to the nearest rows, which is easier to see, is the one named."""
_FAMILIAR = 0.8
_SEEN = 1.5
"""Deviations from which a view is named among the reasons."""
_A_LITTLE = 0.5
_LIMIT = 2.5
"""Robust standard deviations above the middle: one row in 160 of a normal spread passes."""


@dataclass(frozen=True)
class Anomalies(Reported):
    """How odd each row is, and which are flagged.

    score: (n,), higher is odder: robust standard deviations above the middle row. flagged: (n,) whether the score
    passes `threshold`.
    says and nearest: for each flagged row, oddest first (`rows`), why it stands out and the ids of its nearest
    normal rows. baseline: (n,) the plain measure on the same scale, the mean distance to the nearest rows.
    """

    score: Floats
    flagged: NDArray[np.bool_]
    threshold: float
    rows: NDArray[np.int64]
    says: tuple[Phrase, ...]
    nearest: tuple[tuple[str, ...], ...]
    ids: tuple[str, ...]
    baseline: Floats
    texts: tuple[str, ...] | None = None
    method: Method = "views"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return in English why each flagged row stands out."""
        return tuple(said.en for said in self.says)

    @property
    def by_baseline(self) -> int:
        """Return how many of the flagged rows the plain measure has among as many oddest."""
        order = np.argsort(-self.baseline, kind="stable")[: len(self.rows)]
        return len(set(order.tolist()) & set(self.rows.tolist()))

    def to_dict(self) -> list[dict[str, Any]]:
        """Return one dict a flagged row, the oddest first; `baseline` has its score and rank by the plain measure."""
        rank = np.empty(len(self.score), np.int64)
        rank[np.argsort(-self.baseline, kind="stable")] = np.arange(1, len(self.score) + 1)
        return [
            {
                "id": self.ids[row],
                "score": float(self.score[row]),
                "reason": reason,
                "nearest": list(nearest),
                "text": None if self.texts is None else self.texts[row],
                "baseline": {"method": "mean", "score": float(self.baseline[row]), "rank": int(rank[row])},
            }
            for row, reason, nearest in zip(self.rows, self.reasons, self.nearest, strict=True)
        ]

    def findings(self) -> Findings:
        """Return the odd rows with their texts, beside the plain measure."""
        found = self.to_dict()
        text_of = {} if self.texts is None else dict(zip(self.ids, self.texts, strict=True))
        says = [
            Phrase(
                f"{len(found)} of {len(self.score)} rows stand out",
                f"{len(self.score)} 件中 {len(found)} 件が外れ値です",
            )
        ]
        if not found:
            says.append(
                Phrase(
                    "no row is far enough from the others; --share .01 shows the oddest hundredth all the same",
                    "しきい値を超える行はありません。--share .01 で上位 1% を表示できます",
                )
            )
        if found and self.method != "mean":
            says.append(
                Phrase(
                    f"baseline: the mean distance to the nearest rows alone has {self.by_baseline} of these "
                    f"{len(found)} among as many oddest",
                    "ベースライン：最も近い行への平均距離だけでは、"
                    f"同じ件数の上位にこのうち {self.by_baseline} 件が入ります",
                )
            )
        rows = [
            [
                one["score"],
                one["id"],
                one["text"],
                said,
                one["baseline"]["rank"],
                " / ".join(text_of.get(near) or near for near in one["nearest"][:1]),
            ]
            for one, said in zip(found, self.says, strict=True)
        ]
        columns = (
            Phrase("score", "スコア"),
            Phrase("id", "ID"),
            Phrase("text", "テキスト"),
            Phrase("why", "理由"),
            Phrase("plain rank", "ベースラインの順位"),
            Phrase("nearest normal row", "最も近い通常の行"),
        )
        return Findings(Phrase("Anomalies", "外れ値"), tuple(says), (ReportTable(columns, rows),))

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
        say_above(axes, "Rows right of the dashed line are flagged; the farther right, the odder")
        axes.legend(frameon=False)
        save_figure(figure, path)


def anomalies(
    data: Any,
    share: float | None = None,
    k: int = 20,
    texts: Sequence[str] | None = None,
    method: Method = "views",
    *,
    dims: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Anomalies:
    """Score how far each row is from all others, and flag those that stand out.

    A first look takes the mean distance to the k nearest rows, or to the last tenth of them, whichever stands out more,
    and calls nine rows in ten ordinary. A row is then as odd as its mean distance to the k nearest ordinary rows, so
    that a family of odd rows does not look usual to itself, and to the nearest tenth of them: how unlike the whole
    collection it is. Where there are texts, an unusual script, length or spelling adds to the score
    (`imi.tasks.text_oddness`). Distances are put on one scale by their median and the median deviation above it.

    Args:
        data: (n, d) vectors, or a collection.
        share: flag this share of the rows; None flags those above 2.5 robust standard deviations, which may be none.
        k: neighbours looked at; a family of fewer odd rows than this is found, a larger one where it is far off.
        texts: n texts for an array; a collection brings its own.
        method: "views" (what is said above), or a plain one: "mean" (the mean distance to the k nearest rows alone),
            "iforest" (isolation forest) or "lof" (local outlier factor).
        dims: leading dimensions of each vector to use.
        seed: of the lists that speed up large tables, and of the forest.
        progress: called as progress(done, total) in per cent.

    Raises:
        UsageError: fewer than three rows, one vector for all, a share outside 0 to 1, k below 1, an unknown method.
        MissingExtra: "iforest" or "lof" without scikit-learn.
    """
    if method not in METHODS:
        raise UsageError(f"method is {method!r}, allowed are {', '.join(METHODS)}")
    rows = read_rows(data, dims, texts)
    check_count(3, len(rows), "the least number of rows")
    check_count(k, max(k, len(rows)))
    check_varied(rows.z, "anomaly detection")
    views, near = _look(rows, min(k, len(rows) - 1), seed, progress)
    baseline = _robust(np.log(views.plain))
    score = views.score if method == "views" else baseline
    if method in ("iforest", "lof"):
        score = _robust(_by_library(rows.z, method, min(k, len(rows) - 1), seed))
    threshold = _LIMIT if share is None else float(np.quantile(score, 1 - check_share(share, "share")))
    flagged = score > threshold if share is None else _top(score, share)
    odd = np.flatnonzero(flagged)[np.argsort(-score[flagged], kind="stable")]
    return Anomalies(
        score.astype(np.float32),
        flagged,
        threshold,
        odd,
        tuple(views.says(row) if method == "views" else _NAMES[method] for row in odd),
        _nearest_normal(rows.z, odd, near, flagged, rows.ids),
        tuple(rows.ids),
        baseline.astype(np.float32),
        None if rows.texts is None else tuple(rows.texts),
        method,
    )


def _look(
    rows: Rows, k: int, seed: int, progress: Callable[[int, int], None] | None
) -> tuple[_Views, NDArray[np.int64]]:
    """Return the views of all rows, and each row's nearest different rows (n, ≤ k)."""
    first, same = copies_of(rows.z)
    z, counts = rows.z, np.bincount(same)
    only = None if len(first) == len(z) else first
    seen = min(k, len(first) - 1)
    cosines, near = nearest_rows(
        z, min(seen + _SPARE, len(first) - 1), only=only, seed=seed, progress=part_of(progress, 0, 0.7)
    )
    mean = np.maximum(_mean_of_nearest(cosines[:, :seen], counts, k), _CLOSE)
    last = np.maximum(1 - cosines[:, seen - max(1, seen // 10) : seen].mean(axis=1, dtype=np.float64), _CLOSE)
    odd = np.maximum(_robust(np.log(mean)), _robust(np.log(last)) - _FAMILY)
    ordinary = odd <= np.quantile(odd, _ORDINARY)
    some = _nearest_ordinary(z, first, cosines, near, ordinary, seen)
    if progress:
        progress(85, 100)
    written = None if rows.texts is None or not any(rows.texts) else text_oddness(rows.texts)
    if progress:
        progress(100, 100)
    views = _Views(
        mean[same],
        np.maximum(_mean_of_nearest(some, counts, k), _CLOSE)[same],
        np.maximum(_wide(z, first, ordinary, seed), _CLOSE)[same],
        seen,
        written,
    )
    return views, first[near[:, :seen]][same]


def _nearest_ordinary(
    z: Floats,
    first: NDArray[np.int64],
    cosines: Floats,
    near: NDArray[np.int64],
    ordinary: NDArray[np.bool_],
    k: int,
) -> Floats:
    """Return the cosines (n, ≤ k) of each different row, `first`, to its nearest ordinary other ones, best first."""
    width = min(k, int(ordinary.sum()) - 1)
    kept = ordinary[near]
    place = np.argsort(~kept, axis=1, kind="stable")[:, :width]
    found = np.take_along_axis(cosines, place, axis=1)
    # Rows whose neighbours are mostly odd are few: they are compared with every ordinary row.
    core = np.flatnonzero(ordinary)
    short = np.flatnonzero(kept.sum(axis=1) < width)
    for at in range(0, len(short), _FEW):
        some = short[at : at + _FEW]
        best = np.full((len(some), width), -2, np.float32)
        for low in range(0, len(core), _WIDTH):
            others = core[low : low + _WIDTH]
            products = z[first[some]] @ z[first[others]].T
            products[some[:, None] == others] = -2
            best = np.partition(np.hstack([best, products]), -width, axis=1)[:, -width:]
        found[some] = -np.sort(-best, axis=1)
    return found


def _wide(z: Floats, first: NDArray[np.int64], ordinary: NDArray[np.bool_], seed: int) -> NDArray[np.float64]:
    """Return each different row's mean distance (n,) to the nearest tenth of the ordinary ones, of at most 2,000."""
    core = np.flatnonzero(ordinary)
    if len(core) > _MOST_COMPARED:
        core = np.sort(np.random.default_rng(seed).choice(core, _MOST_COMPARED, replace=False))
    width = max(1, round(_WIDE * len(core)))
    others = z[first[core]].T
    parts = [
        1 - np.partition(z[first[at : at + _BLOCK]] @ others, -width, axis=1)[:, -width:].mean(axis=1, dtype=np.float64)
        for at in range(0, len(first), _BLOCK)
    ]
    return np.concatenate(parts)


@dataclass(frozen=True)
class _Views:
    """What a score is made of: distances (n,), and what texts say.

    plain: to the `k` nearest rows; mean: to the `k` nearest ordinary rows; wide: to the nearest tenth of them.
    """

    plain: NDArray[np.float64]
    mean: NDArray[np.float64]
    wide: NDArray[np.float64]
    k: int
    written: TextOddness | None

    @cached_property
    def parts(self) -> NDArray[np.float64]:
        """Return the views (n, 2 or 3) in robust deviations: near rows, the whole, spelling."""
        # Logarithms: distances are skewed, and what matters is how many times farther than usual.
        views = [_robust(np.log(self.mean)), _robust(np.log(self.wide))]
        if self.written is not None:
            believed = self.written.characters / (self.written.characters + _BRIEF)
            views.append(_SPELLED * believed * _robust(self.written.bits, 0.1))
        return np.stack(views, axis=1)

    @cached_property
    def meaning(self) -> NDArray[np.float64]:
        """Return the views as one, in robust deviations: the sum of those that stand out."""
        weights = np.ones(3) if self.written is not None else np.array([1, _WIDE_ALONE])
        together = np.maximum(self.parts, 0) @ weights
        return _robust(np.where(together > 0, together, self.parts.max(axis=1)), 1.0)

    @property
    def score(self) -> NDArray[np.float64]:
        """Return the score of each row."""
        if self.written is None:
            return self.meaning
        # How close a text lies to the others says nothing against what is seen at once, such as its length.
        return np.where(self.written.total > 0, np.maximum(self.meaning, 0) + self.written.total, self.meaning)

    def says(self, row: int) -> Phrase:
        """Return what makes this row odd, the strongest view first."""
        far, far_by = self._far(row), float(self.parts[row, :2].max())
        if self.written is None:
            return far
        spelled = float(self.parts[row, 2])
        written_by = max(float(self.written.total[row]), spelled)
        written = self.written.says(row) if self.written.total[row] > 0 else self.written.spelled(row)
        if written_by < _SEEN and far_by < _SEEN:
            return self._together(row) if max(written_by, far_by) > _A_LITTLE else far
        said = sorted([(far_by, 1, far), (written_by, 0, written)], key=lambda one: one[:2], reverse=True)
        return _joined_phrases(phrase for by, _, phrase in said if by >= _SEEN)

    def _together(self, row: int) -> Phrase:
        """Return what a row is odd by where no view alone shows it: those that are above the middle."""
        said = [(self.parts[row, 0], self._far_by(row, True)), (self.parts[row, 1], self._far_by(row, False))]
        if self.written is not None:
            by = max(float(self.parts[row, 2]), float(self.written.total[row]))
            said.append((by, self.written.says(row) if self.written.total[row] > 0 else self.written.spelled(row)))
        said = sorted(((by, phrase) for by, phrase in said if by > _A_LITTLE), key=lambda one: -one[0])
        return _joined_phrases(phrase for _, phrase in said)

    def _far(self, row: int) -> Phrase:
        near, wide = self.parts[row, :2]
        return self._far_by(row, near >= _NEARLY * wide)

    def _far_by(self, row: int, near: bool) -> Phrase:
        far = self.mean if near else self.wide
        own, usual = float(far[row]), float(np.median(far))
        if near:
            alone = self.plain[row] >= _FAMILIAR * own  # else a few odd rows lie close to it
            return Phrase(
                f"far from {'everything' if alone else 'all but a few'}: mean distance {own:.3f} to the "
                f"{self.k} nearest rows that are not odd themselves, usual is {usual:.3f}",
                f"{'どの' if alone else '少数を除くどの'}行からも遠い：最も近い通常の行 {self.k} 件への平均距離 "
                f"{own:.3f}（中央値 {usual:.3f}）",
            )
        return Phrase(
            f"unlike the collection as a whole: mean distance {own:.3f} to the nearest tenth of the rows, usual "
            f"is {usual:.3f}",
            f"全体と似ていない：近い 1 割の行への平均距離 {own:.3f}（中央値 {usual:.3f}）",
        )


def _joined_phrases(said: Iterable[Phrase]) -> Phrase:
    kept = list(said)
    return Phrase("; ".join(one.en for one in kept), "。".join(one.ja for one in kept))


def _mean_of_nearest(cosines: Floats, counts: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return each different row's mean distance to its k nearest rows where `counts` copies of it count themselves.

    A row's own copies are at distance 0; copies of its neighbours are left aside.
    """
    own = np.minimum(counts - 1, k)
    sums = np.concatenate([np.zeros((len(cosines), 1)), np.cumsum(1 - cosines, axis=1, dtype=np.float64)], axis=1)
    taken = np.minimum(k - own, cosines.shape[1])
    return np.asarray(sums[np.arange(len(cosines)), taken] / np.maximum(own + taken, 1), dtype=np.float64)


def _by_library(z: Floats, method: Method, k: int, seed: int) -> NDArray[np.float64]:
    """Return the score of scikit-learn's isolation forest or local outlier factor, (n,), higher is odder."""
    try:
        from sklearn.ensemble import IsolationForest
        from sklearn.neighbors import LocalOutlierFactor
    except ImportError as missing:
        raise MissingExtra("scikit-learn", "tasks") from missing
    if method == "iforest":
        return -np.asarray(IsolationForest(random_state=seed % 2**32).fit(z).score_samples(z), dtype=np.float64)
    return -np.asarray(LocalOutlierFactor(n_neighbors=k).fit(z).negative_outlier_factor_, dtype=np.float64)


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
