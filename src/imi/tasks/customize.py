"""Customising: a matrix, learned from pairs that should be near or far, that moves vectors to where they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.atomic import whole
from imi.errors import DataError, UsageError
from imi.tasks.intervals import Interval, bootstrap
from imi.tasks.report import Findings, Phrase, Reported, ReportTable
from imi.tasks.rows import check_share, check_varied, read_rows
from imi.types import Floats
from imi.vectors import as_floats, normalize, truncate

Doubles = NDArray[np.float64]
Pairs = Sequence[tuple[int, int, float]] | NDArray[Any]
_PREFIXES = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)


@dataclass(frozen=True)
class Customization(Reported):
    """A matrix (d, d) and how well cosines separate near from far pairs before and after it, on held-out pairs.

    before, after: {"accuracy": with the threshold that was best in training, "auc": area under the ROC curve,
    "interval": 95 % of the accuracy}; prefixes: {dims: (auc before, auc after)} at shorter vectors.
    """

    matrix: Floats
    before: dict[str, Any]
    after: dict[str, Any]
    prefixes: dict[int, tuple[float, float]]
    n: int
    model: str = ""

    def apply(self, z: Any) -> Floats:
        """Return vectors (n, d) moved by the matrix, unit rows.

        Raises:
            UsageError: the vectors' width is not the matrix's.
        """
        array = as_floats(z)
        if array.shape[-1] != len(self.matrix):
            raise UsageError(
                f"vectors have {array.shape[-1]} dimensions, the matrix takes {len(self.matrix)}",
                hint="use vectors of the model it was learned on",
            )
        return normalize(normalize(array) @ self.matrix)

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        prefixes = {str(dims): {"before": before, "after": after} for dims, (before, after) in self.prefixes.items()}
        return {"before": self.before, "after": self.after, "n": self.n, "prefixes": prefixes}

    def findings(self) -> Findings:
        """Return how well near pairs are told from far ones before and after, also at shorter vectors."""
        low, high = self.after["interval"]
        gained = self.after["auc"] - self.before["auc"]
        says = [
            Phrase(f"judged on {self.n} pairs that were held out", f"学習に使わなかった {self.n} 組で評価"),
            Phrase(
                f"baseline: the vectors as they are; the area under the curve changes by {gained:+.3f}",
                f"ベースライン：元のベクトル。曲線下面積（AUC）の差は {gained:+.3f}",
            ),
            Phrase(
                f"95 % of the accuracy after: {low:.3f} to {high:.3f}",
                f"学習後の正解率の 95% 信頼区間：{low:.3f}〜{high:.3f}",
            ),
        ]
        sides = ((Phrase("before", "前"), self.before), (Phrase("after", "後"), self.after))
        area = Phrase("area under the curve", "曲線下面積（AUC）")
        whole_ = ReportTable(
            (Phrase("", ""), Phrase("accuracy", "正解率"), area),
            [[name, side["accuracy"], side["auc"]] for name, side in sides],
        )
        shorter = ReportTable(
            (Phrase("dimensions", "次元数"), Phrase("before", "前"), Phrase("after", "後")),
            [[dims, before, after] for dims, (before, after) in self.prefixes.items()],
            Phrase("Area under the curve by dimensions", "次元数ごとの曲線下面積（AUC）"),
        )
        return Findings(Phrase("Customized vectors", "ベクトルの調整"), tuple(says), (whole_, shorter))

    def save(self, path: str | Path) -> None:
        """Write the matrix to a .npz file."""
        with whole(Path(path)) as beside, beside.open("wb") as file:
            np.savez_compressed(file, matrix=self.matrix, model=np.array(self.model))

    def figure(self, path: str | Path) -> None:
        """Draw the area under the curve by dims, before and after."""
        from imi.figures import COLOURS, new_figure, save_figure, say_above

        figure, axes = new_figure(7, 4)
        dims = list(self.prefixes)
        for side, (name, colour) in enumerate((("before", COLOURS[8]), ("after", COLOURS[0]))):
            axes.plot(dims, [self.prefixes[one][side] for one in dims], "o-", color=colour, label=name)
        axes.set_xscale("log", base=2)
        axes.set_xticks(dims, [str(one) for one in dims])
        axes.set_xlabel("dimensions of each vector used")
        axes.set_ylabel("area under the curve, held-out pairs")
        axes.legend(frameon=False)
        figures = f"{self.before['auc']:.3f} before, {self.after['auc']:.3f} after, {self.n} held-out pairs"
        say_above(axes, "How well near pairs are told from far ones, before and after learning", figures)
        save_figure(figure, path)


def load_customization(path: str | Path) -> tuple[Floats, str]:
    """Return the matrix (d, d) that `save` wrote and the fingerprint of the model it is for.

    Raises:
        DataError: the file holds no matrix.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return np.asarray(file["matrix"], dtype=np.float32), str(file["model"])
    except (OSError, KeyError, ValueError) as wrong:
        raise DataError(
            f"{path} holds no matrix: {wrong}", hint="imi customize COLLECTION --pairs FILE --out MODEL.npz makes one"
        ) from wrong


