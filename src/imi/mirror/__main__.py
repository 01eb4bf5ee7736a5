"""`python -m imi.mirror FOLDER MODEL [--hidden] [--no-ignore]` reads what a search left unread, and ends."""

import sys

from imi.errors import ImiError
from imi.mirror import Mirror, refresh


def main() -> int:
    """Read the folder; the exit code is 1 where it cannot be."""
    folder, model, *flags = sys.argv[1:]
    mirror = Mirror.of(folder, hidden="--hidden" in flags, no_ignore="--no-ignore" in flags, model=model or None)
    try:
        refresh(mirror)
    except ImiError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
