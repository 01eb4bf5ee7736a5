"""What a class of ImageNet is called, in English and Japanese, and what it is a kind of: a tabby is a cat.

Kinds come from WordNet's tree. How much each counts beside the class's own name is how often people say the word
(in Tatoeba's sentences) and how much it tells: "cat" more than "feline", which few say, and than "animal", which tells
little. Japanese comes from Wiktionary's words for WordNet and from JMdict, by the first sense.
"""

from __future__ import annotations

import gzip
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from imi.embedders.picture_kinds import Kind, Level
from recipes.pictures.source import Class

_WORD = re.compile(r"[a-z]+")
_BRACKETS = re.compile(r"\s*\((?:[^()]|\([^)]*\))*\)\s*")
_JAPANESE = 3
"""Japanese words that a name has at most."""
OWN = 8.0
"""What a class's own names count; the names of what it is a kind of count up to about thirty: "car", "horse"."""
LEAST = 1.0
"""What counts less than this is left out: words that nobody says, or that say nothing."""
SAID, CLOSE, NEAR, SHARE = 3, 15, 4, 0.6
"""Things near a class: said in so many sentences, of a kind with so many classes at most, so many of them, and what
they count at most beside what the class is."""


@dataclass(frozen=True, slots=True)
class Sense:
    """A synset of WordNet: its words, what it means, what it is a kind of."""

    words: tuple[str, ...]
    meaning: str
    above: tuple[str, ...]


class Dictionary:
    """WordNet, JMdict and how often words are said."""

    def __init__(self, data: Path) -> None:
        """Read the public data sets' folder."""
        self.senses: dict[str, Sense] = {}
        self._by_word: dict[str, list[str]] = {}
        for synset, members, meaning, _, above in _rows(data / "wordnet" / "oewn_glosses.tsv.gz"):
            if not synset.endswith("-n"):
                continue
            words = tuple(word.replace("_", " ") for word in members.split(", "))
            self.senses[synset] = Sense(words, meaning, tuple(re.split(r"[ ,|]+", above)) if above else ())
            for word in words:
                self._by_word.setdefault(word.lower(), []).append(synset)
        self._of_synset: dict[str, list[str]] = {}
        for row in _rows(data / "wordnet" / "wn-wikt-jpn.tab.gz"):
            if len(row) == 3 and row[1] == "jpn:lemma":
                self._of_synset.setdefault(row[0], []).append(row[2])
        self._japanese = _japanese(data)
        self._sentences: dict[str, list[str]] = {}
        for english, japanese, *_ in _rows(data / "parallel_ja_en" / "tatoeba_jpn-eng.tsv.gz"):
            spoken = _WORD.findall(english.lower())
            for word in {*spoken, *map(" ".join, pairwise(spoken))}:
                self._sentences.setdefault(word, []).append(japanese)

    def find(self, names: Iterable[str]) -> str | None:
        """Return the synset that most of the names are words of."""
        wanted = [_plain(name).lower() for name in names]
        votes = Counter(synset for name in wanted for synset in self._by_word.get(name, ()))
        return votes.most_common(1)[0][0] if votes else None

    def above(self, synset: str) -> list[str]:
        """Return what a synset is a kind of, the nearest first."""
        found: list[str] = []
        ahead = list(self.senses[synset].above)
        while ahead:
            one = ahead.pop(0)
            if one in self.senses and one not in found:
                found.append(one)
                ahead += self.senses[one].above
        return found

    def japanese(self, words: Iterable[str], synset: str | None = None) -> tuple[str, ...]:
        """Return Japanese words for English ones, those that Wiktionary gives the synset of WordNet 3.0 first."""
        found = Counter(dict.fromkeys(self._of_synset.get(synset, ()), 1) if synset else {})
        for word in words:
            plain = _plain(word).lower()
            said = self._sentences.get(plain, []) + self._sentences.get(f"{plain}s", [])
            for one in self._japanese.get(plain, ()):
                # What stands in sentences where the English word does is its translation; others are of rare senses.
                found[one] += 0
            for one in found:
                found[one] += 2 * sum(one in sentence for sentence in said)
        usual = [one for one, count in found.most_common() if count > 1]
        return tuple(usual or found)[:_JAPANESE]

    def meanings(self, word: str) -> int:
        """Return how many synsets have a word."""
        return len(self._by_word.get(word.lower(), ()))

    def said(self, words: Iterable[str]) -> int:
        """Return how many sentences have the most usual of the words."""
        return max((len(self._sentences.get(word.lower(), ())) for word in words), default=0)


