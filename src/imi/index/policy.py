"""When indexes are written, built and rebuilt: the sizes at which each step begins to be worth its time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class IndexPolicy:
    """Thresholds of a collection's two indexes; the defaults were measured, tests use small ones.

    Attributes:
        exact_rows: up to this many rows exact search is as fast as anything, and no ladder is built.
        tail_rows: rows that may follow a built ladder before it is built again (an eighth of its rows if that is more).
        saved_rows: new rows from which writing the vector index is worth more than reading them from the file again.
        batch_rows: vectors that are read from the file at a time.
        memory: bytes that a ladder may take that a collection builds by itself.
        words_from: texts from which an index of words is written; below, FTS5 is quick enough.
        words_saved: new texts from which writing the index of words is worth its time.
        words_tail: new texts that a search takes in by itself; each costs about 20 µs, once.
        words_batch: texts that are cut into words at a time: their words take some hundred bytes each while they are
            counted.
    """

    exact_rows: int = 20_000
    tail_rows: int = 10_000
    saved_rows: int = 2_000
    batch_rows: int = 50_000
    memory: int = 1 << 30
    words_from: int = 10_000
    words_saved: int = 2_000
    words_tail: int = 5_000
    words_batch: int = 4_000
