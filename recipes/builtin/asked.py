"""What the second lesson reads: questions and their paragraphs, pairs that stand in for such, texts to stay true to.

Training parts only; whatever measures is left out. Every kind of pair is (what is asked, what should be found).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from imi.embedders.pieces import Pieces
from imi.evaluate import splits
from imi.train.prepared import Ints
from imi.types import Floats
from recipes.builtin.corpus import Corpus
from recipes.builtin.sources import SOURCES

JAPANESE, ENGLISH = 360, 900
"""Characters of a paragraph that are read."""
MOST: dict[str, int] = {"rest": 30_000, "across": 25_000, "translation": 25_000, "dictionary": 10_000}
"""Pairs of a kind at most, chosen by the seed; of the others there are fewer."""
KEPT = 70_000
EVERYDAY = (
    "Common Voice sentences, English",
    "Common Voice sentences, Japanese",
    "A Million News Headlines, the first part",
    "NLVR2 sentences",
    "CLINC150; Banking77, training part",
    "JSTS training part; JNLI",
    "Tatoeba",
    "JMdict",
    "CLDR names and keywords; gemoji, emojilib",
    "Python documentation, English and Japanese",
    "React, Vue and FastAPI documentation",
)
"""Sources of the texts whose cosines are kept."""
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_REMARK = re.compile(r"\([^)]*\)")
_FEWEST_WORDS = 3

Texts = tuple[str, str]


@dataclass(slots=True)
class Asked:
    """Texts by number, pairs of each kind, the texts to stay true to, and pairs that people scored.

    Pairs of "ja" and "en" are questions in the order of their articles.
    """

    texts: list[str] = field(default_factory=list)
    pairs: dict[str, Ints] = field(default_factory=dict)
    keep: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    scored: Ints = field(default_factory=lambda: np.empty((0, 2), np.int64))
    scores: Floats = field(default_factory=lambda: np.empty(0, np.float32))
    _number: dict[str, int] = field(default_factory=dict)

    def add(self, text: str) -> int:
        """Return the number of a text, new or known."""
        text = " ".join(text.split())
        if text not in self._number:
            self._number[text] = len(self.texts)
            self.texts.append(text)
        return self._number[text]

    def put(self, kind: str, pairs: Iterable[Texts]) -> None:
        """Take the pairs of a kind."""
        rows = [(self.add(a), self.add(b)) for a, b in pairs if a.strip() and b.strip()]
        self.pairs[kind] = np.array(rows, np.int64).reshape(-1, 2)


def gather(data: Path, pieces: Pieces, *, seed: int = 0) -> Asked:
    """Read everything; the same data and seed give the same."""
    measured = splits.evaluation_texts(data)
    chance, out = random.Random(seed), Asked()

    def fresh(pairs: Iterable[Texts]) -> list[Texts]:
        return [pair for pair in pairs if not any(splits.same(text) in measured for text in pair)]

    def some(kind: str, pairs: Sequence[Texts]) -> list[Texts]:
        return chance.sample(list(pairs), min(MOST[kind], len(pairs)))

    paragraphs, questions = splits.jaquad(data, "train")
    both = splits.squad(data)
    homes = {"ja": (paragraphs, questions, JAPANESE), "en": (both[0].train, both[1].train, ENGLISH)}
    rest: list[Texts] = []
    words = dictionary(data)
    for language, (read, asked, most) in homes.items():
        home = {one.id: one.text for one in read if splits.same(one.text) not in measured}
        pairs = fresh((one.text, home[one.paragraph_id]) for one in asked if one.paragraph_id in home)
        out.put(language, ((a, b[:most]) for a, b in pairs))
        rest += [(a, b[:most]) for text in home.values() for a, b in cloze(text, "。" if language == "ja" else ". ")]
        if language == "ja":
            out.put("glossed", ((told, b[:most]) for a, b in pairs if (told := glossed(a, words, pieces))))
    across, titled = _documentation(data)
    out.put("rest", some("rest", fresh(rest + titled)))
    out.put("across", some("across", fresh(across)))
    out.put("translation", some("translation", fresh((one.en, one.ja) for one in splits.tatoeba(data).train)))
    rows = [line.split("\t") for line in splits.read_lines(data / "wordnet" / "oewn_glosses.tsv.gz")][1:]
    out.put("dictionary", some("dictionary", fresh((row[1].split(", ")[0], row[2]) for row in rows)))
    alike = [one for one in splits.jsts(data).train if not {splits.same(one.a), splits.same(one.b)} & measured]
    out.scored = np.array([(out.add(one.a), out.add(one.b)) for one in alike], np.int64).reshape(-1, 2)
    out.scores = np.array([one.score for one in alike], np.float32)
    corpus = Corpus(banned=measured)
    for source in SOURCES:
        if source.name in EVERYDAY:
            source.read(data, corpus)
    chosen = chance.sample(corpus.texts, min(KEPT, len(corpus.texts)))
    out.keep = np.unique(np.array([out.add(text) for text in chosen], np.int64))
    return out


def cloze(text: str, end: str) -> Iterator[Texts]:
    """Yield each sentence of a paragraph with the paragraph without it."""
    parts = [part.strip() for part in text.split(end) if part.strip()]
    for at, part in enumerate(parts):
        if len(parts) > 2 and 12 < len(part) < (120 if end == "。" else 300):
            yield part + end.strip(), end.join(parts[:at] + parts[at + 1 :])


def _documentation(data: Path) -> tuple[list[Texts], list[Texts]]:
    """Return first sentences with the whole in the other language, and with what follows them."""
    across, follow = [], []
    pairs = [(one.en, one.ja) for one in splits.python_docs(data).train]
    pairs += [tuple(line.split("\t")[1:3]) for line in splits.read_lines(data / "docs_ja_en" / "web_docs.tsv.gz")]  # type: ignore[misc]
    for english, japanese in pairs:
        first, *others = _SENTENCE.split(english)
        across.append((first, japanese))
        if others:
            follow.append((first, " ".join(others)))
        begin, _, end = japanese.partition("。")
        if end.strip():
            across.append((begin + "。", english))
            follow.append((begin + "。", end))
    return across, follow


def dictionary(data: Path) -> dict[str, str]:
    """Return the first English word or phrase of each common Japanese headword."""
    out: dict[str, str] = {}
    for row in (line.split("\t") for line in splits.read_lines(data / "jmdict" / "jmdict_en_2025-07.tsv.gz")):
        if len(row) > 5 and row[4] == "1" and len(row[1]) > 1:
            gloss = _REMARK.sub("", row[5].split(" | ")[0].split("; ")[0]).strip()
            if gloss and gloss.isascii() and len(gloss) < 40:
                out.setdefault(row[1], gloss.removeprefix("to "))
    return out


def glossed(question: str, words: dict[str, str], pieces: Pieces) -> str:
    """Return the English of the words of a Japanese question that are pieces and in the dictionary, else nothing.

    A sum of rows has no grammar to miss: word for word is a question in English to it.
    """
    found = [words.get(one.lstrip("▁")) for one in pieces.processor.encode(question, out_type=str)]
    told = [word for word in found if word]
    return " ".join(told) if len(told) >= _FEWEST_WORDS else ""
