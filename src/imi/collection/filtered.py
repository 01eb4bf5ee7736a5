"""The rows that a filter lets pass, remembered until the collection changes: reading all metadata takes long."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict

from imi.collection.columns import FieldColumns
from imi.hashing import blake2b
from imi.store.filters import Condition
from imi.store.store import Store
from imi.types import Rows

_FILTERS = 64
_COLUMNS_FROM = 5000
"""Rows from which fields are kept as columns: below, a filter is read in some milliseconds."""
_ROWS = 8_000_000
"""Rows of all remembered filters together: 64 MB."""


class FilteredRows:
    """Remembers the rows of the filters asked for last, of one state of the collection; safe to share by threads."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._version: tuple[str | None, int, int] | None = None
        self._kept: OrderedDict[bytes, Rows] = OrderedDict()
        self._columns, self._reading = FieldColumns(), threading.Lock()

    def rows_of(self, store: Store, condition: Condition) -> Rows:
        """Return the numbers of the rows that pass, ascending, in an array that cannot be written to.

        Must run inside `reading()`. Within a transaction that writes, the file is asked each time.
        """
        if not store.committed:
            return store.rows_of(condition)
        if self._pid != os.getpid():
            # Another thread of the parent may have held them.
            self._lock, self._reading, self._pid = threading.Lock(), threading.Lock(), os.getpid()
            self._columns = FieldColumns()
        version, key = store.version, _key(condition)
        with self._lock:
            if version != self._version:
                self._kept.clear()
                self._version = version
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        if store.count() < _COLUMNS_FROM:
            rows = store.rows_of(condition)
        else:
            with self._reading:
                rows = self._columns.rows_of(store, condition)
        rows.setflags(write=False)
        with self._lock:
            if version == self._version:
                self._kept[key] = rows
                while len(self._kept) > _FILTERS or sum(map(len, self._kept.values())) > _ROWS:
                    self._kept.popitem(last=False)
        return rows


def _key(condition: Condition) -> bytes:
    """Return a short name of a filter: one over a list of a million ids is as long as they are."""
    return blake2b(repr((condition.sql, condition.parameters)).encode(), digest_size=16).digest()
