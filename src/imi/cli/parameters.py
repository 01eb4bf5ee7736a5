"""What a verb's options are declared with: plain records, so that a verb can be read and run without Typer.

Typer writes the help, completes words and explains what is wrong; all of it takes longer to import than a search takes,
so a command line that is right is read by `imi.cli.quick` and Typer is asked only about the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Parameter:
    """An option or argument of a verb, as Typer's function of the same name takes it."""

    def __init__(
        self,
        *names: str,
        help: str | None = None,
        metavar: str | None = None,
        autocompletion: Callable[[str], list[str]] | None = None,
        envvar: str | None = None,
        min: float | None = None,
        max: float | None = None,
    ) -> None:
        """Declare a parameter.

        Args:
            names: as typed, `--dims`, `-k`; none for an argument.
            help: a sentence of the help page.
            metavar: what the help page shows in the place of the value.
            autocompletion: the words that begin as typed.
            envvar: the environment variable that is asked where the parameter is not given.
            min: the least value allowed.
            max: the greatest value allowed.
        """
        self.names = names
        self.envvar = envvar
        self.min, self.max = min, max
        given = {
            "help": help,
            "metavar": metavar,
            "autocompletion": autocompletion,
            "envvar": envvar,
            "min": min,
            "max": max,
        }
        self.settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}


class Option(Parameter):
    """A parameter with a name: `--dims 64`."""


class Argument(Parameter):
    """A parameter with a place."""
