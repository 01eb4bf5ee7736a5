"""Deepening: the model `deep` reads rows of a collection that another model filled, and orders what a search found.

A search by words and meaning gives a shortlist. Its first rows are ordered by words and the finer model's vectors,
where rows have one; rows that have none yet are read now, as many as the budget allows, and what was read is kept. So
a collection becomes finer where it is asked, and wholly by `Collection.deepen`.
"""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from imi.collection.description import read_bound, read_by_finer
from imi.collection.rankings import BUDGET_MS, Fused, Ranking, Rerank, check_budget
from imi.embedders import deep as finer
from imi.embedders.base import Embedder
from imi.embedders.load import load
from imi.embedders.pieces import threads
from imi.errors import CollectionError, ImiError, UsageError
from imi.fusion import FIRST, deepened
from imi.progress import Progress
from imi.records import Document
from imi.row_sets import among
from imi.store.deep_vectors import (
    FINGERPRINT,
    count_to_deepen,
    deep_count,
    deep_vectors,
    holds_deep,
    put_deep_vectors,
    rows_to_deepen,
)
from imi.store.store import Store
from imi.types import Floats, Rows

NAME = "deep"
_BATCH = 64
"""Rows a transaction of `deepen`: what a kill can cost."""
_REMEMBERED = 20_000
_QUESTIONS = 256
_RATE = 2000.0
"""Tokens a second and core that the model is taken to read before it was seen reading."""


@dataclass(frozen=True, slots=True)
class Deepened:
    """What `deepen` did: rows read now, rows that have a second vector, rows that could have one."""

    read: int
    deep: int
    rows: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return asdict(self)


@dataclass(slots=True)
class DeepReading:
    """One question's use of the finer model; `cosines` are those that `ordered` went by."""

    deepener: Deepener
    text: str
    question: Callable[[], Floats]
    budget: float
    vectors: dict[int, Floats] = field(default_factory=dict)
    held: int = 0
    asked: bool = False
    identity: str = ""
    unread: dict[int, str] = field(default_factory=dict)
    cosines: Ranking | None = None
    _held: tuple[Rows, Floats] | None = None

    def ask(self, found: Fused, documents: Callable[[Rows], Mapping[int, Document]]) -> None:
        """Note which of the first rows have a text and no second vector, best first; must run inside `reading()`."""
        self.asked = True
        if self.budget == 0:
            return
        first = found.ranking.rows[:FIRST]
        self._held = self.deepener.held(self, first)
        lacking = first[~among(first, self._held[0])]
        given = documents(lacking) if len(lacking) else {}
        texts = {row: given[row].text for row in lacking.tolist() if row in given}
        self.unread = {row: text for row, text in texts.items() if text is not None and text.strip()}

    def knows(self, rows: Rows) -> bool:
        """Whether the finer model has read all rows that it would order; must run inside `reading()`."""
        self._held = self._held or self.deepener.held(self, rows[:FIRST])
        return bool(among(rows[:FIRST], self._held[0]).all())

    def ordered(self, found: Fused, explain: bool, share: float) -> tuple[Ranking, dict[str, Any]]:
        """Order the first rows of a shortlist by words and the finer model; must run inside `reading()`.

        Args:
            found: the shortlist.
            explain: whether to say what was read.
            share: of the finer model where words answer nothing; the first model, which learnt from translations,
                readings and the names of emoji, has the rest.
        """
        # What `ask` found a moment ago is of the same state.
        (rows, z), self._held = self._held or self.deepener.held(self, found.ranking.rows[:FIRST]), None
        story = found.story | {"deep": {"read": len(self.vectors), "held": self.held}} if explain else found.story
        if len(rows) == 0:
            return found.ranking, story
        self.cosines = Ranking(rows, z @ self.question())
        order = deepened(
            (found.ranking.rows, found.ranking.scores),
            (found.text.rows, found.text.scores),
            (rows, self.cosines.scores),
            nearer=(found.meaning.rows, found.meaning.scores) if share < 1 else None,
            least=share,
            expected=found.expected,
        )
        return Ranking(*order), story

    def read(self) -> None:
        """Read what `ask` noted; must run outside of `reading()`: what was read is kept."""
        texts, self.unread, self._held = self.unread, {}, None
        self.deepener.read(self, [*texts], [*texts.values()])


