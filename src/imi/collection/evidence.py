"""Whether what a search found answers a question at all: how much of it the passages say, and how near they come.

The score is a weighted sum over the first passages:

- the telling words of the question that one passage has, each weighted by how rare it is in the collection (its idf);
- the same for one sentence;
- how near they come, for the built-in model alone, whose cosines the weights were fitted on: the mean of the cosines
  of the nearest passage and of the nearest sentence. One rare word does not answer a question, so passages that are
  far off lose more.

Less what speaks against: names in the question that none of the passages has, or no row at all. A question for a fact
about something of the asker's own (our cat's name) is answered where a sentence gives it alone (`imi.text.own_facts`).

What a question is built of (when, is, 何, ですか) counts as no word of it, pieces with hiragana count half, and a
sentence that has the kind of thing asked for has the words for that kind (`imi.text.asked_for`): 弟 080-1234-5678 says
電話番号. A question in another language than the passages is judged by nearness alone.

Below `Evidence.least` the question counts as not answered. `benchmarks/unanswerable.py` prints how many questions are
refused whose articles are there, and whose articles were taken away; the limits are those under which few of the
training questions lie whose articles are there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imi.collection.base import Collection
from imi.collection.folder import FolderCollection
from imi.fusion import lucene_idf
from imi.records import Hit
from imi.text.asked_for import AskedFor
from imi.text.labels import BODIES, labelled_parts, unlabelled
from imi.text.lexical import index_tokens, is_unspaced, mostly_unspaced, normalize_text, query_terms, ranking_terms
from imi.text.own_facts import OwnFact
from imi.text.sentences import sentences
from imi.text.word_forms import (
    FUNCTION_WORDS,
    TermsSought,
    dictionary_form,
    dictionary_forms,
    without_question_words,
)

_PASSAGE, _SENTENCE, _NEAR, _NAMES, _UNKNOWN = 8.0, 6.0, 8.0, 2.0, 8.0
_FAR, _FAR_COSTS = 0.35, 20.0
"""What is less near than this loses so much more for it."""
LEAST = 6.5
"""With the cosines of the built-in model.

It has learnt the training questions, to whose passages it comes nearer by .1 to .15 than to those of others: this and
the next are the limits below which three in a hundred of them lie with cosines lower by .15.
"""
LEAST_UNSPACED = 8.2
"""The same for questions in a script without spaces, whose single characters many passages have."""
LEAST_BY_WORDS = 3.6
"""By words alone, for other models."""
LEAST_BY_WORDS_UNSPACED = 4.9
LEAST_NEAR = 0.27
"""How near it must come where it has hardly a word of the question, as in another language."""
_LEAST_WORDLESS = 0.4
"""The same in the question's own language, where an answer has some of its words."""
_CLOSE_ACROSS = 0.34
"""The same among rows in both languages, where the words of the question's own are against it."""
_LITTLE = 0.12
_CAPITAL = re.compile(r"(?<=[a-z,;] )[A-Z][\w\-]+")
_LATIN = re.compile(r"[A-Za-z][A-Za-z\-]+")
_KATAKANA = re.compile("(?<![\u30a1-\u30fa\u30fc])(?<!どの|何の)(?<!どんな)[\u30a1-\u30fa\u30fc]{2,}")
"""A name, but for what is asked of one: どのバージョン."""
_KANA_WORD = re.compile(
    "^(?![こそあど][れのこ]|わたし|ぼく|おれ|うち|みんな|もし|いま|つぎ|さいご|はじめ)([\u3041-\u3096]{3,8}?)[はがを](?=[^\u3041-\u3096]|いつ|どこ|どう|だれ|なに|なん|いく)"
)
"""The same in hiragana, which a question begins with: きゅうりはいつ."""
_WORDS = re.compile("[\u3005\u4e00-\u9fff]{2,}|[\u30a1-\u30fa\u30fc]{2,}|[a-z0-9]{2,}")
_GIVEN, _CLOSE, _ASKED_OF = 2.0, 0.45, 0.15
"""What it counts that something close gives the kind of thing asked for; how near, with how much of the words.

In other words than the question's: 桜が満開だった, below a park, says where they bloomed. Of training questions whose
articles are gone it lets three more in a thousand be answered.
"""
_SHORT, _SHORT_UNSPACED = 150, 60
"""Characters of a sentence that says little else."""
_HIRAGANA = re.compile("[\u3041-\u309f]")
_ENDINGS_COUNT = 0.5
"""What pieces with hiragana count: endings and particles, and where a word and its particle meet."""
_JOINT = re.compile(
    "^[\u3041-\u3096]$|[はがをにのでともへ]$|[^\u3041-\u3096][\u3041-\u3096]|[\u3041-\u3096][^\u3041-\u3096]"
)
"""A character of an ending, a particle, or where a word and its ending meet: a few rows (6/3 帰り) may have none."""
_FEW = 20
"""Of fewer rows words count as among so many: in a single one each word is as common as can be, and still tells."""
_READ = 5
_BUILT_OF = FUNCTION_WORDS | {"much", "many", "s", "t", "re", "ve", "ll", "d", "m", "mean", "means"}
"""What counts as no word of a question: things have a price, not "how much"; brother's; what E18 means."""
_COSTS = frozenset({"cost", "costs"})
"""Nor do these behind "how much": a price is a figure."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much speaks for an answer, and how much must.

    share: of the question's words that one sentence has. near: how near the passages come, None where no model tells.
    """

    score: float
    least: float
    share: float = 0.0
    near: float | None = None

    @property
    def enough(self) -> bool:
        """Whether the passages are likely to answer the question."""
        return self.score >= self.least


