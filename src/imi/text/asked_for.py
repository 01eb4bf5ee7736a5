"""What a question asks for, a time, a price, a number, a code, a person, a place, a reason, and whether a text has one.

Figures in articles are told apart more finely by `imi.text.asked_figures`; here is what people ask of their own notes,
in whatever words: my pin code, 弟の電話番号, whose sentence may share no other word with the question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imi.patterns import Pattern
from imi.text.asked_figures import Figure
from imi.text.lexical import normalize_text
from imi.text.word_forms import dictionary_form, dictionary_forms

_DIGITS = "[0-9一二三四五六七八九十百千万億数半][0-9,.一二三四五六七八九十百千万億]{0,40}+"
_WORD_NUMBER = (
    "(?:a|an|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty"
    "|ninety|half an?|a few|several|couple of|hundred|thousand)"
)
_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?)"
)
_TIME = (
    r"(?<![0-9:])[0-9]{1,2}[:.h][0-9]{2}(?![0-9])|[0-9]{1,2} ?[ap]\.?m\b|[0-9一二三四五六七八九十]{1,3} ?時(?!間)"
    r"|o['’]clock|\bnoon\b|\bmidnight\b|正午|午前|午後|零時"
    r"|\b(?:at|from|until|till|by|around|past|after|before) (?:half )?(?:one|two|three|four|five|six|seven|eight|nine"
    r"|ten|eleven|twelve|[0-9]{1,2}(?![0-9,.:%]))"
    r"(?! ?(?:%|[$€]|euro|yen|dollar|pound|kg|km|°|degree|people|book|item|g\b|m\b))"
)
_DATE = (
    rf"\b{_MONTH}\.? [0-9]{{1,2}}(?:st|nd|rd|th)?\b|\b[0-9]{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{_MONTH}|may)\b"
    rf"|\b(?:in|by|until|since|on|of|from|before|after|early|late|mid|next|last|this) (?:{_MONTH}|may)\b|\bmay [0-9]"
    r"|(?<![0-9.,])(?:1[0-9]{3}|20[0-9]{2})(?![0-9]|[.,][0-9])|[0-9]{1,2}/[0-9]{1,2}|[0-9]{4}-[0-9]{2}"
    r"|[0-9元一二三四五六七八九十]{1,9}(?:年(?!生|間|以)|月|日(?!間))|[0-9]{1,2}(?:st|nd|rd|th) century|世紀"
    r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|[月火水木金土日]曜|[(（][月火水木金土日][)）]"
    r"|\b(?:today|tonight|tomorrow|yesterday|weekends?|weekdays|daily|christmas|easter|new year)\b"
    r"|\b(?:next|last|this|every|each) (?:day|week|month|year|morning|evening|spring|summer|autumn|fall|winter)\b"
    r"|明日|昨日|明後日|今日|今朝|今晩|[今来先毎翌][日週月年]|月末|週末|年末|平日|元日|元旦|大晦日|正月"
)
_PHONE = r"(?<![0-9\-])[+(]?[0-9][0-9\-‐() ]{5,30}[0-9](?![0-9\-])"
_NUMBER = r"[0-9][0-9\-‐() ]{2,30}[0-9]|[0-9]{3,30}|\b[a-z]{1,4}[\- ]?[0-9]{3,30}"
_CODE = (
    r"(?<![0-9,.])[0-9]{3,30}(?![,.][0-9]|[%円年])|\b[a-z]{1,20}-?[0-9][a-z0-9\-]{2,40}"
    r"|\b[0-9]{1,20}-?[a-z][a-z0-9]{3,40}"
)
_SECRET = (
    r"(?:password|passphrase|passcode|keyword|パスワード|合言葉)s? ?(?:is|:|=|は|→|「|\"|“|'|\|){1,3} "
    r"?(?!(?:on|in|at|not|to|too|the|a|an|under|behind|written|kept|still|by|with)\b)[^\s。]"
    rf"|(?:password|passphrase|passcode)(?: for [\w ]{{1,30}}:?)? [a-z]{{1,30}}-[a-z0-9]|{_CODE}"
)
_MONEY = (
    r"[$€£¥￥] ?[0-9]|[0-9][0-9,.]{0,20}+ ?(?:[$€£¥]|円|ドル|ユーロ|元|ウォン|(?:dollar|euro|pound|cent|franc)s?\b"
    rf"|yen\b|pence\b|usd\b|eur\b|jpy\b|gbp\b)|{_DIGITS} ?"
    r"(?:[万千百億]円?|円)|\bfree\b(?: of charge|\.|,|$)|無料|ただで"
)
_LENGTH = (
    rf"(?:{_DIGITS}|\b{_WORD_NUMBER}\b) ?(?:ミリ秒|秒|分|時間|日間?|年間?|[かカヶケ]月|週間?|泊|晩|ms\b|sec|min|hour"
    "|day|night|week|month|year|decade|centur)"
)
_OFTEN = (
    "every|each|daily|weekly|monthly|yearly|annual|once|twice|times|毎[日週月年朝晩]|ごと|おき|隔[日週月年]"
    "|[日週月年]に?[0-9一二三四五六]+回|一日|1日"
)
_COLOURS = (
    r"\b(?:red|blue|green|yellow|black|white|gr[ea]y|brown|pink|orange|purple|violet|silver|gold(?:en)?|beige)\b"
    "|[赤青緑黄黒白灰茶紫桃紺金銀][色いのでに]|黄緑|水色|ピンク|オレンジ|ベージュ"
)
_REASONS = (
    r"\b(?:because|since|due to|owing to|as|so that|in order to|caused?|reasons?)\b"
    "|ため|ので|から|せい|理由|により|によって|による|都合|おかげ"
)
_ADDRESS = (
    r"[都道府県市区郡町村].{0,20}[0-9]|丁目|番地|[0-9]-[0-9]|straße ?[0-9]|\w@\w"
    r"|\b[0-9]{1,6}[a-z]? [a-z'’ ]{2,30}(?:street|st|road|rd|lane|avenue|ave|drive)\b"
    r"|\b(?:street|st\.?|road|rd\.?|lane|avenue|ave\.?|rua|rue|via|platz|square)\b[^.]{0,30}[0-9]"
)
_DAYS = "Mon|Tues|Wednes|Thurs|Fri|Satur|Sun"
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_PEOPLE = (
    rf"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Aunt|Uncle)\b\.? [A-Z]|(?<=[a-z,;:(|] )(?!(?:(?:{_DAYS})days?|{_MONTHS}|The)\b)"
    r"[A-Z][a-zà-ÿ]+|\A\W{0,8}(?:[0-9]{1,3}\W{1,4})?[A-Z][a-z]+ (?:will|has|wants|and|said|says)\b"
    "|[\u4e00-\u9fff\u30a1-\u30fa\u30fc](?:さん|氏|様|先生|君|くん|ちゃん|教授|部長|課長|社長)"
    r"|[\u30a1-\u30fa\u30fc・]{2,20}+(?=[がはにのとを、])"
    r"|(?:[:：、は|] ?|\A)[\u4e00-\u9fff]{2,4}(?=[がはにのとを、。 ]|\Z)"
)
_THERE = (
    r"\b(?:in|at|on|under|underneath|behind|near|inside|above|below|beside|beneath|opposite|between|next to|outside)"
    r" (?:the |a |an |my |our |your |his |her )?\w"
    r"|\b(?:room|hall|suite|building|block|floor|gate|platform|terminal|desk|shelf|aisle) [0-9]"
    r"|[都道府県市区町村駅](?![長民議立])|公園|[上下中隣横裏前奥側脇](?:に|の|で|。|$|、|です|だ|にあ)|[0-9一二三四五六七八九]階"
    r"|[室館店院校場園寺社局]|(?:で|にて)(?=[^すしはもきあ])"
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of thing.

    asked: in the question. plain, written: in a text, normalised and as it is. implied: words of a question that such a
    thing says by itself: 080-1234-5678 is a telephone number. sure: whether its look tells it.
    """

    name: str
    asked: Pattern
    plain: Pattern | None
    implied: str
    written: Pattern | None = None
    sure: bool = True


