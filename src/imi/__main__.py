"""`python -m imi` is the command `imi`."""

import sys

from imi.cli import start

sys.exit(start())
