"""`imi add`: files, folders and standard input into a collection."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from imi.backends.schemes import is_address
from imi.cli.opening import exists, open_to_read, open_to_write
from imi.cli.options import CollectionName, Model, Trusting
from imi.cli.output import named, note, progress, show
from imi.cli.verbs import verb
from imi.errors import DataError, Failure, UsageError
from imi.language import local
from imi.records import Added, Summary

if TYPE_CHECKING:
    from imi.text.walk import Walking

OnError = Literal["raise", "skip"]
_TOLD = 10


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
    rows: Annotated[
        str | None,
        typer.Option(
            "--rows", metavar="HOW", help="What a row of a text file is: lines or passages; by itself the text tells."
        ),
    ] = None
    sync: Annotated[bool, typer.Option("--sync", help="Remove rows of files that are gone from the given folders.")] = (
        False
    )
    watch: Annotated[bool, typer.Option("--watch", help="Go on and add what changes, until Ctrl-C.")] = False
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether a table begins with its columns' names; its cells tell."),
    ] = None
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at a bad row of a file before anything is written, with exit code 1.")
    ] = False
    skip_errors: Annotated[bool, typer.Option("--skip-errors", hidden=True, help="What is done without --strict.")] = (
        False
    )
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
    deepen: Annotated[
        bool, typer.Option("--deepen", help="Then let the finer model read the rows, as imi deepen does.")
    ] = False
    model: Model = None

    @property
    def walking(self) -> Walking:
        """Which files of folders are read."""
        from imi.text.walk import Walking

        return Walking(hidden=self.hidden, no_ignore=self.no_ignore)


def _deepen(options: AddOptions) -> None:
    """Let the finer model read what was added; see `imi deepen`."""
    with open_to_write(options.collection) as collection:
        if collection.bound is not None and collection.bound.name == "deep":
            return  # it has read them already
        with progress("deepening", quiet=options.quiet) as bar:
            done = collection.deepen(progress=bar)
    note(f"read by deep: {done.read} rows in {done.seconds:.1f} s", quiet=options.quiet)


def _check_deepen(options: AddOptions) -> None:
    """Refuse what could not be deepened, before anything is added."""
    from imi.embedders.load import load

    if is_address(options.collection):
        raise UsageError("--deepen is for collections in a folder", hint="imi add URL … --model deep")
    load("deep")


def add(options: AddOptions) -> None:
    """Add files to a collection, or update what changed: rows by their id, unchanged texts are not embedded again.

    The collection is made when missing. Rows that cannot be taken are left out and named by their lines; with
    --strict one of a file stops the run before anything is written.
    """
    if options.deepen:
        _check_deepen(options)
    _add(options)
    if options.deepen:
        _deepen(options)
    if options.watch:
        from imi.ingest import watch

        note("watching; Ctrl-C ends it", quiet=options.quiet)
        watch(options.sources, options.walking, lambda: _add_again(options))


def _add_again(options: AddOptions) -> bool:
    """Add what has changed; what cannot be read is reported, and watching goes on."""
    try:
        _add(options)
        if options.deepen:
            _deepen(options)
    except DataError as broken:
        note(str(broken), quiet=options.quiet)
    return True


def _add(options: AddOptions) -> None:
    from imi.collection.pictures import unfamiliar_pictures
    from imi.ingest import Ingest
    from imi.text.readers import ReadOptions

    if imports(options):
        import_exports(options)
        return
    columns = tuple(name.strip() for name in (options.columns or "").split(",") if name.strip())
    how = ReadOptions(options.template, options.id, columns, options.vectors, options.encoding, options.sql)
    result: dict[str, str] = {}
    how = replace(how, header=options.header, rows=_rows(options.rows))
    how = replace(how, walking=options.walking, noted=result.__setitem__)
    on_engine = is_address(options.collection)
    if options.sync and on_engine:
        raise UsageError("--sync is for collections in a folder", hint="imi rm URL --where 'source=FILE' removes rows")
    if options.watch and "-" in options.sources:
        raise UsageError("standard input cannot be watched: -", hint="give files or folders")
    if options.strict and options.skip_errors:
        raise UsageError("--strict and --skip-errors were both given", hint="leave one out")
    on_error: OnError = "raise" if options.strict else "skip"
    ingest = Ingest(options.sources, how, sync=options.sync, on_error=on_error)
    with ingest.opened():
        with progress("checking", quiet=options.quiet) as bar:
            # Which files have changed is remembered beside the rows of a folder: an engine's are compared one by one.
            if not on_engine and exists(options.collection):
                with open_to_read(options.collection) as collection:
                    ingest.look(collection.store, bar)
            else:
                ingest.look(None, bar)
        with open_to_write(options.collection, options.model, own_vectors=options.vectors is not None) as collection:
            store = None if on_engine else collection.store
            last = -1 if store is None else store.last_row
            with progress("adding", quiet=options.quiet) as bar:
                added = ingest.write(collection, store, bar)
            name = collection.info.path
            strange = None if store is None else unfamiliar_pictures(store, lambda: collection.model, last)
    _show_added(added, name, options)
    _say_how(result, quiet=options.quiet)
    if strange is not None and strange.most:
        note(str(strange), quiet=options.quiet)


def _rows(given: str | None) -> Literal["lines", "passages"] | None:
    if given not in (None, "lines", "passages"):
        raise UsageError(f"--rows is {given!r}, allowed are lines and passages")
    return given  # type: ignore[return-value]  # checked above


def _say_how(result: Mapping[str, str], *, quiet: bool) -> None:
    """Say of text files whether they were read line by line or in passages, as guessed from their first lines."""
    for how, said in (("lines", "a row a line"), ("passages", "in passages")):
        files = sorted(file for file, one in result.items() if one == how)
        if files:
            other = "passages" if how == "lines" else "lines"
            shown = files[0] if len(files) == 1 else local(f"{len(files):,} text files")
            note(f"{shown} read {local(said)}; --rows {other} reads the other way", quiet=quiet)


def imports(options: AddOptions) -> bool:
    """Whether the sources are exports of collections or stores of others, which bring their vectors.

    Raises:
        UsageError: one is not what --from says.
    """
    from imi.collection.importing import kind_of
    from imi.collection.other_stores import ASKED_ONLY, KINDS

    allowed = ("imi", "llm", *KINDS)
    if options.from_ is not None and options.from_ not in allowed:
        raise UsageError(f"--from is {options.from_!r}, allowed are {', '.join(allowed)}")
    if options.template or options.id or options.columns or options.vectors:
        return False
    kinds = [None if source == "-" else kind_of(Path(source), options.from_) for source in options.sources]
    for source, kind in zip(options.sources, kinds, strict=True):
        if options.from_ is not None and kind != options.from_:
            raise UsageError(
                f"{source} is {'nothing that was exported' if kind is None else f'of the kind {kind}'}, "
                f"not {options.from_}",
                hint="give the folder or file that the store keeps its rows in",
            )
    for source, kind in zip(options.sources, kinds, strict=True):
        looks = None if kind or source == "-" else next((one for one in ASKED_ONLY if kind_of(Path(source), one)), None)
        if looks is not None:
            note(f"{source} looks like a store of {looks}: --from {looks} reads it as one", quiet=options.quiet)
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
    rows = [[key, value] for key, value in counts.items() if isinstance(value, int) and (value or key == "added")]
    show(counts, ["rows", "number"], named(rows), as_json=options.as_json)
    _report(added.failed, quiet=options.quiet)
    if added.summary is not None:
        _say_summary(added.summary, quiet=options.quiet)
        named_id = next((one for one in added.summary.columns if one.casefold() == "id"), None)
        if options.id is None and named_id is not None and added.added:
            note(
                f"ids were made from the file and line; --id {named_id} takes them from that column",
                quiet=options.quiet,
            )
    if sys.stderr.isatty():
        if options.vectors is None:
            note(f'next: imi search {name} "your question"', quiet=options.quiet)
        else:
            note(f"next: imi search {name} --vector FILE", quiet=options.quiet)


def _report(failed: Sequence[Failure], *, quiet: bool) -> None:
    for failure in failed[:_TOLD]:
        place = failure.source if failure.line is None else f"{failure.source}:{failure.line}"
        note(f"left out {place}: {failure.reason}", quiet=quiet)
    if len(failed) > _TOLD:
        note(f"… and {len(failed) - _TOLD} more; --json lists all", quiet=quiet)


def _say_summary(summary: Summary, *, quiet: bool) -> None:
    """Say what of the files was not a row, and which of their columns were kept."""
    for notice in summary.notices[:_TOLD]:
        place = notice.source if notice.line is None else f"{notice.source}:{notice.line}"
        note(f"{place}: {notice.text}", quiet=quiet)
    if len(summary.notices) > _TOLD:
        note(f"… and {len(summary.notices) - _TOLD} more; --json lists all", quiet=quiet)
    for one in summary.repeated[:_TOLD]:
        places = ", ".join(source if line is None else f"{source}:{line}" for source, line in one.places[:5])
        more = local(f", and {len(one.places) - 5} more") if len(one.places) > 5 else ""
        note(f"the id {one.id!r} occurs {len(one.places)} times ({places}{more}): the last row was kept", quiet=quiet)
    if len(summary.repeated) > _TOLD:
        note(f"… and {len(summary.repeated) - _TOLD} more ids; --json lists all", quiet=quiet)
    for name, reason in list(summary.dropped.items())[:_TOLD]:
        note(f"the column {name!r} was left out: {reason}", quiet=quiet)
    if summary.ignored:
        some = ", ".join(summary.ignored[:3]) + (" …" if len(summary.ignored) > 3 else "")
        files = len(summary.ignored)
        kind = "file is of a kind" if files == 1 else "files are of a kind"
        note(f"{files} {kind} that no reader knows: {some}", quiet=quiet)
    if summary.columns:
        some = ", ".join(summary.columns[:12]) + (" …" if len(summary.columns) > 12 else "")
        note(f"columns: {some}", quiet=quiet)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(
        app,
        "add",
        AddOptions,
        add,
        example='imi add reviews.imi reviews.csv --id Id --template "Title: {Summary}; Content: {Text}"',
    )