_KINDS = (
    _Kind(
        "code",
        Pattern(
            r"\b(?:pin|combination|passcode|(?:alarm|door|entry|access|zip|post(?:al)?|gate)[ -]?code)\b|暗証|郵便番号"
        ),
        Pattern(_CODE),
        "code number 番号",
    ),
    _Kind(
        "secret",
        Pattern(r"\b(?:passwords?|passphrase|code ?word)\b|パスワード|合言葉"),
        Pattern(_SECRET),
        "password passphrase code word パスワード 合言葉",
    ),
    _Kind(
        "phone",
        Pattern(
            r"\b(?:tele)?phone\b|\bmobile\b|\bfax\b|電話|携帯|ファックス"
            r"|\bhow (?:can|do) (?:i|we) (?:call|ring|reach)\b"
        ),
        Pattern(_PHONE),
        "phone telephone mobile fax number call ring 電話 電話番号 携帯 携帯番号 番号",
    ),
    _Kind(
        "number",
        Pattern(
            r"\b(?:account|card|customer|member(?:ship)?|passport|licen[cs]e|booking|reservation|order|confirmation"
            r"|invoice|serial|reference|tracking|policy|registration|flight)(?: [a-z]+)? (?:numbers?|no\b|code)|番号"
        ),
        Pattern(_NUMBER),
        "number code no 番号",
    ),
    _Kind(
        "address",
        Pattern(r"\b(?:postal |e-?mail )?address\b|住所|所在地"),
        Pattern(_ADDRESS),
        "address 住所 所在地",
    ),
    _Kind(
        "often",
        Pattern("how (?:often|frequent)|何(?:日|週間?|か月|ヶ月|年)(?:おき|ごと|に[0-9一二]回)|頻度|どのくらいの間隔"),
        Pattern(_OFTEN),
        "often frequently 頻度",
    ),
    _Kind(
        "length",
        Pattern(
            "how long|how many (?:milli)?(?:seconds|minutes|hours|days|nights|weeks|months|years)|duration"
            "|何(?:ミリ)?秒|何分(?!の)|何時間|何日間|何週間|何年間|何泊|何[かカヶケ]月|ど(?:れ|の)(?:くらい|ぐらい)の(?:時間|期間)"
            "|期間|所要時間|かかる時間|(?:時間|日数)は(?:どれ|どの|何|[?？]|$)"
        ),
        Pattern(_LENGTH),
        "long time take last 時間 期間 所要時間 かかる",
    ),
    _Kind(
        "time",
        Pattern(r"what time|何時(?!間)|(?:営業|開館|閉館|診療|受付|開始|終了)時[間刻]|opening (?:hours|times)"),
        Pattern(_TIME),
        "time hour 時間 時",
    ),
    _Kind(
        "when",
        Pattern(
            r"\bwhen\b|(?:what|which) (?:day|date|month|year|weekday|century|decade)\b|いつ|何[年月日曜]|期限"
            r"|締め?切り?|締切|〆切|日にち|日付|誕生日|記念日|定休日|\b(?:deadline|birthday|due date|anniversary)\b"
        ),
        Pattern(f"{_TIME}|{_DATE}"),
        "time date day 日 日にち 日付 年 月",
    ),
    _Kind(
        "money",
        Pattern(
            r"how much (?:money|is|are|was|were|did|does|do|will|would|for|it|to|must|should|have)\b|how much\??$"
            r"|\b(?:price|rent|fee|cost|fare|deposit|salary|wage)s?\b|いくら(?![のをがはと、])|料金|値段|価格|費用|家賃|会費"
            "|月謝|運賃|代金|金額|送料|敷金|給料"
        ),
        Pattern(_MONEY),
        "much money cost price pay charge 料金 値段 価格 費用 代金 金額",
    ),
    _Kind(
        "colour", Pattern("what colou?r|which colou?r|何色|どんな色|(?<=の)色は"), Pattern(_COLOURS), "colour color 色"
    ),
    _Kind("reason", Pattern(r"\bwhy\b|なぜ|何故|どうして|理由"), Pattern(_REASONS), "reason cause 理由", sure=False),
    _Kind(
        "person",
        Pattern(r"\bwho(?:m|se|['’]s)?\b|誰|だれ|どなた|担当者|責任者"),
        None,
        "person 人 者",
        Pattern(_PEOPLE),
        sure=False,
    ),
    _Kind(
        "name",
        Pattern(r"\bnames?\b|\b(?:called|named)\b|名前|何という"),
        None,
        "name call 名前 名",
        Pattern(rf"{_PEOPLE}|[「『]"),
        sure=False,
    ),
    _Kind(
        "place",
        Pattern(r"\bwhere\b|(?:what|which) (?:place|room|city|street|country|hall)\b|どこ|何処|場所"),
        Pattern(_THERE),
        "place locate situated 場所",
        sure=False,
    ),
)
_NOTED = frozenset({"code", "secret", "phone", "number", "address"})
"""What people note of their own."""
_OWN = Pattern(r"\b(?:i|my|our|we)\b|私|わたし|僕|うち(?:の|は)|我が家|わが家")
_COUNTED = Pattern(
    r"how many ((?:[a-z]+ )?[a-z]{3,30})|([^\s、。のはがを]{1,12})(?:は|が|を)何[人個本名枚頭匹台冊機隻番通件社校杯]"
)
"""What is counted: eggs in "how many eggs", じゃがいも in じゃがいもは何個."""
_ITEM = re.compile(r"\A\W{0,8}[0-9]{1,3}[.)] ")
"""The number of an item of a list, which does not count as a figure."""


