"""The derived index of a collection's words: up to date with the file before each search, written after writes.

Nothing here is the truth. Where the files are missing, damaged, behind by many rows, or the collection is small, there
is no index and FTS5 answers, which takes some microseconds for every text that holds a word of the query.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from imi.errors import Damaged, TooNew
from imi.index.manifest import MANIFEST
from imi.index.policy import IndexPolicy
from imi.index.words import Words
from imi.store.store import Store
from imi.text.lexical import index_tokens

FOLDER = "words"
_TOKENS = 1
"""Counts up when `imi.text.lexical` cuts texts differently."""


class WordIndex:
    """Holds the postings of one collection; safe to share between threads."""

    def __init__(self, store: Store, folder: Path, policy: IndexPolicy | None = None) -> None:
        """Set up; nothing is read yet.

        Args:
            store: whose texts.
            folder: of the collection's index; the words have a subfolder in it.
            policy: when the index is written; None for the default.
        """
        self._store = store
        self._policy = policy or IndexPolicy()
        self.folder = folder / FOLDER
        self._lock = threading.RLock()
        self._reset()

    def _reset(self) -> None:
        self._words: Words | None = None
        self._changes = -1
        self._of: str | None = None  # the file, by its own identity
        self._row = self._deletion = 0
        self._stamp = -1
        self._ahead: int | None = None  # the changes of words that were of a later state than was seen
        self._unchecked = True
        self._pid = os.getpid()

    def forget(self) -> None:
        """Let go of what is held in memory; the next search reads it again."""
        with self._lock:
            self._reset()

    def current(self) -> Words | None:
        """Return the index of the state that this thread's transaction sees, or a later one; None where FTS5 answers.

        Must run inside `reading()`.
        """
        if self._pid != os.getpid():
            self._lock = threading.RLock()
            self._reset()
        with self._lock:
            changes = self._store.changes
            replaced = self._manifest_time() != self._stamp or self._store.line != self._of
            replaced = replaced or (self._ahead is not None and changes >= self._ahead)
            if changes <= self._changes and not replaced:
                return self._words
            if replaced:
                self._open()
            if self._words is not None:
                self._words = self._checked(self._caught_up(self._words), changes)
            self._changes = changes
            return self._words

    def _checked(self, words: Words | None, changes: int) -> Words | None:
        """Return the words where they count as many texts as the file: sound files may be of another state of it."""
        # A state later than what this transaction sees is checked by a later one.
        if words is None or not self._unchecked or changes < int(words.about.get("changes", 0)):
            return words
        self._unchecked = False
        return words if len(words) == self._store.text_count() else None

    def _manifest_time(self) -> int:
        try:
            return (self.folder / MANIFEST).stat().st_mtime_ns
        except OSError:
            return 0

    def _fingerprint(self) -> str:
        return f"{self._store.meta('identity')}/{_TOKENS}"

    def _open(self) -> None:
        self._stamp, self._unchecked, self._of = self._manifest_time(), True, self._store.line
        self._ahead = None
        try:
            words = Words.open(self.folder, self._fingerprint())
            self._take(words)
            written = int(words.about.get("changes", 0))
            self._ahead = written if written > self._store.changes else None
            self._check_line(words)
            self._ahead = None
        except (Damaged, TooNew):
            self._words = None

    def _check_line(self, words: Words) -> None:
        """Compare what the words go up to with the file: one that was set back and filled again has others.

        Raises:
            Damaged: they are of another state than any that led to this one.
        """
        noted = words.about.get("checksum"), words.about.get("gone")
        if noted == (None, None):  # an earlier imi wrote no such note
            return
        row, deletion = int(words.about["row"]), int(words.about["deletion"])
        there = self._store.row_checksum(row)
        if noted[1] != self._store.deleted_row(deletion) or (there is not None and there != noted[0]):
            raise Damaged(f"the words in {self.folder} are of another state of the file")
        if row > self._store.last_row:
            raise Damaged(f"the words in {self.folder} are of a later state of the file")

    def _take(self, words: Words) -> None:
        try:
            row, deletion = int(words.about["row"]), int(words.about["deletion"])
        except (KeyError, TypeError, ValueError) as wrong:
            raise Damaged(f"the words in {self.folder} do not say how far they go: {wrong!r}") from wrong
        self._words, self._row, self._deletion = words, row, deletion

    def _caught_up(self, words: Words) -> Words | None:
        """Return the words with the rows since, or None when those are too many for a search to take in."""
        tail = self._policy.words_tail
        rows, texts = self._store.texts(after=self._row, limit=tail + 1)
        if len(rows) > tail:
            return None
        self._deletion, gone = self._store.deletions(self._deletion)
        if len(rows):
            self._row = rows[-1]
        return _with_texts(words, rows, texts).remove(gone)

    def due(self) -> bool:
        """Whether writing the index is worth its time; must run inside `reading()`."""
        words = self.current()
        if words is None:
            return self._store.write and self._store.text_count() >= self._policy.words_from
        with self._lock:
            behind = self._row - int(words.about["row"])
            gone = self._deletion - int(words.about["deletion"])
        saved = self._policy.words_saved
        return behind >= saved or gone >= max(saved, len(words) // 5)

    def update(self) -> None:
        """Bring the files up to date with the store; the caller holds the right to write index files.

        Raises:
            Damaged: the store does not hold as many texts as it says.
        """
        with self._store.one_file():
            self._update()

    def _update(self) -> None:
        with self._store.reading():
            fingerprint = self._fingerprint()
        try:
            words = Words.open(self.folder, fingerprint)
            with self._store.reading():
                self._check_line(words)
            words = self._brought_up(words, int(words.about["row"]), int(words.about["deletion"]))
        except (Damaged, TooNew, KeyError, TypeError, ValueError):
            words = self._brought_up(Words(), 0, 0)
        saved = words.save(self.folder, fingerprint)
        with self._lock:
            self._take(saved)
            self._stamp, self._changes = self._manifest_time(), -1

    def _brought_up(self, words: Words, row: int, deletion: int) -> Words:
        """Add the texts after a row and take away what was deleted since; a transaction for some thousand texts."""
        while True:
            with self._store.reading():
                rows, texts = self._store.texts(after=row, limit=self._policy.words_batch)
                if len(rows) < self._policy.words_batch:
                    deletion, gone = self._store.deletions(deletion)
                    count, changes = self._store.text_count(), self._store.changes
                    row = rows[-1] if rows else row
                    noted = {"checksum": self._store.row_checksum(row), "gone": self._store.deleted_row(deletion)}
                    break
            words, row = _with_texts(words, rows, texts, join=False), rows[-1]
        words = _with_texts(words, rows, texts, join=False).remove(gone)
        if len(words) != count:
            message = f"{len(words)} texts were found in {self._store.folder}, its full text has {count}"
            raise Damaged(message, hint=f"imi verify {self._store.folder}, then imi repair {self._store.folder}")
        return words.with_about({"row": row, "deletion": deletion, "changes": changes, **noted})

    def info(self) -> dict[str, Any]:
        """Say what answers questions of words; must run inside `reading()`."""
        words = self.current()
        if words is None:
            return {"kind": "fts5", "rows": self._store.text_count()}
        return {"kind": "postings", "rows": len(words), "segments": len(words.segments)}


def _with_texts(words: Words, rows: list[int], texts: list[str | None], *, join: bool = True) -> Words:
    held = [(row, text) for row, text in zip(rows, texts, strict=True) if text is not None]
    return words.add([row for row, _ in held], [index_tokens(text) for _, text in held], join=join)
