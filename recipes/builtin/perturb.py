"""Sentences with small differences: groups of a sentence and four versions of it, which the teachers then score.

A bag of pieces learns from them what single words change. Versions come from replacing (by synonyms, sisters or
strangers),
deleting, swapping or inserting one to three words, and from joining the beginning of one sentence to the end of
another.
"""

from __future__ import annotations

import csv
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from imi.evaluate.splits import read_lines, same
from recipes.builtin.corpus import Corpus

VERSIONS = 4
# How many sentences of each source begin a group: sources of everyday sentences and captions weigh most.
ENGLISH = {
    "NLVR2 sentences": 6000,
    "SNLI, 2,000 pairs": 3000,
    "Open English WordNet": 24000,
    "Tatoeba": 22000,
    "Common Voice sentences, English": 14000,
    "A Million News Headlines, the first part": 18000,
    "WikiSplit": 6000,
    "SQuAD 2.0, part of the development set": 4000,
    "CLINC150; Banking77, training part": 7000,
    "tldr pages": 4000,
    "Python documentation, English and Japanese": 5000,
}
JAPANESE = {
    "JSTS training part; JNLI": 15000,
    "Tatoeba": 24000,
    "Common Voice sentences, Japanese": 5000,
    "JCoLA, training part": 5000,
    "Wikipedia Annotated Corpus": 3000,
    "JaQuAD, training part": 9000,
    "JCommonsenseQA, training part": 3000,
    "Python documentation, English and Japanese": 5000,
}
_RUNS = re.compile(r"[一-龯々]+|[ァ-ヶー]+|[ぁ-ん]+|[A-Za-z0-9]+|.")
_CAPTION = re.compile(r"^(.{4,60}? )((?:is|are|was|were|has|have|can|will) .{6,})$")
_TOPIC = re.compile(r"^(.{2,20}?[がは])(.{5,})$")


class Words:
    """What a word may be replaced by: its synonyms, its sisters under one parent, or any word of its kind."""

    def __init__(self, data: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.near: dict[str, list[str]] = defaultdict(list)
        self.sisters: dict[str, list[str]] = defaultdict(list)
        self._read_wordnet(data)
        self._read_sudachi(data)

    def _read_wordnet(self, data: Path) -> None:
        children: dict[str, list[str]] = defaultdict(list)
        rows = [line.split("\t") for line in islice(read_lines(data / "wordnet" / "oewn_glosses.tsv.gz"), 1, None)]
        for row in rows:
            members = [word for word in row[1].split(", ") if word.isalpha() and word.islower()]
            for word in members:
                self.near[word] += [other for other in members if other != word]
            for parent in row[4].split() if len(row) > 4 else ():
                children[parent.strip(",|")] += members[:1]
        for row in rows:
            for parent in row[4].split()[:1] if len(row) > 4 else ():
                for word in row[1].split(", ")[:2]:
                    self.sisters[word] += children[parent.strip(",|")][:40]

    def _read_sudachi(self, data: Path) -> None:
        group: list[str] = []
        for row in csv.reader(read_lines(data / "japanese_pairs" / "sudachi_synonyms.csv.gz")):
            if not row:
                for word in group:
                    self.near[word] += [other for other in group if other != word]
                group = []
            else:
                group.append(row[8])

    def instead_of(self, word: str, pool: Sequence[str]) -> str:
        """Return a replacement; a stranger comes from `pool`, the words of the sentences themselves."""
        dice = self.rng.random()
        plain = word.lower().strip(".,!?;:\"'")
        known = self.near.get(plain, []) if dice < 0.4 else self.sisters.get(plain, []) if dice < 0.7 else []
        # Synonym groups mix languages; a replacement stays in the script of the word.
        known = [other for other in known if other.isascii() == plain.isascii()]
        return self.rng.choice(known or pool)


def split_words(text: str, english: bool) -> list[str]:
    """Return the words of an English text, or the runs of one script of a Japanese one."""
    return text.split(" ") if english else _RUNS.findall(text)


def version(words: list[str], choose: Words, pool: Sequence[str]) -> list[str]:
    """Return the words with one to three small changes."""
    words = list(words)
    rng = choose.rng
    for _ in range(rng.choices((1, 2, 3), (5, 3, 2))[0]):
        at = rng.randrange(len(words))
        what = rng.random()
        if what < 0.55:
            words[at] = choose.instead_of(words[at], pool)
        elif what < 0.75 and len(words) > 3:
            del words[at]
        elif what < 0.85:
            other = rng.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        else:
            words.insert(at, rng.choice(pool))
    return words


def groups(corpus: Corpus, data: Path, *, seed: int = 0, share: float = 1.0) -> list[tuple[str, ...]]:
    """Return groups of a sentence and four versions of it, English ones first.

    Args:
        corpus: the texts that sentences are taken from; none of its banned texts appears.
        data: the folder with the synonym dictionaries.
        seed: of all choices.
        share: of the sentences named in ENGLISH and JAPANESE.
    """
    choose = Words(data, seed)
    found: list[tuple[str, ...]] = []
    for quotas, english in ((ENGLISH, True), (JAPANESE, False)):
        sentences = _sentences(corpus, quotas, english, choose.rng, share)
        joined = _joined(sentences, _CAPTION if english else _TOPIC, choose.rng)
        pool = [word for text in sentences for word in split_words(text, english)]
        for text in [*sentences, *joined]:
            words = split_words(text, english)
            glue = " " if english else ""
            versions = {glue.join(version(words, choose, pool)) for _ in range(VERSIONS + 2)} - {text}
            kept = [one for one in sorted(versions) if same(one) not in corpus.banned][:VERSIONS]
            if len(kept) == VERSIONS and same(text) not in corpus.banned:
                found.append((text, *kept))
    return found


def _sentences(corpus: Corpus, quotas: dict[str, int], english: bool, rng: random.Random, share: float) -> list[str]:
    by_source: dict[str, list[str]] = defaultdict(list)
    for text, language, origin in zip(corpus.texts, corpus.languages, corpus.origins, strict=True):
        if origin in quotas and language == ("en" if english else "ja"):
            length = text.count(" ") + 1 if english else len(text) / 2.5
            if 4 <= length <= 26 and not (origin == "Open English WordNet" and text[:1] == "("):
                by_source[origin].append(text)
    chosen: list[str] = []
    for origin, texts in by_source.items():
        count = min(len(texts), int(quotas[origin] * share))
        chosen += rng.sample(texts, count)
    return chosen


def _joined(sentences: list[str], pattern: re.Pattern[str], rng: random.Random) -> list[str]:
    """Join the beginning of one sentence to the end of another: one new sentence for four written ones."""
    halves = [match.groups() for match in map(pattern.match, sentences) if match]
    if not halves:
        return []
    return [rng.choice(halves)[0] + rng.choice(halves)[1] for _ in range(len(sentences) // 4)]
