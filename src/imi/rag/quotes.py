"""Answers without a language model: which sentences of the passages found are quoted, and how they read."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imi.rag.together import Together
from imi.records import Answer, Citation, Hit, facts_of
from imi.text.asked_for import AskedFor
from imi.text.labels import unlabelled
from imi.text.lexical import is_unspaced, ranking_terms
from imi.text.own_facts import OwnFact
from imi.text.plain import is_heading
from imi.text.readers.documents import CODE
from imi.text.sentences import sentences
from imi.text.word_forms import FUNCTION_WORDS, dictionary_form, dictionary_forms, without_question_words

_Said = tuple[int, int, str]
"""A sentence: the number of its passage, its place there, and what it says."""
_QUOTES = 3
_BEFORE = 2
"""Sentences before one that say what it is about."""
_ABOVE, _BESIDE = 0.6, 0.35
"""What a word of the question counts in the headings above, and there, beside one in the sentence itself."""
_CERTAIN, _SURE = 2.5, 0.45
"""What holding a thing of the kind asked for counts, of a sentence that has all of the question's words."""
_HEADING_COSTS = 0.4
_ECHO_COSTS = 1.0
_NAMED = 0.5
_WORTH, _WORTH_ELSEWHERE, _WORTH_OF_ROWS = 0.5, 0.8, 0.95
"""What a sentence must score, against the best, to be quoted beside it: of its passage, of another, of its table."""
_LINES = 3
"""Lines of a letter or a list that speak of one thing."""
_LEAST = 0.45
"""The latter at least so much."""
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,300}>")
_ROW = re.compile(r"^[ \t]*+\|([^\n]*)\|[ \t]*$", re.MULTILINE)
"""A row of a table between bars."""
_LINE_MARK = re.compile(
    r"^[ \t]*+(?:>(?![ \t]*\d)[ \t]*+)*+(?:(?:[-*+•‣◦][ \t]++|・[ \t]*+)(?:\[[ xX]\][ \t]++)?|#++[ \t]++)?|[\"']{3}",
    re.MULTILINE,
)
"""What stands before the words of a line in a list, in what a letter quotes, or in code; not > before a number."""
_LED = re.compile(
    r"^([^\n]*[:：])[ \t]*((?:\n[ \t]*+(?:[-*+•‣◦][ \t]+|・[ \t]*|\d{1,3}[.)][ \t]+)[^\n]+)+)", re.MULTILINE
)
"""A list below the words that lead to it."""
_LIST = 240
"""Characters of a list that is quoted as one sentence."""
_ASKS = re.compile(r"[?？][」』）)”’\"']*$")
_CLOSING = 8
"""Characters at the end of a sentence that a question's mark is looked for in, with brackets behind it."""
_COMMENT = re.compile(r"^[ \t]*(?:#|//|--)[ \t]+(\S[^\n]*?)[.:]?\n[ \t]*(?!#|//|--)(\S[^\n]*)$", re.MULTILINE)
"""A comment and the line of code below it, which it is about."""
_DIGIT = re.compile(r"\d")
_VALUE = re.compile(r"[\d:：]")
_LABELLED = re.compile(r"[^\d:：]{1,24}[:：] ?\S")
"""A value behind its name, which does not make a heading: Office: Carver Hall 318, but not Chapter 3: The ice."""
_MARKUP_LINE = re.compile(r"\s*+(?:```|~~~)|[\s:|-]++$")


@dataclass(frozen=True, slots=True)
class _Scores:
    """What speaks for each sentence.

    heads: whether it is a heading. alone: its own words and meaning. whole: with what it is about. score: with the kind
    of thing that is asked for, too. gives: whether it surely gives a thing of that kind. may: whether it may.
    """

    heads: list[bool]
    alone: NDArray[np.float64]
    whole: NDArray[np.float64]
    score: NDArray[np.float64]
    gives: NDArray[np.bool_]
    may: NDArray[np.bool_]


