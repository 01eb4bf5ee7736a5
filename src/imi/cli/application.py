"""The command line as Typer knows it: for help, completion, and whatever is not plainly right."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from imi.cli.groups import GROUPS
from imi.cli.verbs import lazy_group


def application() -> typer.Typer:
    """Return the Typer application with its lazily imported verbs."""
    app = typer.Typer(
        cls=lazy_group(GROUPS),
        name="imi",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def root(
        context: typer.Context,
        version: Annotated[bool, typer.Option("--version", help="The version, and nothing else.")] = False,
    ) -> None:
        if version:
            from imi._version import __version__

            print(__version__)
        elif context.invoked_subcommand is None:
            print(context.get_help())

    return app


def invoke(arguments: list[str]) -> int:
    """Let Typer read a command line and run it; return the exit code."""
    command: Any = typer.main.get_command(application())
    if "_IMI_COMPLETE" in os.environ:
        command.main(args=arguments, prog_name="imi")
        return 0
    try:
        with command.make_context("imi", arguments) as context:
            command.invoke(context)
    except typer.Exit as leave:
        return leave.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    return 0
