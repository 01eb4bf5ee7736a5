"""Regression: predict a number from vectors by kernel ridge regression, and compare with always saying the mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.tasks.intervals import Interval, bootstrap
from imi.tasks.kernel_ridge import Kernel, fit_kernel
from imi.tasks.plots import COLOURS, new_figure, save_figure
from imi.tasks.rows import check_share, check_varied, read_rows
from imi.vectors import Floats

Doubles = NDArray[np.float64]


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
class Regression:
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

    def predict(self, z: Any) -> Doubles:
        """Return one number for each vector, (n,)."""
        return self.reader.predict(z)

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {"mae": self.mae, "mse": self.mse, "interval": list(self.interval), "dummy": self.dummy, "n": self.n}

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
        axes.set_title(
            f"MSE {self.mse:.3f} (mean alone {self.dummy['mse']:.3f}), MAE {self.mae:.3f}, n = {self.n}", fontsize=11
        )
        save_figure(figure, path)


def regress(
    data: Any,
    y: Sequence[float] | NDArray[Any] | str,
    test: float = 0.2,
    seed: int = 0,
    dims: int | None = None,
    *,
    sentences: bool = False,
) -> Regression:
    """Train on a part of the rows, predict the number of the rest, and report.

    Args:
        data: (n, d) vectors, or a collection.
        y: n numbers; for a collection, the column that holds them. Rows with None are left out.
        test: share of the rows held out.
        seed: of the split.
        dims: leading numbers of each vector to use.
        sentences: read a collection's texts also sentence by sentence (`imi.tasks.parts`): better where they are long.

    Raises:
        UsageError: values that are no numbers, all the same, fewer than ten, an unknown column, a share outside 0 to 1.
    """
    rows = read_rows(data, dims, sentences=sentences)
    z, numbers = numbered(rows.z, rows.column(y) if isinstance(y, str) else y)
    check_varied(z, "regression")
    order = np.random.default_rng(seed).permutation(len(z))
    held, train = np.split(order, [max(1, round(check_share(test, "test") * len(z)))])
    if len(train) < 5:
        raise UsageError(f"test={test} of {len(z)} rows leaves {len(train)} to train on, at least 5 are needed")
    predicted = fit_numbers(z[train], numbers[train], seed=seed).predict(z[held])
    truth, mean = numbers[held], float(numbers[train].mean())
    squares = (predicted - truth) ** 2
    dummy = {"mae": float(np.abs(truth - mean).mean()), "mse": float(((truth - mean) ** 2).mean())}
    mae = float(np.abs(predicted - truth).mean())
    return Regression(
        mae,
        float(squares.mean()),
        bootstrap(squares, seed=seed),
        dummy,
        len(held),
        truth,
        predicted,
        fit_numbers(z, numbers, seed=seed),
    )


def numbered(z: Floats, y: Sequence[Any] | NDArray[Any]) -> tuple[Floats, Doubles]:
    """Return the rows that have a number, and their numbers.

    Raises:
        UsageError: the numbers of values and rows differ, a value is no number, or they are too few or all the same.
    """
    if len(y) != len(z):
        raise UsageError(
            f"there are {len(y)} numbers for {len(z)} vectors", hint="give one number a row, None where it is unknown"
        )
    values = np.full(len(z), np.nan)
    for row, value in enumerate(y):
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        try:
            values[row] = float(value)
        except (TypeError, ValueError) as wrong:
            raise UsageError(
                f"row {row} holds {value!r}, which is no number", hint="imi classify predicts labels"
            ) from wrong
    known = np.isfinite(values)
    if known.sum() < 10:
        raise UsageError(f"{int(known.sum())} rows have a number, at least 10 are needed")
    if np.ptp(values[known]) == 0:
        raise UsageError(f"all {int(known.sum())} numbers are {values[known][0]:g}: there is nothing to predict")
    return z[known], values[known]


def fit_numbers(z: Floats, y: Doubles, *, seed: int = 0) -> Reader:
    """Fit what reads a number in unit rows (n, d): kernel ridge regression, its dials set by leave-one-out."""
    return Reader(fit_kernel(z, y[:, None], seed=seed).kernel, float(y.min()), float(y.max()))
