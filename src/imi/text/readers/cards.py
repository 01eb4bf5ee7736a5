"""Calendars (.ics) and contacts (.vcf): a row of each event, task or person, with columns as a table has them."""

from __future__ import annotations

import binascii
import codecs
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from imi.errors import Failure
from imi.text.readers.encodings import ESCAPE, STRAY, Encoding
from imi.text.readers.lines import Numbered, Text, open_text, stray_byte
from imi.text.readers.rows import ReadOptions, Row, RowReader

CARDS = (".ics", ".vcf")
_LONGEST = 1_000_000
"""Characters of one value; what goes beyond, such as a photograph, is left out."""
_PROPERTY = re.compile(
    r"(?:[\w-]{1,60}\.)?([\w-]{1,60})((?:;[^:\"]{0,500}+(?:\"[^\"]{0,500}\"[^:\"]{0,500}+){0,20})?):(.*)", re.DOTALL
)
_PARAMETER = re.compile(r";([\w-]{1,60})=(\"[^\"]*\"|[^;:]*)")
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d)(?::?(\d\d))?(Z)?)?$")
_ESCAPED = re.compile(r"\\([\\;,nN:])")
_PARTS = re.compile(r"(?<!\\);")
# fmt: off
_EVENT = {
    "SUMMARY": "title", "DTSTART": "start", "DTEND": "end", "DUE": "due", "LOCATION": "place",
    "DESCRIPTION": "details", "RRULE": "repeats", "ORGANIZER": "organizer", "ATTENDEE": "attendees",
    "CATEGORIES": "categories", "STATUS": "status", "URL": "url", "COMMENT": "comment",
}
_PERSON = {
    "FN": "name", "N": "name in parts", "NICKNAME": "nickname", "ORG": "organization", "TITLE": "title", "ROLE": "role",
    "TEL": "telephone", "EMAIL": "email", "ADR": "address", "BDAY": "birthday", "URL": "url", "NOTE": "note",
    "CATEGORIES": "categories",
}
_COLUMNS = {"VEVENT": _EVENT, "VTODO": _EVENT, "VJOURNAL": _EVENT, "VCARD": _PERSON}
# fmt: on
_UNITS = {"YEARLY": "year", "MONTHLY": "month", "WEEKLY": "week", "DAILY": "day", "HOURLY": "hour"}
_DAYS = dict(
    MO="Monday", TU="Tuesday", WE="Wednesday", TH="Thursday", FR="Friday", SA="Saturday", SU="Sunday"
)  # fmt: skip
Items = Iterator[Row | Failure]


@dataclass(frozen=True, slots=True)
class _Property:
    line: int
    name: str
    parameters: dict[str, str]
    value: str


@dataclass(slots=True)
class _Card:
    line: int
    kind: str
    parts: dict[str, list[str]] = field(default_factory=dict)

    def values(self) -> dict[str, str]:
        """Return the columns; a name in parts is none beside a whole one."""
        found = {name: ", ".join(said) for name, said in self.parts.items()}
        in_parts = found.pop("name in parts", None)
        return {"name": in_parts, **found} if in_parts and "name" not in found else found


def read_cards(source: str, options: ReadOptions) -> Items:
    """Yield the events and tasks of a calendar, or the people of an address book."""
    failures: list[Failure] = []
    columns = _PERSON if source.lower().removesuffix(".gz").endswith(".vcf") else _EVENT
    with open_text(source, options.encoding, options.say) as file:
        cards = list(_cards(_properties(file, source, failures)))
    yield from failures
    if not cards and not failures:
        yield Failure(source, None, "the file holds no events and no contacts")
    # A column that none of them has can be asked for all the same.
    names = [
        one for one in dict.fromkeys(columns.values()) if options.asked or any(one in values for _, values in cards)
    ]
    reader = RowReader(source, names, options)
    for line, values in cards:
        yield reader.row(line, {name: values.get(name, "") for name in names})


