"""The command line: each verb parses, calls and prints; the modules behind the verbs are imported when called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from imi.cli.verbs import Group, lazy_group
from imi.errors import DataError, ImiError

# One line a verb: its name and the module whose `register` adds it.
GROUPS = (
    Group(
        "find",
        {
            "search": "imi.cli.search",
            "ask": "imi.cli.ask",
            "recommend": "imi.cli.odd_and_alike",
            "browse": "imi.cli.browse",
            "map": "imi.cli.looking",
        },
    ),
    Group(
        "collections",
        {
            "add": "imi.cli.add",
            "show": "imi.cli.collections",
            "ls": "imi.cli.collections",
            "rm": "imi.cli.collections",
            "export": "imi.cli.upkeep",
            "backup": "imi.cli.upkeep",
            "verify": "imi.cli.upkeep",
            "repair": "imi.cli.upkeep",
            "copy": "imi.cli.copying",
            "migrate": "imi.cli.upkeep",
            "doctor": "imi.cli.odd_and_alike",
            "plan": "imi.cli.plan",
            "graph": "imi.cli.graph",
        },
    ),
    Group(
        "understand",
        {
            "similar": "imi.cli.similar",
            "compare": "imi.cli.compare",
            "explain": "imi.cli.explain",
            "embed": "imi.cli.embed",
            "cost": "imi.cli.cost",
        },
    ),
    Group(
        "tasks",
        {
            "classify": "imi.cli.tasks",
            "zero-shot": "imi.cli.tasks",
            "regress": "imi.cli.tasks",
            "cluster": "imi.cli.tasks",
            "anomalies": "imi.cli.odd_and_alike",
            "dedupe": "imi.cli.odd_and_alike",
            "diversity": "imi.cli.odd_and_alike",
            "profiles": "imi.cli.tasks",
            "code": "imi.cli.looking",
            "customize": "imi.cli.looking",
            "translate": "imi.cli.ask",
        },
    ),
    Group(
        "models",
        {
            "evaluate": "imi.cli.evaluate",
            "train": "imi.cli.train",
            "lab": "imi.cli.lab",
        },
    ),
    Group(
        "serve",
        {
            "serve": "imi.cli.serve",
            "keys": "imi.cli.serve",
            "conform": "imi.cli.serve",
            "mcp": "imi.cli.mcp",
            "demo": "imi.cli.demo",
        },
    ),
)

# The parent class of all complaints about arguments; Typer has moved its home between versions, its children stay.
_BadUse: type[Exception] = typer.BadParameter.__bases__[0]


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 the data or the run failed, 2 wrong use, 130 interrupted."""
    try:
        code = _invoke(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of the pipe has what it wanted. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _complain(
            "interrupted; what was committed before is safe", "run the same command again to complete it", 130
        )
    except Exception as error:
        if os.environ.get("IMI_DEBUG") == "1":
            raise
        return _explain(error)


def _invoke(arguments: list[str]) -> int:
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


def _explain(error: Exception) -> int:
    if isinstance(error, DataError):
        _list_failures(error)
    if isinstance(error, ImiError):
        return _complain(error.message, error.hint, error.exit_code)
    if isinstance(error, _BadUse):
        context: Any = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "imi"
        message = error.format_message().rstrip(".")  # type: ignore[attr-defined]
        return _complain(message[:1].lower() + message[1:], f"{path} --help", 2)
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return _complain(f"{(error.strerror or str(error)).lower()}{where}", None, 1)
    return _complain(
        f"unexpected {type(error).__name__}: {error}", "IMI_DEBUG=1 in front of the command shows where", 1
    )


def _list_failures(error: DataError, most: int = 10) -> None:
    for failure in error.failures[:most]:
        place = failure.source if failure.line is None else f"{failure.source}:{failure.line}"
        print(f"{place}: {failure.reason}", file=sys.stderr)
    if len(error.failures) > most:
        print(f"… and {len(error.failures) - most} more", file=sys.stderr)


def _complain(message: str, hint: str | None, code: int) -> int:
    print(f"imi: {message}", file=sys.stderr)
    if hint:
        print(f"try: {hint}", file=sys.stderr)
    return code