def photo_kinds(dictionary: Dictionary, classes: Sequence[Class]) -> list[Kind]:
    """Return the classes as kinds: what each is, and the usual things near it that no class is."""
    found = [dictionary.find(one.names) for one in classes]
    over = [dictionary.above(synset) if synset else [] for synset in found]
    below: dict[str, set[int]] = {}
    for at, (synset, ancestors) in enumerate(zip(found, over, strict=True)):
        for each in [synset, *ancestors]:
            below.setdefault(each or "", set()).add(at)
    near = _near(dictionary, below, len(classes))
    kinds = []
    for at, (one, synset, ancestors) in enumerate(zip(classes, found, over, strict=True)):
        names = tuple(dict.fromkeys(_plain(name) for name in one.names))
        meaning = dictionary.senses[synset].meaning if synset else ""
        levels = [Level(OWN, names, dictionary.japanese(names, one.synset), meaning)]
        for each in ancestors:
            sense = dictionary.senses[each]
            weight = math.log1p(dictionary.said(sense.words)) * math.log(len(classes) / len(below[each]))
            if weight > LEAST:
                levels.append(Level(round(weight, 2), sense.words, dictionary.japanese(sense.words), sense.meaning))
        lent = sorted(near.get(at, ()), key=lambda level: -level.weight)[:NEAR]
        whole, all_lent = sum(level.weight for level in levels), sum(level.weight for level in lent)
        scale = min(1.0, SHARE * whole / max(all_lent, 1e-9))
        lent = [replace(level, weight=round(level.weight * scale, 2)) for level in lent]
        japanese = next((level.japanese[0] for level in levels if level.japanese), "")
        kinds.append(Kind("photo", names[0], japanese, tuple(levels), tuple(lent)))
    return kinds


def _near(dictionary: Dictionary, below: dict[str, set[int]], count: int) -> dict[int, list[Level]]:
    """Return by class the usual things that no class is, but that are of a kind with it, such as a deer."""
    known = {word.lower() for synset in below if synset for word in dictionary.senses[synset].words}
    lent: dict[int, list[Level]] = {}
    for synset, sense in dictionary.senses.items():
        word = sense.words[0]
        meanings = dictionary.meanings(word)
        if synset in below or word != word.lower() or word in known or meanings > 2:
            continue
        times = dictionary.said([word])
        shared = [one for one in dictionary.above(synset) if one in below] if times >= SAID else []
        if not shared:
            continue
        closest = min((below[one] for one in shared), key=len)
        if len(closest) > CLOSE:
            continue
        weight = math.log1p(times) * math.log(count / len(closest)) / meanings
        level = Level(weight, (word,), dictionary.japanese([word]))
        for at in closest:
            lent.setdefault(at, []).append(level)
    return lent


def _plain(name: str) -> str:
    return _BRACKETS.sub(" ", name).strip()


def _japanese(data: Path) -> dict[str, list[str]]:
    """Return Japanese words by English ones: nouns whose first sense is that word, usual ones first."""
    usual: dict[str, list[str]] = {}
    others: dict[str, list[str]] = {}
    for _, headword, _, part, common, glosses in _rows(data / "jmdict" / "jmdict_en_2025-07.tsv.gz"):
        if "n" not in part.split() and not any(one.startswith("n") for one in part.split()):
            continue
        for at, gloss in enumerate(glosses.split(" | ")[0].split("; ")):
            word = re.sub(r"^an? ", "", _plain(gloss).lower())
            table = usual if common and at == 0 else others
            table.setdefault(word, []).append(headword)
    for _, english, japanese, *_ in _rows(data / "emoji" / "cldr_annotations_en_ja.tsv.gz"):
        usual.setdefault(english.lower().removesuffix(" face"), []).append(japanese.removesuffix("の顔"))
    return {word: (usual.get(word, []) + others.get(word, []))[:12] for word in usual.keys() | others.keys()}


def _rows(path: Path) -> Iterator[list[str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n").split("\t")
