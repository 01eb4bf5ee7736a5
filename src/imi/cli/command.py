"""Runs one command: finds its verb, reads its arguments, calls it, and says what went wrong."""

from __future__ import annotations

import errno
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TextIO

from imi.cli.groups import GROUPS
from imi.cli.output import forgive_characters
from imi.cli.stopping import Stopping
from imi.cli.terminal import say
from imi.cli.verbs import first_page
from imi.errors import DataError, ImiError
from imi.language import language, local

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""The disk, or what the user may put on it, is full."""
_SHORT = frozenset({"search", "similar", "show", "ls", "ask"})
"""Verbs that are over in a blink, and multiply no large matrices."""
_SERVERS = frozenset({"serve", "browse", "mcp"})
"""Verbs that only a signal ends."""
_GO_ON = frozenset({"add", "copy", "deepen", "embed", "migrate", "translate"})
"""Verbs that keep what they have done and, called again, do the rest."""


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    0 done, 1 the data or the run failed, 2 wrong use, 130 interrupted (Ctrl-C), 143 ended by SIGTERM.
    """
    forgive_characters()
    stopping = Stopping()
    try:
        with stopping:
            # A fresh context: what --trust grants ends with the command.
            with _warnings_in_words(arguments):
                code = copy_context().run(_invoke, list(arguments))
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of the pipe has what it wanted. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as stop:
        return _interrupted(stop, stopping, arguments)
    except Exception as error:
        if stopping.asked is not None:  # some libraries make another error of what interrupts them
            return _interrupted(error, stopping, arguments)
        if os.environ.get("IMI_DEBUG") == "1" and _exit_code(error) is None:
            raise
        return _explain(error, arguments)


@contextmanager
def _warnings_in_words(arguments: Sequence[str]) -> Iterator[None]:
    """Say what the library warns of as everything else is said: no file, no line of code; nothing with --quiet.

    Whoever asks Python for its warnings (PYTHONWARNINGS, -W) gets them in Python's form.
    """
    if sys.warnoptions:
        yield
        return
    before = warnings.showwarning
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    quiet = "-q" in options or "--quiet" in options

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: TextIO | None = None, line: str | None = None,
    ) -> None:  # fmt: skip
        if file is not None:
            before(message, category, filename, lineno, file, line)
        elif not quiet:
            say(f"imi: {local(str(message))}", to=sys.stderr)

    warnings.showwarning = show
    try:
        yield
    finally:
        if warnings.showwarning is show:  # a block of catch_warnings puts back what it found
            warnings.showwarning = before


def _interrupted(stop: BaseException, stopping: Stopping, arguments: Sequence[str]) -> int:
    code = 143 if stopping.asked == signal.SIGTERM else 130
    by = local("ended by SIGTERM") if code == 143 else local("interrupted")
    verb, said = next(iter(arguments), ""), list(getattr(stop, "__notes__", ()))
    if verb in _SERVERS:
        return _complain(_joined([local("stopped"), *said]), None, code)
    if not said and verb not in _SHORT:
        said = [local("what was committed before is safe")]
    return _complain(_joined([by, *said]), "run the same command again to go on" if verb in _GO_ON else None, code)


def _invoke(arguments: list[str]) -> int:
    if "_IMI_COMPLETE" not in os.environ:
        if not arguments or arguments in (["--help"], ["-h"]):
            print(first_page(GROUPS))
            return 0
        run = _quick(arguments[0], arguments[1:])
        if run is not None:
            run()
            return 0
    from imi.cli.application import invoke

    return invoke(arguments)


def _quick(name: str, arguments: list[str]) -> Callable[[], None] | None:
    """Return the call of a verb whose arguments can be read without Typer."""
    if name in _SHORT:
        # Making threads for matrix products takes longer than the products of one question.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from imi.cli.quick import read

    for group in GROUPS:
        if name in group.verbs:
            return read(name, group.verbs[name], arguments)
    return None


