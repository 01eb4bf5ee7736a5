"""Code search: functions, classes and files found by what they do, asked in words or by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imi.errors import UsageError
from imi.tasks.code_definitions import Function, definitions, functions
from imi.tasks.code_index import CodeHit, CodeIndex
from imi.tasks.code_terms import as_words
from imi.tasks.parsers import GRAMMARS

__all__ = ["CodeHit", "CodeIndex", "Function", "as_words", "code", "definitions", "functions"]


def code(
    folder: str | Path | Sequence[Function], question: str, model: Any, k: int = 10, *, dims: int | None = None
) -> list[CodeHit]:
    """Find the functions, classes and files that do what a question asks for.

    Args:
        folder: a folder or file of source code, or definitions that were read before.
        question: in words, in any language the model knows, or a name.
        model: an embedder.
        k: how many.
        dims: leading dimensions of each vector to use.

    Raises:
        UsageError: an empty question, k below 1, no such folder, or no functions in it.
    """
    if not question.strip():
        raise UsageError("the question is empty", hint='imi code src "read a file line by line"')
    if k < 1:
        raise UsageError(f"k is {k!r}, allowed are whole numbers from 1")
    found = definitions(folder) if isinstance(folder, str | Path) else list(folder)
    if not any(one.kind != "file" for one in found):
        raise UsageError(
            f"there are no functions in {folder}",
            hint=f"read are .py and, with pip install 'imi[code]', {', '.join(sorted(GRAMMARS))}",
        )
    return CodeIndex(found, model, dims).search(question, k)
