"""A second look at the first rows of a hybrid search: how much of the question does one sentence of each say?

A ranking by words or by meaning sees a passage as a whole, so a long one that holds the question's words here and there
passes the one that says it in a sentence. The first `FIRST` rows are ordered by a weighted sum of

- what the fusion said (`imi.fusion`),
- **said**: the telling words of the question that one sentence of the row has, in any of their forms, weighted by how
  rare they are, between 0 and 1,
- nearness, as in the fusion,
- **named**: the names, numbers and compounds of the question that the row has as they are written, weighted by how few
  of these rows have them, between 0 and 1,
- whether it holds a figure of the kind that is asked for (`imi.text.asked_figures`).

Of rows in another script than the question's only the first and the last are looked at.

Nothing is embedded: it takes a few milliseconds for any model. `benchmarks/second_look.py` fitted the weights on
training questions with a model that has not learnt them; `benchmarks/documents.py` shows what they do on others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from imi.collection.rankings import Fused, Ranking
from imi.fusion import nearness
from imi.patterns import Pattern
from imi.records import Document, facts_of
from imi.row_sets import among
from imi.text.asked_figures import Figure
from imi.text.lexical import in_other_script, is_unspaced
from imi.text.said import Sentences
from imi.text.word_forms import FUNCTION_WORDS, base_form, plain_letters, without_accents
from imi.types import Rows

FIRST = 30
"""Rows that are looked at."""
WEIGHTS = (1.0, 1.5, 1.5, 0.8, 0.2)
"""Of the fusion's own score, of what is said, of nearness, of what is named, of a figure of the kind asked for."""
FOREIGN_WEIGHTS = (1.0, 0.0, 0.0, 0.0, 0.2)
"""The same where the rows are in another script: hardly a word of the question is theirs."""
FINER_WEIGHTS = (1.5, 1.5, 2.5, 0.8, 0.2)
"""The same where the finer model has read the rows: the first is then the score that its order gave."""
FINER_SHARE = 0.6
"""Of the finer model's nearness beside the first model's."""
KANA = 0.5
"""What characters of hiragana count of other words: they are endings and particles for the most part."""
_TOLD = 8
"""Rows that tell which script the collection is in."""
_READ = 4000
"""Characters of a row that are read."""
_MOST_WORDS = 64
"""Of the question, the rarest."""
_HIRAGANA = Pattern("[\u3041-\u309f]+")
_COMPOUNDS = Pattern(
    "[\u30a1-\u30fa\u30fc]{2,}|[0-9]+[\u4e00-\u9fff]|[a-z0-9][a-z0-9.\\-]*[a-z0-9]|[\u4e00-\u9fff\u3005]{2,}"
)
"""In a question of a script without spaces: runs of katakana, of Latin letters and digits, of kanji; 42年."""
_NAMES = Pattern(r"(?<=[\w,;] )[A-Z][\w\-]+|[0-9][0-9,.]*(?<=[0-9])")
"""In other questions: words with a capital that do not begin them, and numbers."""


@dataclass(frozen=True, slots=True)
class QuestionWords:
    """What a question asks for.

    words: in their base forms, with their weights. names: as they are looked for. figure: that is asked for, if any.
    """

    words: tuple[str, ...]
    weights: NDArray[np.float64]
    names: tuple[str, ...]
    figure: Figure | None

    @classmethod
    def of(cls, question: str, rarity: Mapping[str, float]) -> QuestionWords:
        """Read a question.

        Args:
            question: as it was asked.
            rarity: idf of its words, as the index counts them.
        """
        plain, unspaced = plain_letters(question), is_unspaced(question)
        found: dict[str, float] = {}
        telling: dict[str, float] = {}
        for word, idf in rarity.items():
            form = base_form(without_accents(word))
            weight = KANA * idf if _HIRAGANA.compiled.fullmatch(word) else idf
            found[form] = max(found.get(form, 0.0), weight)
            if unspaced or word not in FUNCTION_WORDS:
                telling[form] = found[form]
        kept = sorted((telling or found).items(), key=lambda one: -one[1])[:_MOST_WORDS]
        named = _COMPOUNDS.findall(plain) if unspaced else [plain_letters(name) for name in _NAMES.findall(question)]
        weights = np.array([weight for _, weight in kept], np.float64)
        names = tuple(dict.fromkeys(named))[:_MOST_WORDS]
        return cls(tuple(word for word, _ in kept), weights, names, Figure.of(question))


