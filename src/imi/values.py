"""What a text says as a number or as a date, for columns of tables and for filters."""

from __future__ import annotations

import datetime
import re
import unicodedata
from functools import lru_cache

from imi.unicode_forms import normalize_form

_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})\Z", re.ASCII)
_LONG = re.compile(r"-?[1-9]\d{18,}\Z", re.ASCII)
_DECIMAL = re.compile(r"-?\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]\d+)\Z", re.ASCII)
_GROUPED = re.compile(r"-?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?\Z", re.ASCII)
_PADDED = re.compile(r"-?0\d", re.ASCII)
_MOST = 2**63
TRUTHS = {
    "true": True, "yes": True, "y": True, "on": True, "はい": True, "有": True,
    "false": False, "no": False, "n": False, "off": False, "いいえ": False, "無": False,
}  # fmt: skip
"""The words that say yes or no where all cells of a column are such words."""
_ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
_LETTERS = {"M": "明治", "T": "大正", "S": "昭和", "H": "平成", "R": "令和"}
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: at for at, name in enumerate(_NAMES, 1)}
_TIME = (
    r"(?:(?:\s?T\s?|,?\s++)(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?:\s?([AaPp]\.?[Mm]\.?))?"
    r"\s?(Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?\Z"
)
_PLAIN = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})(?:\2(\d{{1,2}})(?:\s*\([^)]*\))?{_TIME}|\Z)", re.ASCII)
_JAPANESE = re.compile(
    r"(?:(明治|大正|昭和|平成|令和|[MTSHR])\s*(\d{1,2}|元)|(\d{4}))年(?:\s*(\d{1,2})月(?:\s*(\d{1,2})日)?)?"
    rf"(?:\s*\([^)]*\))?{_TIME}"
)
_SHORT_ERA = re.compile(
    rf"([MTSHR]|明治|大正|昭和|平成|令和)\s?(\d{{1,2}}|元)[./-](\d{{1,2}})[./-](\d{{1,2}}){_TIME}", re.ASCII
)
_DAYS = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}+\.?,?\s++)?"
_ENGLISH = re.compile(
    rf"{_DAYS}(?:(\d{{1,2}})(?:st|nd|rd|th)?[\s-]++([A-Za-z]{{3,9}})\.?,?|([A-Za-z]{{3,9}})\.?\s++(\d{{1,2}})(?:st|nd|rd|th)?,?)"
    rf"[\s-]++(\d{{4}}){_TIME}",
    re.ASCII,
)
_CLOCK = re.compile(
    r"(?:(?P<days>\d{1,4}) days?,? )?(?P<hours>\d{1,3}):(?P<minutes>[0-5]\d)"
    r"(?::(?P<seconds>[0-5]\d)(?:[.,](?P<part>\d{1,9}))?)?"
    r"\s?(?P<half>[AaPp]\.?[Mm]\.?)?\Z",
    re.ASCII,
)
_CLOCK_JA = re.compile(
    r"(?P<half>午前|午後)?\s?(?P<hours>\d{1,3})時間?(?:(?P<minutes>[0-5]?\d)分)?(?:(?P<seconds>[0-5]?\d)秒)?間?\Z"
)
_CLOCK_ISO = re.compile(
    r"P(?=T?\d)(?:(?P<days>\d{1,4})D)?T?(?:(?P<hours>\d{1,4})H)?(?:(?P<minutes>\d{1,5})M)?"
    r"(?:(?P<seconds>\d{1,6})(?:\.(?P<part>\d{1,9}))?S)?\Z",
    re.ASCII,
)
_MIDNIGHT = datetime.datetime(1, 1, 1)
TIMES_END = "0100-01-01T00:00:00.000000"
"""Times of day and durations are moments counted from the year 1 on, all before this one; dates are after it."""
_KANJI = str.maketrans("〇一二三四五六七八九", "0123456789")
_COUNTED = re.compile("(?<![〇一二三四五六七八九十])[〇一二三四五六七八九十]{1,4}(?=[年月日])")

Period = tuple[str, str]


class TypedInt(int):
    """A whole number as it was typed: it is also compared with texts that are written so."""

    typed: str


class TypedFloat(float):
    """A number as it was typed, with the digits that a float has not: 3.10 is the text 3.10, not 3.1."""

    typed: str


def as_typed(text: str, value: int | float) -> TypedInt | TypedFloat:
    """Return a number that knows how it was typed."""
    found: TypedInt | TypedFloat = TypedInt(value) if isinstance(value, int) else TypedFloat(value)
    found.typed = text
    return found


def as_number(text: str) -> int | float | None:
    """Return the number that a text is, without the loss of a digit but for zeros at the end; None where it is none.

    Full-width digits, commas between thousands and 1e-05 are read; a number with zeros before it is none, nor one over
    64 bits.
    """
    if _WHOLE.match(text):
        return int(text) if text != "-0" else None
    if _LONG.match(text):
        return int(text) if len(text) < 21 and -_MOST <= int(text) < _MOST else None
    if _DECIMAL.match(text):
        return None if _PADDED.match(text) else float(text)
    if _GROUPED.match(text):
        plain = text.replace(",", "")
        return float(plain) if "." in plain else as_number(plain)
    if not text.isascii() and any(unicodedata.east_asian_width(char) == "F" for char in text):
        narrow = normalize_form("NFKC", text)
        return as_number(narrow) if narrow.isascii() else None
    return None


