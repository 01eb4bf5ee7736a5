"""Packages that only some tests use.

Every worker of `make test` imports every test file to know which tests there are. A file imports in its `setup_module`
what takes long to load, so that only the worker that runs the file does, and says at its head what it needs.
"""

from importlib.util import find_spec

import pytest


def needs(*packages: str) -> pytest.MarkDecorator:
    """Return the mark of tests that are skipped where a package is not installed."""
    missing = [package for package in packages if find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
