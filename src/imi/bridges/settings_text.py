"""Puts one server into a text of settings, or takes it out, and leaves every other byte as it is.

JSON may have comments and commas before a closing bracket, as editors write and read it. TOML is changed by whole
tables. What was changed is read again before it is returned: a text that would not say what was meant is refused.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Server = Mapping[str, Any]
_VALUE = json.JSONDecoder(strict=False)


class Unfit(ValueError):
    """The text cannot be changed without touching more of it; the message says why."""


def with_server(text: str, servers: str, name: str, entry: Server, *, toml: bool) -> str:
    """Return settings that have a server, the same text where they have it already.

    Args:
        text: what the file holds; an empty text is settings without anything in them.
        servers: the key that holds the servers.
        name: of the server.
        entry: how it is started.
        toml: whether the settings are TOML; else they are JSON.

    Raises:
        Unfit: the text does not hold such settings, or cannot be changed by this alone.
    """
    read = _read_toml if toml else _read_json
    wanted = read(text)
    known = wanted.setdefault(servers, {})
    if not isinstance(known, dict):
        raise Unfit(f"its {servers} is not an object, so no server can be added")
    if known.get(name) == entry:
        return text
    known[name] = dict(entry)
    changed = _with_table(text, f"{servers}.{name}", entry) if toml else _with_member(text, servers, name, entry)
    return _checked(changed, wanted, read)


def without_server(text: str, servers: str, name: str, *, toml: bool) -> str:
    """Return settings without a server, the same text where there is none; see `with_server`."""
    read = _read_toml if toml else _read_json
    wanted = read(text)
    known = wanted.get(servers)
    if not isinstance(known, dict) or name not in known:
        return text
    del known[name]
    if not toml:
        return _checked(_without_member(text, servers, name), wanted, read)
    if not known:
        del wanted[servers]  # where nothing but its tables named it
    try:
        return _checked(_without_tables(text, servers, name), wanted, read)
    except Unfit:
        return _checked(_without_tables(text, servers, name), {**wanted, servers: known}, read)


def _checked(text: str, wanted: dict[str, Any], read: Callable[[str], dict[str, Any]]) -> str:
    try:
        right = read(text) == wanted
    except (Unfit, ValueError, LookupError):
        right = False
    if not right:
        raise Unfit("its servers are written in a way that cannot be changed safely")
    return text


# --- JSON ---


@dataclass(frozen=True, slots=True)
class _Member:
    """A key of an object with its value: where the key begins, and where the value begins and ends."""

    key: str
    start: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class _Object:
    """Where an object's brackets are, and what is between them."""

    opens: int
    closes: int
    members: list[_Member]

    def last(self, key: str) -> int | None:
        """Return which member has a key: the last of several, as it is the one that counts."""
        return next((at for at in reversed(range(len(self.members))) if self.members[at].key == key), None)


def _read_json(text: str) -> dict[str, Any]:
    if not text.strip("\ufeff \t\r\n"):
        return {}
    try:
        value = json.loads(_masked(text))
    except (ValueError, RecursionError) as broken:
        raise Unfit(f"it is not JSON ({broken})") from broken
    if not isinstance(value, dict):
        raise Unfit("it holds no JSON object")
    return value


def _masked(text: str) -> str:
    """Return plain JSON of the same length, spaces for comments, commas before closing brackets and a byte mark."""
    parts, at = [], 0
    if text.startswith("\ufeff"):
        parts, at = [" "], 1
    for start, end in _comments(text):
        parts += [text[at:start], re.sub(r"[^\r\n]", " ", text[start:end])]
        at = end
    plain = "".join([*parts, text[at:]])
    signs, comma = list(plain), -1
    for sign, start in _signs(plain):
        if sign in "}]" and comma >= 0 and not plain[comma + 1 : start].strip():
            signs[comma] = " "
        comma = start if sign == "," else -1
    return "".join(signs)


