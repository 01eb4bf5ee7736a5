"""A thin client of OpenAI-compatible endpoints: embeddings, chat and Responses, with retries, budgets and streaming."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imi.llm.budget import Budget
    from imi.llm.endpoint import Endpoint
    from imi.llm.model import LanguageModel, Reply, ToolCall, load_llm

# Every collection asks this package how to write an address without its password; few ask an endpoint anything.
_LAZY = {
    "Budget": "imi.llm.budget",
    "Endpoint": "imi.llm.endpoint",
    "LanguageModel": "imi.llm.model",
    "Reply": "imi.llm.model",
    "ToolCall": "imi.llm.model",
    "load_llm": "imi.llm.model",
}

__all__ = ["Budget", "Endpoint", "LanguageModel", "Reply", "ToolCall", "load_llm"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'imi.llm' has no attribute {name!r}")
