"""Regression: predict a number from vectors by kernel ridge regression, and compare with always saying the mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.figures import COLOURS, new_figure, save_figure, say_above
from imi.tasks.intervals import Interval, bootstrap
from imi.tasks.kernel_ridge import Kernel, fit_kernel
from imi.tasks.neighbours import copies_of
from imi.tasks.plain import has_words, no_words, words_numbers
from imi.tasks.report import Findings, Phrase, Reported, ReportTable, span
from imi.tasks.rows import Rows, check_share, check_varied, read_rows
from imi.types import Floats

Doubles = NDArray[np.float64]
Method = Literal["vectors", "words", "mean"]
METHODS: tuple[Method, ...] = get_args(Method)
NAMES = {
    "vectors": Phrase("vectors", "ベクトル"),
    "words": Phrase("TF-IDF and ridge regression", "TF-IDF とリッジ回帰"),
    "mean": Phrase("always the mean", "常に平均値"),
}


@dataclass(frozen=True)
class Reader:
    """Reads a number in a vector; predictions are clipped to the range that was seen in training."""

    kernel: Kernel
    low: float
    high: float

    def predict(self, z: Any) -> Doubles:
        """Return one number for each vector, (n,)."""
        return np.asarray(np.clip(self.kernel.read(z)[:, 0], self.low, self.high), dtype=np.float64)


@dataclass(frozen=True)
class Regression(Reported):
    """Errors on the n held-out rows, and the regression, trained afterwards on all rows.

    interval: 95 % of the mean squared error. dummy: mae and mse of always predicting the training rows' mean.
    truth, predicted: (n,) of the held-out rows.
    """

    mae: float
    mse: float
    interval: Interval
    dummy: dict[str, float]
    n: int
    truth: Doubles
    predicted: Doubles
    reader: Reader
    baselines: tuple[dict[str, Any], ...] = ()
    worst: tuple[tuple[Any, ...], ...] = ()
    method: str = "vectors"

    def findings(self) -> Findings:
        """Return the errors beside the plain methods', and the rows that are farthest off."""
        few = self.n < 100
        says = [
            Phrase(
                f"judged on {self.n} rows that were held out"
                + (" – few: small differences say nothing" if few else ""),
                f"学習に使わなかった {self.n} 件で評価" + ("（少数なので小さな差に意味はありません）" if few else ""),
            )
        ]
        best = min(self.baselines, key=lambda one: one["mse"], default=None)
        if best is not None:
            low, high = best["interval"]
            better = best["mse"] < self.mse
            says.append(
                Phrase(
                    f"baseline: {NAMES[best['method']].en} has a mean squared error of {best['mse']:.3f}, "
                    f"{best['ahead']:+.3f} ({low:+.3f} to {high:+.3f})"
                    + (f"; --method {best['method']} uses it" if better else ""),
                    f"ベースライン：{NAMES[best['method']].ja}の平均二乗誤差は {best['mse']:.3f}、"
                    f"差 {best['ahead']:+.3f}（{low:+.3f}〜{high:+.3f}）"
                    + (f"。--method {best['method']} で使えます" if better else ""),
                )
            )
        rows: list[list[Any]] = [[NAMES[self.method], self.mse, span(*self.interval), self.mae]]
        rows += [[NAMES[one["method"]], one["mse"], "", one["mae"]] for one in self.baselines]
        columns = (
            Phrase("method", "方法"),
            Phrase("mean squared error", "平均二乗誤差"),
            Phrase("95 %", "95% 信頼区間"),
            Phrase("mean absolute error", "平均絶対誤差"),
        )
        off = ReportTable(
            (Phrase("id", "ID"), Phrase("text", "テキスト"), Phrase("true", "正解"), Phrase("predicted", "予測")),
            self.worst,
            Phrase("Farthest off", "誤差の大きい行"),
        )
        tables = (ReportTable(columns, rows), *((off,) if self.worst else ()))
        return Findings(Phrase("Regression", "回帰"), tuple(says), tables)

    def predict(self, z: Any) -> Doubles:
        """Return one number for each vector, (n,)."""
        return self.reader.predict(z)

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {
            "mae": self.mae,
            "mse": self.mse,
            "interval": list(self.interval),
            "dummy": self.dummy,
            "n": self.n,
            "baseline": min(self.baselines, key=lambda one: one["mse"], default=None),
            "baselines": list(self.baselines),
        }

    def figure(self, path: str | Path) -> None:
        """Draw predictions against the truth: boxes where the truth has few values, points otherwise."""
        figure, axes = new_figure(6, 5)
        values = np.unique(self.truth)
        if len(values) <= 12:
            width = 0.6 * float(np.diff(values).min()) if len(values) > 1 else 0.6
            groups = [self.predicted[self.truth == value] for value in values]
            axes.boxplot(
                groups,
                positions=values,
                widths=width,
                manage_ticks=False,
                medianprops={"color": COLOURS[0], "linewidth": 2},
            )
        else:
            axes.plot(self.truth, self.predicted, ".", color=COLOURS[0], alpha=0.5, markersize=4)
        low, high = float(self.truth.min()), float(self.truth.max())
        axes.plot([low, high], [low, high], color=COLOURS[5], linewidth=1)
        axes.set_xlabel("true")
        axes.set_ylabel("predicted")
        figures = f"MSE {self.mse:.3f} (mean alone {self.dummy['mse']:.3f}), MAE {self.mae:.3f}, n = {self.n}"
        say_above(axes, "The nearer to the line, the better the prediction", figures)
        save_figure(figure, path)


