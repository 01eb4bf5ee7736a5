"""Amounts as people write them: with a currency or a percent sign, in parentheses, with a comma before the cents.

    read_amount("$1,200.50")   # Amount(value=1200.5, unit="$", style="point")
    read_amount("1.234,56 €")  # Amount(value=1234.56, unit="€", style="comma")
    read_amount("(300)")       # Amount(value=-300, unit="", style=None)

A text alone may be read in two ways (1.234); which of them holds is for its column to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from imi.unicode_forms import normalize_form

Style = Literal["point", "comma"]

_LONGEST = 40
_DIGITS = 15
"""Digits of a fraction that a float keeps."""
_TELEPHONE = 6
"""Digits behind a plus from which it is rather a telephone's."""
_UNITS = {
    "US$": "$", "$": "$", "USD": "$", "€": "€", "EUR": "€", "£": "£", "GBP": "£", "¥": "¥", "円": "¥", "JPY": "¥",
    "₩": "₩", "KRW": "₩", "₹": "₹", "INR": "₹", "CHF": "CHF", "CNY": "CNY", "元": "CNY", "A$": "A$", "C$": "C$",
    "AUD": "A$", "CAD": "C$", "R$": "R$", "HK$": "HK$", "NT$": "NT$", "kr": "kr", "zł": "zł", "PLN": "zł", "₽": "₽",
    "₺": "₺", "฿": "฿", "%": "%",
}  # fmt: skip
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_SHAPE = re.compile(
    rf"(?P<first>{_UNIT})?\s?(?P<open>\()?\s?(?P<sign>[-+])?\s?(?P<before>{_UNIT})?\s?(?P<inner>-)?"
    r"(?P<number>\d[\d.,' ]*(?:[eE][-+]?\d{1,3})?)"
    rf"\s?(?P<after>{_UNIT})?(?P<close>\))?\Z",
    re.ASCII,
)
_MINUS = str.maketrans("−–▲△", "----", "\u200e\u200f")
_SPACES = re.compile("[\u00a0\u2009\u202f]")
_PLAIN = re.compile(r"(?:0|[1-9]\d*)(?P<fraction>\.\d+)?(?:[eE][-+]?\d+)?\Z", re.ASCII)
_POINT = re.compile(r"[1-9]\d{0,2}(?:(?P<mark>[,' ])\d{3})(?:(?P=mark)\d{3})*(?P<fraction>\.\d+)?\Z", re.ASCII)
_COMMA = re.compile(
    r"(?:[1-9]\d{0,2}(?:(?P<mark>[.' ])\d{3})(?:(?P=mark)\d{3})*|0|[1-9]\d*)(?P<fraction>,\d+)?\Z", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with the sign of its currency or of percent, "" where there is none.

    style: "point" or "comma", whichever must be what divides the whole from the fraction; None where both are possible.
    bracketed: whether parentheses say that it is below zero, as accountants write it.
    """

    value: int | float
    unit: str
    style: Style | None
    bracketed: bool = False


def read_amount(text: str, style: Style | None = None) -> Amount | None:
    """Return the amount that a text is; None where it is none, or where a number would lose a digit of it.

    Args:
        text: such as $1,200.50, 3,000円, 12.5 %, (300), −5, ▲1,200 or 1e5.
        style: what divides the whole from the fraction, where the column says so; else a lone mark is a point.
    """
    if not 1 < len(text) <= _LONGEST:
        return None
    plain = text if text.isascii() else _SPACES.sub(" ", normalize_form("NFKC", text)).translate(_MINUS)
    found = _SHAPE.match(plain.strip())
    if found is None or (found["open"] is None) != (found["close"] is None):
        return None
    units = [found[name] for name in ("first", "before", "after") if found[name]]
    if len(units) > 1:
        return None
    signs = [found["sign"] == "-", found["inner"] is not None, found["open"] is not None]
    number = found["number"].strip()
    read = _read(number, style)
    if read is None or sum(signs) > 1:
        return None
    if not units and (" " in number or "'" in number) and "," not in number and "." not in number:
        return None  # 555 123 is rather a telephone's
    if not units and found["sign"] == "+" and len(number) > _TELEPHONE:
        return None
    unit = _UNITS[units[0]] if units else ""
    return Amount(-read if any(signs) else read, unit, _style_of(number), signs[2])


def _read(number: str, style: Style | None) -> int | float | None:
    comma = style == "comma" or (style is None and _style_of(number) == "comma")
    match = _COMMA.match(number) if comma else _PLAIN.match(number) or _POINT.match(number)
    if match is None:
        return None
    if comma:
        number = number.replace(".", "").replace(",", ".")
    digits = re.sub("[,' ]", "", number)
    if match["fraction"] is None and digits.isdigit():
        return int(digits) if len(digits) <= 18 else None
    value = float(digits)
    whole = sum(char.isdigit() for char in digits.lstrip("0.")) <= _DIGITS
    return value if whole and value not in (float("inf"), float("-inf")) else None


def _style_of(number: str) -> Style | None:
    """Return what must divide whole and fraction: the last of two marks, or one that no three digits follow."""
    at_point, at_comma = number.rfind("."), number.rfind(",")
    if at_point >= 0 and at_comma >= 0:
        return "point" if at_point > at_comma else "comma"
    if number.count(",") > 1 or number.count(".") > 1:
        return "point" if at_comma >= 0 else "comma"
    mark, style = (at_point, "point") if at_point >= 0 else (at_comma, "comma")
    if mark < 0:
        return None
    thousands = len(number) - mark - 1 == 3 and 1 <= mark <= 3 and number[0] != "0"
    return None if thousands else style  # type: ignore[return-value]