def _forms(words: str) -> frozenset[str]:
    return frozenset().union(*map(dictionary_forms, words.split()))


@dataclass(frozen=True, slots=True)
class AskedFor:
    """What is asked for.

    sure: whether its look tells it (a price, a time), not its words alone (a person, a place, a reason). own: whether
    it is one's own, as a code or a telephone number is. implied: words of the question, in their base forms, that a
    text which has such a thing says thereby.
    """

    name: str
    question: str
    patterns: tuple[tuple[Pattern, bool], ...]
    sure: bool
    own: bool
    implied: frozenset[str]

    @property
    def noted(self) -> bool:
        """Whether it is a code or a number that somebody has of something: of the bank card, of a brother."""
        return self.name in _NOTED

    @classmethod
    def of(cls, question: str) -> AskedFor | None:
        """Return what a question asks for; None where it asks for anything else."""
        plain = normalize_text(question)
        own = _OWN.search(plain) is not None
        for kind in _KINDS:
            if kind.asked.search(plain):
                given = tuple((one, written) for one, written in ((kind.plain, False), (kind.written, True)) if one)
                return cls(kind.name, plain, given, kind.sure, own or kind.name in _NOTED, _forms(kind.implied))
        figure = Figure.of(question)
        if figure is None:
            return None
        return cls("figure", plain, ((figure.pattern, False),), True, own, _forms("many much number 数"))

    def having(self, texts: Sequence[str]) -> list[bool]:
        """Return which texts hold such a thing: of numbers those of what is counted, where a text has such.

        Args:
            texts: as they are written.
        """
        found = [self.within(text) for text in texts]
        counted = _COUNTED.search(self.question) if self.name == "figure" else None
        if counted is None:
            return found
        noun = re.escape(counted[2] or dictionary_form(counted[1].split()[-1])[:-1] or counted[1])
        exact = re.compile(
            rf"(?:[0-9] ?|\b{_WORD_NUMBER} )(?:[a-z]+ ){{0,2}}{noun}|{noun}\w{{0,4}}[^\w.。]{{0,3}}[0-9]"
        )
        those = [has and exact.search(normalize_text(text)) is not None for text, has in zip(texts, found, strict=True)]
        return those if any(those) else found

    def within(self, text: str) -> bool:
        """Whether a text holds such a thing that the question does not have itself.

        Args:
            text: as it is written.
        """
        text = _ITEM.sub("", text)
        plain = normalize_text(text)
        return any(
            normalize_text(match[0]).strip() not in self.question
            for pattern, written in self.patterns
            for match in pattern.compiled.finditer(text if written else plain)
        )