def looked_at(found: Fused, question: str, documents: Mapping[int, Document], finer: Ranking | None = None) -> Ranking:
    """Return a ranking with its first rows in the order that a second look gives them.

    Rows without text keep their places.

    Args:
        found: the ranking, with what it was fused from.
        question: as it was asked.
        documents: of the first `FIRST` rows, by row number; what is gone is left out.
        finer: the finer model's cosines, where it has read these rows and gave the ranking its order.

    Returns:
        The same rows; scores lie between 0 and about 1, and none is above the one before.
    """
    first = found.ranking.rows[:FIRST].tolist()
    bodies = {at: _body(documents[row]) for at, row in enumerate(first) if row in documents and documents[row].text}
    if not found.rarity or len(bodies) < 2:
        return found.ranking
    asked = QuestionWords.of(question, found.rarity)
    foreign = in_other_script(question, islice(bodies.values(), _TOLD))
    if not asked.words or (foreign and asked.figure is None):
        return found.ranking
    places = np.fromiter(bodies, np.intp, len(bodies))
    rows = found.ranking.rows[places]
    weights = np.array(FOREIGN_WEIGHTS if foreign else WEIGHTS if finer is None else FINER_WEIGHTS)
    signs = signs_of(found, asked, rows, [*map(plain_letters, bodies.values())])
    if finer is not None:
        signs[:, 2] = FINER_SHARE * _near(finer, rows) + (1 - FINER_SHARE) * signs[:, 2]
    score = signs @ weights / weights.sum()
    order = np.argsort(-score, kind="stable")
    out, scores = found.ranking.rows.copy(), found.ranking.scores.copy()
    out[places], scores[places] = rows[order], score[order]
    return Ranking(out, np.minimum.accumulate(scores))


def signs_of(found: Fused, asked: QuestionWords, rows: Rows, texts: Sequence[str]) -> NDArray[np.float64]:
    """Return what speaks for each row, in the order of `WEIGHTS`, (n, 5).

    Args:
        found: the ranking.
        asked: the question.
        rows: some of its first `FIRST`.
        texts: theirs, in plain letters.
    """
    known = dict(zip(found.ranking.rows[:FIRST].tolist(), found.ranking.scores[:FIRST].tolist(), strict=True))
    signs = np.empty((len(texts), len(WEIGHTS)))
    signs[:, 0] = [known[row] for row in rows.tolist()]
    signs[:, 1] = said(asked, texts)
    signs[:, 2] = _near(found.meaning, rows)
    signs[:, 3] = named(asked.names, texts)
    signs[:, 4] = 0.0 if asked.figure is None else [asked.figure.within(text) for text in texts]
    return signs


def _body(document: Document) -> str:
    """Return the text of a row without the title and headings above it, which all of its neighbours have as well."""
    text = (document.text or "")[:_READ]
    if not document.metadata:
        return text
    facts = facts_of(document.metadata)
    above = " > ".join(dict.fromkeys(str(part) for part in (facts.get("title"), facts.get("heading")) if part))
    return (text.removeprefix(f"{above}\n") if above else text) or text


def said(asked: QuestionWords, texts: Sequence[str]) -> NDArray[np.float64]:
    """Return for each row the share of the question that its best sentence says, (n,).

    Args:
        asked: the question.
        texts: of the rows, in plain letters.
    """
    found = Sentences(texts).best(asked.words, asked.weights)
    return found / max(float(asked.weights.sum()), 1e-9)


def named(names: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
    """Return for each row the share of the names that it has, rare and long ones counting more, (n,)."""
    if not names:
        return np.zeros(len(texts))
    has = np.array([[name in text for name in names] for text in texts], np.float64)
    count, many = has.sum(axis=0), len(texts)
    worth = np.log1p((many - count + 0.5) / (count + 0.5)) * np.sqrt([len(name) for name in names])
    return np.asarray(has @ worth / max(float(worth.sum()), 1e-9))


def _near(meaning: Ranking, rows: Rows) -> NDArray[np.float64]:
    """Return the nearness of rows, 0 for those without a vector."""
    out = np.zeros(len(rows))
    has = among(rows, meaning.rows)
    order = np.argsort(meaning.rows, kind="stable")
    at = order[np.searchsorted(meaning.rows[order], rows[has])]
    out[has] = nearness(np.asarray(meaning.scores, np.float64))[at]
    return out
