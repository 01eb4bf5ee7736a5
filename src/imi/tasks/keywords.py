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
    用 来 一 二 三 十 気 自分 場合 ため こと 他 点 訳 無 有 感 際 等 度 様 方々 以上 以外 是非 本当 大変 今回 次回 非常
    """.split()  # noqa: SIM905 — a list of one word a line would hide the code
)


def words_of(text: str) -> list[str]:
    """Return the words of a text that can be part of a name, in order: content words, case folded."""
    words = _WORD.findall(_TAG.sub(" ", normalize_text(text)))
    return [word for word in words if word not in _COMMON and word not in _COMMON_JA]


_STEM = re.compile("([\u4e00-\u9fff々]{1,6})([\u3041-\u309f]*)")
_ADJECTIVE = re.compile("((?:ずか|し|らし|かし|らか|か|た|き|さ|な|る)?)(?:(い(?![たてまし])|く[てな])|く|かっ)")
"""The second group is what no verb has: 分かった and 行く look alike otherwise."""
_ADJECTIVAL_NOUN = re.compile("(や?か)[でなにだ]")
_NOUN = re.compile("[がをはにでともへやだなよねさのか]|$")
_UNKNOWN = 0.1
"""What is added to the cosine of each term: a name that the model has not learnt lies near nothing."""
_EARLY, _OWN = 5, 1.5
"""What ranks are counted from, and how much more the rank by class TF-IDF counts."""
_ENOUGH = 0.25
"""The share of adjectives among what begins with the same kanji from which the word is one: 楽しい beside 楽しむ."""


def written_out(words: Sequence[str], texts: Iterable[str]) -> list[str]:
    """Return how texts write what begins with kanji: 広い for 広, 静か for 静; verbs, which name nothing, are left out.

    Args:
        words: of a name; those of other scripts stay as they are.
        texts: where they stand.
    """
    stems = {word for word in words if _STEM.fullmatch(word)}
    forms: dict[str, Counter[str]] = {stem: Counter() for stem in stems}
    proven: set[str] = set()
    for text in texts if stems else ():
        for found in _STEM.finditer(text):
            if found[1] in stems:
                form, sure = _form(found[1], found[2])
                forms[found[1]][form] += 1
                proven.update([form] if sure else [])
    return [form for word in words if (form := _best_form(word, forms[word], proven) if word in stems else word)]


def _form(stem: str, rest: str) -> tuple[str, bool]:
    """Return the form of a dictionary by the kana that follow some kanji, "" for a verb's; and whether that is sure."""
    if adjective := _ADJECTIVE.match(rest):
        return f"{stem}{adjective[1]}い", bool(adjective[2])
    if adjectival := _ADJECTIVAL_NOUN.match(rest):
        return stem + adjectival[1], True
    # A compound of kanji is a noun however it goes on: 利用される.
    return (stem if len(stem) > 1 or _NOUN.match(rest) else ""), False


def _best_form(stem: str, forms: Counter[str], proven: set[str]) -> str:
    best = max((form for form in forms if form in proven), key=lambda form: (forms[form], form), default="")
    if best and forms[best] >= max(_ENOUGH * forms.total(), forms[stem]):
        return best
    return stem if len(stem) > 1 or not forms or 2 * forms[stem] >= forms.total() else ""


def distinctive_words(
    texts: Sequence[str], groups: NDArray[np.int64], count: int, *, words: int = 3, most: int = 400
) -> list[list[str]]:
    """Return, for each of `count` groups, the words most typical of it.

    Words are ranked by the log of their odds inside the group against outside it, in standard deviations, with the
    whole set as prior (Monroe, Colaresi and Quinn 2008): what all groups say names none of them. That is wary of what
    only this group says, such as a name, which class TF-IDF (Grootendorst 2022) has first: the two ranks are fused. A
    word counts once a text, so that one long text does not name its group.

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
    found = []
    for group, group_counts in enumerate(counts):
        ranked = _without_variants(_fused(group_counts, total, count), 2 * words)
        own = [normalize_text(texts[row]) for row in _spread(np.flatnonzero(groups == group), most)]
        found.append((written_out(ranked, own) or ranked)[:words])
    return found


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
    weight = (near + _UNKNOWN) / np.sqrt(2.0 + np.arange(len(terms)))
    order = np.argsort(-weight, kind="stable")
    return _without_variants([terms[at] for at in order], words)


def _fused(inside: Counter[str], total: Counter[str], groups: int) -> list[str]:
    """Return the words of a group that are typical of it by odds and by class TF-IDF, the most typical first."""
    by_odds = _ranked(inside, total)
    average = total.total() / groups
    weight = {word: inside[word] * np.log1p(average / total[word]) for word in by_odds}
    rank = {word: at for at, word in enumerate(sorted(by_odds, key=lambda word: (-weight[word], word)))}
    fused = {word: 1 / (_EARLY + at) + _OWN / (_EARLY + rank[word]) for at, word in enumerate(by_odds)}
    return sorted(by_odds, key=lambda word: -fused[word])


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
    """Return the first words that are not just another form of one already taken (dog, dogs; 配達, 配達日; 大満足)."""
    taken: list[str] = []
    for word in ranked:
        if len(taken) == words:
            break
        if not any(_variants(word, one) for one in taken):
            taken.append(word)
    return taken


def _variants(one: str, other: str) -> bool:
    if one.startswith(other) or other.startswith(one):
        return True
    kanji = bool(_STEM.match(one) and _STEM.match(other))
    return kanji and (one.endswith(other) or other.endswith(one))
