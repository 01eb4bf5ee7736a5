"""How a verb becomes a command: its options are one frozen dataclass, its module is imported only when it is asked for.

A command file holds, for each verb, a dataclass of options, a function that takes it, and a line in `register`:

    @dataclass(frozen=True, kw_only=True)
    class Show(Output):
        collection: Collection

    def show(options: Show) -> None:
        \"\"\"Say what a collection holds.\"\"\"

    def register(app: typer.Typer) -> None:
        verb(app, "show", Show, show, example="imi show reviews.imi")

and its verbs are listed in `GROUPS` of `imi.cli`.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_type_hints

from imi.cli.parameters import Argument, Parameter
from imi.cli.quick import Verbs
from imi.errors import UsageError
from imi.language import language, local

if TYPE_CHECKING:
    import typer
    from typer.core import TyperGroup

Options = TypeVar("Options")


@dataclasses.dataclass(frozen=True, slots=True)
class VerbGroup:
    """A group of verbs on the first help page, and the module that holds each; hidden ones are on no page."""

    name: str
    verbs: Mapping[str, str]
    hidden: bool = False


def verb(
    app: typer.Typer | Verbs, name: str, options: type[Options], run: Callable[[Options], None], *, example: str
) -> None:
    """Add `run` to `app` as the command `name`; the fields of the dataclass `options` are its parameters.

    Args:
        app: the Typer application of one command file, or what stands in for it.
        name: the verb as typed.
        options: a dataclass whose fields are annotated with `Argument` or `Option` of `imi.cli.parameters`.
        run: the command; its docstring is the help.
        example: one or more command lines that run as printed, the end of the help.
    """
    if isinstance(app, Verbs):
        app.known[name] = (options, run)
        return
    hints = {name: _typed(hint) for name, hint in get_type_hints(options, include_extras=True).items()}
    fields = dataclasses.fields(options)  # type: ignore[arg-type]
    # A verb's own options come first in the help, those of its bases after them: what all share is last.
    depth = {name: at for at, kind in reversed([*enumerate(options.__mro__)]) for name in inspect.get_annotations(kind)}
    parameters = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=_default(field), annotation=hints[field.name]
        )
        for field in sorted(fields, key=lambda field: depth[field.name])
    ]

    def command(**values: Any) -> None:
        run(options(**values))

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    lines = [line.strip() for line in example.strip().splitlines()]
    epilog = "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])
    said = inspect.getdoc(run) or ""
    kind: Any = None
    if language() == "ja":
        from imi.cli.help_page import JapaneseCommand

        said, kind = "\n\n".join(local(" ".join(part.split())) for part in said.split("\n\n")), JapaneseCommand
    app.command(name, cls=kind, help=said, epilog=epilog, context_settings={"help_option_names": ["-h", "--help"]})(
        command
    )


def _typed(hint: Any) -> Any:
    """Return a field's annotation with Typer's declaration in the place of ours, its help in the person's language."""
    kind, *declared = get_args(hint) or [hint]
    if not declared or not isinstance(declared[0], Parameter):
        if declared and language() == "ja" and getattr(declared[0], "help", None):
            typed = copy.copy(declared[0])
            typed.help = local(" ".join(typed.help.split()))
            return Annotated[kind, typed]
        return hint
    import typer

    make: Any = typer.Argument if isinstance(declared[0], Argument) else typer.Option
    settings = declared[0].settings
    if "help" in settings:
        settings = settings | {"help": local(settings["help"])}
    return Annotated[kind, make(*declared[0].names, **settings)]


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default


def lazy_group(groups: tuple[VerbGroup, ...]) -> type[TyperGroup]:
    """Return a command group whose verbs are imported one by one, when they are run or helped."""
    from typer.core import TyperGroup

    modules = {name: module for group in groups for name, module in group.verbs.items()}

    class LazyGroup(TyperGroup):
        """Knows all names and imports the one that is called."""

        def list_commands(self, ctx: Any) -> list[str]:
            """Return the verbs in the order of the help page."""
            return list(modules)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            """Import the module of one verb and return its command."""
            if cmd_name not in modules:
                raise UsageError(f"there is no verb {cmd_name!r}", hint=_nearest(cmd_name, list(modules)))
            return load_verb(cmd_name, modules[cmd_name])

        def format_help(self, ctx: Any, formatter: Any) -> None:
            """Write the one-screen page."""
            formatter.write(first_page(groups))

    return LazyGroup


def load_verb(name: str, module: str) -> Any:
    """Import `module`, let it register its verbs and return the command called `name`."""
    import typer

    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    # A callback keeps Typer from folding a file with one verb into a bare command.
    app.callback()(lambda: None)
    importlib.import_module(module).register(app)
    group = typer.main.get_group(app)
    return group.commands[name]


def _nearest(word: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(word, known, n=2, cutoff=0.55)
    return " or ".join(f"imi {name}" for name in near) if near else "imi --help shows all verbs"


_START = (
    ("imi demo                                   ", "the first minute, nothing needed"),
    ("imi add notes.imi FILE...                  ", "text, CSV, JSONL, Markdown, folders"),
    ('imi search ~/notes "your question"         ', "a folder or collection"),
    ("imi similar cat 猫 車                      ", "how near are these?"),
)


def first_page(groups: tuple[VerbGroup, ...]) -> str:
    """Return the page of `imi --help`: at most 24 lines of 80 columns."""
    lines = [
        local("imi finds anything by meaning: Japanese, English and emoji, on this machine."),
        "",
        f"  imi VERB COLLECTION [WHAT...] [--option]     {local('imi VERB --help: with an example')}",
        "",
    ]
    for group in groups:
        if group.hidden:
            continue
        names = "  ".join(group.verbs)
        first, *rest = _fold(names, 65)
        name = local(group.name)
        columns = sum(1 if one.isascii() else 2 for one in name)
        lines.append(name + " " * (13 - columns) + first)
        lines.extend(f"{'':<13}{line}" for line in rest)
    lines += [
        "",
        local("Start here:"),
        *(f"  {command}{local(said)}" for command, said in _START),
        "",
        local("Every verb takes --json (one JSON value) and -q (no progress, no hints)."),
    ]
    return "\n".join(lines) + "\n"


def _fold(names: str, width: int) -> list[str]:
    lines = [""]
    for name in names.split("  "):
        joined = f"{lines[-1]}  {name}" if lines[-1] else name
        if len(joined) > width:
            lines.append(name)
        else:
            lines[-1] = joined
    return lines
