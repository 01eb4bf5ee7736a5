"""`imi add`: files, folders and standard input into a collection."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Literal

import typer

from imi.backends.address import is_address
from imi.cli.opening import exists, open_to_read, open_to_write
from imi.cli.options import CollectionName, Model, Trusting
from imi.cli.output import Progress, note, progress, show
from imi.cli.verbs import verb
from imi.errors import DataError, Failure, UsageError
from imi.records import Added, Document, own_facts

if TYPE_CHECKING:
    from imi.collection import Collection
    from imi.text.readers import ReadOptions, Row
    from imi.text.walk import Walking

OnError = Literal["raise", "skip"]
_BATCH = 1024
_TOLD = 10
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class AddOptions(Trusting):
    """What `imi add` takes."""

    collection: CollectionName
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE", help="Tables, texts, documents, pictures, folders of them; - is standard input."
        ),
    ]
    template: Annotated[
        str | None,
        typer.Option("--template", metavar="TEXT", help="The text of a row: 'Title: {Summary}; Content: {Text}'."),
    ] = None
    id: Annotated[
        str | None, typer.Option("--id", metavar="COLUMN", help="The column of ids; else source and line make one.")
    ] = None
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="A,B", help="Columns to keep as metadata; all by default.")
    ] = None
    vectors: Annotated[
        str | None,
        typer.Option("--vectors", metavar="COLUMN", help="The column of the rows' own vectors, as lists of numbers."),
    ] = None
    encoding: Annotated[str, typer.Option("--encoding", metavar="NAME", help="Of text files: latin-1, cp932, …")] = (
        "utf-8"
    )
    sql: Annotated[str | None, typer.Option("--sql", metavar="QUERY", help="The rows to read from SQLite files.")] = (
        None
    )
    sync: Annotated[bool, typer.Option("--sync", help="Remove rows of files that are gone from the given folders.")] = (
        False
    )
    watch: Annotated[bool, typer.Option("--watch", help="Go on and add what changes, until Ctrl-C.")] = False
    skip_errors: Annotated[
        bool, typer.Option("--skip-errors", help="Leave bad rows out and report them, as is always done in folders.")
    ] = False
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="KIND", help="What the source must be: imi, llm, chroma, lancedb, txtai, qdrant."
        ),
    ] = None
    hidden: Annotated[bool, typer.Option("--hidden", help="Of folders, read names that begin with a dot too.")] = False
    no_ignore: Annotated[
        bool, typer.Option("--no-ignore", help="Of folders, read what .gitignore and .imiignore leave out too.")
    ] = False
    model: Model = None

    @property
    def walking(self) -> Walking:
        """Which files of folders are read."""
        from imi.text.walk import Walking

        return Walking(hidden=self.hidden, no_ignore=self.no_ignore)


def add(options: AddOptions) -> None:
    """Add files to a collection, or update what changed: rows by their id, unchanged texts are not embedded again.

    The collection is made when missing. A bad row stops the run before anything is written, unless
    --skip-errors; in folders and archives it is left out and reported.
    """
    _add(options)
    if options.watch:
        _watch(options)


def _watch(options: AddOptions) -> None:
    """Add again whenever a file appears, changes or goes; what cannot be read is told, and watching goes on."""
    if "-" in options.sources:
        raise UsageError("standard input cannot be watched: -", hint="give files or folders")
    note("watching; Ctrl-C ends it", quiet=options.quiet)
    seen = _stamps(options.sources, options.walking)
    while True:
        time.sleep(_LOOK_SECONDS)
        now = _stamps(options.sources, options.walking)
        if now != seen:
            seen = now
            try:
                _add(options)
            except DataError as broken:
                note(str(broken), quiet=options.quiet)


def _stamps(sources: Sequence[str], walking: Walking) -> dict[str, tuple[int, int]]:
    from imi.text.readers import files_of

    stamps = {}
    for source in sources:
        # A file may go between being listed and being looked at, and a folder may be empty for a while.
        with contextlib.suppress(DataError, FileNotFoundError):
            for path in files_of(source, walking):
                stat = os.stat(path)
                stamps[path] = (stat.st_mtime_ns, stat.st_size)
    return stamps


def _add(options: AddOptions) -> None:
    from imi.text.readers import ReadOptions

    if imports(options):
        import_exports(options)
        return
    columns = tuple(name.strip() for name in (options.columns or "").split(",") if name.strip())
    how = ReadOptions(options.template, options.id, columns, options.vectors, options.encoding, options.sql)
    how = replace(how, walking=options.walking)
    if options.sync and is_address(options.collection):
        raise UsageError("--sync is for collections in a folder", hint="imi rm URL --where 'source=FILE' removes rows")
    if list(options.sources).count("-") > 1:
        raise UsageError("standard input was given twice: -")
    with _again(options.sources):
        # Which files have changed is remembered beside the rows of a folder only: an engine's are compared one by one.
        found = {} if options.vectors or is_address(options.collection) else _digests(options, how)
        same = _unchanged(options.collection, found)
        total = 0 if options.skip_errors else _check(options.sources, how, same, quiet=options.quiet)
        with open_to_write(options.collection, options.model, own_vectors=options.vectors is not None) as collection:
            if options.vectors is None:
                how = replace(
                    how,
                    count_tokens=lambda texts: collection.model.count_tokens(texts),
                    limit=lambda: collection.model.info.max_tokens,
                )
            files = _Files(collection, found, same, tracked=not is_address(options.collection))
            with progress("adding", quiet=options.quiet) as bar:
                added = _fill(collection, options, how, bar, total, files)
            added += files.settle(options, added)
            name = collection.info.path
    _show_added(added, name, options)


def imports(options: AddOptions) -> bool:
    """Whether the sources are exports of collections or stores of others, which bring their vectors.

    Raises:
        UsageError: one is not what --from says.
    """
    from imi.collection.importing import kind_of
    from imi.collection.other_stores import KINDS

    allowed = ("imi", "llm", *KINDS)
    if options.from_ is not None and options.from_ not in allowed:
        raise UsageError(f"--from is {options.from_!r}, allowed are {', '.join(allowed)}")
    if options.template or options.id or options.columns or options.vectors:
        return False
    kinds = [None if source == "-" else kind_of(Path(source)) for source in options.sources]
    for source, kind in zip(options.sources, kinds, strict=True):
        if options.from_ is not None and kind != options.from_:
            raise UsageError(
                f"{source} is {'nothing that was exported' if kind is None else f'of the kind {kind}'}, "
                f"not {options.from_}",
                hint="give the folder or file that the store keeps its rows in",
            )
    return all(kinds)


def import_exports(options: AddOptions) -> None:
    """Add exported collections with their vectors, which are not made again."""
    added = Added()
    # A new collection takes over the export's model, so none is asked for by the environment.
    with open_to_write(options.collection, options.model, own_vectors=True) as collection:
        with progress("importing", quiet=options.quiet) as bar:
            for source in options.sources:
                added += collection.import_(source, progress=bar)
        name = collection.info.path
    _show_added(added, name, options)


def _show_added(added: Added, name: str, options: AddOptions) -> None:
    counts = added.to_dict()
    rows = [[key, value] for key, value in counts.items() if key != "failed" and (value or key == "added")]
    show(counts, ["rows", "number"], rows, as_json=options.as_json)
    _report(added.failed, quiet=options.quiet)
    if sys.stderr.isatty():
        note(f'next: imi search {name} "your question"', quiet=options.quiet)


@contextlib.contextmanager
def _again(sources: Sequence[str]) -> Iterator[None]:
    """Let standard input be read twice, once to check and once to add, by way of a file."""
    if "-" not in sources:
        yield
        return
    with tempfile.TemporaryFile() as spool:
        while piece := sys.stdin.buffer.read(2**20):
            spool.write(piece)
        before = sys.stdin
        sys.stdin = _RewindingOptions(spool)
        try:
            yield
        finally:
            sys.stdin = before


class _RewindingOptions:
    """Standard input that begins anew each time its bytes are asked for."""

    def __init__(self, spool: IO[bytes]) -> None:
        self._spool = spool

    @property
    def buffer(self) -> IO[bytes]:
        self._spool.seek(0)
        return self._spool


def _digests(options: AddOptions, how: ReadOptions) -> dict[str, str]:
    """Return the digest of every file that the sources stand for."""
    from imi.collection.sources import file_digest
    from imi.text.readers import files_of

    # An archive's rows name its members as their sources: it is always read.
    paths = [
        path
        for one in options.sources
        if one != "-"
        for path in files_of(one, how.walking)
        if not path.endswith(".zip")
    ]
    return {path: file_digest(path, repr(how)) for path in paths}


def _unchanged(name: str, found: dict[str, str]) -> dict[str, int]:
    from imi.collection.sources import Sources

    if not found or not exists(name):
        return {}
    with open_to_read(name) as collection:
        return Sources(collection).unchanged(found)


class _Files:
    """Which files a run reads, and what they hold, so that rows that a changed file no longer holds can go."""

    def __init__(self, collection: Collection, found: dict[str, str], same: dict[str, int], *, tracked: bool) -> None:
        from imi.collection.sources import Sources

        self.sources = Sources(collection) if tracked else None
        self.same = same
        self._found = found
        known = {} if self.sources is None else self.sources.known
        self._ids: dict[str, set[str]] = {path: set() for path in found if path in known}

    def note(self, document: Document) -> None:
        """Remember a row of a file that was read before."""
        held = self._ids.get(str(own_facts(document.metadata).get("source")))
        if held is not None:
            held.add(document.id)

    def settle(self, options: AddOptions, added: Added) -> Added:
        """Remember the files that were read whole, and return what was unchanged and removed."""
        broken = {failure.source for failure in added.failed}
        removed = 0
        for path, digest in self._found.items():
            if self.sources is not None and path not in self.same and path not in broken:
                removed += self.sources.settle(path, digest, self._ids.get(path))
        if options.sync and self.sources is not None:
            removed += self.sources.vanish(options.sources, self._found)
        return Added(unchanged=sum(self.same.values()), removed=removed)


def _check(sources: Sequence[str], how: ReadOptions, same: dict[str, int], *, quiet: bool) -> int:
    """Read everything once before anything is written; return the number of rows.

    What is broken in a folder stops nothing: who names a folder does not know each of its files.
    """
    from imi.text.readers import looked_at, read

    total = 0
    stopping: list[Failure] = []
    passed: list[Failure] = []
    with progress("checking", quiet=quiet) as bar:
        for source in sources:
            failures = passed if _holds_many(source) else stopping
            for item in looked_at(read(source, how, skip=same)):
                total += 1
                if isinstance(item, Failure):
                    failures.append(item)
                if bar is not None and total % _BATCH == 0:
                    bar(total, 0)
    if stopping:
        verb_ = "row" if len(stopping) == 1 else "rows"
        raise DataError(
            f"{len(stopping)} {verb_} of {total} cannot be taken, so nothing was added",
            hint="mend them, or --skip-errors adds the others",
            failures=stopping,
        )
    if total == len(passed) and not same:
        raise DataError(f"nothing to add: {', '.join(sources)} holds no rows that can be read", failures=passed)
    return total


def _holds_many(source: str) -> bool:
    """Whether a source is many files, of which a broken one is reported and the others are added."""
    return os.path.isdir(source) or source.endswith(".zip")


def _fill(
    collection: Collection,
    options: AddOptions,
    how: ReadOptions,
    bar: Progress | None,
    total: int,
    files: _Files,
) -> Added:
    from imi.text.readers import read

    failures: list[Failure] = []

    def rows() -> Iterator[Row]:
        for source in options.sources:
            for item in read(source, how, skip=files.same):
                if isinstance(item, Failure):
                    failures.append(item)
                else:
                    files.note(item.document)
                    yield item

    def told(done: int, _: int) -> None:
        if bar is not None:
            bar(done, total)

    forgiving = options.skip_errors or all(map(_holds_many, options.sources))
    on_error: OnError = "skip" if forgiving else "raise"
    if options.vectors is None:
        documents: Iterator[Document] = (row.document for row in rows())
        result = collection.add(documents, on_error=on_error, progress=told)
    else:
        result = _fill_vectors(collection, rows(), on_error, told)
    return replace(result, failed=(*failures, *result.failed))


def _fill_vectors(collection: Collection, rows: Iterator[Row], on_error: OnError, told: Progress) -> Added:
    import numpy as np

    result, done = Added(), 0
    # Rows of one width go together; a width that the collection does not have is refused by it.
    for _, group in groupby(rows, key=lambda row: 0 if row.vector is None else len(row.vector)):
        while batch := list(islice(group, _BATCH)):
            z = np.stack([row.vector for row in batch if row.vector is not None])
            result += collection.add([row.document for row in batch], z, on_error=on_error)
            done += len(batch)
            told(done, 0)
    return result


def _report(failed: Sequence[Failure], *, quiet: bool) -> None:
    for failure in failed[:_TOLD]:
        place = failure.source if failure.line is None else f"{failure.source}:{failure.line}"
        note(f"left out {place}: {failure.reason}", quiet=quiet)
    if len(failed) > _TOLD:
        note(f"… and {len(failed) - _TOLD} more; --json lists all", quiet=quiet)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(
        app,
        "add",
        AddOptions,
        add,
        example='imi add reviews.imi reviews.csv --id Id --template "Title: {Summary}; Content: {Text}"',
    )
