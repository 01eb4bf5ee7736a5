"""The description of the API as a page in the style of the others: no script, nothing loaded from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

_REF = "#/components/schemas/"
_TITLES = {
    "openai": "OpenAI's API",
    "search": "Collections, documents and search",
    "tasks": "Tasks",
    "page": "What the page asks for",
    "": "The server itself",
}
_Schema = Mapping[str, Any]


def reference_page(described: _Schema) -> str:
    """Return the page: every operation with what it takes and answers, then the shapes that they name."""
    groups: dict[str, list[str]] = {name: [] for name in _TITLES}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            tag = next(iter(operation.get("tags", [])), "")
            # Those without a tag belong to the server; an unknown one is shown, too.
            tag = "" if path in ("/health", "/ready", "/metrics") else tag
            groups.setdefault(tag, []).append(_operation(method, path, operation))
    shapes = sorted(described["components"]["schemas"].items())
    links = "".join(
        f"<li><a href='#{_anchor(tag)}'>{escape(_TITLES.get(tag, tag))}</a></li>" for tag, own in groups.items() if own
    )
    sections = "".join(
        f"<section id='{_anchor(tag)}'><h2>{escape(_TITLES.get(tag, tag))}</h2>{''.join(own)}</section>"
        for tag, own in groups.items()
        if own
    )
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'><title>imi: the API</title>"
        "<link rel='icon' href='/web/icon.svg' type='image/svg+xml'><link rel='stylesheet' href='/web/map/theme.css'>"
        "<link rel='stylesheet' href='/web/docs.css'></head><body>"
        "<header><p class='mark'><a href='/'>imi <span lang='ja'>意味</span></a></p><h1>The API</h1>"
        "<p>The same for programs: <a href='/openapi.json'>openapi.json</a>. Keys go in the header "
        "<code>Authorization: Bearer KEY</code>.</p></header>"
        f"<nav aria-label='Contents'><ul>{links}<li><a href='#shapes'>Shapes</a></li></ul></nav>"
        f"<main>{sections}<section id='shapes'><h2>Shapes</h2>"
        f"{''.join(_shape(*one) for one in shapes)}</section></main></body></html>"
    )


def _anchor(tag: str) -> str:
    return f"part-{escape(tag or 'server')}"


def _operation(method: str, path: str, operation: _Schema) -> str:
    rows = [
        _row(
            one["name"],
            _named(one.get("schema", {})),
            one.get("description") or one.get("schema", {}).get("description"),
        )
        for one in operation.get("parameters", [])
    ]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        rows.append(_row("body", _named(content.get("schema", {})), kind))
    answers = [
        f"{escape(status)} {_named(content.get('schema', {}))}"
        for status, reply in operation.get("responses", {}).items()
        for content in reply.get("content", {}).values()
        if status.startswith("2")
    ]
    said = operation.get("description") or operation.get("summary", "")
    table = f"<table><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    replies = f"<p class='answers'>Answers {', '.join(answers)}</p>" if answers else ""
    return (
        f"<article><h3><span class='method {escape(method)}'>{escape(method.upper())}</span> "
        f"<code>{escape(path)}</code></h3>"
        f"<p>{_prose(said)}</p>{table}{replies}</article>"
    )


def _shape(name: str, schema: _Schema) -> str:
    needed = set(schema.get("required", ()))
    rows = "".join(
        _row(field, _named(value) + ("" if field in needed else " <small>optional</small>"), value.get("description"))
        for field, value in schema.get("properties", {}).items()
    )
    table = f"<table><tbody>{rows}</tbody></table>" if rows else ""
    said = schema.get("description", "")
    return f"<article id='{escape(name)}'><h3><code>{escape(name)}</code></h3><p>{_prose(said)}</p>{table}</article>"


def _row(name: str, kind: str, said: str | None) -> str:
    return f"<tr><th scope='row'><code>{escape(name)}</code></th><td>{kind}</td><td>{_prose(said or '')}</td></tr>"


def _prose(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _named(schema: _Schema) -> str:
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).removeprefix(_REF))
        return f"<a href='#{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(_named(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_named(schema.get('items', {}))}"
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    return escape(str(schema.get("type", schema.get("const", "value"))))
