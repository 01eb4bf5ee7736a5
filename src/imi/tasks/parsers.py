"""Functions and classes of other languages than Python, by tree-sitter grammars that are installed as packages."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, Literal

from imi.errors import MissingExtra

GRAMMARS = {
    ".js": ("tree_sitter_javascript", "language"),
    ".jsx": ("tree_sitter_javascript", "language"),
    ".mjs": ("tree_sitter_javascript", "language"),
    ".ts": ("tree_sitter_typescript", "language_typescript"),
    ".tsx": ("tree_sitter_typescript", "language_tsx"),
    ".go": ("tree_sitter_go", "language"),
    ".rs": ("tree_sitter_rust", "language"),
    ".java": ("tree_sitter_java", "language"),
    ".c": ("tree_sitter_c", "language"),
    ".h": ("tree_sitter_c", "language"),
    ".cc": ("tree_sitter_cpp", "language"),
    ".cpp": ("tree_sitter_cpp", "language"),
    ".hpp": ("tree_sitter_cpp", "language"),
    ".rb": ("tree_sitter_ruby", "language"),
}
"""Suffix: the package with the grammar, and its function that gives it."""

_FUNCTIONS = frozenset(
    {
        "constructor_declaration",
        "function_declaration",
        "function_definition",
        "function_item",
        "generator_function_declaration",
        "method",
        "method_declaration",
        "method_definition",
        "singleton_method",
    }
)
_CLASSES = frozenset(
    {
        "class",
        "class_declaration",
        "class_specifier",
        "enum_declaration",
        "enum_item",
        "interface_declaration",
        "module",
        "struct_item",
        "struct_specifier",
        "trait_item",
        "type_spec",
    }
)
_LONGEST_CLASS = 80
"""Lines of a class that are read: its methods stand on their own."""
_NAMED_VALUES = frozenset({"arrow_function", "function_expression", "function"})


@cache
def _parser(suffix: str) -> Any:
    package, language = GRAMMARS[suffix]
    try:
        import tree_sitter

        grammar = importlib.import_module(package)
    except ImportError as missing:
        raise MissingExtra(package.replace("_", "-"), "code") from missing
    return tree_sitter.Parser(tree_sitter.Language(getattr(grammar, language)()))


def parse_definitions(source: str, suffix: str) -> list[tuple[int, str, str, Literal["function", "class"]]]:
    """Return the functions and classes of a source text as (line from 1, name, source, kind), in order.

    What has no name is left out, and of a class all but its first lines.

    Raises:
        MissingExtra: the grammar for this suffix is not installed.
    """
    raw = source.encode("utf-8", "replace")
    found: list[tuple[int, str, str, Literal["function", "class"]]] = []
    waiting = [_parser(suffix).parse(raw).root_node]
    while waiting:
        node = waiting.pop()
        waiting.extend(reversed(node.children))
        name = _name(node)
        is_class = not name and node.type in _CLASSES and node.child_by_field_name("body") is not None
        if is_class or (not name and node.type == "type_spec"):
            name, is_class = _text(node.child_by_field_name("name")), True
        if name:
            whole = _with_comment(node)
            text = raw[whole.start_byte : node.end_byte].decode("utf-8", "replace")
            if is_class:
                text = "\n".join(text.split("\n")[:_LONGEST_CLASS])
            found.append((node.start_point[0] + 1, name, text, "class" if is_class else "function"))
    return found


def _name(node: Any) -> str:
    """Return the name of a function's node, "" where it is none."""
    if node.type in _FUNCTIONS:
        named = node.child_by_field_name("name")
        inner = node.child_by_field_name("declarator")
        while named is None and inner is not None:  # C hides the name in nested declarators
            named, inner = (
                (inner, None) if inner.type.endswith("identifier") else (None, inner.child_by_field_name("declarator"))
            )
        return _text(named)
    if node.type == "variable_declarator":
        value = node.child_by_field_name("value")
        if value is not None and value.type in _NAMED_VALUES:
            return _text(node.child_by_field_name("name"))
    return ""


def _text(node: Any) -> str:
    return "" if node is None else node.text.decode("utf-8", "replace")


def _with_comment(node: Any) -> Any:
    """Return the first of the comments that stand right above a function, else the function."""
    top = node if node.type != "variable_declarator" else node.parent
    if top.parent is not None and top.parent.type == "export_statement":
        top = top.parent
    first = top
    while first.prev_sibling is not None and "comment" in first.prev_sibling.type:
        if first.start_point[0] - first.prev_sibling.end_point[0] > 1:
            break
        first = first.prev_sibling
    return first
