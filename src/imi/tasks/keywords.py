"""The words that tell groups of texts apart, in Japanese and English: a name for each group."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from imi.embedders.base import Embedder
from imi.text.lexical import normalize_text
from imi.types import Floats
from imi.vectors import normalize, truncate

# In Japanese, runs of kanji and of katakana carry the meaning, hiragana the grammar: a run is a word well enough for
# a name.
_WORD = re.compile(
    r"[a-z][a-z'’\-]+[a-z]|[\u4e00-\u9fff々]{1,6}|[\u30a1-\u30faー]{2,}|[\uac00-\ud7a3]{2,}"
    r"|[^\W\d_a-z\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]{3,}"
)
_TAG = re.compile(r"<[^>\n]{1,200}>|&[a-z]{2,6};")
_COMMON = frozenset(
    """
    about above after again against all also although always among and another any anything are around because been
    before being below between both but came can cannot could did does doing don't done down during each either else
    enough even ever every everything few find first for from further gave get gets getting give given goes going
    gone got had has have having he her here hers herself him himself his how however i'm i've into isn't it's its
    itself just know less let like little look looks made make makes many may maybe me might more most much must
    myself need never no nor not nothing now off often once one only onto other our ours out over own perhaps put
    quite rather really said same say says see seem seemed she should since some something still such sure take than
    that that's the their theirs them themselves then there these they thing things think this those though through
    thus too took toward under until upon use used using very was way we well went were weren't what when where
    which while who whom whose why will with within without won't would yet you you're your yours yourself i'll i'd
    probably actually definitely especially absolutely usually simply maybe already today yesterday tomorrow ago
    ahead ready thinking anyway somewhat lot bit etc
    didn't doesn't wasn't can't couldn't wouldn't aren't haven't hasn't they're there's of to in on at by as is be
    or if it do so an my am us up title content http https www com
    """.split()  # noqa: SIM905 — a list of one word a line would hide the code
)
_COMMON_JA = frozenset(
    """
    的 者 方 人 中 上 下 前 後 今 時 何 私 日 年 月 回 分 事 物 所 見 行 言 思 出 入 使
    用 来 一 二 三 十 気 自分 場合 ため こと
    """.split()  # noqa: SIM905 — a list of one word a line would hide the code
)


def words_of(text: str) -> list[str]:
    """Return the words of a text that can be part of a name, in order: content words, case folded."""
    words = _WORD.findall(_TAG.sub(" ", normalize_text(text)))
    return [word for word in words if word not in _COMMON and word not in _COMMON_JA]


def distinctive_words(
    texts: Sequence[str], groups: NDArray[np.int64], count: int, *, words: int = 3, most: int = 400
) -> list[list[str]]:
    """Return, for each of `count` groups, the words most typical of it.

    Words are ranked by the log of their odds inside the group against outside it, in standard deviations, with the
    whole set as prior (Monroe, Colaresi and Quinn 2008): what all groups say names none of them. A word counts once a
    text, so that one long text does not name its group.

    Args:
        texts: n texts.
        groups: (n,) group numbers; -1 belongs to none.
        count: the number of groups.
        words: how many words each.
        most: texts read of each group, spread evenly over it.
    """
    counts = [
        _document_counts(texts[row] for row in _spread(np.flatnonzero(groups == group), most)) for group in range(count)
    ]
    total: Counter[str] = Counter()
    for group_counts in counts:
        total.update(group_counts)
    return [_without_variants(_ranked(group_counts, total), words) for group_counts in counts]


def nearest_in_meaning(terms: Sequence[str], direction: Floats, model: Embedder, words: int = 3) -> list[str]:
    """Return the terms that say best what a group is about: their rank by counts, and how near they mean its middle.

    Words that set a group apart by chance ("hands", "today") lie away from where the group lies; what it is about does
    not.

    Args:
        terms: the most typical first.
        direction: (d,) the group's mean less the mean of all rows.
        model: an embedder of the same vectors.
        words: how many terms.
    """
    if not terms:
        return []
    vectors = truncate(model.embed(list(terms), "document"), len(direction))
    near = vectors @ normalize(direction.astype(np.float32))
    weight = near / np.sqrt(2.0 + np.arange(len(terms)))
    order = np.argsort(-weight, kind="stable")
    return _without_variants([terms[at] for at in order], words)


def _ranked(inside: Counter[str], total: Counter[str]) -> list[str]:
    """Return the words of a group, the most typical first."""
    size, everything = sum(inside.values()), sum(total.values())
    least = 2 if size > 50 else 1
    scored = []
    for word, found in inside.items():
        if found < least:
            continue
        prior = 0.05 * total[word]
        own, other = found + prior, total[word] - found + prior
        rest = 1.05 * size - own, 1.05 * (everything - size) - other
        odds = np.log(own / max(rest[0], 1)) - np.log(other / max(rest[1], 1))
        scored.append((odds / np.sqrt(1 / own + 1 / other), found, word))
    return [word for _, _, word in sorted(scored, key=lambda one: (-one[0], -one[1], one[2]))]


def _document_counts(texts: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(set(words_of(text)))
    return counts


def _spread(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _without_variants(ranked: Sequence[str], words: int) -> list[str]:
    """Return the first words that are not just another form of one already taken (dog, dogs; 配達, 配達日)."""
    taken: list[str] = []
    for word in ranked:
        if len(taken) == words:
            break
        if not any(word.startswith(one) or one.startswith(word) for one in taken):
            taken.append(word)
    return taken
