"""A thin client of OpenAI-compatible endpoints: embeddings, chat and Responses, with retries, budgets and streaming."""

from imi.llm.budget import Budget
from imi.llm.endpoint import Endpoint
from imi.llm.model import LanguageModel, Reply, ToolCall, load_llm

__all__ = ["Budget", "Endpoint", "LanguageModel", "Reply", "ToolCall", "load_llm"]