def _cards(properties: Iterator[_Property]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line and the columns of what is between BEGIN and END, without what is inside of it, such as alarms."""
    card: _Card | None = None
    inside = 0
    for one in properties:
        kind = one.value.strip().upper()
        if one.name == "BEGIN":
            if card is not None:
                inside += 1
            elif kind in _COLUMNS:
                card = _Card(one.line, kind)
        elif one.name == "END" and card is not None:
            if inside:
                inside -= 1
                continue
            yield card.line, card.values()
            card = None
        elif card is not None and not inside:
            name = _COLUMNS[card.kind].get(one.name)
            said = _said(one) if name else ""
            if name and said:
                card.parts.setdefault(name, []).append(said)


def _properties(file: Text, source: str, failures: list[Failure]) -> Iterator[_Property]:
    """Yield the properties of a file; failures are put aside."""
    for number, line in _unfolded(file, source, failures):
        if STRAY.search(line):
            line = _healed(line, file.known)
        wrong = stray_byte(line, file.known)
        if wrong:
            failures.append(Failure(source, number, wrong))
        else:
            yield from _parsed(number, line)


def _unfolded(file: Text, source: str, failures: list[Failure]) -> Iterator[Numbered]:
    """Yield the lines of a file with those put together that were folded, with the number of the first."""
    held: list[str] = []
    number, at, length, soft = 0, 0, 0, False
    for at, whole in enumerate(file, 1):
        if file.broken and not whole.endswith("\n"):
            break
        line = whole.rstrip("\r\n")
        if held and (soft or line[:1] in (" ", "\t")):
            if length < _LONGEST:
                held[-1] = held[-1][:-1] if soft else held[-1]
                held.append(line if soft else line[1:])
                length += len(line)
        else:
            if held:
                yield number, "".join(held)
            held, number, length = [line], at, len(line)
        soft = line.endswith("=") and "QUOTED-PRINTABLE" in held[0][:200].upper()
    if held:
        yield number, "".join(held)
    if file.broken:
        failures.append(Failure(source, at + 1, file.broken))


def _healed(line: str, known: Encoding) -> str:
    """Return a line with the characters whole whose bytes a program has folded apart."""
    name = known.name.removesuffix("-sig")
    try:
        return line.encode(name, "surrogateescape").decode(name, ESCAPE)
    except UnicodeError:
        return line


def _parsed(number: int, line: str) -> Iterator[_Property]:
    match = _PROPERTY.match(line)
    if match:
        parameters = {one[1].upper(): one[2].strip('"') for one in _PARAMETER.finditer(match[2])}
        # Version 2.1 says the encoding without its name.
        if "QUOTED-PRINTABLE" in match[2].upper():
            parameters["ENCODING"] = "QUOTED-PRINTABLE"
        yield _Property(number, match[1].upper(), parameters, match[3])


def _said(one: _Property) -> str:
    """Return the value of a property as people read it."""
    value = one.value
    if one.parameters.get("ENCODING") == "QUOTED-PRINTABLE":
        value = _unquoted(value, one.parameters.get("CHARSET", "utf-8"))
    if one.name in ("DTSTART", "DTEND", "DUE", "BDAY"):
        return _date(value.strip())
    if one.name in ("ORGANIZER", "ATTENDEE"):
        return one.parameters.get("CN") or re.sub(r"^mailto:", "", value, flags=re.IGNORECASE)
    if one.name == "RRULE":
        return _repeats(value)
    if one.name in ("N", "ADR", "ORG"):
        parts = [_plain(part) for part in _PARTS.split(value)]
        kept = [part for part in parts if part]
        return " ".join(kept) if one.name == "N" else ", ".join(kept)
    return re.sub(r"^tel:", "", _plain(value), flags=re.IGNORECASE) if one.name == "TEL" else _plain(value)


def _repeats(rule: str) -> str:
    """Return how often something is, on which days of the week and until when; as it stands where that is not all."""
    parts = dict(part.partition("=")[::2] for part in rule.strip().upper().split(";") if part)
    unit, interval = _UNITS.get(parts.pop("FREQ", "")), parts.pop("INTERVAL", "1")
    days = [_DAYS.get(day) for day in parts.pop("BYDAY", "").split(",") if day]
    until, times = parts.pop("UNTIL", ""), parts.pop("COUNT", "")
    parts.pop("WKST", None)
    if parts or unit is None or None in days:
        return rule
    said = f"every {unit}" if interval == "1" else f"every {interval} {unit}s"
    said += f" on {', '.join(filter(None, days))}" if days else ""
    said += f" until {_date(until).partition(' ')[0]}" if until else ""
    return f"{said}, {times} times" if times else said


def _unquoted(value: str, charset: str) -> str:
    try:
        name = codecs.lookup("cp932" if charset.lower().replace("-", "_") == "shift_jis" else charset).name
        return quopri.decodestring(value.encode("utf-8", "replace")).decode(name, "replace")
    except (LookupError, binascii.Error):
        return value


def _plain(value: str) -> str:
    return _ESCAPED.sub(lambda one: "\n" if one[1] in "nN" else one[1], value).strip()


def _date(value: str) -> str:
    match = _DATE.match(value)
    if match is None:
        return value
    year, month, day, hour, minute, second, zone = match.groups()
    clock = "" if hour is None else f" {hour}:{minute}" + ("" if second in (None, "00") else f":{second}")
    return f"{year}-{month}-{day}{clock}" + (" UTC" if zone else "")
