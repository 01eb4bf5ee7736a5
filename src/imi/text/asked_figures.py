"""Which kind of figure a question asks for (when, how much faster, what share), and whether a text holds one."""

from __future__ import annotations

from dataclasses import dataclass

from imi.patterns import Pattern
from imi.text.lexical import normalize_text

_NUMBER = "[0-9一二三四五六七八九十百千万億数][0-9,.一二三四五六七八九十百千万億]{0,40}+"
"""No longer, and never tried again by a shorter one: a page of digits is read once, not once from each of them."""
_KINDS = (
    (
        "how (?:many times|much (?:faster|slower|quicker))|何倍|ど(?:れ|の)(?:だけ|くらい|ほど)(?:高?速|早|遅)",
        rf"{_NUMBER} ?(?:倍|times\b|x\b|×|-?fold|(?:%|percent) (?:faster|slower|quicker)|[%割](?:高?速|早|遅))",
    ),
    (
        "how much (?:larger|smaller|bigger|more|less|cheaper|better)"
        "|ど(?:れ|の)(?:だけ|くらい|ほど)(?:大き|小さ|安|高)",
        rf"{_NUMBER} ?(?:倍|times\b|x\b|×|-?fold|%|percent|割)",
    ),
    (
        "percent|what (?:share|proportion|fraction)|何パーセント|何%|何割|割合",
        rf"{_NUMBER} ?(?:%|percent|パーセント|割)",
    ),
    (
        "how long|how many (?:milli)?(?:seconds|minutes|hours|days|weeks|months|years)"
        "|何(?:ミリ)?秒|何分|何時間|何日間|何年間|何[かヶ]月|ど(?:れ|の)くらいの時間|期間",
        rf"{_NUMBER} ?(?:ミリ秒|秒|分|時間|日|年|[かヶ]月|週|ms\b"
        "|second|minute|hour|day|week|month|year|decade|centur)",
    ),
    (
        "what time|何時(?!間)",
        r"[0-9一二三四五六七八九十]{1,9}+ ?時(?!間)|[0-9]{1,9}+:[0-9]{2}|[0-9]{1,9}+ ?[ap]\.?m\b"
        "|o'clock|noon|midnight|正午",
    ),
    (
        r"\bwhen\b|(?:what|which) (?:year|date|day|month|century|decade)|何年|何月|何日|何世紀|いつ",
        r"(?<![0-9.,])(?:1[0-9]{3}|20[0-9]{2}|[5-9][0-9]{2})(?![0-9])"
        "|[0-9]{1,9}+(?:年|月|日|世紀|(?:st|nd|rd|th) century)"
        "|january|february|march|april|june|july|august|september|october|november|december",
    ),
    (
        "how (?:far|tall|high|deep|wide|large|big|heavy)|何(?:メートル|キロ|センチ|トン|平方|ヘクタール|度)"
        "|(?:高さ|長さ|面積|重さ)は",
        rf"{_NUMBER} ?(?:[kcm]?m\b|kg\b|メートル|キロ|センチ|ミリ|トン|平方|ヘクタール|feet|ft\b|mile|met(?:er|re)"
        "|kilomet|acre|square|ton|pound|°|度)",
    ),
    (
        "how much (?:money|did|does|do|was|is|were)|what (?:does|do|did|will) [^?]{1,60} cost\\b|いくら|価格|値段|金額",
        rf"[$€£¥] ?[0-9]+|{_NUMBER} ?(?:円|ドル|dollar|yen|euro|pound|million|billion)",
    ),
    (
        "how (?:many|much|old)|what (?:number|is the (?:number|population|similarity|score))"
        "|何[人個本回名枚頭匹台冊機隻歳才番通件社校]|何つ|何万|いくつ|人口|ど(?:れ|の)(?:だけ|くらい)",
        r"[0-9][0-9,.]*|\b(?:two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|thousand|million)\b",
    ),
)
_READ = tuple((Pattern(asked), Pattern(given)) for asked, given in _KINDS)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that a question asks for."""

    question: str
    pattern: Pattern

    @classmethod
    def of(cls, question: str) -> Figure | None:
        """Return what a question asks for; None where it asks for none."""
        plain = normalize_text(question)
        return next((cls(plain, given) for asked, given in _READ if asked.search(plain)), None)

    def within(self, text: str) -> bool:
        """Whether a text, as `normalize_text` gives it, holds such a figure that the question does not have itself."""
        return any(match[0] not in self.question for match in self.pattern.compiled.finditer(text))
