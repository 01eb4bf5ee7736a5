"""`imi install`: tell a coding agent that imi is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from imi.cli.options import Output
from imi.cli.output import note, show
from imi.cli.parameters import Argument, Option
from imi.cli.verbs import verb

if TYPE_CHECKING:
    import typer


@dataclass(frozen=True, kw_only=True)
class InstallOptions(Output):
    """What `imi install` takes."""

    agent: Annotated[str, Argument(metavar="AGENT", help="claude-code, cursor, codex, vscode, gemini or all.")]
    project: Annotated[bool, Option("--project", help="In the settings of this folder, not in yours.")] = False
    undo: Annotated[bool, Option("--undo", help="Take back what was installed.")] = False
    dry_run: Annotated[bool, Option("--dry-run", help="Only show what would change.")] = False


def install(options: InstallOptions) -> None:
    """Put imi's server into an agent's settings and a skill beside them, and show what changes.

    The agent then searches the folder that it works in. Other settings stay as they are; --undo takes all of it back.
    """
    from imi.bridges.agents import AGENTS, apply, changes

    names = list(AGENTS) if options.agent == "all" else [options.agent]
    folder = Path.cwd() if options.project else None
    # All are read before any is written, so that settings that cannot be read stop it before half is done.
    planned = [(name, change) for name in names for change in changes(name, folder, undo=options.undo)]
    for _, change in planned:
        if not options.as_json and change.diff:
            note(change.diff, quiet=options.quiet)
        if not options.dry_run:
            apply(change)
    rows = [[name, change.kind, change.path] for name, change in planned]
    show(
        [{"agent": name, **change.to_dict()} for name, change in planned],
        ["agent", "change", "file"],
        rows,
        as_json=options.as_json,
    )
    if options.dry_run:
        note("nothing was written", quiet=options.quiet)
    elif not options.undo:
        note("start the agent again; imi install … --undo takes it back", quiet=options.quiet)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(
        app,
        "install",
        InstallOptions,
        install,
        example="imi install claude-code --project\nimi install claude-code --project --undo",
    )
