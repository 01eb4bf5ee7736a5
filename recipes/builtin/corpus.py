"""The texts, pairs and stand-ins that the built-in model is trained on, gathered without repeats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imi.train.prepared import PairKind

Language = Literal["en", "ja", "emoji"]
MAX_CHARACTERS = 1500


@dataclass(slots=True)
class Corpus:
    """Unique texts by number, pairs of numbers that mean the same, and texts that stand in for others.

    A stand-in is a text that the teacher reads badly (ねこ for 猫, an emoji): its teacher vector is the mean of its
    sources'.
    """

    banned: frozenset[str] = frozenset()
    texts: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    languages: list[Language] = field(default_factory=list)
    pairs: dict[PairKind, list[tuple[int, int]]] = field(default_factory=dict)
    stand_ins: dict[int, tuple[int, ...]] = field(default_factory=dict)
    reading: str = ""
    _number: dict[str, int] = field(default_factory=dict)

    def add(self, text: str, language: Language) -> int | None:
        """Return the number of a text, new or known; None for an empty, overlong or banned one."""
        from imi.evaluate.splits import same

        text = " ".join(text.split())[:MAX_CHARACTERS]
        if not text:
            return None
        known = self._number.get(text)
        if known is None:
            if same(text) in self.banned:
                return None
            known = self._number[text] = len(self.texts)
            self.texts.append(text)
            self.languages.append(language)
            self.origins.append(self.reading)
        return known

    def pair(self, kind: PairKind, a: int | None, b: int | None) -> None:
        """Note that two texts mean the same, unless one was not taken."""
        if a is not None and b is not None and a != b:
            self.pairs.setdefault(kind, []).append((a, b))

    def stand_in(self, text: int | None, sources: Iterable[int | None]) -> None:
        """Give a text the meaning of others."""
        found = tuple(source for source in sources if source is not None and source != text)
        if text is not None and found:
            self.stand_ins[text] = found

    def thinned(self, part: int) -> Corpus:
        """Return one pair in `part` and one other text in as many, with all emoji and what they stand for."""
        taken = set(range(0, len(self.texts), part))
        pairs = {kind: some[::part] for kind, some in self.pairs.items()}
        taken.update(number for some in pairs.values() for pair in some for number in pair)
        kept = {text: sources for text, sources in self.stand_ins.items() if self.languages[text] == "emoji"}
        taken.update(number for text, sources in kept.items() for number in (text, *sources))
        out = Corpus(banned=self.banned)
        for number in sorted(taken):
            out.reading = self.origins[number]
            out.add(self.texts[number], self.languages[number])
        new = {number: at for at, number in enumerate(sorted(taken))}
        out.pairs = {kind: [(new[a], new[b]) for a, b in some] for kind, some in pairs.items()}
        out.stand_ins = {new[text]: tuple(new[one] for one in sources) for text, sources in kept.items()}
        return out

    def pair_array(self, kind: PairKind) -> NDArray[np.int64]:
        """Return the pairs of a kind without repeats, (n, 2) int64."""
        pairs = self.pairs.get(kind, [])
        return np.unique(np.array(pairs, np.int64).reshape(-1, 2), axis=0)
