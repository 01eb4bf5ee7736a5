"""Functions and classes of Python and other languages, with path and line, and the heads of their files."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Literal

from imi.embedders.pieces import threads
from imi.errors import UsageError
from imi.tasks.code_terms import as_words, terms
from imi.tasks.halves import in_halves
from imi.tasks.parsers import GRAMMARS, parse_definitions
from imi.text.walk import Walking, unwritten, walk

_BODY = 1200
"""Characters of a definition that are embedded: its name and its comments say most of what it does, and stand first."""
_MANY = 60
"""Files from which a second process is worth its start."""
_LINES = 30
"""Lines of a file that stand for it: what it says of itself at its head."""
CodeKind = Literal["function", "class", "file"]


@dataclass(frozen=True)
class Function:
    """One definition: the file it is in, its first line (from 1), its qualified name, and its source.

    path: the file.
    line: the first one, from 1.
    name: of a method with its class before it; "" for a file.
    text: the source; of a class its head and the names of its methods.
    kind: "function", "class", or "file" for the head of a file: what it says of itself, and the names in it.
    doc: its docstring, where there is one.
    end: its last line.
    """

    path: str
    line: int
    name: str
    text: str
    kind: CodeKind = "function"
    doc: str = ""
    end: int = 0

    @property
    def short_name(self) -> str:
        """The name without the classes before it."""
        return self.name.rpartition(".")[2]

    @cached_property
    def described(self) -> str:
        """Return what is embedded: the names' words, then the source, all as words rather than symbols."""
        stem = os.path.splitext(os.path.basename(self.path))[0]
        return as_words(f"{stem} {self.short_name}\n{self.doc[:400]}\n{self.text[:_BODY]}")

    @cached_property
    def terms(self) -> tuple[list[str], list[str], list[str]]:
        """Return what the name, the source and the docstring are compared by."""
        return terms(self.short_name), terms(self.text[:6000]), terms(self.doc[:1500])


def functions(folder: str | Path) -> list[Function]:
    """Read all functions of a folder, or of one file, in order of path and line; see `definitions`."""
    return [one for one in definitions(folder) if one.kind == "function"]


def definitions(folder: str | Path) -> list[Function]:
    """Read the functions and classes of a folder, or of one file, and the heads of its files, by path and line.

    Python is read by its own parser; other languages by tree-sitter's where their grammars are installed. Files that
    cannot be parsed, that git ignores or that nobody wrote are left out.

    Raises:
        UsageError: there is no such folder or file.
    """
    root = Path(folder)
    if not root.exists():
        raise UsageError(
            f"there is no folder or file {str(folder)!r}", hint="imi code . searches the folder that you are in"
        )
    if root.is_file() and root.suffix not in {".py", *GRAMMARS}:
        raise UsageError(
            f"{folder} is not source code that can be read", hint=f"read are .py, {', '.join(sorted(GRAMMARS))}"
        )
    return read_files([root] if root.is_file() else [*_source_files(root)])


def read_files(paths: Sequence[Path]) -> list[Function]:
    """Read the definitions of files of source code, of many in two processes, with what an index compares them by."""
    many = len(paths) >= _MANY
    return [*chain.from_iterable(in_halves(_of_file, paths, threads() if many else 1, _size))]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _of_file(path: Path) -> list[Function]:
    source = path.read_text(encoding="utf-8", errors="replace")
    found = _python(str(path), source) if path.suffix == ".py" else _others(str(path), source, path.suffix)
    for one in found:
        _ = one.described, one.terms
    return found


def _source_files(root: Path) -> Iterator[Path]:
    for file in walk(root, Walking(written=True)).files:
        if os.path.splitext(file.path)[1] in {".py", *GRAMMARS}:
            path = root / file.path
            if unwritten(str(path), text=True) is None:
                yield path


_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""Where a statement holds others: definitions are in no expression, of which there are ten times as many."""


class _Blocks(dict[type[ast.AST], tuple[str, ...]]):
    """The fields in which a kind of statement holds others, none for most."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        found = self[kind] = tuple(name for name in kind._fields if name in _BLOCKS)
        return found


_BLOCKS_OF = _Blocks()


def _python(path: str, source: str) -> list[Function]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    lines = source.splitlines()
    found: list[Function] = []
    left: list[tuple[ast.AST, str]] = [(tree, "")]
    while left:  # statements may be nested deeper than calls
        node, owner = left.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(_function(path, node, owner, lines))
            owner = f"{owner}{node.name}."
        elif isinstance(node, ast.ClassDef):
            found.append(_class(path, node, owner, lines))
            owner = f"{owner}{node.name}."
        for name in reversed(_BLOCKS_OF[type(node)]):
            left += [(one, owner) for one in reversed(getattr(node, name))]
    # A file that only brings together what others define is found by what it says and is called.
    return [_head_of_python(path, tree, lines), *found] if lines else []


def _function(path: str, node: ast.FunctionDef | ast.AsyncFunctionDef, owner: str, lines: list[str]) -> Function:
    end = node.end_lineno or node.lineno
    text = "\n".join(lines[node.lineno - 1 : end])
    return Function(path, node.lineno, owner + node.name, text, "function", ast.get_docstring(node) or "", end)


def _class(path: str, node: ast.ClassDef, owner: str, lines: list[str]) -> Function:
    methods = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    last = node.end_lineno or node.lineno
    end = max(node.lineno, min(methods[0].lineno - 1 if methods else last, node.lineno + 80))
    text = "\n".join([*lines[node.lineno - 1 : end], " ".join(method.name for method in methods)])
    return Function(path, node.lineno, owner + node.name, text, "class", ast.get_docstring(node) or "", end)


def _head_of_python(path: str, tree: ast.Module, lines: list[str]) -> Function:
    names = " ".join(
        one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )
    values = [one for one in tree.body if isinstance(one, ast.Assign | ast.AnnAssign)]
    text = "\n".join(
        "\n".join(lines[one.lineno - 1 : min(one.end_lineno or one.lineno, one.lineno + 3)]) for one in values
    )
    doc = ast.get_docstring(tree) or ""
    return Function(path, 1, "", f"{doc}\n{names}\n{text[:3000]}", "file", doc, min(len(lines), _LINES))


def _others(path: str, source: str, suffix: str) -> list[Function]:
    found = [
        Function(path, line, name, text, kind, _comments(text), line + text.count("\n"))
        for line, name, text, kind in parse_definitions(source, suffix)
    ]
    head = "\n".join(source.splitlines()[:_LINES])
    names = " ".join(one.name for one in found)
    return [
        Function(path, 1, "", f"{head}\n{names}", "file", _comments(head), min(source.count("\n") + 1, _LINES)),
        *found,
    ]


def _comments(text: str) -> str:
    """Return the comments among lines of a language that marks them by //, /*, * or #."""
    marked = (line.strip() for line in text.splitlines())
    return "\n".join(line.lstrip("/*#! ") for line in marked if line.startswith(("//", "/*", "*", "#")))