def quoted(together: Together, question: str, passages: Sequence[Hit], groups: Mapping[str | None, int]) -> Answer:
    """Quote the sentences that are nearest to the question, by meaning and by its words, in the documents' order.

    Of several collections those are quoted that suit the question best (`Together.groups`).
    """
    suits = min(groups.values())
    read = [(n, hit) for n, hit in enumerate(passages, 1) if groups[hit.collection] == suits]
    said = [(n, at, one) for n, hit in read for at, one in enumerate(said_in(hit))]
    # What two passages say, because they overlap or are copies, is quoted once.
    found = list({_squeezed(one): (n, at, one) for n, at, one in reversed(said)}.values())[::-1]
    scores = _scores(together, question, found, [_above(hit) for hit in passages])
    chosen = _chosen(question, found, scores)
    title = _title_giving(question, found, scores, chosen, passages)
    if not title and scores.may.any() and not scores.may[chosen].any():
        chosen += _elsewhere(found, scores, chosen, passages)
    if len(chosen) == 1 and scores.heads[chosen[0]]:
        chosen += _below(found, np.argsort(-scores.score, kind="stable").tolist(), chosen[0])
    chosen += _replies(found, chosen, passages)
    quotes = [*title, *(found[at] for at in chosen)]
    first = {_whole(passages[n - 1]): min(m for m, _, _ in quotes if _whole(passages[m - 1]) == _whole(passages[n - 1]))
             for n, _, _ in quotes}  # fmt: skip
    quotes.sort(key=lambda one: (first[_whole(passages[one[0] - 1])], _start(passages[one[0] - 1]), one[0], one[1]))
    text = "\n".join(f"“{one}” [{n}]" for n, _, one in quotes)
    cited = sorted({n for n, _, _ in quotes})
    citations = tuple(
        Citation(n, passages[n - 1].id, passages[n - 1].text, facts_of(passages[n - 1].metadata).get("page"), True)
        for n in cited
    )
    return Answer(text, citations, None, tuple(passages))


def _scores(together: Together, question: str, found: Sequence[_Said], above: Sequence[str]) -> _Scores:
    """Return what speaks for each sentence.

    Args:
        together: what was searched.
        question: in any language.
        found: the sentences.
        above: of each passage, the headings above it.
    """
    model = together.reader
    asked = _asked(question)
    heads = _headings(found)
    own = [dictionary_forms(one) for one in _under_columns(found, heads)]
    kind = AskedFor.of(question)
    said = [one.replace(" | ", " ") for _, _, one in found]
    holds = [False] * len(said) if kind is None else kind.having(said)
    if kind is not None:
        # What has a telephone number says "telephone number" by that.
        own = [has | kind.implied if holding else has for has, holding in zip(own, holds, strict=True)]
        # A line with the time that is asked for does not count as a heading.
        heads = [head and not (kind.sure and holding) for head, holding in zip(heads, holds, strict=True)]
    rare = {term: np.log1p(len(own) / (0.5 + sum(term in words for words in own))) for term in asked}
    total = max(sum(rare.values()), 1e-9)
    meaning = model.embed([one for _, _, one in found]) @ model.embed([question], "query")[0]
    words = np.array([sum(rare[term] for term in asked & has) / total for has in own])
    beside = np.zeros(len(found))
    for at, (over, before) in enumerate(_around(found, heads, own, above)):
        more = (asked & (over | before)) - own[at]
        beside[at] = sum(rare[term] * (_ABOVE if term in over else _BESIDE) for term in more) / total
    # A passage found first is likelier to hold the answer than a sentence alone can tell.
    place = np.array([1 / n for n, _, _ in found])
    # A line that looks like a heading says what others say more of, and a word or two of the question answer nothing.
    echoes = [len(has) < 3 and bool(has) and has < asked for has in (words - FUNCTION_WORDS for words in own)]
    alone = meaning + words - _HEADING_COSTS * np.array(heads) - _ECHO_COSTS * np.array(echoes)
    fact = OwnFact.of(question)
    names = np.zeros(len(found), np.bool_)
    if fact is not None:
        names = np.array(fact.naming([one for _, _, one in found], meaning.tolist()), np.bool_)
        alone += _NAMED * names
    whole = alone + beside
    score = whole + 0.2 * place
    gives = np.array(holds, np.bool_)
    if kind is None or names.any():
        return _Scores(heads, alone, whole, score, names, gives)
    if kind.sure:
        score += gives * (_CERTAIN if kind.own else _SURE) * (0.3 + 0.7 * whole / max(whole.max(), 1e-9))
    # Whether a person or a place is the one asked for, its look does not tell: nothing is left out for it.
    return _Scores(heads, alone, whole, score, gives & kind.sure, gives)


def _around(
    found: Sequence[_Said], heads: Sequence[bool], own: Sequence[set[str]], above: Sequence[str]
) -> list[tuple[set[str], set[str]]]:
    """Return for each sentence the words of what it is about: of the headings above, and of the sentences before it."""
    titles = [dictionary_forms(one) for one in above]
    out: list[tuple[set[str], set[str]]] = []
    last: dict[int, set[str]] = {}
    for at, (n, place, _) in enumerate(found):
        before = [
            own[other]
            for other in range(max(0, at - _BEFORE), at)
            if found[other][0] == n and found[other][1] >= place - _BEFORE
        ]
        out.append((titles[n - 1] | last.get(n, set()), set().union(*before)))
        if heads[at]:
            last[n] = own[at]
    return out