def _signs(text: str) -> list[tuple[str, int]]:
    """Return the commas, closing brackets and beginnings of strings in a text without comments, and where they are."""
    found, at, sign = [], 0, re.compile(r'[",}\]]')
    while (match := sign.search(text, at)) is not None:
        at = _VALUE.raw_decode(text, match.start())[1] if match[0] == '"' else match.end()
        found.append((match[0], match.start()))
    return found


def _comments(text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    at, sign = 0, re.compile(r'"|//|/\*')
    while (match := sign.search(text, at)) is not None:
        if match[0] == '"':
            at = _VALUE.raw_decode(text, match.start())[1]
            continue
        ends = re.compile(r"[\r\n]" if match[0] == "//" else r"\*/").search(text, match.end())
        if ends is None and match[0] == "/*":
            raise ValueError(f"the comment at character {match.start()} has no end")
        at = len(text) if ends is None else ends.start() if match[0] == "//" else ends.end()
        found.append((match.start(), at))
    return found


def _object(masked: str, opens: int) -> _Object:
    members, at = [], _after_space(masked, opens + 1)
    while masked[at] != "}":
        key, after = _VALUE.raw_decode(masked, at)
        value = _after_space(masked, _after_space(masked, after) + 1)
        end = _VALUE.raw_decode(masked, value)[1]
        members.append(_Member(key, at, value, end))
        at = _after_space(masked, end)
        if masked[at] == ",":
            at = _after_space(masked, at + 1)
    return _Object(opens, at, members)


def _after_space(text: str, at: int) -> int:
    found = re.compile(r"[^ \t\r\n]").search(text, at)
    return len(text) if found is None else found.start()


def _with_member(text: str, servers: str, name: str, entry: Server) -> str:
    line = "\r\n" if "\r\n" in text else "\n"
    if not text.strip("\ufeff \t\r\n"):
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        return mark + json.dumps({servers: {name: entry}}, indent=2, ensure_ascii=False).replace("\n", line) + line
    masked = _masked(text)
    root = _object(masked, _after_space(masked, 0))
    at = root.last(servers)
    if at is None:
        return _put(text, masked, root, servers, {name: entry})
    held = _object(masked, root.members[at].value)
    known = held.last(name)
    if known is None:
        return _put(text, masked, held, name, entry)
    member = held.members[known]
    dumped = _dumped(text, entry, _indent_at(text, member.start), single="\n" not in text[member.value : member.end])
    return text[: member.value] + dumped + text[member.end :]


def _put(text: str, masked: str, into: _Object, key: str, value: Server) -> str:
    """Return the text with one more member at the end of an object, indented as the others are."""
    line = "\r\n" if "\r\n" in text else "\n"
    outer = _indent_at(text, into.closes if not into.members else into.opens)
    if not into.members:
        within = text[into.opens + 1 : into.closes].rstrip()
        inner = outer + _unit(text)
        dumped = f"{json.dumps(key)}: {_dumped(text, value, inner, single=False)}"
        return f"{text[: into.opens + 1]}{within}{line}{inner}{dumped}{line}{outer}{text[into.closes :]}"
    last = into.members[-1]
    rest = text[last.end : into.closes]
    if "\n" not in text[into.opens : into.closes]:
        dumped = f"{json.dumps(key)}: {_dumped(text, value, '', single=True)}"
        return f"{text[: last.end]}, {dumped}{rest}{text[into.closes :]}"
    comma = "" if "," in _uncommented(text, last.end, into.closes) else ","
    inner = _indent_at(text, last.start)
    dumped = f"{json.dumps(key)}: {_dumped(text, value, inner, single=False)}"
    closing = rest[len(rest.rstrip()) :]
    closing = closing if "\n" in closing else line + outer
    return f"{text[: last.end]}{comma}{rest.rstrip()}{line}{inner}{dumped}{closing}{text[into.closes :]}"


def _uncommented(text: str, start: int, end: int) -> str:
    """Return what is outside of comments between two places that are outside of them."""
    piece = text[start:end]
    for first, last in reversed(_comments(piece)):
        piece = piece[:first] + " " * (last - first) + piece[last:]
    return piece


def _without_member(text: str, servers: str, name: str) -> str:
    masked = _masked(text)
    root = _object(masked, _after_space(masked, 0))
    while (at := root.last(servers)) is not None:
        held = _object(masked, root.members[at].value)
        known = held.last(name)
        if known is None:
            return text
        text = _cut(text, held, known)
        masked = _masked(text)
        root = _object(masked, _after_space(masked, 0))
    return text


def _cut(text: str, held: _Object, at: int) -> str:
    """Return the text without a member of an object and the comma beside it."""
    member = held.members[at]
    head, tail = text[: member.start].rstrip(), text[member.end :]
    ends = held.members[at + 1].start if at + 1 < len(held.members) else held.closes
    after = _uncommented(text, member.end, ends).find(",")
    if after >= 0:
        tail = tail[:after] + tail[after + 1 :]
    elif at:
        before = held.members[at - 1].end
        comma = before + _uncommented(text, before, member.start).index(",")
        head = text[:comma] + text[comma + 1 : member.start].rstrip()
    if not text[held.opens + 1 : member.start].strip() and tail.lstrip().startswith("}"):
        return head + tail.lstrip()
    gap = text[len(text[: member.start].rstrip()) : member.start]
    # A comment before the member ends with its line.
    return head + (gap[gap.index("\n") :] if "\n" in gap and not tail.lstrip(" \t\r").startswith("\n") else "") + tail


def _dumped(text: str, value: Server, indent: str, *, single: bool) -> str:
    if single:
        return json.dumps(value, ensure_ascii=False)
    line = "\r\n" if "\r\n" in text else "\n"
    return json.dumps(value, indent=_unit(text), ensure_ascii=False).replace("\n", line + indent)


def _unit(text: str) -> str:
    """Return the indentation of the first line that has one, two spaces where none has."""
    found = re.search(r'\n([ \t]{1,16})"', text)
    return found[1] if found is not None else "  "


def _indent_at(text: str, at: int) -> str:
    """Return the white space at the beginning of the line of a place."""
    first = text.rfind("\n", 0, at) + 1
    line = text[first:at].lstrip("\ufeff")
    return line[: len(line) - len(line.lstrip(" \t"))]


# --- TOML ---

_BARE = re.compile(r"[A-Za-z0-9_-]{1,200}")


def _read_toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text.lstrip("\ufeff").replace("\r\n", "\n"))
    except (ValueError, RecursionError) as broken:
        raise Unfit(f"it is not TOML ({broken})") from broken


