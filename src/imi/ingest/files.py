"""One run over files: look at them, check them before anything is written, add what changed, delete what is gone."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from typing import IO, Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from imi.embedders.base import Embedder
from imi.errors import DataError, Failure, UsageError
from imi.ingest.sources import Sources, file_digest
from imi.progress import Progress
from imi.records import Added, Document, Repeated, Summary, own_facts
from imi.store.store import Store
from imi.text.readers import ReadOptions, Report, Row, Walked, looked_at, read, walked
from imi.text.readers.folders import shown

OnError = Literal["raise", "skip"]
_BATCH = 1024
_KEPT = 2**23
"""Bytes of tables up to which their rows are kept from the check for the adding."""
_ROOM, _ROW = 2**27, 700
"""Bytes that these may take in memory, for a packed table of few bytes may have many rows; and a row without texts."""
_TABLES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx", ".xlsm")
_MOST_REPEATED = 1000


class Target(Protocol):
    """What rows are added to."""

    @property
    def model(self) -> Embedder:
        """What embeds."""

    def add(
        self,
        documents: Iterable[Document],
        vectors: ArrayLike | None = None,
        on_error: OnError = "raise",
        *,
        progress: Progress | None = None,
    ) -> Added:
        """Add documents."""  # fmt: skip

    def delete(self, ids: list[str]) -> int:
        """Delete rows."""


def holds_many(path: str) -> bool:
    """Whether a path is many files, of which a broken one is reported and the others are added."""
    return os.path.isdir(path) or path.lower().endswith(".zip")


class Ingest:
    """Files on their way into a collection: `look` reads and checks, `write` adds; nothing is written before."""

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        options: ReadOptions | None = None,
        *,
        sync: bool = False,
        on_error: OnError = "skip",
    ) -> None:
        """Set up.

        Args:
            paths: files, folders, archives, or `-` for standard input.
            options: how they are read.
            sync: whether rows of files that are gone from the folders among the paths are deleted.
            on_error: "skip" leaves bad rows out and reports them; "raise" stops at one before anything is written, but
                for those of folders and archives.

        Raises:
            UsageError: standard input is given twice.
        """  # fmt: skip
        self.paths = [os.fspath(path) for path in paths]
        if self.paths.count("-") > 1:
            raise UsageError("standard input was given twice: -")
        self.report = Report()
        self.options = replace(options or ReadOptions(), report=self.report, decided={})
        self._sync = sync
        self._skips = on_error == "skip"
        self._walked: dict[str, Walked] = {}
        self._digests: dict[str, str] = {}
        self._same: dict[str, int] = {}
        self._line = ""  # the file that this was told by
        self._kept: dict[str, list[Row | Failure]] = {}
        self._repeats: set[int] = set()
        self._total = 0

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Let standard input be read twice, once to check and once to add, by way of a file."""
        if "-" not in self.paths:
            yield
            return
        with tempfile.TemporaryFile() as spool:
            incoming = sys.stdin.buffer
            while piece := incoming.read(2**20):
                spool.write(piece)
            before = sys.stdin
            sys.stdin = _Rewinding(spool)
            try:
                yield
            finally:
                sys.stdin = before

    # --- before ---

    def look(self, store: Store | None, progress: Progress | None = None) -> None:
        """Find the files, leave out those that are known and unchanged, and check the others.

        Args:
            store: of the collection, where it is a folder that exists.
            progress: called as progress(rows, 0).

        Raises:
            DataError: bad rows that are not to be skipped, or nothing to add.
        """
        for path in self.paths:
            self._walked[path] = walked(path, self.options)
        if self.options.vectors is None:
            self._digests = self._digested()
            if store is not None:
                with store.reading():
                    self._line = store.line
                    self._same = Sources(store).unchanged(self._digests)
        self._check(progress)

    def _digested(self) -> dict[str, str]:
        found: dict[str, str] = {}
        reading = repr(self.options)
        for path, there in self._walked.items():
            for file in there.files if path != "-" else ():
                # What cannot be read is said when it is read.
                with contextlib.suppress(OSError):
                    found[shown(file)] = file_digest(file, reading)
        return found

    def _check(self, progress: Progress | None) -> None:
        """Read everything once before anything is written.

        What is broken in a folder stops nothing: who names a folder does not know each of its files.
        """
        stopping: list[Failure] = []
        passed: list[Failure] = []
        ids = array("q")
        budget, room = _KEPT, _ROOM
        for path in self.paths:
            failures = passed if self._skips or holds_many(path) else stopping
            keep: dict[str, list[Row | Failure]] = {}
            if self._may_keep(path) and (size := os.path.getsize(path)) <= budget:
                budget -= size
                keep[path] = []
            for item in looked_at(read(path, self.options, skip=self._same, found=self._walked[path])):
                self._total += 1
                for kept in keep.values():
                    kept.append(item)
                    room -= _bytes_of(item)
                if room < 0:
                    keep.clear()
                if isinstance(item, Failure):
                    failures.append(item)
                elif self.options.id is not None:
                    ids.append(hash(item.document.id))
                if progress is not None and self._total % _BATCH == 0:
                    progress(self._total, 0)
            self._kept.update(keep)
        if stopping:
            rows = "row" if len(stopping) == 1 else "rows"
            raise DataError(
                f"{len(stopping)} {rows} of {self._total} cannot be taken, so nothing was added",
                hint="mend them, or leave --strict out to add the others",
                failures=stopping,
            )
        if self._total == len(passed) and not self._same:
            raise self._nothing(passed)
        self._repeats = _repeated(ids)

    def _nothing(self, failures: list[Failure]) -> DataError:
        """Return the error that says that there is no row, and why where there is one reason."""
        where = ", ".join(self.paths)
        if len(failures) == 1 and failures[0].line is None and len(self.paths) == 1:
            return DataError(f"nothing to add: {failures[0].source}: {failures[0].reason}", failures=failures)
        return DataError(f"nothing to add: {where} holds no rows that can be read", failures=failures)

    def _may_keep(self, path: str) -> bool:
        # What is cut to the size of a model is read again, when the model is known.
        return path != "-" and path.lower().endswith(_TABLES) and os.path.isfile(path) and path not in self._same

    # --- writing ---

    def write(self, target: Target, store: Store | None, progress: Progress | None = None) -> Added:
        """Add what was looked at, and say what it was.

        Args:
            target: the collection.
            store: its file, where it is a folder; which files were read is remembered there.
            progress: called as progress(done, total).
        """
        options = self.options
        if options.vectors is None:
            options = replace(
                options,
                count_tokens=lambda texts: target.model.count_tokens(texts),
                limit=lambda: target.model.info.max_tokens,
            )
        sources = Sources(store) if store is not None and self._digests else None
        known = {} if sources is None else sources.known
        held: dict[str, set[str]] = {path: set() for path in self._digests if path in known}
        archives = [path for path in held if path.lower().endswith(".zip")]
        repeats = _Repeats(self._repeats)
        failures: list[Failure] = []

        def rows() -> Iterator[Row]:
            for path in self.paths:
                for item in self._items(path, options):
                    if isinstance(item, Failure):
                        failures.append(item)
                        continue
                    facts = own_facts(item.document.metadata)
                    if held:
                        _hold(held, archives, str(facts.get("source")), item.document.id)
                    if repeats.active:
                        repeats.note(item.document.id, facts)
                    yield item

        with contextlib.nullcontext() if store is None else store.one_file():
            if store is not None and self._same:
                with store.reading():
                    store.check_line(self._line)
            added = self._add(target, rows(), progress)
            added = replace(added, failed=(*failures, *added.failed))
            added += self._settle(sources, held, added, target)
        summary = self._summary(repeats)
        return replace(added, summary=None if summary == Summary() else summary)

    def _items(self, path: str, options: ReadOptions) -> Iterator[Row | Failure]:
        kept = self._kept.pop(path, None)
        if kept is not None:
            yield from kept
        else:
            yield from read(path, options, skip=self._same, found=self._walked.get(path))

    def _add(self, target: Target, rows: Iterator[Row], progress: Progress | None) -> Added:
        def report(done: int, _: int) -> None:
            if progress is not None:
                progress(done, self._total)

        forgiving = self._skips or all(map(holds_many, self.paths))
        on_error: OnError = "skip" if forgiving else "raise"
        if self.options.vectors is None:
            return target.add((row.document for row in rows), on_error=on_error, progress=report)
        result, done = Added(), 0
        # Rows of one width go together; a width that the collection does not have is refused by it.
        for _, group in groupby(rows, key=lambda row: 0 if row.vector is None else len(row.vector)):
            while batch := list(islice(group, _BATCH)):
                z = np.stack([row.vector for row in batch if row.vector is not None])
                result += target.add([row.document for row in batch], z, on_error=on_error)
                done += len(batch)
                report(done, 0)
        return result

    def _settle(self, sources: Sources | None, held: dict[str, set[str]], added: Added, target: Target) -> Added:
        """Remember the files that were read, and return what was unchanged and removed."""
        removed = 0
        unchanged = Added(unchanged=sum(self._same.values()))
        if sources is None:
            return unchanged
        broken = _broken(added.failed, self._digests)
        for path, digest in self._digests.items():
            lines = broken.get(path)
            if path in self._same or (lines is not None and None in lines):
                continue  # of a file that could not be read the last good reading stays
            ids = held.get(path)
            if lines and ids is not None:
                # Rows that cannot be read now are not gone.
                known = {f"{path}:{line}" for line in lines}
                ids = None if self.options.id is not None else ids | known
            removed += sources.settle(path, None if lines else digest, ids, target.delete)
        if self._sync:
            present = {shown(file) for there in self._walked.values() for file in there.files}
            unlisted = {path for there in self._walked.values() for path in there.unlisted}
            removed += sources.vanish(map(shown, self.paths), present, unlisted, target.delete)
        return replace(unchanged, removed=removed)

    def _summary(self, repeats: _Repeats) -> Summary:
        report = self.report
        return Summary(
            columns=tuple(name for name in report.taken if name not in report.dropped),
            dropped=dict(report.dropped),
            repeated=repeats.found(),
            ignored=tuple(report.ignored),
            notices=tuple(report.notices),
        )


