"""What searches cost in arithmetic: exact, a graph, a ladder, for one's own number of rows, dims and shortlist."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imi.errors import UsageError


@dataclass(frozen=True, slots=True)
class SearchCost:
    """One way to search and its multiplications and additions a query, in millions; `formula` is its order."""

    way: str
    formula: str
    mflops: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"way": self.way, "formula": self.formula, "mflops": self.mflops}


def cost_table(rows: int, width: int, shortlist: int = 200, first: int = 16) -> list[SearchCost]:
    """Count the arithmetic of a query as the Matryoshka paper does: d for each comparison, log2 N steps down a graph.

    Args:
        rows: N, vectors searched.
        width: d, dimensions of each.
        shortlist: K, candidates that are reranked by all dimensions.
        first: dimensions that the first rung compares.

    Returns:
        Exact search O(dN), a graph O(d log N), the reranking alone, and adaptive retrieval of both kinds.

    Raises:
        UsageError: one of them is below 1, or first is above the width.
    """
    if min(rows, width, shortlist, first) < 1 or first > width:
        raise UsageError(
            f"rows={rows}, width={width}, shortlist={shortlist}, first={first}: at least 1, first at most the width",
            hint="1000000 rows of 512 dimensions, a shortlist of 200, 16 dimensions first",
        )
    steps = math.log2(max(rows, 2))
    rerank = funnel_mflops([(shortlist, width)])
    return [
        SearchCost("exact", "d·N", rows * width / 1e6),
        SearchCost("graph", "d·log N", steps * width / 1e6),
        SearchCost("rerank", "d·K", rerank),
        SearchCost("adaptive, exact shortlist", "Ds·N + d·K", rows * first / 1e6 + rerank),
        SearchCost("adaptive, graph shortlist", "Ds·log N + d·K", steps * first / 1e6 + rerank),
    ]


def funnel_mflops(stages: Sequence[tuple[int, int]]) -> float:
    """Return the millions of multiply-adds of stages given as (candidates, dims)."""
    return sum(candidates * dims for candidates, dims in stages) / 1e6
