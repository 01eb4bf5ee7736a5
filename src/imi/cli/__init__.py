"""The command line: each verb parses, calls and prints; the modules behind the verbs are imported when called."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 the data or the run failed, 2 wrong use, 130 interrupted.

    Args:
        arguments: what follows `imi`; None for those of this process, which a helper that is kept warm may answer.
    """
    from imi.cli import warm

    if arguments is None:
        try:
            code = warm.answered(sys.argv[1:])
        except KeyboardInterrupt:
            print("imi: interrupted", file=sys.stderr)
            return 130
        if code is not None:
            return code
    from imi.cli.command import run

    code = run(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        warm.start_where_wanted(sys.argv[1:])
    return code