def _with_table(text: str, table: str, entry: Server) -> str:
    servers, _, name = table.partition(".")
    line = "\r\n" if "\r\n" in text else "\n"
    bare = _without_tables(text, servers, name)
    values = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}{line}" for key, value in entry.items())
    gap = line if bare.endswith("\n") else line * 2
    if not bare.strip("\ufeff") or bare.endswith(line * 2):
        gap = ""
    return f"{bare}{gap}[{table}]{line}{values}"


def _without_tables(text: str, servers: str, name: str) -> str:
    """Return TOML without the tables of a server; comments before the next table stay, for they speak of that one."""
    lines = text.splitlines(keepends=True)
    kept: list[str] = []
    held: list[str] = []  # of a table that goes: comments and empty lines, which may belong to the next one
    going = False
    for line in lines:
        header = _header(line)
        if header is not None:
            ours = header[:2] == [servers, name]
            if not ours:
                kept += held
            elif not going and kept and not kept[-1].strip():
                kept.pop()
            going, held = ours, []
        if not going:
            kept.append(line)
        elif header is None:
            held = [*held, line] if not line.strip() or line.lstrip().startswith("#") else []
    return "".join(kept + held if any(map(str.strip, held)) else kept)


def _header(line: str) -> list[str] | None:
    """Return the names of a table's header, None for any other line."""
    bare = line.strip()
    if not bare.startswith("["):
        return None
    try:
        value: Any = tomllib.loads(bare)
    except ValueError:
        return None
    names = []
    while isinstance(value, dict | list) and value:
        if isinstance(value, list):
            value = value[0]
            continue
        (one,) = value
        names.append(one)
        value = value[one]
    return names
