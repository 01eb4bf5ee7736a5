"""The index of a collection that changes: a built ladder, an exact tail of newer rows, and rows that died.

Contract with the collection, which owns the truth:

- A row is named by its `key`, an int64 of at least 0 that the collection chooses (the row's number in its store), and
  carries a `stamp`, any int64 that changes when the row's vector changes (0 where rows never change in place).
- `Live.open(folder, width, …)` reads what `save` wrote, checks it, and raises Damaged for anything that is missing,
  altered or made for another width, metric or fingerprint; then `Live.create(folder, width, …)` starts afresh over the
  same folder.
- After either, the collection asks `missing, extra = live.difference(keys, stamps)` with all keys and stamps it holds,
  calls `live.remove(extra)` and `live.add(missing keys, their vectors, their stamps)`. The index is then what the
  store is.
- `add` makes rows searchable at once; a key that is there already is replaced. `remove` makes them unfindable at once.
- `search` takes `allowed`, the keys that match a filter (any order), and answers with keys; when k rows pass it returns
  k.
- `due` says in words why a `build` is worth its time, or None; `build` may run in another thread while searches, adds
  and removes go on. `save` writes what is not yet on disk; `build` saves by itself. Nothing is lost without them: the
  tail is found again by `difference`.
- Damaged raised by `search` means that a block of mapped vectors is not what was written: create afresh and add all.
- In a forked child searches work, with one thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import Damaged, UsageError
from imi.index.base import check_metric, check_queries
from imi.index.goal import Goal
from imi.index.ladder import Ladder, Step
from imi.index.manifest import read_manifest
from imi.index.policy import IndexPolicy
from imi.index.rungs import format_ladder, parse_ladder
from imi.index.segment_files import gather, read_parts, write_parts
from imi.index.segments import Keys, Mask, Part, best_of, with_newest
from imi.types import Floats
from imi.vectors import as_floats

# Planning is imported where it is done: a search has no need of it.
if TYPE_CHECKING:
    from imi.index.plan import Plan


class Live:
    """A searchable set of keyed vectors; see the module's contract. Safe to use from many threads."""

    def __init__(
        self,
        folder: Path | None,
        width: int,
        metric: str,
        fingerprint: str,
        parts: Sequence[Part],
        planned: Plan | None,
        policy: IndexPolicy,
    ) -> None:
        """Put parts together; use `create` or `open`."""
        self.folder = folder
        self.width = width
        self.metric = check_metric(metric)
        self.fingerprint = fingerprint
        self.plan = planned
        self.policy = policy
        self._parts = tuple(parts)
        self._lock = threading.RLock()
        self._building = threading.Lock()
        self._gone: list[Keys] | None = None  # keys removed while a build runs
        self._frozen = 0  # parts that a build is gathering

    @classmethod
    def create(
        cls,
        folder: Path | None,
        width: int,
        metric: str = "cosine",
        fingerprint: str = "",
        policy: IndexPolicy | None = None,
    ) -> Live:
        """Return an empty index.

        Args:
            folder: where `save` and `build` write; None keeps everything in memory.
            width: dimensions of a vector.
            metric: "cosine", "dot" or "l2".
            fingerprint: of the model whose vectors come.
            policy: when a ladder is due; None for the default.
        """
        return cls(folder, width, metric, fingerprint, (), None, policy or IndexPolicy())

    @classmethod
    def open(
        cls,
        folder: Path,
        width: int,
        metric: str = "cosine",
        fingerprint: str = "",
        policy: IndexPolicy | None = None,
    ) -> Live:
        """Read an index from its folder; see `create` for the arguments.

        Raises:
            Damaged: it is missing or altered, or was made for another width, metric or fingerprint.
            TooNew: a newer imi wrote it.
            MissingExtra: its structure needs rabitqlib, which is not installed here.
        """
        manifest = read_manifest(folder)
        about = manifest.about
        try:
            made = (about["width"], about["metric"], about["fingerprint"])
            if made != (width, metric, fingerprint):
                raise Damaged(f"the index in {folder} was made for {made}, not {(width, metric, fingerprint)}")
            parts = read_parts(folder, manifest, width, check_metric(metric))
            planned = None if about["plan"] is None else _plan_of(about["plan"])
        except (KeyError, IndexError, TypeError, ValueError) as wrong:
            raise Damaged(f"the manifest in {folder} does not describe an index: {wrong!r}") from wrong
        return cls(folder, width, metric, fingerprint, parts, planned, policy or IndexPolicy())

    @staticmethod
    def generation(folder: Path) -> int:
        """Return the generation on disk, 0 when there is none: a reader opens again when it has changed."""
        try:
            return read_manifest(folder).generation
        except Damaged:
            return 0

    def __len__(self) -> int:
        return sum(len(part) - part.dead for part in self._parts)

    @property
    def keys(self) -> Keys:
        """The keys of all live rows, ascending."""
        parts = [part.keys[part.alive] for part in self._parts]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)

    @property
    def last_key(self) -> int:
        """The highest key of all rows, dead ones too; 0 where there is none."""
        return max((int(part.keys.max()) for part in self._parts if len(part.keys)), default=0)

    def rows_of(self, keys: NDArray[Any]) -> tuple[Mask, NDArray[Any]]:
        """Return which of the keys have a live row, and the vectors of these in the keys' order."""
        names = np.asarray(keys, dtype=np.int64)
        there = np.zeros(len(names), dtype=bool)
        vectors = np.zeros((len(names), self.width), dtype=np.float32)
        for part in filter(len, self._parts):
            places = part.lookup.places(names)
            mine = (places >= 0) & part.alive[np.maximum(places, 0)]
            vectors[mine] = part.vectors[places[mine]]
            there |= mine
        return there, vectors[there]

    def difference(self, keys: NDArray[Any], stamps: NDArray[Any] | None = None) -> tuple[Keys, Keys]:
        """Compare with the store.

        Args:
            keys: all keys that the store holds, unique.
            stamps: their stamps; None for zeros.

        Returns:
            The keys that have to be added (new, or their stamp differs), and those to be removed.
        """
        wanted = np.asarray(keys, dtype=np.int64)
        stamp = np.zeros(len(wanted), dtype=np.int64) if stamps is None else np.asarray(stamps, dtype=np.int64)
        held = np.zeros(len(wanted), dtype=bool)
        extra = []
        order = np.argsort(wanted)
        ascending = wanted[order]
        for part in self._parts:
            mine = part.keys[part.alive]
            at = np.searchsorted(ascending, mine)
            found = (at < len(wanted)) & (
                ascending[np.minimum(at, max(len(wanted) - 1, 0))] == mine if len(wanted) else False
            )
            place = order[at[found]]
            held[place[stamp[place] == part.stamps[part.alive][found]]] = True
            extra.append(mine[~found])
        return wanted[~held], np.concatenate(extra) if extra else np.empty(0, dtype=np.int64)

    def add(self, keys: NDArray[Any], vectors: NDArray[Any], stamps: NDArray[Any] | None = None) -> None:
        """Make rows searchable; those whose key is there already are replaced.

        Args:
            keys: (n,) int64 of at least 0, unique.
            vectors: (n, width) finite numbers.
            stamps: (n,) int64; None for zeros.

        Raises:
            UsageError: shapes, keys or numbers are wrong; nothing was added then.
        """
        names = np.asarray(keys, dtype=np.int64).ravel()
        rows = np.atleast_2d(as_floats(vectors))
        if rows.shape != (len(names), self.width):
            raise UsageError(
                f"{len(names)} keys and vectors of shape {rows.shape}: ({len(names)}, {self.width}) is needed"
            )
        if len(np.unique(names)) != len(names) or (len(names) and names.min() < 0):
            raise UsageError("keys must be unique and at least 0")
        stamp = np.zeros(len(names), dtype=np.int64) if stamps is None else np.array(stamps, dtype=np.int64)
        with self._lock:
            self.remove(names)
            if len(names):
                self._parts = with_newest(
                    self._parts, Part.make(names.copy(), stamp, rows.copy(), self.metric), self._frozen
                )

    def remove(self, keys: NDArray[Any]) -> int:
        """Make rows unfindable and return how many there were; keys that are not there are no error."""
        names = np.asarray(keys, dtype=np.int64).ravel()
        if not len(names):
            return 0
        with self._lock:
            changed = [part.without(names) for part in self._parts]
            self._parts = tuple(part for part, _ in changed)
            if self._gone is not None:
                self._gone.append(names)
        return sum(count for _, count in changed)

    def search(
        self,
        queries: NDArray[Any],
        k: int = 10,
        allowed: NDArray[Any] | None = None,
        *,
        dims: int | None = None,
        exact: bool = False,
        ladder: str | None = None,
        promised: int | None = None,
    ) -> tuple[Floats, Keys]:
        """Find the k best rows.

        Args:
            queries: (b, width) or (width,).
            k: how many.
            allowed: keys that may be found, those of rows that match a filter; None for all.
            dims: compare the first dimensions only, exactly.
            exact: compare with every row.
            ladder: rungs to climb instead of the built ones, such as "64:200,512:10".
            promised: how many of the k are found with the planned recall, see `Ladder.search`; None for all.

        Returns:
            Scores (b, k) float32, best first, and keys (b, k) int64; -inf and -1 where no more rows pass.
        """
        return self._search(queries, k, allowed, dims, exact, ladder, promised, None)

    def score(self, query: NDArray[Any], keys: NDArray[Any], dims: int | None = None) -> tuple[Floats, Keys]:
        """Score some rows, which were found in another way.

        Args:
            query: (width,).
            keys: theirs, each once; those without a live row are left out.
            dims: compare the first dimensions only.

        Returns:
            Scores (n,) float32 and keys (n,) int64, in no order.
        """
        asked = check_queries(query, self.width, 1)[0]
        names = np.asarray(keys, dtype=np.int64)
        found = [part.score(asked, names, dims) for part in self._parts if len(part) > part.dead]
        if len(found) == 1:
            return found[0][1], found[0][0]
        if not found:
            return np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64)
        return np.concatenate([scores for _, scores in found]), np.concatenate([there for there, _ in found])

    def explain(
        self,
        queries: NDArray[Any],
        k: int = 10,
        allowed: NDArray[Any] | None = None,
        *,
        dims: int | None = None,
        exact: bool = False,
        ladder: str | None = None,
        promised: int | None = None,
    ) -> tuple[Floats, Keys, dict[str, Any]]:
        """Search, and report what was read: rows, parts, steps with candidates, dimensions and time, and MFLOPs.

        MFLOPs are millions of multiply-adds, d for each comparison, as the Matryoshka paper counts.
        """
        steps: list[Step] = []
        started = time.perf_counter()
        scores, keys = self._search(queries, k, allowed, dims, exact, ladder, promised, steps)
        seconds = time.perf_counter() - started
        story = {
            "rows": len(self),
            "allowed": None if allowed is None else len(allowed),
            "steps": [step.to_dict() for step in steps],
            "mflops": 1e-6 * sum(step.numbers for step in steps),
            "seconds": seconds,
        }
        return scores, keys, story

    def _search(
        self,
        queries: NDArray[Any],
        k: int,
        allowed: NDArray[Any] | None,
        dims: int | None,
        exact: bool,
        ladder: str | None,
        promised: int | None,
        steps: list[Step] | None,
    ) -> tuple[Floats, Keys]:
        asked = check_queries(queries, self.width, k)
        rungs = None if ladder is None else parse_ladder(ladder, self.width)
        passing = None if allowed is None else np.asarray(allowed, dtype=np.int64)
        if passing is not None and passing.ndim != 1:
            passing = passing.ravel()
        scores = np.full((len(asked), k), -np.inf, dtype=np.float32)
        keys = np.full((len(asked), k), -1, dtype=np.int64)
        parts = self._parts
        for part in parts:
            if len(part) == part.dead:
                continue
            mask = part.passing(passing)
            if mask is not None and not len(mask):
                continue
            index: Ladder | None = part.ladder
            if rungs is not None:
                index = Ladder.scan(part.vectors, rungs, self.metric)
            if exact or dims is not None or index is None:
                started = time.perf_counter()
                found, rows = part.search_exactly(asked, k, mask, dims)
                if steps is not None:
                    count = len(part) if mask is None else len(mask)
                    each = (time.perf_counter() - started) / len(asked)
                    steps.append(Step(f"exact/{dims or self.width}", count, float(count * (dims or self.width)), each))
            elif steps is not None:
                found, rows, more = index.explain(asked, k, mask, promised=promised)
                steps.extend(more)
            else:
                found, rows = index.search(asked, k, mask, promised=promised)
            named = np.where(rows < 0, -1, part.keys[rows])
            scores, keys = (found, named) if len(parts) == 1 else best_of(scores, keys, found, named, k)
        return scores, keys

    @property
    def seconds(self) -> float:
        """About what a search of one query without a filter takes: as measured, or by what is read of exact parts."""
        return sum(part.seconds for part in self._parts)

    @property
    def due(self) -> str | None:
        """Why a build is worth its time, in words; None when the index is as it should be."""
        count = len(self)
        base = next((part for part in self._parts if part.ladder is not None), None)
        if base is None:
            dead = sum(part.dead for part in self._parts)
            kept = self.plan  # that exact search is best holds until it is measured again
            if count > self.policy.exact_rows and (kept is None or bool(kept.chosen.rungs) or count >= 4 * kept.rows):
                return f"{count} rows have outgrown exact search"
            return f"{dead} of {count + dead} rows are dead" if dead > max(1000, count) else None
        if base.dead * 5 > len(base):
            return f"{base.dead} of the ladder's {len(base)} rows are dead"
        tail = count - (len(base) - base.dead)
        if tail > max(self.policy.tail_rows, len(base) // 8):
            return f"{tail} rows came after the ladder was built"
        if self.plan is not None and self.plan.outdated:
            return "the ladder was made by an earlier imi, which measured less: questions unlike the rows, filters"
        return None

    def build(
        self,
        target_recall: float | Goal = 0.95,
        memory: int | None = None,
        latency: float | None = None,
        *,
        queries: Floats | None = None,
        seed: int = 0,
        replan: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Plan | None:
        """Gather all live rows, plan when there is no plan yet or an outgrown one, build the ladder and save.

        Searches, adds and removes go on meanwhile. Returns the plan, or None when there are too few rows to plan for.

        Args:
            target_recall: see `imi.plan`; a plan that there is keeps its own target and limits.
            memory: bytes beside the vectors.
            latency: seconds a query.
            queries: (m, width) real ones to measure with.
            seed: of what is drawn at random.
            replan: measure again, by these values.
            progress: called as progress(done, total).
        """
        from imi.index.planner import plan

        old = None if replan else self.plan
        if old is not None:
            target_recall = old.target if old.share is None else old.goal
            memory, latency = old.memory, old.latency
        measure = partial(
            plan,
            target_recall=target_recall,
            memory=memory,
            latency=latency,
            queries=queries,
            seed=seed,
            progress=progress,
            metric=self.metric,
        )
        with self._building:
            with self._lock:
                seen = self._parts
                self._gone, self._frozen = [], len(seen)
            try:
                return self._rebuild(seen, old, measure)
            finally:
                self._gone, self._frozen = None, 0

    def _rebuild(self, seen: tuple[Part, ...], old: Plan | None, measure: Callable[[Any], Plan]) -> Plan | None:
        keys, stamps, vectors, written = gather(seen, self.folder, self.width)
        planned, ladder = None, None
        if len(keys) > self.policy.exact_rows:
            planned = old
            if planned is None or planned.outdated or len(keys) >= 4 * planned.rows:
                planned = measure(vectors)
            index = planned.build(vectors)
            ladder = index if isinstance(index, Ladder) else None  # exact may be best even so
        with self._lock:
            base = Part.make(keys, stamps, vectors, self.metric, ladder)
            for gone in self._gone or ():
                base, _ = base.without(gone)
            self._parts = ((base,) if len(keys) else ()) + self._parts[len(seen) :]
            self._frozen = 0
            self.plan = planned
            self._write(written)
        return planned

    def save(self) -> None:
        """Write what is not on disk yet; without a folder there is nothing to do."""
        with self._lock:
            self._write(None)

    def _write(self, gathered: Path | None) -> None:
        if self.folder is None:
            return
        about = {
            "width": self.width,
            "metric": self.metric,
            "fingerprint": self.fingerprint,
            "plan": None if self.plan is None else self.plan.to_dict(),
        }
        # What a build gathered is the first part's file as it is: nothing may be joined to it.
        join = self._frozen == 0 and gathered is None
        self._parts = write_parts(self.folder, self._parts, about, gathered, join)

    @property
    def info(self) -> dict[str, Any]:
        """What is inside: rows by how they are searched, the ladder in its text form, and the plan's promise."""
        base = next((part for part in self._parts if part.ladder is not None), None)
        built = 0 if base is None else len(base) - base.dead
        return {
            "kind": "exact" if base is None else "ladder",
            "rows": len(self),
            "built": built,
            "tail": len(self) - built,
            "dead": sum(part.dead for part in self._parts),
            "ladder": None if base is None or base.ladder is None else format_ladder(base.ladder.rungs),
            "recall": None if self.plan is None or base is None else self.plan.recall,
            "due": self.due,
        }


def _plan_of(kept: dict[str, Any]) -> Plan:
    from imi.index.plan import Plan

    return Plan.from_dict(kept)
