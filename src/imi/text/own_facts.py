"""Questions for a fact about something of the asker's own: our cat's name, my mother's birthday, うちの犬の名前.

What others say about cats and birthdays has the words of such a question and comes near to it, and answers nothing: a
sentence must name the thing, or hold a date or a number beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imi.patterns import Pattern
from imi.text.asked_figures import Figure
from imi.text.lexical import is_unspaced

_WORD = r"[a-z][\w'’\-]*?"
_THING = rf"(?:(?:my|our) (?:{_WORD} ){{{{0,2}}}}|(?:your|the) )(?P<{{}}>{_WORD})"
_WHAT = "(?:what(?:['’]s| is| was| are| were) |tell me |how (?:is|are) |)"
_NAMES = Pattern(
    rf"{_WHAT}(?:the )?names? (?:of|for) {_THING.format('a')}"
    rf"|{_WHAT}{_THING.format('b')}(?:['’]s?)? names?"
    rf"|{_WHAT}{_THING.format('c')} (?:called|named)"
    rf"|what (?:do|did) (?:i|I|we|they|you) (?:call|name) {_THING.format('d')}"
)
"""The whole of a question for a name, in English."""
_RELATIVES = "(?:妹|姉|兄|弟|母|父|祖母|祖父|娘|息子|妻|夫|彼|彼女|友達|友人)(?:さん)?"
_HOUSES = (
    "ホテル|旅館|民宿|宿|病院|医院|薬局|居酒屋|喫茶|カフェ|美容室|美容院|レストラン|食堂|保育園"
    "|hotel|hostel|inn|pension|café|cafe|restaurant|clinic|pharmacy"
)
_FAMILY = "(?:妹|姉|兄|弟|母|父|祖母|祖父|娘|息子|妻|夫|彼|彼女|友達|友人|隣)(?:さん)?の"
_OWN = "(?:うち|ウチ|我が家|わが家|私|わたし|僕|ぼく|俺|おれ|当社|弊社)(?:たち|達)?"
_THING_UNSPACED = rf"(?:{_OWN}(?:の|で飼っている))?(?:{_FAMILY})?(?P<{{}}>[^\s。、はのをがにでへ]{{{{1,8}}}})"
_NAMES_UNSPACED = Pattern(
    rf"{_THING_UNSPACED.format('a')}の(?:名前|なまえ|呼び名|名)(?:は|って|を|とは)?"
    r"(?:(?:何|なん|なに)(?:です|でした|だ|と|て|か)?\w{0,6}|教え\w{1,6}|知\w{1,6})?"
    rf"|{_THING_UNSPACED.format('b')}(?:は|って|を)(?:何|なん)(?:と|て|という名前?で?)"
    r"(?:(?:言|い)(?:[いっわ]\w{1,6}|う(?:[のんかで]\w{0,5})?)|(?:呼|名[づ付])\w{1,7})"
    rf"|{_THING_UNSPACED.format('c')}は(?:何|なん)という(?:名前?\w{{0,6}}|の\w{{0,6}})"
)
_OF_ONE_S_OWN = Pattern(rf"\b(?:my|our)\b|(?<!の){_OWN}の")
_DATED = Pattern(r"\b(?:birthday|anniversary)\b|誕生日|記念日|生年月日|年齢")
"""Facts that are dates, whatever word asks for them."""
_NUMBERED = Pattern(
    r"\b(?:phone|telephone|mobile|fax|account|customer|membership|passport|licen[cs]e|postal|zip|pin) (?:number|code)\b"
    "|番号"
)
_NUMBER = Pattern(r"[0-9]{4,30}|[0-9][0-9\-().\s]{4,30}[0-9]")
_FIGURE = Pattern(
    r"[0-9\uff10-\uff19]|[一二三四五六七八九十百千万億半数][年月日時分秒週回人個円つ歳才度台匹本枚階番割倍]|[月火水木金土日]曜"
    "|元日|元旦|大晦日|正月|(?:今|来|先|毎|翌|前)(?:日|週|月|年|朝|晩|夕)|明日|昨日|明後日|早朝|昼|夕方|夜|春|夏|秋|冬|クリスマス"
    r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million|half|first"
    r"|second|third|fourth|fifth|once|twice|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|january|february|march|april"
    r"|june|july|august|september|october|november|december|(?:in|by|until|on|of) may|today|tonight|tomorrow|yesterday"
    r"|mornings?|noon|afternoons?|evenings?|nights?|midnight|(?:next|last|this|every|each) (?:day|week|month|year)"
    r"|daily|weekly|monthly|yearly|spring|summer|autumn|winter|christmas|easter|new year)\b"
)
_NAMING = Pattern(
    r"\b(?:(?:nick)?named|called|goes by|answers to|[Nn]ames? (?:is|are|was|were)|[Nn]ames?:|[Nn]ame['’]s) [\"“'‘]?\w"
    "|と(?:言|い[いうっ]|云|申|名づけ|名付け|呼)|という名|って(?:言|い[いうっ]|名|呼)|名前?は"
)
_NAMING_ACROSS = Pattern(
    r"\b(?:[Mm]y|[Oo]ur) (?:[a-z]+ )?[a-z]+,? [A-Z][a-z]+"
    "|は[「『]?[\u30a1-\u30fa\u30fc]{2,8}[」』]?(?:です|だ|。|$)|[「『]"
)
"""The same in the other script, where the thing has another word."""
_BESIDE = (
    r"\b{0}s?(?:,| is| are| was|:| \(| ?[-–—=→] ?|) ?[\"“'‘]?[A-Z][\w\-]{{1,40}}"
    r"|[A-Z][\w\-]{{1,40}}[\"”'’]?(?:, | is | was | \()(?:my|our|the) (?:\w+ )?{0}\b"
)
"""A name beside the thing: our cat Tama; Tama, our black cat."""
_BESIDE_UNSPACED = (
    "{0}(?:の|は|、|:|：|=|→|[(（])?(?:[「『]|[\u30a1-\u30fa\u30fc]{{2,20}})|{0}(?:は|:|：|=|→)[一-鿿]{{1,4}}(?:です|だ|である|。|$)"
    "|(?:[」』]|[\u30a1-\u30fa\u30fc]{{2,20}}(?:ちゃん|くん|君)?)(?:は|、|[(（])[^、。]{{0,6}}{0}"
    "|{0}[ \u3000][一-鿿]{{2,4}}(?:[ \u3000][一-鿿]{{1,3}})?(?:$|[、。(（が]|氏|様|さん)"
)
_RELATIVE = (
    "(?:{0})の(?!誕生|仕事|結婚|電話|住所|学校|部屋|会社|名前|年齢|番号|病気|料理|写真|夫|妻|子|娘|息子|友|声|家|車|服|本|具合|体調|予定|担任|先生)"
    "[一-鿿]{{1,3}}(?:は|が|も|と|、|に|を|$)"
)
"""A relative's name behind the word for it: 妹の美咲は."""
_PLACE = r"\b(?i:{0}) [A-Z][\w'’]+|(?:\A|[\s・、。])(?:{0})[一-鿿\u30a1-\u30fa\u30fc]{{2,8}}(?:[、。（(は]|$)"
"""A house's name behind its kind: ホテル海風、那覇市."""
_ANIMALS = "cat|dog|puppy|kitten|pet|rabbit|hamster|horse|pony|bird|parrot|goldfish|fish|turtle|tortoise"
_TITLED = Pattern(r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\b\.? [A-Z]")
_NOTE = r"(?i:(?:my |our |the )?{0}(?:['’]s)?(?: names?)? ?(?:,|:|[-–—=→(]) ?[\"“'‘]?\w+[\"”'’)]?\W?)"
"""The whole of a short note: cat: tama."""
_LABELLED = (
    r"(?i:(?:\A|[\n・])[\s>*+•|-]{{0,8}}(?:my |our |the )?{0}(?:['’]s)?(?: names?|の?名前?)?(?: of [\w '’]{{1,30}})?"
    r"[\s*]{{0,3}}[:：=→|][\s*]{{0,3}}[\"“'‘「『]?\w)"
)
"""What a line or a row of a table begins with: Dentist: Dr. Alvarez, on Tuesdays."""
_MOST = 0.6
"""A sentence with the question's words must have so much of what the best one has."""
_CLOSE = 0.7
"""A sentence without the question's words must come so near, of the nearest sentence."""


@dataclass(frozen=True, slots=True)
class OwnFact:
    """A fact that is asked for.

    thing: what a name is asked of, None where a date or a number is asked for. figure: that is asked for.
    """

    thing: str | None
    figure: Pattern

    @classmethod
    def of(cls, question: str) -> OwnFact | None:
        """Return what a question asks for; None where it asks for anything else."""
        plain = re.sub(r"(?<![\s?？。.!])[\s?？。.!]++$", "", question.strip())
        names = _NAMES_UNSPACED.compiled if is_unspaced(plain) else _NAMES.compiled
        found = names.fullmatch(plain[:1].lower() + plain[1:])
        if found is not None:
            thing = next(filter(None, found.groups()))
            return cls(thing if is_unspaced(plain) else re.sub(r"['’]s?$", "", thing.split()[-1]), _FIGURE)
        lower = plain.lower()
        if not _OF_ONE_S_OWN.search(lower):
            return None
        if _NUMBERED.search(lower):
            return cls(None, _NUMBER)
        return cls(None, _FIGURE) if Figure.of(plain) is not None or _DATED.search(lower) else None

    def given(self, sentences: Sequence[str], shares: Sequence[float], near: Sequence[float] | None) -> bool:
        """Whether a sentence gives it.

        Args:
            sentences: of the passages, in their order.
            shares: of the question's words, that each has.
            near: cosines of each with the question; None where no model tells.
        """
        most, nearest = max(shares), None if near is None else max(near)
        for at, one in enumerate(sentences):
            said = most > 0 and shares[at] >= _MOST * most
            close = near is not None and nearest is not None and near[at] >= _CLOSE * nearest
            if self.thing is not None:
                if self._names(one, close=close):
                    return True
            elif (said or close) and any(map(self.figure.search, map(str.lower, sentences[max(0, at - 1) : at + 2]))):
                return True
        return False

    def naming(self, sentences: Sequence[str], near: Sequence[float]) -> list[bool]:
        """Return which sentences name the thing by the word that the question has for it, else by what is close to it.

        Args:
            sentences: of the passages.
            near: cosines of each with the question.
        """
        if self.thing is None:
            return [False] * len(sentences)
        itself = [self.thing in one.lower() and self._names(one, close=False) for one in sentences]
        close = _CLOSE * max(near, default=0.0)
        return (
            itself
            if any(itself)
            else [self._names(one, close=at >= close) for one, at in zip(sentences, near, strict=True)]
        )

    def _names(self, sentence: str, *, close: bool) -> bool:
        thing = self.thing or ""
        if thing not in sentence.lower():
            across = is_unspaced(thing) != is_unspaced(sentence) and _NAMING_ACROSS.search(sentence) is not None
            return close and (across or _NAMING.search(sentence) is not None)
        if _NAMING.search(sentence) is not None:
            return True
        if re.fullmatch(_RELATIVES, thing) and re.search(_RELATIVE.format(thing), sentence):
            return True
        if not re.fullmatch(_ANIMALS, thing) and _TITLED.search(sentence):
            return True
        if re.fullmatch(_HOUSES, thing, re.IGNORECASE) and re.search(_PLACE.format(thing), sentence):
            return True
        patterns = (_BESIDE_UNSPACED, _LABELLED) if is_unspaced(thing) else (_BESIDE, _LABELLED, rf"\A{_NOTE}\Z")
        return any(re.search(one.format(re.escape(thing)), sentence) for one in patterns)
