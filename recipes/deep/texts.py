"""What the map is trained on: questions with their paragraphs, translations, words, emoji.

Training parts only; whatever also stands in a set that measures is left out, and one article in sixteen of the
questions is kept back to choose settings by, so that no development set is ever looked at.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from pathlib import Path

from imi.evaluate import splits

SENTENCES = 6_000
"""Pairs of each source of translations at most."""
PARAGRAPHS = 3_000
"""Paragraphs of each source of questions at most, whole articles of them."""
WORDS = 4_000
"""Entries of the dictionary at most: without them single words would all look alike."""
QUESTIONS = 2
"""Questions of a paragraph at most."""
_KEPT_BACK = 16


@dataclass(slots=True)
class Texts:
    """Texts with their kinds by number, and which belong together.

    asked: paragraph → its questions. articles: title → its paragraphs. pairs: translations.
    back: the same as `asked` for the articles that choose settings.
    """

    texts: list[str] = field(default_factory=list)
    queries: list[bool] = field(default_factory=list)
    asked: dict[int, list[int]] = field(default_factory=dict)
    articles: dict[str, list[int]] = field(default_factory=dict)
    pairs: list[tuple[int, int]] = field(default_factory=list)
    back: dict[int, list[int]] = field(default_factory=dict)

    def add(self, text: str, query: bool) -> int:
        """Take a text, return its number."""
        self.texts.append(text)
        self.queries.append(query)
        return len(self.texts) - 1


def gather(data: Path, *, few: bool = False) -> Texts:
    """Read the training parts; `few` takes a hundredth, for a test run."""
    out, measured = Texts(), splits.evaluation_texts(data)
    squad_paragraphs, squad_questions = splits.squad(data)
    _questions(out, *splits.jaquad(data, "train"), measured, few)
    _questions(out, squad_paragraphs.train, squad_questions.train, measured, few)
    chance = random.Random(0)
    # Some of the English sides are questions: whoever asks in one language should find what is written in the other.
    for pairs, asked in ((splits.tatoeba(data).train, 4), (splits.python_docs(data).train, 2)):
        fresh = [p for p in pairs if splits.same(p.en) not in measured and splits.same(p.ja) not in measured]
        for at, pair in enumerate(chance.sample(fresh, min(SENTENCES // (100 if few else 1), len(fresh)))):
            out.pairs.append((out.add(pair.en, at % asked == 0), out.add(pair.ja, False)))
    words = _words(data)
    for japanese, english in chance.sample(words, min(WORDS // (100 if few else 1), len(words))):
        if splits.same(japanese) not in measured and splits.same(english) not in measured:
            out.pairs.append((out.add(japanese, False), out.add(english, False)))
    for at, one in enumerate(splits.emoji(data).train[:: 100 if few else 1]):
        if not one.derived and one.en and one.ja:
            out.pairs.append((out.add(one.char, False), out.add((one.en, one.ja)[at % 2], False)))
    return out


def _words(data: Path) -> list[tuple[str, str]]:
    """Return common headwords of the dictionary with the first thing that they mean."""
    rows = [line.split("\t") for line in splits.read_lines(data / "jmdict" / "jmdict_en_2025-07.tsv.gz")]
    meant = [(row[1], row[5].split("|")[0].split(";")[0]) for row in rows[1:] if len(row) > 5 and row[4] == "1"]
    return [(word, re.sub(r"\([^)]*\)", "", gloss).strip()) for word, gloss in meant if len(gloss) < 40]


def _questions(
    out: Texts,
    paragraphs: tuple[splits.Paragraph, ...],
    questions: tuple[splits.Question, ...],
    measured: frozenset[str],
    few: bool,
) -> None:
    place: dict[str, int] = {}
    for paragraph in paragraphs[: PARAGRAPHS // (100 if few else 1)]:
        if splits.same(paragraph.text) in measured:
            continue
        place[paragraph.id] = at = out.add(paragraph.text, False)
        if splits.held_out(f"deep {paragraph.title}", _KEPT_BACK):
            out.back[at] = []
        else:
            out.asked[at] = []
            out.articles.setdefault(paragraph.title, []).append(at)
    for question in questions:
        home = place.get(question.paragraph_id)
        if home is None or splits.same(question.text) in measured:
            continue
        asked = (out.back if home in out.back else out.asked)[home]
        if len(asked) < QUESTIONS:
            asked.append(out.add(question.text, True))
