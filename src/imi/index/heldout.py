"""Rows held out of a structure, so that a plan is verified by queries the structure has never seen.

A row of a graph is found far more easily than a query like it, since its neighbours are linked to it; rows moved a
little flatter as well (docs/LOG.md). So the planner builds without some rows, asks for them, and keeps what it built:
a row held out is found through the rows nearest to it, which are in the structure.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.types import Rows

LINKS = 10
"""Rows of the structure through which one that was held out is found."""


class HeldOut:
    """The rows that a structure lacks, and through which of its rows each is found."""

    def __init__(self, rows: Rows, through: Rows, count: int) -> None:
        """Link rows.

        Args:
            rows: (h,) numbers of the rows held out, each once.
            through: (h, m) numbers of rows in the structure that are nearest to each; -1 for none.
            count: rows in all.
        """
        order = np.argsort(rows)
        self.rows = rows = rows[order]
        self.through = through = np.ascontiguousarray(through[order])
        # A structure that holds one all the same, far out, must not find it twice: it is a node that leads nowhere.
        self._links: dict[int, list[int]] = {row: [] for row in rows.tolist()}
        self._held = frozenset(self._links)
        for row, near in zip(rows.tolist(), through.tolist(), strict=True):
            for node in near:
                if node >= 0:
                    self._links.setdefault(node, []).append(row)
        self._marked = np.zeros(count + 1, dtype=bool)  # the last is for -1, no row
        self._marked[list(self._links)] = True

    @cached_property
    def unlinked(self) -> HeldOut:
        """The same rows with nothing linked to them: they are not found then."""
        return HeldOut(self.rows, np.full_like(self.through, -1), len(self._marked) - 1)

    def added_to(self, found: Rows) -> Rows:
        """Return shortlists (b, K) with the held-out rows linked to theirs in front, -1 where a list has fewer."""
        flat = found.reshape(-1)
        places = self._marked.take(flat).nonzero()[0]
        if not len(places):
            return found
        nodes = flat.take(places).tolist()
        if not self._held.isdisjoint(nodes):
            found = np.where(np.isin(found, self.rows), -1, found)
        if len(found) == 1:  # the common case: what many need would cost it more than the rerank
            one = sorted(set().union(*map(self._links.__getitem__, nodes)))
            return np.array([one + found[0].tolist()], dtype=np.int64)
        linked: list[set[int]] = [set() for _ in found]
        for at, node in zip((places // found.shape[1]).tolist(), nodes, strict=True):
            linked[at].update(self._links[node])
        most = max(map(len, linked))
        more = [sorted(rows) + [-1] * (most - len(rows)) for rows in linked]
        return np.concatenate([np.array(more, dtype=np.int64), found], axis=1)


def without(rows: Rows, held: Rows | None, keep: int) -> tuple[NDArray[Any], Rows]:
    """Cut lists (b, K) to `keep` places, those of rows held out and of none (-1) last.

    Returns:
        The places (b, keep) and which of their lists have as many rows that are not held out, (b,) bool.
    """
    out = rows < 0 if held is None else (rows < 0) | np.isin(rows, held)
    places = np.argsort(out, axis=1, kind="stable")[:, :keep]
    return places, (~out).sum(axis=1) >= keep
