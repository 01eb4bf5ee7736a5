"""The command line: each verb parses, calls and prints; the modules behind the verbs are imported when called."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def start() -> int:
    """Run the command of this process, and end the process with it: what `imi` and `python -m imi` call."""
    import gc

    gc.set_threshold(100_000, 20, 100)  # what is imported stays: looking through it again and again finds nothing
    _open_closed_streams()
    code = main()
    _end(code)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 the data or the run failed, 2 wrong use, 130 interrupted.

    Args:
        arguments: what follows `imi`; None for those of this process, which a helper that is kept warm may answer.
    """
    try:
        return _main(arguments)
    except KeyboardInterrupt:  # before or after the command itself, which says more
        from imi.language import local

        print(f"imi: {local('interrupted')}", file=sys.stderr)
        return 130


def _main(arguments: Sequence[str] | None) -> int:
    from imi.cli import warm

    if arguments is not None:
        from imi.cli.command import run

        return run(arguments)
    code = warm.answered(sys.argv[1:])
    if code is None:
        from imi.cli.command import run

        code = run(sys.argv[1:])
        warm.start_where_wanted(sys.argv[1:])
    _leave_quietly()
    return code


def _leave_quietly() -> None:
    """Let Ctrl-C end the process at once from here on: Python, on its way out, would show where it was."""
    # `signal` makes enumerations of all names, which takes longer than what is done here.
    import _signal  # type: ignore[import-not-found]

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def _open_closed_streams() -> None:
    """Put the null device where a caller closed standard input, output or errors, for which Python has None."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            import os

            # In this order each gets its own number, which no file of a collection must have.
            kind = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, kind, encoding="utf-8"))  # noqa: SIM115 — for as long as the process


def _watched() -> bool:
    """Return whether a debugger or profiler looks on; those of Python 3.12 and later are known to `sys.monitoring`."""
    tool = getattr(getattr(sys, "monitoring", None), "get_tool", None)
    return bool(sys.gettrace() or sys.getprofile() or (tool and any(tool(number) for number in range(6))))


def _end(code: int) -> None:
    """End the process without taking it apart piece by piece, which takes as long as a search; do nothing else.

    What was asked for at exit is done, all that was written is flushed, and where something is still to be waited for,
    or a debugger or profiler looks on, Python ends as ever.
    """
    import atexit
    import os

    threading = sys.modules.get("threading")
    if _watched() or (threading and any(not one.daemon for one in threading.enumerate()[1:])):
        return
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError, AttributeError):
        return
    os._exit(code)