def _chosen(question: str, found: Sequence[_Said], scores: _Scores) -> list[int]:
    """Return which sentences are quoted, the best first.

    The best one is quoted whatever it scores: that something is likely to answer was judged before. Where it gives
    what is asked for, others that do not are left out, but for the one before it; so are those in another script.
    """
    best = np.argsort(-scores.score, kind="stable")[:_QUOTES].tolist()
    first = best[0]
    n, place, text = found[first]
    within = is_unspaced(text) == is_unspaced(question)
    chosen = [first]
    for at in best[1:]:
        same = found[at][0] == n
        rows = same and " | " in text and " | " in found[at][2]
        worth = _WORTH_OF_ROWS if rows else _WORTH if same else _WORTH_ELSEWHERE
        if scores.alone[at] < max(worth * scores.whole[first], 0.0 if same else _LEAST):
            continue
        if within and is_unspaced(found[at][2]) != is_unspaced(question):
            continue
        if scores.gives[first] and not scores.gives[at] and not (same and found[at][1] == place - 1):
            continue
        chosen.append(at)
    return chosen


def _replies(found: Sequence[_Said], chosen: Sequence[int], passages: Sequence[Hit]) -> list[int]:
    """Return the first sentence of the row below for each question that ends a row: in a chat that is the reply.

    Args:
        found: all sentences.
        chosen: those that are quoted.
        passages: that they are of.
    """
    first: dict[tuple[object, int, int], int] = {}
    last: dict[int, int] = {}
    for at, (n, _, _) in enumerate(found):
        first.setdefault((_whole(passages[n - 1]), *_start(passages[n - 1])), at)
        last[n] = at
    asks = [at for at in chosen if last[found[at][0]] == at and _ASKS.search(found[at][2][-_CLOSING:])]
    rows = [passages[found[at][0] - 1] for at in asks]
    below = [first.get((_whole(row), _start(row)[0], _start(row)[1] + 1)) for row in rows if _start(row)[1]]
    return [at for at in below if at is not None and at not in chosen]


def _title_giving(
    question: str, found: Sequence[_Said], scores: _Scores, chosen: Sequence[int], passages: Sequence[Hit]
) -> list[_Said]:
    """Return the heading that surely gives what is asked for where the best sentence does not: a diary's day.

    Args:
        question: in any language.
        found: all sentences.
        scores: theirs.
        chosen: the sentences that are quoted, the best first.
        passages: that they are of.
    """
    kind, n = AskedFor.of(question), found[chosen[0]][0]
    if kind is None or not kind.sure or scores.gives[chosen[0]]:
        return []
    parts = _above(passages[n - 1]).split(" > ")[::-1]
    if any(scores.gives[at] for at, (other, _, _) in enumerate(found) if other == n):
        # What the passage gives may be of something else; so may the headings farther above.
        del parts[1:]
    return [(n, -1, part) for part in parts if kind.within(part)][:1]


def _elsewhere(found: Sequence[_Said], scores: _Scores, chosen: Sequence[int], passages: Sequence[Hit]) -> list[int]:
    """Return where the passage gives what is asked for, if no sentence chosen does.

    Args:
        found: all sentences.
        scores: theirs.
        chosen: the sentences that are quoted, the best first.
        passages: that they are of.
    """
    n = found[chosen[0]][0]
    home, (page, line) = _whole(passages[n - 1]), _start(passages[n - 1])
    able = [at for at in np.flatnonzero(scores.may).tolist() if not scores.heads[at]]
    near = [at for at in able if found[at][0] == n and (at - 1 in chosen or at + 1 in chosen)]
    sure = []
    for at in able:
        other = passages[found[at][0] - 1]
        on, below = _start(other)
        beside = line > 0 and _whole(other) == home and on == page and abs(below - line) <= _LINES
        if scores.gives[at] and (found[at][0] == n or beside):
            sure.append(at)
    # What the passage itself says is about its own matter: a diary's day, not the day before.
    return sorted(sure, key=lambda at: (found[at][0] != n, -scores.score[at]))[:1] or near[:1]


def _headings(found: Sequence[_Said]) -> list[bool]:
    """Return which sentences of passages are headings, or the names of a table's columns."""
    said = {(n, at): one for n, at, one in found}
    around = [(one, said.get((n, at - 1), ""), said.get((n, at + 1), "")) for n, at, one in found]
    return [
        _names_columns(one, before, following) if " | " in one else is_heading(one) and not _LABELLED.match(one)
        for one, before, following in around
    ]


