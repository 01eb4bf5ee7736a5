"""Words where their form should not matter: without endings and accents; and the words that a question is built of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from imi.patterns import Pattern
from imi.text.lexical import index_tokens, is_word, normalize_text, words_in

FUNCTION_WORDS = frozenset(
    """
    when what which who whom whose where why how do does did is are was were am be been being can could will would
    should shall may might must has have had the a an of to in on at for by with from and or i you he she it we they
    my your his her its our their me him us them there this that these those if as into about than then so not no
    """.split()  # noqa: SIM905 — a list of one word a line would hide the code
)
"""What a question is built of, not about: rare in a collection of a few rows, and telling in none."""
_PARTICLE = (
    "[がをにでともへ]|は(?!な[^にんぜ])|の(?!う)|か(?:ら|$|[^\u3041-\u3096]|かり|かる|な)|な[のんら]|まで|です|でし|でき|だ|くらい|ぐらい|ほど"
    "|[^\u3041-\u3096]|$"
)
"""What follows a question word; other hiragana makes it the beginning of a word: どうぶつえん, いつくしま, なにわ."""
_VERB = "あ[るり]|い[るまきくっ]|おわ|くる|きま|する|しま|した|たべ|つか"
_QUESTION_WORDS = Pattern(
    # Before one stands another script, or a particle with a word before it: not か of かいつぶり, ま of まいつき.
    r"(?:(?<![\u3041-\u3096])|(?<=[^\s、。「『(][はがをにでともへやの])|(?<=から|より|まで)|(?<=って)|(?<=お))(?:"
    r"どこもかしこも|いつ(?!くし|つ|わり|き[のや])(?<=[はがを]いつ)|"
    rf"(?:なに|だれ|いつ|どこ(?!でも[\u30a1-\u30fa])|どれ)(?={_PARTICLE}|{_VERB}|ごろ|ころ|だけ|へん)"
    rf"|なん(?={_PARTICLE}|て(?!ん)|じ|にち|がつ|ねん|にん|かい|さい|ばん|まい|よう)"
    r"|どう(?=です|でし|し[てたよま]|す[るれ]|や[っれ]|い[うっえ]|な[るりっ]|だ|か[\s?？。]|[^\u3041-\u3096のはがをにと]|$)"
    r"|どの(?=[^\u3041-\u3096]|くらい|ぐらい|よう|へん|ひと|ほど|とき)"
    # いくらの軍艦巻き, いくらを: what is eaten.
    r"|いくら(?![のはがをと、])|どんな|なぜ|いくつ|どちら|どっち|どなた"
    r")|(?<!幾)何|誰"
    # 弟って何歳: what follows is asked of it.
    r"|って(?=何|誰|いつ|どこ|だれ|いくら|いくつ|どう|どん|どれ|どの|どち|なぜ|なに|なん|ある|いる|[?？。\s]|$)"
    r"|(?:です|ます|でしょう|ました|でした|ません|ください|教えて|て?いま|ている|であ|あり|ある|いる|する|した|して|という|こと|なん|んで"
    r"|だった|だっけ|だろう|なの){0,9}(?:[かね]|(?<=る)の|(?<=ん)の)?(?=[。?\uff1f\s]{0,9}$)"
)
"""The same in Japanese: what is asked for, and how a sentence that asks ends."""
_ENDINGS = (("ies", "y"), ("ied", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("e", ""))
_IRREGULAR = """
    eat ate eaten / begin began begun / buy bought / break broke broken / bring brought / build built / come came /
    catch caught / choose chose chosen / drink drank / drive drove driven / fall fell fallen / feel felt / fly flew
    flown / find found / forget forgot forgotten / give gave given / go gone went / get got / grow grew grown / hear
    heard / hold held / hide hid hidden / keep kept / know knew known / lay laid / lead led / leave left / lend lent
    / lose lost / make made / mean meant / meet met / pay paid / run ran / ride rode / say said / sing sang / sit
    sat / see saw seen / send sent / sleep slept / sell sold / spend spent / speak spoke spoken / stand stood /
    steal stole stolen / swim swam / teach taught / think thought / throw threw thrown / tell told / take took taken
    / understand understood / win won / wear wore worn / wake woke / write wrote written / child children / man men
    / woman women / foot feet / tooth teeth / mouse mice
"""
_PRESENT = {form: verb for verb, *forms in map(str.split, _IRREGULAR.split("/")) for form in forms}
"""Forms of words that do not begin like the word."""
_MARKED = Pattern("[\u00c0-\u024f\u1e00-\u1eff\u0300-\u036f]")
_ACCENTED = Pattern(r"[\u00c0-\u024f\u1e00-\u1eff][^\w\s\x00-\u02ff]*|[a-z][^\w\s\x00-\u02ff]+")
"""A letter and the marks on it, with signs after them that are no marks."""
_ACCENT = Pattern("(?<=[a-z])[\u0300-\u036f]+")


@lru_cache(1 << 16)
def base_form(word: str) -> str:
    """Return an English word without the ending that its number or tense gave it; other words as they are."""
    if len(word) < 4 or not word.isascii() or not word.isalpha() or word.endswith("ss"):
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)] + instead
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def dictionary_form(word: str) -> str:
    """Return an English word without its ending, and a verb's past as its present: ate is eat; others as they are."""
    return base_form(_PRESENT.get(word, word))


def dictionary_forms(text: str) -> set[str]:
    """Return the tokens of a text as full text has them, words in their dictionary forms."""
    return set(map(dictionary_form, set(index_tokens(text))))


class TermsSought:
    """Terms that are looked for in texts, words in any of their forms: as `dictionary_forms` has them, but faster."""

    def __init__(self, terms: Sequence[str]) -> None:
        """Set up.

        Args:
            terms: as `ranking_terms` returns them.
        """
        self.forms = tuple(map(dictionary_form, terms))
        self._words = frozenset(filter(is_word, self.forms))

    def held(self, text: str) -> list[bool]:
        """Return which of the terms a text holds."""
        plain = normalize_text(text)
        own = self._words.intersection(map(dictionary_form, words_in(plain))) if self._words else self._words
        # A piece of a script without spaces is a token wherever it stands.
        return [form in own if form in self._words else form in plain for form in self.forms]


def plain_letters(text: str) -> str:
    """Return a text as `normalize_text` does, and Latin letters without their accents: Temür is temur."""
    return without_accents(normalize_text(text))


def without_accents(text: str) -> str:
    """Return a normalised text with Latin letters without their accents."""
    if text.isascii() or not _MARKED.search(text):
        return text
    return _ACCENTED.compiled.sub(_plain, text)


def _plain(letter: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", _ACCENT.compiled.sub("", unicodedata.normalize("NFD", letter[0])))


def without_question_words(text: str) -> str:
    """Return a question without the Japanese words that questions are built of: 家賃はいくらですか is 家賃は."""
    return text if text.isascii() else _QUESTION_WORDS.compiled.sub(" ", text)
