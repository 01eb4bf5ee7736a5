"""Regular expressions that are compiled when they are first used: some take longer than a search does."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property


class Pattern:
    """An expression with the ways of use of `re.Pattern` that imi needs of large ones."""

    def __init__(self, expression: str) -> None:
        self.expression = expression

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The expression, compiled."""
        return re.compile(self.expression)

    @cached_property
    def search(self) -> Callable[[str], re.Match[str] | None]:
        """Find the first place that fits."""
        return self.compiled.search

    @cached_property
    def match(self) -> Callable[[str], re.Match[str] | None]:
        """Say whether the beginning fits."""
        return self.compiled.match

    @cached_property
    def findall(self) -> Callable[[str], list[str]]:
        """Find all that fits."""
        return self.compiled.findall