class Deepener:
    """Second vectors of one collection; safe to share between threads."""

    def __init__(self, store: Store) -> None:
        """Set up; nothing is loaded yet."""
        self._store = store
        self._model: Embedder | None = None
        self._refused = False
        self._loading = threading.Lock()
        self._turn = threading.Lock()
        self._remembered: OrderedDict[tuple[str, int], Floats] = OrderedDict()
        self._questions: OrderedDict[str, Floats] = OrderedDict()
        self._rate = _RATE * threads()
        self._keeper: Store | None = store if store.write else None
        self.kept = 0  # rows that `deepen` read and kept
        self._finished = ("", -1)  # the state of the file, by identity and changes, in which nothing was left to read
        self._reached = ("", 0)  # the row that `deepen` came to in its slices

    def keep(self) -> None:
        """Keep what searches read although the collection was opened for reading, where its file may be written."""
        if self._keeper is None and os.access(self._store.path, os.W_OK) and os.access(self._store.folder, os.W_OK):
            self._keeper = Store(self._store.folder, write=True)

    def close(self) -> None:
        """Close what `keep` opened."""
        if self._keeper is not None and self._keeper is not self._store:
            self._keeper.close()
            self._keeper = None

    def model(self) -> Embedder:
        """Return the finer model.

        Raises:
            MissingExtra: onnxruntime is not installed; DataError: its files are not whole.
        """
        with self._loading:
            if self._model is None:
                self._model = load("deep")
            return self._model

    # --- searching ---

    def begin(self, text: str, rerank: Rerank) -> DeepReading | None:
        """Return a reading for a question, None where the finer model is not to be used; see `Rerank`."""
        if rerank.by == "none" or self._refused or not finer.installed():
            return None
        budget = rerank.milliseconds
        with self._store.reading():
            if not self._fits(budget):
                return None
        try:
            self.model()
        except ImiError as broken:
            self._refused = True
            message = f"searches go on without the model 'deep': {broken}"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
            return None
        return DeepReading(self, text, self._asked(text), budget)

    @property
    def wanted(self) -> bool:
        """Whether there are rows to read that may be read without being asked."""
        if not self._store.write or not finer.installed():
            return False
        with self._store.reading():
            state = (self._store.line, self._store.changes)
            left = state != self._finished and read_by_finer(self._store) < self._store.count()
            return left and self._fits(BUDGET_MS)

    def _fits(self, budget: float) -> bool:
        """Whether the finer model may read the rows: the built-in one filled them, or second vectors already exist."""
        bound = read_bound(self._store)
        if bound is None or bound.name == NAME:
            return False
        if self._store.meta(FINGERPRINT) is not None:
            return True
        return budget > 0 and bound.name == "built-in"

    def _asked(self, text: str) -> Callable[[], Floats]:
        """Embed a question beside what else the search does; return how to get the vector."""
        known = self._questions.get(text)
        if known is not None:
            return lambda: known
        found: list[Floats] = []
        model = self.model()
        thread = threading.Thread(target=lambda: found.append(model.embed([text], kind="query")[0]), name="imi deep")
        thread.start()

        def wait() -> Floats:
            thread.join()
            if not found:
                raise CollectionError("the model 'deep' could not read the question")
            self._questions[text] = found[0]
            while len(self._questions) > _QUESTIONS:
                self._questions.popitem(last=False)
            return found[0]

        return wait

    def held(self, reading: DeepReading, wanted: Rows) -> tuple[Rows, Floats]:
        """Return those of the rows that have a second vector: in the file, or in memory where it cannot be written."""
        width = self.model().info.width
        rows, z = np.empty(0, np.int64), np.empty((0, width), np.float32)
        if self._store.meta(FINGERPRINT) == self.model().info.fingerprint and holds_deep(self._store):
            rows, z = deep_vectors(self._store, wanted)
        identity = self._store.line
        reading.identity = identity
        known = set(rows.tolist())
        found = {row: reading.vectors.get(row, self._remembered.get((identity, row))) for row in wanted.tolist()}
        extra = {row: vector for row, vector in found.items() if vector is not None and row not in known}
        if not reading.vectors:
            reading.held = len(rows) + len(extra)
        if not extra:
            return rows, z
        return np.concatenate([rows, [*extra]]), np.concatenate([z, np.array([*extra.values()])])

    def read(self, reading: DeepReading, rows: Sequence[int], texts: Sequence[str]) -> None:
        """Read rows in their order for as long as the budget lasts, and keep their vectors.

        Must run outside of `reading()`: it writes.
        """
        deadline = time.perf_counter() + reading.budget / 1000
        if not self._turn.acquire(timeout=reading.budget / 1000):
            return
        try:
            self._read(reading, list(rows), list(texts), deadline)
        finally:
            self._turn.release()
        if reading.vectors:
            self._keep(reading.vectors, reading.identity)

    def _read(self, reading: DeepReading, rows: list[int], texts: list[str], deadline: float) -> None:
        model = self.model()
        tokens = model.count_tokens(texts)
        at, first = 0, True
        while at < len(rows):
            now = time.perf_counter()
            # A first, small part shows how fast this machine is just now.
            left = (deadline - now) * (0.25 if first else 0.9)
            fits = int(np.searchsorted(np.cumsum(tokens[at:]), left * self._rate, side="right"))
            if fits == 0 and first and deadline > now:
                first = False
                continue
            if fits == 0:
                return
            part = slice(at, at + fits)
            z = model.embed(texts[part], kind="document")
            reading.vectors.update(zip(rows[part], z, strict=True))
            seen = float(tokens[part].sum()) / max(time.perf_counter() - now, 1e-6)
            self._rate, at, first = (self._rate + seen) / 2, at + fits, False

    def _keep(self, read: dict[int, Floats], identity: str) -> None:
        """Write what was read, if nobody else is writing just now; else it is remembered here for a while."""
        if self._keeper is not None:
            try:
                with self._keeper.keeping(wait=False):
                    if self._keeper.line == identity:
                        z = np.array([*read.values()])
                        put_deep_vectors(self._keeper, [*read], z, self.model().info.fingerprint)
                return
            except CollectionError:
                pass
        self._remembered.update({(identity, row): vector for row, vector in read.items()})
        while len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)

    # --- deepening the whole ---

    def deepen(self, budget: float | None, progress: Progress | None) -> Deepened:
        """Read all rows that were not read yet; see `Collection.deepen`."""
        check_budget(budget)
        self._store.check_writable()
        model = self.model()
        with self._store.reading():
            bound = read_bound(self._store)
            if bound is not None and bound.info.fingerprint == model.info.fingerprint:
                raise UsageError(
                    f"{self._store.folder} was filled with the model 'deep', and has nothing to deepen",
                    hint="search it as it is",
                )
            total = count_to_deepen(self._store) if progress is not None else 0
        began = time.perf_counter()
        # One call for all looks at every row; slices go on where the last one ended, as new rows have higher numbers.
        read, size = 0, _BATCH if budget is None else _BATCH // 4
        if budget is None:
            self._reached = ("", 0)
        while budget is None or (time.perf_counter() - began) * 1000 < budget:
            with self._store.reading():
                identity = self._store.line
                stale = self._store.meta(FINGERPRINT) != model.info.fingerprint
                after = self._reached[1] if self._reached[0] == identity and not stale else 0
                found = [] if stale else rows_to_deepen(self._store, after, size)
                state = (identity, self._store.changes)
                done = deep_count(self._store)
            if stale:
                # Those of an earlier release of the model would count as read.
                self._put(identity, [], np.empty((0, model.info.width), np.float32))
                began = time.perf_counter()
                continue
            if not found:
                self._finished = state
                break
            rows = [row for row, _ in found]
            read += self._put(identity, rows, model.embed([text for _, text in found], kind="document"))
            self._reached = (identity, rows[-1])
            if progress is not None:
                progress(min(done + len(rows), total), max(total, done + len(rows)))
        with self._store.reading():
            return Deepened(read, deep_count(self._store), self._store.count(), round(time.perf_counter() - began, 3))

    def _put(self, identity: str, rows: list[int], vectors: Floats) -> int:
        """Keep vectors of rows of the file with this identity.

        Raises:
            CollectionError: another file has taken its place, whose rows have other numbers.
        """
        with self._store.keeping():
            if self._store.line != identity:
                raise CollectionError(f"{self._store.folder} was replaced while it was read", hint="deepen it again")
            put = put_deep_vectors(self._store, rows, vectors, self.model().info.fingerprint)
        self.kept += put
        return put


def carry(source: Store, target: Store, ids: Sequence[str]) -> int:
    """Keep the second vectors of rows also in another collection that has rows of the same ids and texts.

    What that one has of another release of the model goes by `deepen`, as anywhere. Must run inside `reading()` of the
    source. Return how many were kept.
    """
    fingerprint = source.meta(FINGERPRINT)
    if fingerprint is None or not holds_deep(source):
        return 0
    rows = {stored.row: stored.document for stored in source.by_ids(ids).values()}
    numbers, z = deep_vectors(source, np.array(sorted(rows), dtype=np.int64))
    if len(numbers) == 0:
        return 0
    with target.keeping():
        if target.meta(FINGERPRINT) not in (None, fingerprint):
            return 0
        there = target.by_ids(rows[row].id for row in numbers.tolist())
        pairs = [(there.get(rows[row].id), rows[row], vector) for row, vector in zip(numbers.tolist(), z, strict=True)]
        same = [(new.row, vector) for new, old, vector in pairs if new is not None and new.document.text == old.text]
        return put_deep_vectors(
            target,
            [row for row, _ in same],
            np.array([vector for _, vector in same]).reshape(len(same), -1),
            fingerprint,
        )
