"""Code search: functions of Python and other languages, with path and line, asked in words."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imi.errors import UsageError
from imi.fusion import fuse
from imi.tasks.parsers import GRAMMARS, parse_functions
from imi.text.bm25 import BM25
from imi.vectors import normalize

_SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages", "dist", "build", "target", "vendor", "venv"})
_LARGEST = 2_000_000
_BODY = 1500
"""Characters of a function that are read: its name and its comments say most of what it does, and stand first."""
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_A-Za-z]+")


@dataclass(frozen=True)
class Function:
    """One function: the file it is in, its first line (from 1), its qualified name, and its source."""

    path: str
    line: int
    name: str
    text: str

    @property
    def described(self) -> str:
        """Return what is embedded: the name's words, then the source, both as words rather than symbols."""
        return as_words(f"{self.name.rpartition('.')[2]}\n{self.text[:_BODY]}")


@dataclass(frozen=True)
class CodeHit:
    """One function found, and how well it answers the question: the fused score."""

    function: Function
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints: those of a search's hit, with path and line."""
        function = self.function
        return {
            "id": f"{function.path}:{function.line}",
            "score": self.score,
            "text": function.text,
            "metadata": {"name": function.name},
            "path": function.path,
            "line": function.line,
        }


def code(
    folder: str | Path | Sequence[Function], question: str, model: Any, k: int = 10, *, dims: int | None = None
) -> list[CodeHit]:
    """Find the functions that do what a question asks for.

    Args:
        folder: a folder or file of source code, or functions that were read before.
        question: in words, in any language the model knows.
        model: an embedder.
        k: how many.
        dims: leading numbers of each vector to use.

    Raises:
        UsageError: an empty question, k below 1, no such folder, or no functions in it.
    """
    if not question.strip():
        raise UsageError("the question is empty", hint='imi code src "read a file line by line"')
    if k < 1:
        raise UsageError(f"k is {k!r}, allowed are whole numbers from 1")
    found = functions(folder) if isinstance(folder, str | Path) else list(folder)
    if not found:
        raise UsageError(
            f"there are no functions in {folder}",
            hint=f"read are .py and, with pip install 'imi[code]', {', '.join(sorted(GRAMMARS))}",
        )
    return CodeIndex(found, model, dims).search(question, k)


class CodeIndex:
    """Functions to ask more than once: found by what they mean and by the words in them, both fused.

    Names and comments are written in the words of their trade, which a general model knows less well than everyday
    ones.
    """

    def __init__(self, found: Sequence[Function], model: Any, dims: int | None = None) -> None:
        """Embed functions and count their words."""
        described = [function.described for function in found]
        self.functions = tuple(found)
        self._model, self._dims = model, dims
        self._z = normalize(model.embed(described, "document", dims))
        self._words = BM25([text.split() for text in described])

    def search(self, question: str, k: int = 10) -> list[CodeHit]:
        """Return the k functions that answer a question best; the score is `imi.fusion`'s."""
        terms = as_words(question).split()
        by_words = self._words.scores([terms])[0]
        found = np.flatnonzero(by_words > 0)
        found = found[np.argsort(-by_words[found], kind="stable")]
        cosines = self._z @ normalize(self._model.embed([question], "query", self._dims))[0]
        near = np.argsort(-cosines, kind="stable")
        expected = float(self._words.expected([terms])[0]) if terms else None
        rows, scores = fuse((found, by_words[found]), (near, cosines[near]), expected=expected)
        return [CodeHit(self.functions[row], float(score)) for row, score in zip(rows[:k], scores[:k], strict=True)]


def functions(folder: str | Path) -> list[Function]:
    """Read all functions of a folder, or of one file, in order of path and line.

    Python is read by its own parser; other languages by tree-sitter's where their grammars are installed. Files that
    cannot be parsed, and folders of other people's code (node_modules, hidden ones), are left out.

    Raises:
        UsageError: there is no such folder or file.
    """
    root = Path(folder)
    if not root.exists():
        raise UsageError(f"there is no folder or file {str(folder)!r}")
    found: list[Function] = []
    for path in [root] if root.is_file() else _source_files(root):
        source = path.read_text(encoding="utf-8", errors="replace")
        parsed = _python(source) if path.suffix == ".py" else parse_functions(source, path.suffix)
        found += [Function(str(path), line, name, text) for line, name, text in parsed]
    return found


def as_words(source: str) -> str:
    """Return source as words: readTextFile and read_text_file both become "read text file"; symbols go."""
    return " ".join(part.lower() for part in _PART.findall(source))


def _source_files(root: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.startswith("."))
        for name in sorted(names):
            path = Path(where, name)
            if path.suffix in {".py", *GRAMMARS} and path.stat().st_size <= _LARGEST:
                yield path


def _python(source: str) -> list[tuple[int, str, str]]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    lines = source.splitlines()
    found: list[tuple[int, str, str]] = []

    def walk(node: ast.AST, owner: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                text = "\n".join(lines[child.lineno - 1 : child.end_lineno])
                found.append((child.lineno, owner + child.name, text))
            name = getattr(child, "name", "")
            named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            walk(child, f"{owner}{name}." if named else owner)

    walk(tree, "")
    return found
