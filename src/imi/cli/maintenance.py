"""`imi backup`, `verify` and `repair`: looking after a collection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from imi.cli.opening import open_existing, open_to_read
from imi.cli.options import CollectionName, Output, Trusting
from imi.cli.output import named, note, progress, show
from imi.cli.verbs import verb
from imi.errors import Damaged
from imi.language import local


@dataclass(frozen=True, kw_only=True)
class BackupOptions(Output):
    """What `imi backup` takes."""

    collection: CollectionName
    file: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder, which is a collection itself.")]


def backup(options: BackupOptions) -> None:
    """Copy a collection while it is used; the copy is a collection itself."""
    with open_to_read(options.collection) as collection, progress("copying", quiet=options.quiet) as bar:
        collection.backup(options.file, progress=bar)
        rows = len(collection)
    show({"rows": rows, "out": str(options.file)}, ["rows", "folder"], [[rows, options.file]], as_json=options.as_json)


@dataclass(frozen=True, kw_only=True)
class VerifyOptions(Output):
    """What `imi verify` takes."""

    collection: CollectionName


def verify(options: VerifyOptions) -> None:
    """Read everything and compare all checksums; the exit code is 1 where something does not agree."""
    with open_to_read(options.collection) as collection, progress("verifying", quiet=options.quiet) as bar:
        found = collection.verify(progress=bar)
    rows = [[local(problem.check), problem.where, local(problem.detail)] for problem in found.problems] or [
        [local("ok"), local(f"{found.rows} rows"), ""]
    ]
    show(found, ["check", "where", "detail"], rows, as_json=options.as_json)
    if not found.ok:
        problems = len(found.problems)
        raise Damaged(
            f"{options.collection} has {problems} problem{'s' * (problems > 1)}",
            hint=f"imi repair {options.collection} keeps every row that agrees with its checksum",
        )


@dataclass(frozen=True, kw_only=True)
class RepairOptions(Trusting):
    """What `imi repair` takes."""

    collection: CollectionName


def repair(options: RepairOptions) -> None:
    """Keep every row that agrees with its checksum in a new file; the old one is set aside."""
    with open_existing(options.collection) as collection, progress("repairing", quiet=options.quiet) as bar:
        done = collection.repair(progress=bar)
    rows: list[list[Any]] = [
        ["kept", done.kept],
        ["embedded again", done.embedded_again],
        ["lost", len(done.lost)],
        ["old file", done.old],
    ]
    show(done, ["what", "rows"], named(rows), as_json=options.as_json)
    for row in done.lost[:10]:
        note(f"lost: {row}", quiet=options.quiet)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verb(app, "backup", BackupOptions, backup, example="imi backup reviews.imi monday.imi")
    verb(app, "verify", VerifyOptions, verify, example="imi verify reviews.imi")
    verb(app, "repair", RepairOptions, repair, example="imi repair reviews.imi")
