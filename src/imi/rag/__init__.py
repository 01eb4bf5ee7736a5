"""Retrieval-augmented generation: passages for a question, answers with checked citations, agents.

The names below are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imi.collection.parent_expansion import Expanded, expand
    from imi.rag.rerank import Reranker, load_reranker
    from imi.rag.retrieve import Retrieval, find_passages
    from imi.rag.translate import Translation
    from imi.records import Answer, Citation

_LAZY = {
    "Answer": "imi.records",
    "Citation": "imi.records",
    "Expanded": "imi.collection.parent_expansion",
    "Reranker": "imi.rag.rerank",
    "Retrieval": "imi.rag.retrieve",
    "Translation": "imi.rag.translate",
    "expand": "imi.collection.parent_expansion",
    "find_passages": "imi.rag.retrieve",
    "load_reranker": "imi.rag.rerank",
}

__all__ = [
    "Answer",
    "Citation",
    "Expanded",
    "Reranker",
    "Retrieval",
    "Translation",
    "expand",
    "find_passages",
    "load_reranker",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'imi.rag' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