def _below(found: Sequence[_Said], best: Sequence[int], head: int) -> list[int]:
    """Return the best value below a heading, which alone answers nothing; empty for any other line.

    Args:
        found: all sentences.
        best: their numbers, the best first.
        head: the number of the one that is quoted.
    """
    passage, place, text = found[head]
    if place or _VALUE.search(text):
        return []
    return [at for at in best if found[at][0] == passage and found[at][1] and _VALUE.search(found[at][2])][:1]


def _under_columns(found: Sequence[_Said], heads: Sequence[bool]) -> list[str]:
    """Return sentences as their words are counted: a table's row has those of its columns' names as well."""
    out: list[str] = []
    names, place = "", (0, 0)
    for (n, at, one), head in zip(found, heads, strict=True):
        goes_on = place == (n, at - 1) and one.count(" | ") == names.count(" | ") > 0
        names, place = (one, (n, at)) if head else (names, (n, at)) if goes_on else ("", (0, 0))
        out.append(f"{names} | {one}" if goes_on and not head else one)
    return out


def _asked(question: str) -> set[str]:
    """Return the words of a question in their base forms, without what questions are built of where more is left."""
    terms = ranking_terms(without_question_words(question)) or ranking_terms(question)
    return set(map(dictionary_form, [term for term in terms if term not in FUNCTION_WORDS] or terms))


def _whole(hit: Hit) -> tuple[str | None, str]:
    """Return the document that a passage is of."""
    return hit.collection, str(facts_of(hit.metadata).get("source", hit.id))


def _start(hit: Hit) -> tuple[int, int]:
    """Return where in its document a passage begins."""
    facts = facts_of(hit.metadata)
    page, line = facts.get("page"), facts.get("line")
    return (page if isinstance(page, int) else 0, line if isinstance(line, int) else 0)


def _squeezed(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum()) or text


def _above(hit: Hit) -> str:
    """Return the headings above a passage."""
    facts = facts_of(hit.metadata)
    return " > ".join(dict.fromkeys(str(part) for part in (facts.get("title"), facts.get("heading")) if part))


def said_in(hit: Hit) -> list[str]:
    """Return the sentences of a passage as they can be quoted: without headings, template words and markup."""
    facts, text = facts_of(hit.metadata), (hit.text or "").replace("\r\n", "\n")
    above = _above(hit)
    body = text.removeprefix(f"{above}\n") if above else text
    titles = {part.strip() for part in above.split(" > ")} | {above}
    lines = [
        line
        for line in _ROW.sub(lambda row: row[1].strip(" \t"), unlabelled(body)).split("\n")
        if not _MARKUP_LINE.match(line)
    ]
    plain = _LED.sub(_in_a_line, _TAG.sub(" ", "\n".join(lines)))
    if str(facts.get("source", "")).endswith(CODE):
        plain = _COMMENT.sub(r"\1: \2", plain)
    clean = html.unescape(_LINE_MARK.sub("", plain))
    found = _with_answers([" ".join(one.split()) for one in sentences(clean)])
    found = list(dict.fromkeys(one for one in found if any(char.isalnum() for char in one)))
    return [one for one in found if one.strip("# ") not in titles] or found or [" ".join(body.split())]


def _names_columns(one: str, before: str, following: str) -> bool:
    """Whether a sentence is the first row of a table: without figures, above others of as many cells."""
    cells = one.count(" | ")
    return bool(cells) and cells == following.count(" | ") != before.count(" | ") and not _DIGIT.search(one)


def _in_a_line(led: re.Match[str]) -> str:
    """Return a short list in the line that leads to it, for an item alone may say the opposite: never pay: cash."""
    items = [_LINE_MARK.sub("", item.strip()).strip() for item in led[2].strip().split("\n")]
    if len(led[0]) > _LIST:
        return led[0]
    return led[1] + "、".join(items) if is_unspaced(led[1]) else f"{led[1]} {'; '.join(items)}"


def _with_answers(said: Sequence[str]) -> list[str]:
    """Return sentences, a question together with the one that follows it: in a list of questions that is the answer."""
    found: list[str] = []
    asks = False
    for one in said:
        asked, asks = asks, _ASKS.search(one[-_CLOSING:]) is not None
        if asked and not asks:
            found[-1] = f"{found[-1]}{'' if is_unspaced(found[-1][-2:]) else ' '}{one}"
        else:
            found.append(one)
    return found