class _Words:
    """The words of a question, by which texts are weighed."""

    def __init__(self, sought: TermsSought, rarity: np.ndarray, kind: AskedFor | None) -> None:
        self._sought, self._rarity, self._kind = sought, rarity, kind
        self._implied = np.array([kind is not None and form in kind.implied for form in sought.forms])
        self._whole = max(float(rarity.sum()), 1e-9)

    def share(self, text: str) -> float:
        """Return how much of the question a text has, its rare words counting more."""
        has = np.array(self._sought.held(text))
        # What has a telephone number says "telephone number" by that, where it says whose it is.
        said = not has.all() and self._rarity[has & ~self._implied].any()
        if self._kind is not None and said and self._kind.within(text):
            has |= self._implied
        return float(self._rarity[has].sum() / self._whole)


def evidence(collection: Collection, question: str, hits: Sequence[Hit]) -> Evidence | None:
    """Return what speaks for the passages' answering a question; None where that is not known.

    It cannot for questions of a word or two, which ask what contains them, and on engines, which count no words.

    Args:
        collection: where the passages were found.
        question: in any language.
        hits: the passages, best first.
    """
    terms = _asked(collection, question)
    if terms is None or not isinstance(collection, FolderCollection):
        return None
    return _weighed(collection, question, terms, _rarity(collection, terms), hits[:_READ])


def likely_hits(collection: Collection, question: str, hits: Sequence[Hit]) -> int | None:
    """Return how many hits there are down to the last that is likely to answer by itself; None where `evidence` is.

    Args:
        collection: where they were found.
        question: in any language.
        hits: best first.
    """
    terms = _asked(collection, question)
    if terms is None or not isinstance(collection, FolderCollection):
        return None
    rarity = _rarity(collection, terms)
    last = 0
    for at, hit in enumerate(hits, 1):
        # A picture has no words to judge by.
        if not hit.text or _weighed(collection, question, terms, rarity, [hit]).enough:
            last = at
    return last


def _asked(collection: Collection, question: str) -> list[str] | None:
    """Return the words of a question that can be judged; None where it cannot."""
    plain = without_question_words(question)
    terms = ranking_terms(plain) or ranking_terms(question)
    if not isinstance(collection, FolderCollection) or not terms:
        return None
    if query_terms(question).phrase and plain.strip(" ?？。") == question.strip(" ?？。"):
        return None
    return terms


def _weighed(
    collection: FolderCollection, question: str, terms: Sequence[str], rarity: np.ndarray, hits: Sequence[Hit]
) -> Evidence:
    texts = [hit.text for hit in hits if hit.text]
    if not texts:
        return Evidence(0.0, LEAST)
    kind = AskedFor.of(question)
    words = _Words(TermsSought(terms), rarity, kind)
    whole, best = max((words.share(text), text) for text in texts)
    said = [one for text in texts for one in sentences(unlabelled(text)) or [text]]
    shares = list(map(words.share, said))
    unspaced, own = any(is_unspaced(term) for term in terms), is_unspaced(best)
    cosines = _cosines(collection, question, [*texts, *said])
    near = None if cosines is None else float(cosines[: len(texts)].max() + cosines[len(texts) :].max()) / 2
    fact = OwnFact.of(question)
    if fact is not None and not fact.given(said, shares, None if cosines is None else cosines[len(texts) :].tolist()):
        return Evidence(0.0, LEAST, max(shares), near)
    if _of_something_else(terms, rarity, kind, texts):
        return Evidence(0.0, LEAST, max(shares), near)
    score = _PASSAGE * whole + _SENTENCE * max(shares) - _missing(collection, question, texts)
    if cosines is None or near is None:
        return Evidence(score, LEAST_BY_WORDS_UNSPACED if unspaced else LEAST_BY_WORDS, max(shares))
    if near >= _CLOSE and _gives(kind, said, shares):
        score += _GIVEN
    foreign = unspaced != mostly_unspaced(texts)
    nearest = unspaced != is_unspaced(said[int(cosines[len(texts) :].argmax())])
    across = Evidence(near, LEAST_NEAR if foreign or nearest else _LEAST_WORDLESS, max(shares), near)
    if whole < _LITTLE:
        # Words of another language: only the meaning can tell, and on a different scale.
        return across
    score += _NEAR * near - _FAR_COSTS * max(0.0, _FAR - near)
    within = Evidence(score, LEAST_UNSPACED if unspaced else LEAST, max(shares), near)
    if unspaced and not within.enough and any(_is_row_of(question, text) for text in texts):
        return Evidence(within.least, within.least, max(shares), near)
    # Among notes in two languages the few in the question's own may have its words.
    if within.enough and unspaced == own:
        return within
    return across if foreign or (nearest and near >= _CLOSE_ACROSS) else within