def customize(
    data: Any, pairs: Pairs, *, test: float = 0.3, strength: float = 1.0, seed: int = 0, dims: int | None = None
) -> Customization:
    """Learn a matrix W so that cosines of z W tell near pairs from far ones, at every prefix length.

    The loss is the logistic loss of (cosine - threshold) × scale, summed over the prefixes 8, 16, … d so that short
    vectors stay good (Kusupati et al. 2022), with W held near the identity; minimised by L-BFGS. The threshold and
    the scale are learned along.

    Args:
        data: (n, d) vectors, or a collection.
        pairs: (row, row, label) each, or (id, id, label) for a collection; a label above 0 is near, otherwise far.
        test: share of the pairs held out; pairs that share a row with a held-out one are not trained on.
        strength: how strongly W is held near the identity.
        seed: of the split.
        dims: leading dimensions of each vector to use.

    Raises:
        UsageError: fewer than 20 pairs, an unknown row, only near or only far pairs, or nothing left to train on.
    """
    rows = read_rows(data, dims)
    check_varied(rows.z, "customising")
    left, right, near = _read_pairs(pairs, {one: at for at, one in enumerate(rows.ids)}, len(rows))
    train, held = _split(left, right, near, check_share(test, "test"), seed)
    sizes = [size for size in _PREFIXES if size < rows.z.shape[1]] + [rows.z.shape[1]]
    used, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    z = rows.z[used].astype(np.float64)
    a, b = place[: len(left)], place[len(left) :]
    matrix = _learn(z, a[train], b[train], near[train], sizes, strength)
    moved = normalize(z @ matrix)
    plain = rows.z[used]
    report = [_judge(vectors, (a, b, near), train, held, seed) for vectors in (plain, moved)]
    prefixes = {
        size: (_auc_at(plain, size, a[held], b[held], near[held]), _auc_at(moved, size, a[held], b[held], near[held]))
        for size in sizes
    }
    model = (getattr(data.info, "fingerprint", "") or "") if rows.metadata is not None else ""
    return Customization(matrix.astype(np.float32), report[0], report[1], prefixes, int(held.sum()), model)