def _hold(held: dict[str, set[str]], archives: Sequence[str], source: str, id_: str) -> None:
    """Note that a file, or the archive that it is in, holds a row."""
    mine = held.get(source)
    if mine is None and archives:
        mine = next((held[archive] for archive in archives if source.startswith(f"{archive}/")), None)
    if mine is not None:
        mine.add(id_)


def _broken(failed: Sequence[Failure], paths: Iterable[str]) -> dict[str, set[int | None]]:
    """Return the lines that could not be read, by file; None stands for the file as a whole."""
    archives = [path for path in paths if path.lower().endswith(".zip")]
    found: dict[str, set[int | None]] = {}
    for failure in failed:
        found.setdefault(failure.source, set()).add(failure.line)
        for archive in archives:
            if failure.source.startswith(f"{archive}/"):
                found.setdefault(archive, set()).add(None)
    return found


def _bytes_of(item: Row | Failure) -> int:
    """Return about how many bytes a row takes in memory."""
    if isinstance(item, Failure):
        return _ROW
    document = item.document
    texts = (value for value in document.metadata.values() if isinstance(value, str))
    return _ROW + len(document.text or "") + sum(map(len, texts)) + (0 if item.vector is None else 4 * len(item.vector))


def _repeated(ids: array[int]) -> set[int]:
    if len(ids) < 2:
        return set()
    values, counts = np.unique(np.frombuffer(ids, dtype=np.int64), return_counts=True)
    return set(values[counts > 1].tolist())


class _Repeats:
    """Ids that occur more than once in a run, with their places."""

    def __init__(self, hashes: set[int]) -> None:
        self._hashes = hashes
        self._seen: dict[str, list[tuple[str, Any]]] = {}
        self.active = bool(hashes)

    def note(self, id_: str, facts: Any) -> None:
        """Note a row."""
        if hash(id_) in self._hashes:
            places = self._seen.setdefault(id_, [])
            if len(places) < _MOST_REPEATED:
                places.append((str(facts.get("source")), facts.get("line")))

    def found(self) -> tuple[Repeated, ...]:
        """Return the ids that occurred again."""
        twice = ((id_, places) for id_, places in self._seen.items() if len(places) > 1)
        return tuple(Repeated(id_, tuple(places)) for id_, places in islice(twice, _MOST_REPEATED))


class _Rewinding:
    """Standard input that begins again each time its bytes are asked for."""

    def __init__(self, spool: IO[bytes]) -> None:
        self._spool = spool

    @property
    def buffer(self) -> IO[bytes]:
        self._spool.seek(0)
        return self._spool
