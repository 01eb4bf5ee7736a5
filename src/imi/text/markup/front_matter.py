"""What stands above a Markdown text between rules: its title, tags and dates, as metadata.

Own code rather than a YAML library, which the base does without: values, quoted or not, lists, and nested keys, which
are joined by dots.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_KEY = re.compile(r"( *)([A-Za-z_\u0080-\uffff][\w \-.\u0080-\uffff]{0,80}?)\s*:(?:\s+(.*)|\s*)$")
_LONGEST = 500


def front_matter(lines: Sequence[str]) -> tuple[dict[str, Any], int]:
    """Return the metadata at the head of a text, and how many lines it takes; nothing and 0 where there is none.

    Args:
        lines: the first lines of the text; between `---` and `---` stands YAML, between `+++` and `+++` TOML.
    """
    if not lines or lines[0].rstrip() not in ("---", "+++"):
        return {}, 0
    mark = lines[0].rstrip()
    ends = ("---", "...") if mark == "---" else ("+++",)
    at = next((at for at, line in enumerate(lines[1:_LONGEST], 1) if line.rstrip() in ends), None)
    if at is None:
        return {}, 0
    body = list(lines[1:at])
    if mark == "+++":
        return _toml(body), at + 1
    if body and not any(_KEY.match(line) for line in body):
        return {}, 0  # a text between two rules
    return _yaml(body), at + 1


def _toml(lines: Sequence[str]) -> dict[str, Any]:
    import tomllib

    try:
        return {name: _plain(value) for name, value in tomllib.loads("\n".join(lines)).items()}
    except tomllib.TOMLDecodeError:
        return {}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool) else str(value)


def _yaml(lines: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    above: list[tuple[int, str]] = []
    name = ""
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        item = re.match(r"\s*-\s+(.*)", line)
        if item and name:
            held = found.get(name)
            found[name] = [*(held if isinstance(held, list) else ()), scalar(item[1])]
            continue
        match = _KEY.match(line)
        if match is None:
            if name and isinstance(found.get(name, ""), str):
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
            continue
        depth = len(match[1])
        above = [one for one in above if one[0] < depth]
        name = ".".join([*(one[1] for one in above), match[2]])
        above.append((depth, match[2]))
        value = (match[3] or "").strip()
        if value and value not in (">", "|", ">-", "|-"):
            found[name] = _value(value)
    return {name: value for name, value in found.items() if value not in ("", [])}


def _value(text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        return [scalar(one) for one in re.findall(r"\"[^\"]*\"|'[^']*'|[^,\[\]]+", text[1:-1]) if one.strip()]
    return scalar(text)


def scalar(text: str) -> Any:
    """Return a value as YAML reads it: text, a number, true or false; dates stay text."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1].replace('\\"', '"') if text[0] == '"' else text[1:-1].replace("''", "'")
    text = re.sub(r"(?<!\s)\s++#.*$", "", text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if re.fullmatch(r"-?(0|[1-9]\d{0,15})", text):
        return int(text)
    if re.fullmatch(r"-?\d{1,15}\.\d{1,15}", text) and not text.endswith("0"):
        return float(text)
    return text
