"""Which encoding a file is in: by its mark, UTF-8 where it is valid, else what was asked for, else a guess.

Undecodable bytes become characters that no text has (U+DC00 to U+DCFF), so that a broken line costs that line only.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from imi.errors import UsageError

ESCAPE = "imi.stray"
"""The error handler that turns each byte that does not fit into one character from U+DC00 on."""
STRAY = re.compile("[\udc00-\udcff]")
_PIECE = 2**18
_SAMPLE = 2**18
_ENOUGH = 6
"""Kanji from which a guess without any kana is believed."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_JAPANESE = ("cp932", "euc-jp")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc]")
_HAN = re.compile("[\u3005\u4e00-\u9fff]")
_WESTERN = re.compile("[A-Za-zÀ-ÖØ-öø-ÿŒœŠšŽžŸ]{2,}")
_NOT_ALONE = re.compile(rb"[\x80-\xa0\xc0-\xff]|[\x80-\xff]{2}")
_ESCAPED = re.compile(rb"\x1b\$[@B]|\x1b\(J")


def _stray(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(ESCAPE, _stray)


@dataclass(frozen=True, slots=True)
class Encoding:
    """The codec to read a file by; `reason` says why where it is a guess, `hint` what may be right.

    guessed: the file is not valid UTF-8.
    """

    name: str
    reason: str | None = None
    hint: str | None = None
    guessed: bool = False


def check_encoding(name: str) -> None:
    """Refuse an encoding that Python does not know, or that is none of texts.

    Raises:
        UsageError: it is one.
    """
    try:
        known = codecs.lookup(name)._is_text_encoding
    except LookupError:
        known = False
    if not known:
        raise UsageError(f"the encoding {name!r} is unknown", hint="utf-8, latin-1, cp932, euc-jp, utf-16")


def encoding_of(file: IO[bytes], wished: str = "utf-8") -> Encoding:
    """Return the encoding of what a file holds from here on; it is read to its end, or until it is clear.

    Args:
        file: the bytes.
        wished: the encoding for files that are not valid UTF-8; "utf-8" asks for a guess.
    """
    check_encoding(wished)
    start = file.read(_PIECE)
    marked = next((name for mark, name in _BOMS if start.startswith(mark)), None)
    if marked is not None:
        return Encoding(marked)
    own = codecs.lookup(wished).name
    if own.startswith(("utf-16", "utf-32")) and _is_wide(start):
        return Encoding(wished)
    if b"\x1b" in start and own == "utf-8" and _ESCAPED.search(start):
        return Encoding("iso-2022-jp", "it switches to Japanese by escape sequences")
    if b"\0" in start[:_SAMPLE]:
        wide = _wide_of(start[:_SAMPLE])
        if wide is not None:
            return Encoding(wide, "every other byte is that of UTF-16, and it has no mark")
    decoder, piece, sample = codecs.getincrementaldecoder("utf-8")("strict"), start, b""
    try:
        while piece:
            if not piece.isascii() or decoder.getstate()[0]:
                sample = sample or piece[:_SAMPLE]
                decoder.decode(piece)
            piece = file.read(_PIECE)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _not_utf8(_around(sample, piece), wished if own != "utf-8" else None)
    return Encoding("utf-8")


def _around(sample: bytes, piece: bytes) -> bytes:
    """Return bytes that show the encoding: the first piece that is not ASCII, and what about the first fault is."""
    try:
        piece.decode()
    except UnicodeDecodeError as wrong:
        fault = piece[max(0, wrong.start - _SAMPLE // 4) : wrong.start + _SAMPLE]
        return fault if sample == piece[:_SAMPLE] and len(piece) <= _SAMPLE else sample + fault
    return sample + piece[-_SAMPLE:]


def _is_wide(start: bytes) -> bool:
    try:
        start.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return b"\0" in start


def _wide_of(raw: bytes) -> str | None:
    """Return utf-16-le or -be where one of them gives a text, None where zeros are only zeros."""
    raw = raw[: len(raw) // 2 * 2]
    best: tuple[float, str | None] = (0.5, None)
    for name in ("utf-16-le", "utf-16-be"):
        text = raw.decode(name, ESCAPE)
        fits = sum(char.isprintable() or char in "\r\n\t" for char in text if not STRAY.match(char))
        plain = sum(char < "\u0250" or "\u3000" <= char < "\ua000" or char > "\uff00" for char in text)
        score = min(fits, plain) / max(1, len(text))
        # A zero here and there is damage; that of UTF-16 stands beside each ASCII character.
        wide = raw.count(0) * 5 >= len(raw) or _japanese(text) > 0.75
        if wide and "\0" not in text and score > best[0]:
            best = (score, name)
    return best[1]


def _not_utf8(raw: bytes, wished: str | None) -> Encoding:
    text = raw.decode("utf-8", ESCAPE)
    stray = len(STRAY.findall(text))
    good = sum(char > "\x7f" for char in text) - stray
    if good > 2 * stray:
        # A text in another encoding has hardly a byte that fits: this one is UTF-8 with damage.
        return Encoding("utf-8", guessed=True)
    if wished is not None:
        return Encoding(wished)
    guess, sure = guess_encoding(raw)
    if not sure:
        return Encoding("utf-8", hint=guess, guessed=True)
    read_so = "western words" if guess in ("latin-1", "cp1252") else "Japanese"
    return Encoding(guess, f"it is not valid UTF-8, and as {guess} it gives {read_so}", guessed=True)


def guess_encoding(raw: bytes) -> tuple[str, bool]:
    """Return the likeliest encoding of bytes that are not UTF-8, and whether it is likely enough to read by it."""
    found: list[tuple[float, int, str]] = []
    for name in _JAPANESE:
        text = _decoded(raw, name)
        if text is not None:
            found.append((_japanese(text), len(_KANA.findall(text)), name))
    for name in ("utf-16-le", "utf-16-be"):
        text = raw[: len(raw) // 2 * 2].decode(name, ESCAPE)
        if not STRAY.search(text) and (wide := _japanese(text)) > 0.9:
            found.append((wide, len(_KANA.findall(text)), name))
    score, kana, name = max(found, default=(0.0, 0, "cp932"))
    western = "latin-1" if not re.search(rb"[\x80-\x9f]", raw) else "cp1252"
    text = raw.decode(western, "replace")
    letters, signs = _latin(text, alone=_NOT_ALONE.search(raw) is None)
    # A dash or a curly quote alone is the half of a kanji as well.
    if score <= letters + signs and (letters or score <= 0.6):
        return western, letters + signs > 0.5
    han = _HAN.findall(_decoded(raw, name) or raw.decode(name, ESCAPE))
    # Chinese read as EUC-JP has no kana, and kanji that hardly anybody writes.
    least = 0.82 if name == "euc-jp" and not kana else 0.6
    return name, score > least and (kana > 0 or (len(han) >= _ENOUGH and not (name == "euc-jp" and _is_korean(han))))


def _is_korean(han: Sequence[str]) -> bool:
    """Whether kanji read from EUC are all from the rows in which EUC-KR has its Hangul."""
    return len(han) >= 2 * _ENOUGH and all(char.encode("euc-jp", "replace")[0] <= 0xC8 for char in han)


def _decoded(raw: bytes, name: str) -> str | None:
    """Return the text where nearly all of it fits; the ends of a sample may be cut."""
    text = raw.decode(name, ESCAPE)
    return text if len(STRAY.findall(text)) * 50 <= len(text) or len(STRAY.findall(text)) <= 1 else None


def _japanese(text: str) -> float:
    """Return from 0 to 1 how Japanese the characters beyond ASCII look: kana, common kanji, full-width signs."""
    foreign = [char for char in text if char > "\x7f"]
    if not foreign:
        return 0.0
    return sum(_weight(char) for char in foreign) / len(foreign)


def _weight(char: str) -> float:
    if _KANA.match(char) or "\u3000" <= char <= "\u3015" or "\uff01" <= char <= "\uff60":
        return 1.0
    if _HAN.match(char):
        try:
            # The first level of JIS X 0208 are the kanji in daily use.
            return 0.9 if char.encode("euc-jp")[0] <= 0xCF else 0.2
        except UnicodeEncodeError:
            return 0.1
    if "\uff61" <= char <= "\uff9f":
        return 0.15
    return 0.4 if char in "→←↑↓○●◎△▲□■◆◇★☆※―…‥①②③④⑤⑥⑦⑧⑨⑩㈱℃×÷±" else -0.5


def _latin(text: str, *, alone: bool) -> tuple[float, float]:
    """Return from 0 to 1 how many characters beyond ASCII are letters of words, and signs of western texts.

    Args:
        text: the text.
        alone: whether each stands alone, which halves of kanji do not.
    """
    foreign = sum(char > "\x7f" for char in text)
    if not foreign:
        return 0.0, 0.0
    words = _WESTERN.findall(text)
    letters = sum(char > "\x7f" for word in words if _is_word(word) for char in word)
    enough = alone or sum(char < "\x80" for word in words for char in word) >= _ENOUGH
    signs = sum(char in "«»“”‘’–—•…€£°§©®·¿¡º\xa0" for char in text) if enough else 0
    return letters / foreign, signs / foreign


def _is_word(word: str) -> bool:
    beyond = sum(char > "\x7f" for char in word)
    return beyond <= (len(word) + 1) // 2 and not re.search("[a-zà-öø-ÿ][A-ZÀ-ÖØ-Þ]", word)
