"""Adaptive classification: use few dimensions, and more only where few are not sure (Kusupati et al. 2022, appendix).

A classifier for each dims gives probabilities. The cascade takes the label of the first dims whose highest
probability reaches a threshold. Thresholds are learnt on a validation part, one between each two neighbouring dims:
of a grid of 100 points, the smallest of the best for "this dims where sure, else the next". As a prefix is part of
the longer vector, what a row costs is the last dims it was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imi.errors import UsageError

Doubles = NDArray[np.float64]
GRID = np.linspace(0.1, 1.0, 100)


@dataclass(frozen=True)
class CascadeStep:
    """The cascade ending at one dims, over all seeds: mean and standard deviation.

    Attributes:
        dims: the most dimensions a row may be asked for.
        single: accuracy of that dims alone on the same test rows.
        accuracy: of the cascade.
        accuracy_std: its standard deviation over the seeds.
        expected_dims: how many dimensions a row used, on average.
        expected_std: its standard deviation over the seeds.
    """

    dims: int
    single: float
    accuracy: float
    accuracy_std: float
    expected_dims: float
    expected_std: float


@dataclass(frozen=True)
class Adaptive:
    """What adaptive classification gives: one step for each dims, and how far choosing could go at best.

    Attributes:
        steps: by growing dims; the first is the smallest dims alone.
        thresholds: learnt on all validation rows of the first seed, between neighbouring dims.
        oracle: accuracy if each row were given to a dims that is right about it, where there is one.
        n: how many test rows each seed had.
    """

    steps: tuple[CascadeStep, ...]
    thresholds: tuple[float, ...]
    oracle: float
    n: int

    def cheapest(self, within: float = 0.0) -> CascadeStep | None:
        """Return the step with the fewest expected dims whose accuracy is at most `within` below the largest dims.

        None where no step is: the largest dims, asked alone, are then better than every cascade.
        """
        bar = self.steps[-1].single - within
        return min((s for s in self.steps if s.accuracy >= bar), key=lambda s: s.expected_dims, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "steps": [asdict(step) for step in self.steps],
            "thresholds": list(self.thresholds),
            "oracle": self.oracle,
            "n": self.n,
        }


def adaptive(
    probabilities: Mapping[int, ArrayLike],
    labels: ArrayLike,
    *,
    validation: float | int = 0.2,
    seeds: int = 30,
    grid: ArrayLike = GRID,
) -> Adaptive:
    """Measure adaptive classification by thresholds on the highest probability.

    Args:
        probabilities: for each dims the (n, classes) probabilities of its own classifier on rows it was not trained on.
        labels: (n,) true classes, numbered as the columns.
        validation: share, or number, of rows to learn thresholds on; the rest is scored.
        seeds: how many random parts to average over.
        grid: thresholds to try, ascending.

    Raises:
        UsageError: shapes that differ, values outside 0 to 1, or a validation part that leaves nothing.
    """
    sizes = sorted(probabilities)
    truth = np.asarray(labels)
    sure, right = _confidence([np.asarray(probabilities[size], np.float64) for size in sizes], truth)
    held = round(validation * len(truth)) if isinstance(validation, float) else validation
    if not 0 < held < len(truth):
        raise UsageError(f"validation is {validation} of {len(truth)} rows, at least one row must be on either side")
    tries = np.asarray(grid, np.float64)
    accuracies, costs, singles, oracles = [], [], [], []
    first: tuple[float, ...] = ()
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(truth))
        thresholds = _learn(sure[:, order[:held]], right[:, order[:held]], tries)
        first = first or thresholds
        test = order[held:]
        accuracy, cost = _run(sure[:, test], right[:, test], thresholds, np.asarray(sizes, np.float64))
        accuracies.append(accuracy)
        costs.append(cost)
        singles.append(right[:, test].mean(axis=1))
        oracles.append(right[:, test].any(axis=0).mean())
    mean, spread = np.mean(accuracies, axis=0), np.std(accuracies, axis=0)
    cost, cost_spread, alone = np.mean(costs, axis=0), np.std(costs, axis=0), np.mean(singles, axis=0)
    table = zip(sizes, alone, mean, spread, cost, cost_spread, strict=True)
    steps = tuple(CascadeStep(row[0], *map(float, row[1:])) for row in table)
    return Adaptive(steps, first, float(np.mean(oracles)), len(truth) - held)


def _confidence(parts: list[Doubles], truth: NDArray[Any]) -> tuple[Doubles, Doubles]:
    """Return the highest probability and whether it is right, each (dims, n)."""
    shapes = {part.shape for part in parts}
    if len(shapes) != 1 or len(parts[0].shape) != 2 or len(parts[0]) != len(truth):
        raise UsageError(f"probabilities have shapes {sorted(shapes)} for {len(truth)} labels, allowed is (n, classes)")
    if any(part.min() < 0 or part.max() > 1 + 1e-6 for part in parts):
        raise UsageError("probabilities lie outside 0 to 1", hint="give softmax outputs, not logits")
    return np.stack([part.max(axis=1) for part in parts]), np.stack(
        [(part.argmax(axis=1) == truth).astype(np.float64) for part in parts]
    )


def _learn(sure: Doubles, right: Doubles, grid: Doubles) -> tuple[float, ...]:
    """Return the smallest best threshold between each two neighbouring dims."""
    out = []
    for at in range(len(sure) - 1):
        stays = sure[at][None, :] >= grid[:, None]
        accuracy = np.where(stays, right[at], right[at + 1]).mean(axis=1)
        # Sums of equal hits may differ in the last bit; argmax then still means the smallest of the best.
        out.append(float(grid[np.argmax(np.round(accuracy, 12))]))
    return tuple(out)


def _run(sure: Doubles, right: Doubles, thresholds: tuple[float, ...], sizes: Doubles) -> tuple[Doubles, Doubles]:
    """Return accuracy and expected dims of the cascades that end at each dims, (dims,) each."""
    accuracy, cost = np.empty(len(sizes)), np.empty(len(sizes))
    for last in range(len(sizes)):
        used = np.full(sure.shape[1], last)
        for at in range(last - 1, -1, -1):
            used[sure[at] >= thresholds[at]] = at
        accuracy[last] = right[used, np.arange(len(used))].mean()
        cost[last] = sizes[used].mean()
    return accuracy, cost
