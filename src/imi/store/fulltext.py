"""What is asked of a collection's full text: rows that match, terms and how many rows hold them, the texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw
import numpy as np

from imi.store.rows import ascending
from imi.types import Floats, Rows


class FullText(ABC):
    """The part of a `Store` that reads the FTS5 table; every method must run inside `reading()`."""

    path: Path
    _counted: tuple[tuple[str | None, int, int] | None, dict[str, int]]
    """Terms and how many rows hold them, in one state of the file."""

    @property
    @abstractmethod
    def connection(self) -> apsw.Connection:
        """This thread's connection."""

    @property
    @abstractmethod
    def version(self) -> tuple[str | None, int, int]:
        """Which state of which file this is."""

    def match(self, query: str, limit: int, allowed: Rows | None = None) -> tuple[Rows, Floats]:
        """Return the rows that match an FTS5 query, best first, and their BM25 scores, higher is better."""
        if allowed is not None and len(allowed) == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        narrowed, parameters = ("", ()) if allowed is None else (" AND rowid IN carray(?)", (apsw.carray(allowed),))
        sql = f"SELECT rowid, -rank FROM fulltext WHERE fulltext MATCH ?{narrowed} ORDER BY rank LIMIT ?"
        found = list(self.connection.execute(sql, (query, *parameters, limit)))
        return np.array([row for row, _ in found], dtype=np.int64), np.array(
            [score for _, score in found], dtype=np.float32
        )

    def term_counts(self, terms: Sequence[str]) -> dict[str, int]:
        """Return how many rows hold each term of the full text; those that none holds are left out."""
        if self._counted[0] != (version := self.version):
            self._counted = (version, {})
        counted = self._counted[1]
        execute = self._vocabulary("row").execute
        for term in terms:
            if term not in counted:
                found = execute("SELECT doc FROM temp.vocabulary_row WHERE term = ?", (term,)).fetchone()
                counted[term] = 0 if found is None else int(found[0])
        return {term: counted[term] for term in terms if counted[term]}

    def longer_terms(self, start: str, limit: int) -> list[tuple[str, int]]:
        """Return the commonest terms that begin with another, and how many rows hold each."""
        sql = "SELECT term, doc FROM temp.vocabulary_row WHERE term > ? AND term < ? ORDER BY doc DESC, term LIMIT ?"
        return list(self._vocabulary("row").execute(sql, (start, start + "\U0010ffff", limit)))

    def occurrences(self, term: str) -> Iterator[tuple[int, int]]:
        """Iterate over the rows and places, counted in tokens from 0, at which a term occurs."""
        return self._vocabulary("instance").execute(
            'SELECT doc, "offset" FROM temp.vocabulary_instance WHERE term = ?', (term,)
        )

    def _vocabulary(self, kind: str) -> apsw.Connection:
        """Return this thread's connection, with FTS5's view of the index's terms at `temp.vocabulary_KIND`."""
        execute = self.connection.execute
        if not execute("SELECT 1 FROM temp.sqlite_schema WHERE name = ?", (f"vocabulary_{kind}",)).fetchone():
            execute(f"CREATE VIRTUAL TABLE temp.vocabulary_{kind} USING fts5vocab('main', 'fulltext', '{kind}')")
        return self.connection

    def texts(self, *, after: int, limit: int) -> tuple[list[int], list[str | None]]:
        """Return the numbers and texts of the rows above `after`, at most `limit`; None for rows without a text."""
        sql = "SELECT row, text FROM documents WHERE row > ? ORDER BY row LIMIT ?"
        found = list(ascending(self.connection.execute(sql, (after, limit)), after, self.path))
        return [row for row, _ in found], [text for _, text in found]

    def text_count(self) -> int:
        """Return how many rows the full text has; SQLite counts them, some milliseconds for a million."""
        return int(self.connection.execute("SELECT count(*) FROM fulltext_docsize").get)
