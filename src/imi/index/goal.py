"""What a plan has to reach: a mean recall, or a recall that so many of all queries reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError

Recalls = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Goal:
    """The recall that is asked for.

    recall: share of the k exact neighbours that a search must find, above 0 and at most 1. share: which share of the
    queries must each reach that recall; None where their mean must.
    """

    recall: float = 0.95
    share: float | None = None

    @classmethod
    def of(cls, asked: float | Goal) -> Goal:
        """Return a goal for a mean recall, or the goal itself, after a look at its values.

        Raises:
            UsageError: a value is not above 0 and at most 1.
        """
        goal = asked if isinstance(asked, Goal) else cls(asked)
        if not 0 < goal.recall <= 1:
            raise UsageError(f"target_recall={goal.recall}: a share above 0 and at most 1 is needed", hint="0.95")
        if goal.share is not None and not 0 < goal.share <= 1:
            raise UsageError(f"share={goal.share}: a share of queries above 0 and at most 1 is needed", hint="0.95")
        return goal

    @property
    def bar(self) -> float:
        """What `value` must reach."""
        return self.recall if self.share is None else self.share

    def value(self, recalls: Recalls) -> float:
        """Return the mean of these queries' recalls, or which share of them reach the recall."""
        return float(recalls.mean() if self.share is None else (recalls >= self.recall - 1e-9).mean())

    def chance(self, count: int) -> float:
        """Return by how much so many queries may miss the goal by chance: a share of few is known less well."""
        return 0.004 if self.share is None else max(0.004, math.sqrt(self.share * (1 - self.share) / max(count, 1)))

    def worst(self, groups: Sequence[NDArray[Any]]) -> float:
        """Return the lowest value among several groups of queries: a goal is reached when each of them reaches it."""
        return min(self.value(group) for group in groups)

    def __str__(self) -> str:
        text = f"recall {self.recall:g}"
        return text if self.share is None else f"{text} for {self.share:g} of the queries"
