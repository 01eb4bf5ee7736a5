"""`imi export`, `backup`, `verify`, `repair` and `migrate`: looking after a collection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from imi.cli.opening import open_existing, open_to_read
from imi.cli.options import CollectionName, Output
from imi.cli.output import note, number, progress, show
from imi.cli.verbs import verb
from imi.errors import Damaged


@dataclass(frozen=True, kw_only=True)
class Export(Output):
    """What `imi export` takes."""

    collection: CollectionName
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv, .jsonl, .parquet or .npy file.")]
    no_vectors: Annotated[bool, typer.Option("--no-vectors", help="Texts and metadata alone.")] = False


def export(options: Export) -> None:
    """Write a collection to a file: CSV with vectors as literal lists, JSONL, Parquet, or the vectors alone as .npy."""
    with open_to_read(options.collection) as collection, progress("exporting", quiet=options.quiet) as bar:
        rows = collection.export(options.file, vectors=not options.no_vectors, progress=bar)
    show({"rows": rows, "out": str(options.file)}, ["rows", "file"], [[rows, options.file]], as_json=options.as_json)


@dataclass(frozen=True, kw_only=True)
class Backup(Output):
    """What `imi backup` takes."""

    collection: CollectionName
    file: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder, which is a collection itself.")]


def backup(options: Backup) -> None:
    """Copy a collection while it is used; the copy is a collection itself."""
    with open_to_read(options.collection) as collection, progress("copying", quiet=options.quiet) as bar:
        collection.backup(options.file, progress=bar)
        rows = len(collection)
    show({"rows": rows, "out": str(options.file)}, ["rows", "folder"], [[rows, options.file]], as_json=options.as_json)


@dataclass(frozen=True, kw_only=True)
class Verify(Output):
    """What `imi verify` takes."""

    collection: CollectionName


def verify(options: Verify) -> None:
    """Read everything and compare all checksums; the exit code is 1 where something does not agree."""
    with open_to_read(options.collection) as collection, progress("verifying", quiet=options.quiet) as bar:
        found = collection.verify(progress=bar)
    rows = [[problem.check, problem.where, problem.detail] for problem in found.problems] or [
        ["ok", f"{found.rows} rows", ""]
    ]
    show(found, ["check", "where", "detail"], rows, as_json=options.as_json)
    if not found.ok:
        problems = len(found.problems)
        raise Damaged(
            f"{options.collection} has {problems} problem{'s' * (problems > 1)}",
            hint=f"imi repair {options.collection} keeps every row that agrees with its checksum",
        )


@dataclass(frozen=True, kw_only=True)
class Repair(Output):
    """What `imi repair` takes."""

    collection: CollectionName


def repair(options: Repair) -> None:
    """Keep every row that agrees with its checksum in a new file; the old one is set aside."""
    with open_existing(options.collection) as collection, progress("repairing", quiet=options.quiet) as bar:
        done = collection.repair(progress=bar)
    rows: list[list[Any]] = [
        ["kept", done.kept],
        ["embedded again", done.embedded_again],
        ["lost", len(done.lost)],
        ["old file", done.old],
    ]
    show(done, ["what", "rows"], rows, as_json=options.as_json)
    for row in done.lost[:10]:
        note(f"lost: {row}", quiet=options.quiet)


@dataclass(frozen=True, kw_only=True)
class Migrate(Output):
    """What `imi migrate` takes."""

    collection: CollectionName
    dims: Annotated[int | None, typer.Option("--dims", metavar="N", help="Numbers to keep of each vector.")] = None
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Another model: every text is embedded anew.")
    ] = None
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would take.")] = False


def migrate(options: Migrate) -> None:
    """Move a collection to fewer numbers a vector, or to another model; searches go on meanwhile."""
    with open_existing(options.collection) as collection, progress("migrating", quiet=options.quiet) as bar:
        done = collection.migrate(options.dims, options.model, estimate=options.estimate, progress=bar)
    rows: list[list[Any]] = [
        ["rows", done.rows],
        ["seconds", number(done.seconds, 1)],
        ["money", "nothing" if done.cost is None else number(done.cost, 2)],
        ["nearest ten that stay", number(done.overlap)],
        ["numbers", done.dims],
        ["model", done.model],
    ]
    show(done, ["what", "value"], [row for row in rows if row[1] != ""], as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verb(app, "export", Export, export, example="imi export reviews.imi reviews_with_embeddings.csv")
    verb(app, "backup", Backup, backup, example="imi backup reviews.imi monday.imi")
    verb(app, "verify", Verify, verify, example="imi verify reviews.imi")
    verb(app, "repair", Repair, repair, example="imi repair reviews.imi")
    verb(app, "migrate", Migrate, migrate, example="imi migrate reviews.imi --dims 32 --estimate")
