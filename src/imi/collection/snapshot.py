"""What a reader holds in memory: the vectors of one state of the file, brought forward by what changed since."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imi.index.exact import Exact
from imi.store.store import Store

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Snapshot:
    """Vectors by position and the row each belongs to, ascending, as of `changes`.

    Frozen, so that threads share it: a change of the file makes a new one, and searches under way end with the old.
    """

    epoch: int
    changes: int
    last_row: int
    last_deletion: int
    rows: Rows
    index: Exact

    @classmethod
    def read(cls, store: Store) -> Snapshot:
        """Read all vectors; must run inside `reading()`."""
        rows, vectors = store.vectors()
        last_deletion, _ = store.deletions()
        return cls(store.epoch, store.changes, int(rows[-1]) if len(rows) else 0, last_deletion, rows, Exact(vectors))

    def advanced(self, store: Store) -> Snapshot:
        """Return the snapshot of the state that `reading()` shows, reading only what changed since this one."""
        changes = store.changes
        if changes == self.changes:
            return self
        if len(self.rows) == 0 or store.epoch != self.epoch:
            return Snapshot.read(store)
        last_deletion, deleted = store.deletions(self.last_deletion)
        new_rows, new_vectors = store.vectors(after=self.last_row)
        if len(deleted) == 0 and len(new_rows) == 0:
            return replace(self, changes=changes, last_deletion=last_deletion)
        kept = ~np.isin(self.rows, deleted)
        rows = np.concatenate([self.rows[kept], new_rows])
        vectors = np.concatenate([self.index.vectors[kept], new_vectors])
        last_row = int(new_rows[-1]) if len(new_rows) else self.last_row
        return Snapshot(self.epoch, changes, last_row, last_deletion, rows, Exact(vectors))

    def search(
        self, vector: Floats, k: int, allowed: Rows | None = None, dims: int | None = None
    ) -> tuple[Floats, Rows]:
        """Return the k best scores and positions for one vector, -1 where there are fewer."""
        index = self.index if dims is None else Exact(self.index.vectors, dims=dims)
        scores, found = index.search(vector, k, allowed)
        return scores[0], found[0]

    def positions(self, rows: Rows) -> Rows:
        """Return where the vectors of these rows stand; rows without one are left out."""
        if len(self.rows) == 0:
            return np.empty(0, np.int64)
        at = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.asarray(at[self.rows[at] == rows], dtype=np.int64)
