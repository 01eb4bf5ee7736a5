"""What texts of common labels say: phrasings for sentiment and stars in English and Japanese, and stars as sentiment.

"positive" is a word about a text, not one that a pleased customer writes. A label that is known here is described by
what its texts say; any other by four phrasings of the label itself.
"""

from __future__ import annotations

import re
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

_SPAM = (
    "you have won a prize, claim it now",
    "click here for free money",
    "limited offer, act now",
    "earn money fast from home",
    "your account will be closed, confirm your password",
    "cheap pills, no prescription",
    "congratulations, you have been selected",
    "当選おめでとうございます、今すぐ受け取ってください",
    "無料で稼げる方法を今すぐクリック",
    "アカウントが停止されます。こちらで確認してください",
    "期間限定の特別なご案内です",
)
_HAM = (
    "see you tomorrow at the meeting",
    "thanks for your message, I will answer later",
    "can you call me when you are home",
    "the report is attached",
    "happy birthday, how are you",
    "let us have lunch on Friday",
    "明日の会議でお会いしましょう",
    "ご連絡ありがとうございます。後で返信します",
    "資料を添付しました",
    "今日は何時に帰りますか",
)
_Said = Sequence[str]
_GOOD_WORDS: dict[str, _Said] = dict.fromkeys(
    (
        *("positive", "positive review", "good", "satisfied", "praise", "pos", "👍", "😀"),
        *("ポジティブ", "肯定", "肯定的", "良い", "満足", "好評", "高評価", "好意的"),
    ),
    _PRAISE + _PRAISE_JA,
)
_BAD_WORDS: dict[str, _Said] = dict.fromkeys(
    (
        *("negative", "negative review", "bad", "dissatisfied", "complaint", "neg", "👎", "😞"),
        *("ネガティブ", "否定", "否定的", "悪い", "不満", "不評", "低評価", "批判的"),
    ),
    _BLAME + _BLAME_JA,
)
_MIDDLE_WORDS: dict[str, _Said] = dict.fromkeys(
    ("neutral", "mixed", "ニュートラル", "中立", "中立的", "普通", "どちらでもない"), _PLAIN + _PLAIN_JA
)
_SPAM_WORDS: dict[str, _Said] = dict.fromkeys(("spam", "junk", "スパム", "迷惑メール"), _SPAM)
_HAM_WORDS: dict[str, _Said] = dict.fromkeys(("ham", "not spam", "no spam", "通常", "通常のメール"), _HAM)
_SCALES: tuple[tuple[dict[str, _Said], dict[str, _Said], dict[str, _Said]], ...] = (
    (_GOOD_WORDS, _BAD_WORDS, _MIDDLE_WORDS),
    (_SPAM_WORDS, _HAM_WORDS, {}),
)
"""What belongs together: labels of one scale are known where its first two are both among them."""
_STARS: dict[int, _Said] = {
    1: _BLAME + _BLAME_JA,
    2: (
        *("disappointed", "not very good", "would not buy again"),
        *("がっかりしました", "あまり良くありませんでした", "もう買いません"),
    ),
    3: (
        *("it is ok", "average", "so so", "not bad but not great"),
        *("普通でした", "まあまあです", "悪くはないが良くもない"),
    ),
    4: (
        *("good", "pretty good", "I like it", "nice", "tasty"),
        *("良かったです", "なかなか良いです", "気に入りました", "おいしいです"),
    ),
    5: _PRAISE + _PRAISE_JA,
}
_ENGLISH = ("{}", "This is {}.", "A text that is {}.", "A text about {}.")
_JAPANESE = ("{}", "これは{}です。", "{}な文章", "{}についての文章")
_STAR = re.compile(r"(?:星|★|☆|rating |score )? ?([1-5]) ?(?:-? ?stars?|つ星|つ|点)?|(★{1,5})☆{0,4}|(⭐{1,5})")


def phrasings(label: str, labels: Sequence[str]) -> list[str]:
    """Return what describes a label among all: what its texts say where it is known, else phrasings of its word.

    Args:
        label: one of them.
        labels: all; see `known`.
    """
    scale = _scale(labels)
    if scale is not None:
        return list(scale[label])
    return [template.format(label) for template in (_ENGLISH if label.isascii() else _JAPANESE)]


def known(labels: Sequence[str]) -> bool:
    """Return whether these labels are a scale of opinions that is known: sentiments, stars of 1 to 5, spam and not."""
    return _scale(labels) is not None


def _scale(labels: Sequence[str]) -> dict[str, _Said] | None:
    """Return what the texts of each label say where all are of one known scale with both its ends, else None."""
    stars = {label: star_of(label) for label in labels}
    if len(set(stars.values())) > 2 and None not in stars.values():
        return {label: _STARS[star] for label, star in stars.items() if star is not None}
    folded = {label: label.strip().casefold() for label in labels}
    for first, second, rest in _SCALES:
        words = {**first, **second, **rest}
        own = set(folded.values())
        if own <= set(words) and own & set(first) and own & set(second):
            return {label: words[one] for label, one in folded.items()}
    return None


def star_of(value: Any) -> int | None:
    """Return 1 to 5 where a label says so many stars ("4", "4 stars", "★★★★", "星4つ"), else None."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return int(value) if value in _STARS else None
    found = _STAR.fullmatch(str(value).strip().casefold())
    return None if found is None else int(found[1] or len(found[2] or found[3]))


def stars_as(labels: Sequence[str], truth: Sequence[Any]) -> list[Any] | None:
    """Return stars as the sentiment that they say, where the labels are a positive and a negative one; else None.

    One to five stars: one and two are negative, four and five positive, three neither, as in the OpenAI cookbook. 1
    and -1, and True and False, are read the same way.
    """
    good = [label for label in labels if label.strip().casefold() in _GOOD_WORDS]
    bad = [label for label in labels if label.strip().casefold() in _BAD_WORDS]
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