@lru_cache(4096)
def as_date(text: str) -> Period | None:
    """Return the first moment of the date that a text says, and the first one after it; None where it says none.

    A day, month, year or moment, as ISO, spreadsheets (2024/9/1), Japanese (令和6年9月1日, 2024年9月, R6.9.1) and
    English (Sep 1, 2024) write them. Moments are ISO texts in UTC that sort by time; those without a zone are taken for
    UTC. A number alone is not a year, and 9/1/2024 could be two days. A time of day or a duration (9:30, 1:30:00,
    15時30分, PT1H30M) is a moment of the year 1 or soon after, before `TIMES_END`: it compares with its like alone.
    """
    if not 3 <= len(text) <= 48 or (text.isascii() and text.isalpha()):
        return None
    text = text.strip() if text.isascii() else normalize_form("NFKC", text).strip()
    try:
        return _read(text if text.isascii() else _COUNTED.sub(lambda match: _counted(match[0]), text))
    except (ValueError, OverflowError):
        return None


def _read(text: str) -> Period | None:
    if found := _PLAIN.match(text):
        year, _, month, day, *time = found.groups()
        return _period(int(year), month, day, time)
    if found := _JAPANESE.match(text):
        era, count, year, month, day, *time = found.groups()
        number = int(year) if year else _ERAS[_LETTERS.get(era, era)] + (1 if count == "元" else int(count))
        return _period(number, month, day, time)
    if found := _SHORT_ERA.match(text):
        letter, count, month, day, *time = found.groups()
        start = _ERAS[_LETTERS.get(letter, letter)]
        return _period(start + (1 if count == "元" else int(count)), month, day, time)
    if found := _ENGLISH.match(text):
        before, name, named, after, year, *time = found.groups()
        month = _MONTHS.get((name or named)[:3].lower())
        return None if month is None else _period(int(year), str(month), before or after, time)
    for shape in (_CLOCK, _CLOCK_JA, _CLOCK_ISO):
        if found := shape.match(text):
            return _clock(found)
    return None


def _counted(kanji: str) -> str:
    """Return a number below 100, or a year digit by digit, in digits.

    Raises:
        ValueError: it is no number, such as 十十.
    """
    before, ten, after = kanji.partition("十")
    if not ten:
        return kanji.translate(_KANJI)
    return str(int(before.translate(_KANJI) or 1) * 10 + int(after.translate(_KANJI) or 0))


def _hour(hour: int, half: str | None) -> int:
    """Return an hour of 24, from one with am or pm.

    Raises:
        ValueError: there is no such hour.
    """
    if half is None:
        return hour
    if not 0 <= hour <= 12:
        raise ValueError(f"{hour} o'clock has no am or pm")
    return hour % 12 + 12 * (half[0] in "Pp" or half == "午後")


def _clock(found: re.Match[str]) -> Period | None:
    groups = found.groupdict()
    days, minutes, seconds = (int(groups.get(name) or 0) for name in ("days", "minutes", "seconds"))
    hours = _hour(int(groups["hours"] or 0), groups.get("half"))
    start = _MIDNIGHT + datetime.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    part = groups.get("part")
    start += datetime.timedelta(microseconds=int((part or "0").ljust(6, "0")[:6]))
    length = datetime.timedelta(microseconds=1) if part else datetime.timedelta(seconds=1 if groups["seconds"] else 60)
    period = _written(start), _written(start + length)
    return period if period[1] < TIMES_END else None


def _period(year: int, month: str | None, day: str | None, time: list[str | None]) -> Period:
    hour, minute, second, part, half, zone = time or [None] * 6
    if year < 100:
        raise ValueError(f"the year {year} is as early as times of day are counted")
    start = datetime.datetime(year, int(month or 1), int(day or 1))
    if hour is None:
        if day is not None:
            end = start + datetime.timedelta(days=1)
        elif month is not None:
            end = start.replace(year=year + start.month // 12, month=start.month % 12 + 1)
        else:
            end = start.replace(year=year + 1)
        return _written(start), _written(end)
    start += datetime.timedelta(hours=_hour(int(hour), half), minutes=int(minute or 0), seconds=int(second or 0))
    start += datetime.timedelta(microseconds=int((part or "0").ljust(6, "0")[:6]))
    if zone not in (None, "Z", "UTC", "GMT"):
        digits = str(zone).replace(":", "")
        away = datetime.timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5]))
        start -= away if digits[0] == "+" else -away
    length = datetime.timedelta(minutes=1) if second is None else datetime.timedelta(seconds=1)
    return _written(start), _written(start + (datetime.timedelta(microseconds=1) if part else length))


def _written(moment: datetime.datetime) -> str:
    return moment.isoformat(sep="T", timespec="microseconds")
