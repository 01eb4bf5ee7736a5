"""What a picture most likely shows, in words: guesses, and none where nothing is likely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imi.embedders.picture_kinds import Kind
from imi.types import Floats

_BROADEST = 130
"""Kinds that a name may stand for: "dog" has 118 breeds; "animal" and "artifact" tell nothing."""
_LEAST = 0.12
"""Chances below which nothing is said."""


class Guesser:
    """Names of kinds, and of what these are kinds of: five breeds that are a little likely each make a dog."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        """Gather the names of what is known."""
        members: dict[str, list[int]] = {}
        japanese: dict[str, str] = {}
        for at, kind in enumerate(kinds):
            own = [(kind.english, kind.japanese)]
            above = [(level.english[0], level.japanese[0] if level.japanese else "") for level in kind.levels[1:]]
            for english, word in own + (above if kind.group == "photo" else []):
                japanese.setdefault(english, word)
                if at not in members.setdefault(english, []):
                    members[english].append(at)
        members = {name: each for name, each in members.items() if len(each) <= _BROADEST}
        self._english = list(members)
        self._japanese = [japanese[name] or name for name in members]
        self._members = list(members.values())
        self._flat = np.concatenate([np.array(each) for each in self._members])
        self._starts = np.cumsum([0, *map(len, self._members)])[:-1]
        # A name that is that of fewer kinds tells more, as in "cat" and "animal".
        self._tells = np.log(len(kinds) / np.array([len(each) for each in self._members], np.float64))

    def guess(self, chances: Floats, language: str = "en", most: int = 3) -> list[tuple[str, ...]]:
        """Return names for pictures, the likeliest first; none where nothing is likely.

        Args:
            chances: (n, kinds), of each picture.
            language: "en" or "ja".
            most: how many names a picture gets.
        """
        words = self._japanese if language == "ja" else self._english
        found: list[tuple[str, ...]] = []
        for row in chances:
            left = row.copy()
            said: list[str] = []
            while len(said) < most:
                mass = np.add.reduceat(left[self._flat], self._starts)
                best = int(np.argmax(mass * self._tells))
                if mass[best] < _LEAST:
                    break
                said.append(words[best])
                left[self._members[best]] = 0
            found.append(tuple(dict.fromkeys(said)))  # two English names may have one in Japanese
        return found
