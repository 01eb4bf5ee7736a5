"""What texts of common labels say: phrasings for sentiment and stars in English and Japanese, and stars as sentiment.

"positive" is a word about a text, not one that a pleased customer writes. A label that is known here is described by
what its texts say; any other by four phrasings of the label itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_PRAISE = (
    "great",
    "love",
    "delicious",
    "excellent",
    "best",
    "I love it",
    "highly recommended",
    "great product",
    "tastes great",
    "my favorite",
    "perfect",
)
_BLAME = (
    "terrible",
    "awful",
    "disappointed",
    "disgusting",
    "worst",
    "I hate it",
    "not recommended",
    "bad product",
    "tastes bad",
    "a waste of money",
    "very disappointed",
)
_PRAISE_JA = (
    "とても良かったです",
    "大満足です",
    "素晴らしい",
    "最高でした",
    "おすすめです",
    "美味しかった",
    "また利用したい",
    "気に入りました",
    "快適でした",
    "親切でした",
)
_BLAME_JA = (
    "残念でした",
    "不満です",
    "ひどい",
    "最悪でした",
    "おすすめできません",
    "美味しくなかった",
    "二度と利用しません",
    "がっかりしました",
    "不快でした",
    "改善してほしい",
)
_PLAIN = ("it is ok", "average", "neither good nor bad", "not great, not terrible", "so so")
_PLAIN_JA = ("普通でした", "可もなく不可もなく", "まあまあです", "特に問題ありません", "どちらとも言えません")

_KNOWN: dict[str, Sequence[str]] = {
    **dict.fromkeys(("positive", "positive review", "good", "satisfied", "praise"), _PRAISE),
    **dict.fromkeys(("negative", "negative review", "bad", "dissatisfied", "complaint"), _BLAME),
    **dict.fromkeys(("neutral", "mixed"), _PLAIN),
    **dict.fromkeys(("ポジティブ", "肯定", "肯定的", "良い", "満足", "好評", "高評価"), _PRAISE_JA),
    **dict.fromkeys(("ネガティブ", "否定", "否定的", "悪い", "不満", "不評", "低評価"), _BLAME_JA),
    **dict.fromkeys(("ニュートラル", "中立", "中立的", "普通"), _PLAIN_JA),
}
_POSITIVE = frozenset(label for label, said in _KNOWN.items() if said in (_PRAISE, _PRAISE_JA))
_NEGATIVE = frozenset(label for label, said in _KNOWN.items() if said in (_BLAME, _BLAME_JA))
_STARS: dict[str, Sequence[str]] = {
    "1": _BLAME,
    "2": ("disappointed", "not very good", "would not buy again"),
    "3": ("it is ok", "average", "so so", "not bad but not great"),
    "4": ("good", "pretty good", "I like it", "nice", "tasty"),
    "5": _PRAISE,
}
_ENGLISH = ("{}", "This is {}.", "A text that is {}.", "A text about {}.")
_JAPANESE = ("{}", "これは{}です。", "{}な文章", "{}についての文章")


def phrasings(label: str, labels: Sequence[str]) -> list[str]:
    """Return what describes a label among all: what its texts say where it is known, else phrasings of its word.

    Args:
        label: one of them.
        labels: all; stars are known only as a scale of 1 to 5, sentiments only together.
    """
    folded = {one.strip().casefold() for one in labels}
    own = label.strip().casefold()
    if len(folded) > 2 and folded <= set(_STARS):
        return list(_STARS[own])
    if own in _KNOWN and folded & _POSITIVE and folded & _NEGATIVE and folded <= set(_KNOWN):
        return list(_KNOWN[own])
    return [template.format(label) for template in (_ENGLISH if label.isascii() else _JAPANESE)]


def stars_as(labels: Sequence[str], truth: Sequence[Any]) -> list[Any] | None:
    """Return stars as the sentiment that they say, where the labels are a positive and a negative one; else None.

    One to five stars: one and two are negative, four and five positive, three neither, as in the OpenAI cookbook. 1
    and -1, and True and False, are read the same way.
    """
    good = [label for label in labels if label.strip().casefold() in _POSITIVE]
    bad = [label for label in labels if label.strip().casefold() in _NEGATIVE]
    if len(good) != 1 or len(bad) != 1 or len(labels) > 3:
        return None
    try:
        numbers = [None if value is None or value == "" else float(value) for value in truth]
    except (TypeError, ValueError):
        return None
    known = {number for number in numbers if number is not None}
    if not known or not known <= {-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0}:
        return None
    middle = 3.0 if max(known) > 1 else (0.0 if min(known) < 0 else 0.5)
    rest = next((label for label in labels if label not in (good[0], bad[0])), None)
    return [
        None if number is None else good[0] if number > middle else bad[0] if number < middle else rest
        for number in numbers
    ]