def _is_row_of(question: str, text: str) -> bool:
    """Whether a row of a table has all words of a question, two or more: 福岡, 店長.

    A row has none of the particles between them, whose characters count for much where no text has them.
    """
    parts = labelled_parts(text)
    if not text.startswith("| ") and (not parts or any(name.casefold() in BODIES for name, _ in parts)):
        return False
    words = _WORDS.findall(normalize_text(without_question_words(question)))
    said = normalize_text(text)
    return len(words) > 1 and all(word in said for word in words)


def _of_something_else(terms: Sequence[str], rarity: np.ndarray, kind: AskedFor | None, texts: Sequence[str]) -> bool:
    """Whether codes and numbers are given, but none of what is asked of: the password of the wifi, not of the mail."""
    if kind is None or not kind.noted:
        return False
    whose = [term for term, weight in zip(map(dictionary_form, terms), rarity, strict=True) if weight > 0]
    whose = [term for term in whose if term not in kind.implied and not _HIRAGANA.search(term)]
    given = [dictionary_forms(text) for text in texts if kind.within(text)]
    same = any(map(is_unspaced, terms)) == any(is_unspaced(text) for text in texts if kind.within(text))
    return bool(whose and given) and same and not any(has.intersection(whose) for has in given)


def _gives(kind: AskedFor | None, said: Sequence[str], shares: Sequence[float]) -> bool:
    """Whether a short sentence has a word of the question, and it or one beside it the kind of thing asked for."""
    if kind is None:
        return False
    short = [
        at
        for at, one in enumerate(said)
        if shares[at] >= _ASKED_OF and len(one) <= (_SHORT_UNSPACED if is_unspaced(one) else _SHORT)
    ]
    return any(any(map(kind.within, said[max(0, at - 1) : at + 2])) for at in short)


def _missing(collection: FolderCollection, question: str, texts: Sequence[str]) -> float:
    """Return what speaks against an answer: the share of the question's names that no passage has, and no row at all.

    A word with a capital that does not begin the question is a name, and so is one in katakana, in Latin letters among
    characters of another script, or in hiragana where the question begins with it.
    """
    latin = _CAPITAL.findall(question) if not is_unspaced(question) else _LATIN.findall(question)
    names = {normalize_text(name) for name in (*latin, *_KATAKANA.findall(question), *_KANA_WORD.findall(question))}
    if not names:
        return 0.0
    said = [normalize_text(text) for text in texts]
    missing = [name for name in names if not any(name in text for text in said)]
    store = collection._store
    with store.reading():
        counts = store.term_counts([token for name in missing for token in index_tokens(name)])
    unknown = [name for name in missing if not all(counts.get(token, 0) for token in index_tokens(name))]
    return (_NAMES * len(missing) + _UNKNOWN * len(unknown)) / len(names)


def _rarity(collection: FolderCollection, terms: Sequence[str]) -> np.ndarray:
    store = collection._store
    with store.reading():
        counts, total = store.term_counts(terms), store.count()
    found = np.array([counts.get(term, 0) for term in terms], np.float64)
    built_of = _BUILT_OF | _COSTS if "much" in terms else _BUILT_OF
    telling = np.array([term not in built_of for term in terms])
    unseen = 0.0 if total < _FEW else _ENDINGS_COUNT
    endings = [
        1.0 if not _HIRAGANA.search(term) else _ENDINGS_COUNT if seen or not _JOINT.search(term) else unseen
        for term, seen in zip(terms, found > 0, strict=True)
    ]
    rarity = lucene_idf(found, max(total, _FEW)) * endings
    return np.where(telling, rarity, 0.0) if telling.any() else rarity


def _cosines(collection: FolderCollection, question: str, texts: Sequence[str]) -> np.ndarray | None:
    """Return the cosines of texts with the question, for the built-in model; None for any other."""
    bound = collection.bound
    if bound is None or bound.own or collection.untrusted is not None or bound.info.id != "built-in":
        return None
    model = collection.model
    return np.asarray(model.embed(texts) @ model.embed([question], kind="query")[0])
