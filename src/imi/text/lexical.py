"""Lexical tokens for full text, by script, and the queries over them.

A text is normalised (NFKC, case folded) and cut into runs. Scripts that put spaces between words give **words**; Han,
kana, Hangul and the other scripts without spaces give **single characters and bigrams**, interleaved: 東京都 is ``東
東京 京 京都 都``. Emoji, other symbols, + and # are tokens of one character (C++ is ``c + +``). Punctuation gives
nothing. A word of four letters or more that touches unsegmented script (SQLite in SQLiteを使う) also leaves its
endings, marked (``…qlite …lite …ite``), after all other tokens, so that any three letters of it are found.

**Stored form.** ``" ".join(index_tokens(text))`` goes into one FTS5 column made with ``tokenize = "ascii tokenchars
'+#'"`` (`FTS5_TOKENIZE`), which cuts at spaces only: every character above 127 is a token character there, and
folding was done here. `detail=full` is needed, since phrases read positions.

**A phrase means "contains".** Because the stream is interleaved, a string inside a run is a run of consecutive tokens
without the outer single characters: 東京都 is the FTS5 phrase ``"東京 京 京都"``, 京都 the one token ``"京都"``, 猫
the one token ``"猫"``. So 京都 is found in 東京都 (it is in there), and 東都 is not. Words match whole, and from
three letters on also as the beginning of a longer word (`"deliver" *`), and inside a word that touches unsegmented
script; whole words score twice and come first. The parts of a short query, separated by spaces, must all be there:
``データベース ok`` is ``"データ…" AND "ok"`` and never returns a text without ok. Punctuation between the words of a
quoted phrase is not compared. A phrase that begins in the middle of a word and goes on after it (``Liteを使``) asks
for the ending and for the rest, not for their being neighbours.

**Everything else is ranked**: an OR of words, characters and bigrams for BM25, without the commonest: `Query.pruned`
drops them by the counts that the index holds (``fts5vocab`` of type row, column doc).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from imi.patterns import Pattern
from imi.text.kanji import common_forms, without_hidden
from imi.unicode_forms import normalize_form

FTS5_TOKENIZE = "ascii tokenchars '+#'"
"""The ``tokenize`` option of the FTS5 table that stores `index_tokens`, joined by spaces."""

ENDING = "…"
"""Marks a token that is the ending of a word; no other token contains it."""

# Scripts written without spaces: Thai to Myanmar, Khmer, Hangul, kana, Bopomofo, Han (with 々〆〇).
_GRAM = (
    "\u0e00-\u0e4e\u0e80-\u0eff\u1000-\u109f\u1780-\u17d3\u1100-\u11ff\uac00-\ud7ff"
    "\u3005-\u3007\u3021-\u3029\u3041-\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# Combining marks are no \w for `re`, but they belong to the words of Indic, Arabic and Hebrew script.
_MARK = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0981-\u0983\u09bc-\u09cd\u0a01-\u0a4d\u0a81-\u0acd\u0b01-\u0b4d"
    "\u0b82-\u0bcd\u0c00-\u0c4d\u0c81-\u0ccd\u0d00-\u0d4d"
)
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
_SYMBOL = "+#\u00a7\u00a9\u00ae\u00b0\u20a0-\u20bf\u2100-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff"
_CHUNK = Pattern(rf"(?:[^\W_]|[{_MARK}{_GRAM}])+|{_FLAG}|[{_SYMBOL}]")
_PLAIN_CHUNK = re.compile("[a-z0-9]+|[+#]")
"""The same of a normalised text in ASCII alone."""
_RUN = Pattern(rf"[{_GRAM}]+|[^{_GRAM}]+")
_UNSEGMENTED = Pattern(rf"[{_GRAM}]")
_UNSEGMENTED_RUN = Pattern(rf"[{_GRAM}]+")
_HIRAGANA = re.compile("[\u3041-\u3096]")
# No opening mark inside: else each of many that are never closed would be looked for to the end, which is quadratic.
_QUOTED = re.compile(r'"([^"]+)"|“([^“”]+)”|「([^「」]+)」')

_PARTIAL = 3  # letters from which a word is also found as a part of a longer one
_LONGEST_WITH_ENDINGS = 40  # a longer "word" is an address or a key; its endings would cost the square of its length
_SHORT_PARTS = 2
_SHORT_WITH_HIRAGANA = 5
_SHORT_COMPOUND = 16
_MOST_TERMS, _MOST_PARTS = 2000, 200  # of a query: a page of text, and more quotations than anybody makes
_LONGEST_WITH_ENDING = 24  # tokens of a phrase that may begin in the middle of a word; each nests an expression


def normalize_text(text: str) -> str:
    """Return the text as it is compared: NFKC, case folded, NFKC again where folding undid it.

    Characters that nobody sees are left out, and old forms of kanji are read as the common ones.
    """
    if text.isascii():
        return text.lower()
    folded = normalize_form("NFKC", without_hidden(text)).casefold()
    if not unicodedata.is_normalized("NFKC", folded):
        folded = normalize_form("NFKC", folded)
    return common_forms(folded)


def _grams(run: str) -> list[str]:
    """Return the characters and bigrams of a run, interleaved: ``abc`` is ``a ab b bc c``."""
    tokens = [""] * (2 * len(run) - 1)
    tokens[::2] = run
    tokens[1::2] = [a + b for a, b in pairwise(run)]
    return tokens


def index_tokens(text: str) -> list[str]:
    """Return the tokens of a text in order, as they are stored for full text.

    Endings of words inside unsegmented script come last, so that they part no neighbours.
    """
    tokens: list[str] = []
    endings: list[str] = []
    for chunk in _chunks(normalize_text(text)):
        if chunk.isascii() or not _UNSEGMENTED.search(chunk):
            tokens.append(chunk)
            continue
        runs = _RUN.findall(chunk)
        for run in runs:
            if _UNSEGMENTED.match(run):
                tokens += _grams(run)
                continue
            tokens.append(run)
            if _PARTIAL < len(run) <= _LONGEST_WITH_ENDINGS:
                endings += [ENDING + run[i:] for i in range(1, len(run) - _PARTIAL + 1)]
    return tokens + endings if endings else tokens


def words_in(text: str) -> list[str]:
    """Return those tokens of a normalised text that are whole words, not pieces of a script without spaces."""
    chunks = _chunks(text)
    if text.isascii() or not _UNSEGMENTED.search(text):
        return chunks
    return [run for chunk in chunks for run in _RUN.findall(chunk) if not _UNSEGMENTED.match(run)]


def _chunks(text: str) -> list[str]:
    """Return what a normalised text holds besides what parts its words."""
    return _PLAIN_CHUNK.findall(text) if text.isascii() else _CHUNK.findall(text)


def ranking_terms(text: str) -> list[str]:
    """Return the words, characters and bigrams of a text, each once, in order: what a ranked query asks for.

    Characters beside bigrams gain .011 nDCG@10 on JaQuAD's training questions: 県 says something where 県庁 is
    県の役所.
    """
    return list(dict.fromkeys(token for token in index_tokens(text) if not token.startswith(ENDING)))


def is_unspaced(text: str) -> bool:
    """Whether a text holds a character of a script that puts no spaces between words."""
    return not text.isascii() and _UNSEGMENTED.search(text) is not None


def phrase_tokens(text: str) -> tuple[str, ...]:
    """Return the consecutive tokens that any text containing this one has, outer single characters left out."""
    tokens = [t for t in index_tokens(text) if not t.startswith(ENDING)]
    # A bigram beside an outer character says all that the character says, and the text may go on there.
    if len(tokens) > 1 and _is_character(tokens[0]) and tokens[1].startswith(tokens[0]) and not is_word(tokens[1]):
        del tokens[0]
    if len(tokens) > 1 and _is_character(tokens[-1]) and tokens[-2].endswith(tokens[-1]) and len(tokens[-2]) > 1:
        del tokens[-1]
    return tuple(tokens)


def is_word(token: str) -> bool:
    """Say whether a token is a word, not a piece of a script without spaces."""
    return token.isascii() or not _UNSEGMENTED.match(token)


def _is_character(token: str) -> bool:
    return len(token) == 1 and not is_word(token)


@dataclass(frozen=True)
class Query:
    """What is asked of the full text.

    Attributes:
        phrase: True when every one of `parts` must be contained; False when texts are ranked by any of `terms`.
        parts: Consecutive tokens of each part; empty unless `phrase`.
        terms: Words, characters and bigrams of the query, each once.
    """

    phrase: bool
    parts: tuple[tuple[str, ...], ...]
    terms: tuple[str, ...]

    def __bool__(self) -> bool:
        """Tell whether there is anything to look for; punctuation alone is nothing."""
        return bool(self.parts or self.terms)

    def pruned(self, counts: Mapping[str, int], postings: int, at_least: int = 3) -> Query:
        """Return a ranked query without its commonest terms, so that about `postings` entries of the index are read.

        Terms are taken from the rarest on. With the number of documents as the limit, the training questions of JaQuAD
        lose .002 nDCG@10 and of SQuAD none, for a sixteenth and a quarter of the work; with half of it, .007 and .002.

        Args:
            counts: how many documents hold each term; 0 where it is missing.
            postings: the most that their sum may reach.
            at_least: at least this many terms that occur at all are kept.
        """
        if self.phrase:
            return self
        kept: set[str] = set()
        total = found = 0
        for term in sorted(self.terms, key=lambda term: counts.get(term, 0)):
            total += counts.get(term, 0)
            if total > postings and found >= at_least:
                break
            kept.add(term)
            found += counts.get(term, 0) > 0
        return replace(self, terms=tuple(term for term in self.terms if term in kept))

    def fts5(self) -> str:
        """Return the FTS5 ``MATCH`` expression, empty when there is nothing to look for."""
        if self.phrase:
            return " AND ".join(_contains(part) for part in self.parts)
        return " OR ".join(f'"{term}"' for term in self.terms)


def _contains(part: tuple[str, ...]) -> str:
    """Return the FTS5 expression for texts that contain a part."""
    whole = f'"{" ".join(part)}"'
    first, last = part[0], part[-1]
    ways = [whole]
    if is_word(last) and len(last) >= _PARTIAL:
        ways.append(f"{whole} *")
    if is_word(first) and len(first) >= _PARTIAL and len(part) <= _LONGEST_WITH_ENDING:
        # The stored endings stand alone, so what follows the word is asked for beside it.
        ways.append(f'"{ENDING}{first}" *' if len(part) == 1 else f'("{ENDING}{first}" AND {_contains(part[1:])})')
    return whole if len(ways) == 1 else f"({' OR '.join(ways)})"


def query_terms(text: str) -> Query:
    """Read a query: a phrase when quoted or short, else terms to rank by.

    Short is: at most two parts separated by spaces, each one word, or up to five characters of a script without spaces,
    or up to sixteen when no hiragana is among them (全文検索エンジン is a name, 京都はどこですか a question). Brackets
    and curly quotes also occur in plain sentences: they quote only where all else is short
    (「奈良の大仏」の高さは何メートルですか is a question).
    """
    quoted = [next(filter(None, m)) for m in _QUOTED.findall(text)]
    loose = [p for p in _QUOTED.sub(" ", text).split() if _chunks(normalize_text(p))]
    terms = tuple(ranking_terms(text)[:_MOST_TERMS])
    if quoted and ('"' in text or _are_short(loose)) and len(quoted) + len(loose) <= _MOST_PARTS:
        parts = tuple(dict.fromkeys(filter(None, map(phrase_tokens, quoted + loose))))
        return Query(bool(parts), parts, terms)
    pieces = [p for p in text.split() if _chunks(normalize_text(p))]
    if pieces and _are_short(pieces):
        return Query(True, tuple(map(phrase_tokens, pieces)), terms)
    return Query(False, (), terms)


def _are_short(pieces: Sequence[str]) -> bool:
    return len(pieces) <= _SHORT_PARTS and all(map(_is_short, pieces))


def _is_short(piece: str) -> bool:
    piece = normalize_text(piece)
    unsegmented = 0 if piece.isascii() else len(_UNSEGMENTED.findall(piece))
    return unsegmented <= (_SHORT_WITH_HIRAGANA if _HIRAGANA.search(piece) else _SHORT_COMPOUND)


def mostly_unspaced(texts: Iterable[str]) -> bool:
    """Whether texts are in a script that puts no spaces between words, names and terms of others among them."""
    letters = "".join(filter(str.isalpha, "".join(text[:400] for text in texts)))
    return sum(map(len, _UNSEGMENTED_RUN.findall(letters))) * 3 > len(letters)


def in_other_script(query: str, texts: Iterable[str]) -> bool:
    """Whether a query is in another script than texts, as questions in another language are; symbols alone always."""
    letters = [char for char in query if char.isalpha()]
    return not letters or any(map(is_unspaced, letters)) != mostly_unspaced(texts)