def _explain(error: Exception, arguments: Sequence[str]) -> int:
    if isinstance(error, DataError):
        _list_failures(error)
    if isinstance(error, ImiError):
        said = _joined([error.message, *getattr(error, "__notes__", ())])
        return _complain(_of_folders(said), error.hint and _of_folders(error.hint), error.exit_code)
    if _is_bad_use(error):
        complaint: Any = error
        context = getattr(complaint, "ctx", None)
        path = context.command_path if context is not None else "imi"
        message = _in_words(complaint, arguments)
        return _complain(message[:1].lower() + message[1:], f"{path} --help", 2)
    leave = _exit_code(error)
    if leave is not None:
        return leave
    if type(error).__name__ == "FullError" or getattr(error, "errno", None) in _FULL:  # of SQLite or the system
        return _complain("no room left on the disk; what was acknowledged before is safe", "free disk space", 1)
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return _complain(f"{(error.strerror or str(error)).lower()}{where}", None, 1)
    return _complain(
        f"unexpected {type(error).__name__}: {error}", "IMI_DEBUG=1 in front of the command shows where", 1
    )


def _of_folders(text: str) -> str:
    """Return a message with the names of folders, not of what the cache holds of them."""
    mirrors = sys.modules.get("imi.mirror.cache")
    return text if mirrors is None else str(mirrors.as_called(text))


def _in_words(complaint: Any, arguments: Sequence[str]) -> str:
    """Return what Typer complains of with the value that was given, and without the words of its own machinery."""
    message: str = complaint.format_message().rstrip(".")
    for theirs, ours in _THEIR_WORDS.items():
        message = message.replace(theirs, ours)
    message = _above_or_below(message)
    names = getattr(getattr(complaint, "param", None), "opts", ())
    if ": it " not in message:
        return message
    for at, word in enumerate(arguments):
        name, _, given = word.partition("=")
        given = given if "=" in word else " ".join(arguments[at + 1 : at + 2])
        if name in names:
            return message.replace(": it ", f": {given!r} ", 1)
    return message


def _above_or_below(message: str) -> str:
    """Return a complaint of Typer 0.26 about a range, "5 is not in the range 0<=x<=4", in the words of later ones."""
    import re

    number = r"(-?[\d.]+)"
    said = re.fullmatch(rf"(.*): {number} is not in the range (?:{number}<=x|x>={number}|x)(?:<={number})?", message)
    if said is None:
        return message
    named, value, low, least, most = said.groups()
    if most is not None and float(value) > float(most):
        return f"{named}: it is above {most}"
    return f"{named}: it is below {low or least}"


_THEIR_WORDS = {
    "Input should be a valid integer, unable to parse string as an integer": "it is not a whole number",
    "Input should be a valid integer, got a number with a fractional part": "it is not a whole number",
    "Input should be a valid integer": "it is not a whole number",
    "Input should be a valid number, unable to parse string as a number": "it is not a number",
    "Input should be a valid number": "it is not a number",
    "Input should be less than or equal to": "it is above",
    "Input should be greater than or equal to": "it is below",
    "Input should be": "it should be",
    # Of Typer 0.26.
    "is not a valid integer": "is not a whole number",
    "is not a valid float": "is not a number",
    "('(Possible": "(Possible",
    ")',)": ")",
}


def _is_bad_use(error: Exception) -> bool:
    """Whether Typer complains about arguments: one class is the parent of all that, and has moved between versions."""
    typer = sys.modules.get("typer")
    return typer is not None and isinstance(error, typer.BadParameter.__bases__[0])


def _exit_code(error: Exception) -> int | None:
    """Return the code of a verb that ended itself by `typer.Exit`."""
    typer = sys.modules.get("typer")
    return error.exit_code if typer is not None and isinstance(error, typer.Exit) else None


def _list_failures(error: DataError, most: int = 10) -> None:
    for failure in error.failures[:most]:
        place = failure.source if failure.line is None else f"{failure.source}:{failure.line}"
        say(f"{place}: {local(failure.reason)}", to=sys.stderr)
    if len(error.failures) > most:
        say(local(f"… and {len(error.failures) - most} more"), to=sys.stderr)


def _joined(parts: Sequence[str]) -> str:
    """Return a message with what was noted beside it as one line in the person's language."""
    return ("。" if language() == "ja" else "; ").join(map(local, parts))


def _complain(message: str, hint: str | None, code: int) -> int:
    say(f"imi: {local(message)}", to=sys.stderr)
    if hint:
        say(f"{local('try')}: {local(hint)}", to=sys.stderr)
    return code
