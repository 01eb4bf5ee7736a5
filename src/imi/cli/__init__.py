"""The command line: each verb parses, calls and prints; the modules behind the verbs are imported when called."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


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
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
