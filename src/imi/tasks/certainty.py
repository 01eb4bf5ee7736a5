"""How far confidences can be trusted: how often answers of a confidence are right, and what abstaining would bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.tasks.report import Phrase, ReportTable
from imi.types import Floats

_LIMITS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_BINS = 10
_FEWEST = 5
"""Answers from which a share of right ones is worth printing."""


@dataclass(frozen=True)
class Certainty:
    """Of answers with at least each confidence (limit, share answered, share of these that is right, answers).

    error: the mean distance between confidence and share of right answers over tenths of confidence (expected
    calibration error, Naeini et al. 2015).
    """

    limits: tuple[tuple[float, float, float, int], ...]
    error: float

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        rows = [
            {"confidence": limit, "answered": answered, "right": right, "n": n}
            for limit, answered, right, n in self.limits
        ]
        return {"error": self.error, "limits": rows}

    def table(self, option: str = "--abstain") -> ReportTable:
        """Return what each limit would leave, as a table; `option` sets the limit."""
        columns = (
            Phrase("confidence from", "確信度の下限"),
            Phrase("answered", "回答の割合"),
            Phrase("right", "正解率"),
            Phrase("answers", "回答数"),
        )
        off = f"{self.error:.3f}"
        title = Phrase(
            f"How far to trust the confidence (off by {off} on average; {option} sets the limit)",
            f"確信度の信頼性（平均のずれ {off}、下限は {option} で指定）",
        )
        return ReportTable(columns, [list(row) for row in self.limits], title)


def certainty_of(confidence: Floats, right: NDArray[np.bool_]) -> Certainty | None:
    """Return how far the confidences (n,) of answers that are right or not (n,) can be trusted; None of few answers."""
    n = len(confidence)
    if n < 2 * _FEWEST:
        return None
    found = []
    for limit in _LIMITS:
        kept = confidence >= limit
        if kept.sum() >= _FEWEST:
            found.append((limit, float(kept.mean()), float(right[kept].mean()), int(kept.sum())))
    place = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    off = np.bincount(place, weights=confidence - right, minlength=_BINS)
    return Certainty(tuple(found), float(np.abs(off).sum() / n))