def regress(
    data: Any,
    y: Sequence[float] | NDArray[Any] | str,
    test: float = 0.2,
    seed: int = 0,
    dims: int | None = None,
    *,
    sentences: bool | None = False,
    texts: Sequence[str] | None = None,
    method: Method = "vectors",
) -> Regression:
    """Train on a part of the rows, predict the number of the rest, and report beside the plain ways of doing it.

    Args:
        data: (n, d) vectors, or a collection.
        y: n numbers; for a collection, the column that holds them. Rows with None are left out.
        test: share of the rows held out; copies of a row stay on one side.
        seed: of the split.
        dims: leading dimensions of each vector to use.
        sentences: read a collection's texts also sentence by sentence (`imi.tasks.parts`): better where they are long.
            None: where that pays.
        texts: n texts for an array, for the baseline by words; a collection brings its own.
        method: "vectors", or a plain one: "words" (TF-IDF and ridge regression) or "mean" (of the training rows).

    Raises:
        UsageError: values that are not numbers, all the same, fewer than ten, an unknown column or method, a share
            outside 0 to 1, "words" without texts.
        MissingExtra: "words" without scikit-learn.
    """
    if method not in METHODS:
        raise UsageError(f"method is {method!r}, allowed are {', '.join(METHODS)}")
    rows = read_rows(data, dims, texts, sentences=sentences)
    kept, numbers = numbered_rows(len(rows), rows.column(y) if isinstance(y, str) else y)
    rows = rows.take(kept)
    check_varied(rows.z, "regression")
    train, held = _split(copies_of(rows.z)[1], check_share(test, "test"), seed)
    read = {
        "vectors": fit_numbers(rows.z[train], numbers[train], seed=seed).predict(rows.z[held]),
        "mean": np.full(len(held), float(numbers[train].mean())),
    }
    if has_words(rows.texts) and rows.texts is not None:
        read["words"] = words_numbers(rows.texts, numbers, train, held)
    elif method == "words":
        no_words(rows)
    truth = numbers[held]
    squares = (read[method] - truth) ** 2
    dummy = truth - read["mean"]
    return Regression(
        float(np.abs(read[method] - truth).mean()),
        float(squares.mean()),
        bootstrap(squares, seed=seed),
        {"mae": float(np.abs(dummy).mean()), "mse": float((dummy**2).mean())},
        len(held),
        truth,
        read[method],
        fit_numbers(rows.z, numbers, seed=seed),
        _plain_readings(read, method, truth, seed),
        _farthest_off(rows, held, truth, read[method]),
        method,
    )


def _split(same: NDArray[np.int64], test: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows to train on and those held out; copies, which share a number in `same`, stay on one side."""
    sets = np.random.default_rng(seed).permutation(int(same.max()) + 1)
    inside = np.isin(same, sets[: max(1, round(test * len(sets)))])
    if (~inside).sum() < 5:
        raise UsageError(
            f"test={test} of {len(same)} rows leaves {int((~inside).sum())} to train on, at least 5 are needed"
        )
    return np.flatnonzero(~inside), np.flatnonzero(inside)


def _plain_readings(read: Mapping[str, Doubles], method: str, truth: Doubles, seed: int) -> tuple[dict[str, Any], ...]:
    """Return errors of the plain methods, and by how much their squared error is more than that of `method`."""
    own = (read[method] - truth) ** 2
    found = []
    for name, values in read.items():
        if name in (method, "vectors"):
            continue
        squares = (values - truth) ** 2
        found.append(
            {
                "method": name,
                "mse": float(squares.mean()),
                "mae": float(np.abs(values - truth).mean()),
                "ahead": float((squares - own).mean()),
                "interval": list(bootstrap(squares - own, seed=seed)),
            }
        )
    return tuple(found)


def _farthest_off(rows: Rows, held: NDArray[np.int64], truth: Doubles, read: Doubles, most: int = 8) -> tuple[Any, ...]:
    text_of = rows.texts or [""] * len(rows)
    found: dict[Any, tuple[Any, ...]] = {}
    for at in np.argsort(-np.abs(read - truth), kind="stable"):
        row = held[at]
        found.setdefault(text_of[row] or row, (rows.ids[row], text_of[row], float(truth[at]), float(read[at])))
        if len(found) == most:
            break
    return tuple(found.values())


def numbered_rows(n: int, y: Sequence[Any] | NDArray[Any]) -> tuple[NDArray[np.bool_], Doubles]:
    """Return which of n rows have a number (n,), and these numbers.

    Raises:
        UsageError: the numbers of values and rows differ, a value is not a number, or they are too few or all the same.
    """
    if len(y) != n:
        raise UsageError(
            f"there are {len(y)} numbers for {n} vectors", hint="give one number a row, None where it is unknown"
        )
    values = np.full(n, np.nan)
    for row, value in enumerate(y):
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        try:
            values[row] = float(value)
        except (TypeError, ValueError) as wrong:
            raise UsageError(
                f"row {row} holds {value!r}, which is not a number", hint="imi classify predicts labels"
            ) from wrong
    known = np.isfinite(values)
    if known.sum() < 10:
        raise UsageError(f"{int(known.sum())} rows have a number, at least 10 are needed")
    if np.ptp(values[known]) == 0:
        raise UsageError(f"all {int(known.sum())} numbers are {values[known][0]:g}: there is nothing to predict")
    return known, values[known]


def fit_numbers(z: Floats, y: Doubles, *, seed: int = 0) -> Reader:
    """Fit what reads a number in unit rows (n, d): kernel ridge regression, its dials set by leave-one-out."""
    return Reader(fit_kernel(z, y[:, None], seed=seed).kernel, float(y.min()), float(y.max()))
