"""What is trained on: questions with their paragraphs, translations, words, emoji, everyday sentences.

Training parts only; whatever also stands in a set that measures is left out, and one article in sixteen of the
questions is kept back to choose settings by, so that no development set is ever looked at.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from pathlib import Path

from imi.evaluate import splits

_SENTENCE = re.compile(r"(?<=[.!?。！？])\s*")
_KEPT_BACK = 16


@dataclass(frozen=True, slots=True)
class Reach:
    """How much of each source is read, at most."""

    sentences: int = 6_000  # pairs of each source of translations
    paragraphs: int = 3_000  # of each source of questions, whole articles of them
    questions: int = 2  # of a paragraph
    words: int = 4_000  # entries of the dictionary: without them single words would all look alike
    everyday: int = 0  # sentences of each source whose likeness is to stay as it is
    longest: int = 1_000_000  # bytes of a paragraph: whoever reads the beginning alone should be asked for nothing else

    def few(self) -> Reach:
        """Return a hundredth of it, to see that something runs."""
        share = [getattr(self, name) // 100 for name in ("sentences", "paragraphs", "words", "everyday")]
        return Reach(share[0], share[1], self.questions, share[2], share[3], self.longest)


FOR_THE_MAP = Reach()
FOR_THE_LAYERS = Reach(4_000, 6_000, 3, 3_000, 1_500, 1_400)


@dataclass(slots=True)
class Texts:
    """Texts with their kinds by number, and which belong together.

    asked: paragraph → its questions. articles: title → its paragraphs. pairs: translations.
    back: the same as `asked` for the articles that choose settings. everyday: sentences that belong to nothing.
    alike: pairs of sentences with how alike people found them.
    """

    texts: list[str] = field(default_factory=list)
    queries: list[bool] = field(default_factory=list)
    asked: dict[int, list[int]] = field(default_factory=dict)
    articles: dict[str, list[int]] = field(default_factory=dict)
    pairs: list[tuple[int, int]] = field(default_factory=list)
    back: dict[int, list[int]] = field(default_factory=dict)
    everyday: list[int] = field(default_factory=list)
    alike: list[tuple[int, int, float]] = field(default_factory=list)

    def add(self, text: str, query: bool) -> int:
        """Take a text, return its number."""
        self.texts.append(text)
        self.queries.append(query)
        return len(self.texts) - 1


def gather(data: Path, reach: Reach = FOR_THE_MAP) -> Texts:
    """Read the training parts."""
    out, measured = Texts(), splits.evaluation_texts(data)
    squad_paragraphs, squad_questions = splits.squad(data)
    _questions(out, *splits.jaquad(data, "train"), measured, reach)
    _questions(out, squad_paragraphs.train, squad_questions.train, measured, reach)
    chance = random.Random(0)
    _translations(out, data, measured, reach, chance)
    words = _words(data)
    for japanese, english in chance.sample(words, min(reach.words, len(words))):
        if splits.same(japanese) not in measured and splits.same(english) not in measured:
            out.pairs.append((out.add(japanese, False), out.add(english, False)))
    for at, one in enumerate(splits.emoji(data).train[:: 1 if reach.words > 100 else 100]):
        if not one.derived and one.en and one.ja:
            out.pairs.append((out.add(one.char, False), out.add((one.en, one.ja)[at % 2], False)))
    if reach.everyday:
        _sentences(out, data, measured, reach, chance)
    return out


def _translations(out: Texts, data: Path, measured: frozenset[str], reach: Reach, chance: random.Random) -> None:
    # Some of the English sides are questions: whoever asks in one language should find what is written in the other.
    sources = [(splits.tatoeba(data).train, 4), (splits.python_docs(data).train, 2)]
    if reach.everyday:
        sources.append((_web_docs(data), 2))
    for pairs, asked in sources:
        fresh = [p for p in pairs if splits.same(p.en) not in measured and splits.same(p.ja) not in measured]
        for at, pair in enumerate(chance.sample(fresh, min(reach.sentences, len(fresh)))):
            one, other = (pair.ja, pair.en) if reach.everyday and at % 4 == 0 else (pair.en, pair.ja)
            if reach.everyday and at % asked == 1 and asked == 2:
                one = _SENTENCE.split(one)[0]  # a paragraph is asked for by its first sentence
            query = at % asked == (1 if reach.everyday else 0)
            out.pairs.append((out.add(one, query), out.add(other, False)))


def _web_docs(data: Path) -> tuple[splits.TranslationPairs, ...]:
    rows = [line.split("\t") for line in splits.read_lines(data / "docs_ja_en" / "web_docs.tsv.gz")]
    return tuple(splits.TranslationPairs(row[1], row[2], row[0]) for row in rows if len(row) == 3 and row[1] and row[2])


def _sentences(out: Texts, data: Path, measured: frozenset[str], reach: Reach, chance: random.Random) -> None:
    """Take captions with how alike they are, and sentences of other kinds."""
    scored = [one for one in splits.jsts(data).train if not {splits.same(one.a), splits.same(one.b)} & measured]
    for one in chance.sample(scored, min(reach.everyday, len(scored))):
        out.alike.append((out.add(one.a, False), out.add(one.b, False), one.score))
    definitions = [line.split("\t")[2] for line in splits.read_lines(data / "wordnet" / "oewn_glosses.tsv.gz")][1:]
    first = [line.split("\t")[1] for line in splits.read_lines(data / "japanese_text" / "wac_wikipedia.tsv.gz")]
    does = [line.split("\t")[2] for line in splits.read_lines(data / "docs_ja_en" / "tldr.tsv.gz")]
    spoken = [list(splits.read_lines(data / f"{of}_text" / "common_voice.txt.gz")) for of in ("english", "japanese")]
    for lines in (definitions, first, does, *spoken):
        for line in chance.sample(lines, min(reach.everyday, len(lines))):
            if line and splits.same(line) not in measured:
                out.everyday.append(out.add(line, False))


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
    reach: Reach,
) -> None:
    place: dict[str, int] = {}
    for paragraph in paragraphs[: reach.paragraphs]:
        if splits.same(paragraph.text) in measured or len(paragraph.text.encode()) > reach.longest:
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
        if len(asked) < reach.questions:
            asked.append(out.add(question.text, True))