def _read_pairs(
    pairs: Pairs, known: dict[str, int], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    if len(pairs) < 20:
        raise UsageError(f"there are {len(pairs)} pairs, at least 20 are needed")
    ends = np.empty((len(pairs), 2), np.int64)
    near = np.empty(len(pairs), dtype=bool)
    for at, pair in enumerate(pairs):
        if len(pair) != 3:
            raise UsageError(f"pair {at} is {pair!r}, allowed are (row, row, label)")
        for side in (0, 1):
            row = known.get(str(pair[side]), -1)
            if row < 0:
                raise UsageError(f"pair {at} names {pair[side]!r}, which is none of the {n} rows")
            ends[at, side] = row
        near[at] = float(pair[2]) > 0
    if near.all() or not near.any():
        raise UsageError(f"all {len(near)} pairs are {'near' if near.all() else 'far'}: both kinds are needed")
    return ends[:, 0], ends[:, 1], near


def _split(
    left: NDArray[np.int64], right: NDArray[np.int64], near: NDArray[np.bool_], test: float, seed: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return masks of the pairs to learn from and to judge by, which share no row."""
    held = np.random.default_rng(seed).permutation(len(left)) < round(test * len(left))
    touched = np.unique(np.concatenate([left[held], right[held]]))
    train = ~held & ~np.isin(left, touched) & ~np.isin(right, touched)
    for part, name in ((train, "train on"), (held, "judge by")):
        if near[part].all() or not near[part].any():
            raise UsageError(
                f"with test={test}, {int(part.sum())} pairs are left to {name}, not of both kinds",
                hint="give more pairs that share no rows",
            )
    return train, held


def _learn(
    z: Doubles, a: NDArray[np.int64], b: NDArray[np.int64], near: NDArray[np.bool_], sizes: list[int], strength: float
) -> Doubles:
    from scipy.optimize import minimize

    width = z.shape[1]
    sign = np.where(near, 1.0, -1.0)
    # Both kinds weigh the same, however many there are of each.
    weight = np.where(near, 0.5 / near.sum(), 0.5 / (~near).sum())
    cosines = np.einsum("nd,nd->n", z[a], z[b])
    start_at = (cosines[near].mean() + cosines[~near].mean()) / 2
    hold = strength / np.sqrt(len(a))

    def loss(packed: Doubles) -> tuple[float, Doubles]:
        change, thresholds, log_scale = (
            packed[: width * width].reshape(width, width),
            packed[width * width : -1],
            packed[-1],
        )
        scale = float(np.exp(log_scale))
        moved = z + z @ change
        total, gradient = 0.5 * hold * float((change**2).sum()), np.zeros_like(moved)
        slopes = np.zeros(len(sizes) + 1)
        for at, size in enumerate(sizes):
            part = moved[:, :size]
            length = np.maximum(np.linalg.norm(part, axis=1), 1e-12)[:, None]
            unit = part / length
            cosine = np.einsum("nd,nd->n", unit[a], unit[b])
            margin = sign * scale * (cosine - thresholds[at])
            total += float((weight * np.logaddexp(0, -margin)).sum()) / len(sizes)
            pull = -weight * sign / (1 + np.exp(np.clip(margin, -500, 500))) / len(sizes)
            slopes[at] = -scale * float(pull.sum())
            slopes[-1] += scale * float((pull * (cosine - thresholds[at])).sum())
            along = np.zeros_like(unit)
            np.add.at(along, a, (scale * pull)[:, None] * (unit[b] - cosine[:, None] * unit[a]))
            np.add.at(along, b, (scale * pull)[:, None] * (unit[a] - cosine[:, None] * unit[b]))
            gradient[:, :size] += along / length
        return total, np.concatenate([(z.T @ gradient + hold * change).ravel(), slopes])

    start = np.concatenate([np.zeros(width * width), np.full(len(sizes), start_at), [np.log(10.0)]])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 60})
    return np.asarray(np.eye(width) + found.x[: width * width].reshape(width, width), dtype=np.float64)


def _judge(
    z: Floats, pairs: tuple[Any, Any, Any], train: NDArray[np.bool_], held: NDArray[np.bool_], seed: int
) -> dict[str, Any]:
    a, b, near = pairs
    cosine = np.einsum("nd,nd->n", z[a], z[b])
    threshold = best_threshold(cosine[train], near[train])
    right = (cosine[held] >= threshold) == near[held]
    interval: Interval = bootstrap(right, seed=seed)
    return {
        "accuracy": float(right.mean()),
        "interval": list(interval),
        "auc": roc_area(cosine[held], near[held]),
        "threshold": threshold,
    }


def _auc_at(z: Floats, size: int, a: NDArray[np.int64], b: NDArray[np.int64], near: NDArray[np.bool_]) -> float:
    short = truncate(z, size)
    return roc_area(np.einsum("nd,nd->n", short[a], short[b]), near)


def best_threshold(scores: NDArray[Any], near: NDArray[np.bool_]) -> float:
    """Return the score from which on calling a pair near is right most often."""
    order = np.argsort(-scores, kind="stable")
    right = np.concatenate([[(~near).sum()], (~near).sum() + np.cumsum(np.where(near[order], 1, -1))])
    best = int(right.argmax())
    edges = np.concatenate(
        [[scores[order[0]] + 1e-6], (scores[order][1:] + scores[order][:-1]) / 2, [scores[order[-1]] - 1e-6]]
    )
    return float(edges[best])


def roc_area(scores: NDArray[Any], near: NDArray[np.bool_]) -> float:
    """Return the chance that a near pair scores above a far one, ties counting half."""
    far = np.sort(scores[~near])
    below = (np.searchsorted(far, scores[near], "left") + np.searchsorted(far, scores[near], "right")) / 2
    return float(below.mean() / len(far))
