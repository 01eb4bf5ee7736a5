"""A language model behind an endpoint: chat with tools and streaming, and the Responses API."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imi.errors import EndpointError, UsageError
from imi.llm.budget import Budget
from imi.llm.endpoint import Endpoint, split_name
from imi.llm.replies import Refusal

Message = Mapping[str, Any]
OnText = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants to use; `arguments` is what it wrote, parsed; None where that is not an object."""

    id: str
    name: str
    arguments: Mapping[str, Any] | None
    raw: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said: a text, tool calls, or both; `finish` tells why it stopped."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    finish: str | None = None
    tokens: int | None = None

    def as_message(self) -> dict[str, Any]:
        """Return the message to append to the conversation before the tools' results."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        if self.calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.raw}}
                for call in self.calls
            ]
        return message


class LanguageModel:
    """One model of one endpoint, within a budget."""

    def __init__(self, model: str, endpoint: Endpoint, budget: Budget | None = None) -> None:
        self.model = model
        self.endpoint = endpoint
        self.budget = budget or Budget()

    @property
    def name(self) -> str:
        """How the model is named in results: MODEL@URL."""
        return f"{self.model}@{self.endpoint.url}"

    def chat(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        on_text: OnText | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> Reply:
        """Return the model's next message.

        Args:
            messages: the conversation, as the chat API takes it.
            tools: function definitions that the model may call.
            on_text: called with each piece of text as it comes; None asks for the whole at once.
            temperature: 0 for the likeliest answer; None for the server's own.
            max_tokens: longest answer; None for the server's own.

        Raises:
            EndpointError: no usable reply.
            UsageError: the budget does not allow the request.
        """
        body: dict[str, Any] = {"model": self.model, "messages": list(messages)}
        if tools:
            body["tools"] = [{"type": "function", "function": dict(tool)} for tool in tools]
        if temperature is not None:
            body["temperature"] = temperature
        if max_tokens is not None:
            body["max_tokens"] = max_tokens
        if on_text is None:
            return self._spending(body, lambda: self.endpoint.post("chat/completions", body, self._message))
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        return self._spending(body, lambda: _gathered(self.endpoint.stream("chat/completions", body), on_text))

    def respond(self, instructions: str, text: str) -> Reply:
        """Return the answer of the Responses API to one text under instructions.

        Raises:
            EndpointError: no usable reply.
            UsageError: the budget does not allow the request.
        """
        body = {"model": self.model, "instructions": instructions, "input": text}
        return self._spending(body, lambda: self.endpoint.post("responses", body, self._output_text))

    def _spending(self, body: Mapping[str, Any], ask: Callable[[], Reply]) -> Reply:
        estimate = len(json.dumps(body, ensure_ascii=False).encode()) // 3 + 1
        self.budget.reserve(estimate)
        try:
            reply = ask()
        except EndpointError:
            self.budget.settle(estimate, 0)
            raise
        self.budget.settle(estimate, reply.tokens)
        return reply

    def _message(self, value: Any) -> Reply:
        try:
            choice = value["choices"][0]
            message = choice["message"]
            calls = tuple(_call(call) for call in message.get("tool_calls") or ())
            text = message.get("content") or ""
        except (LookupError, TypeError, AttributeError) as wrong:
            raise self._unusable(f"no chat answer: {str(value)[:120]}") from wrong
        return Reply(str(text), calls, choice.get("finish_reason"), _tokens(value))

    def _output_text(self, value: Any) -> Reply:
        # `output_text` of the official client is not on the wire: it joins these parts.
        try:
            parts = [
                str(part["text"])
                for item in value["output"]
                if item.get("type") == "message"
                for part in item["content"]
                if part.get("type") == "output_text"
            ]
        except (LookupError, TypeError, AttributeError) as wrong:
            raise self._unusable(f"no response: {str(value)[:120]}") from wrong
        if not parts:
            raise self._unusable("a response without text")
        return Reply("".join(parts), finish=value.get("status"), tokens=_tokens(value))

    def _unusable(self, what: str) -> Refusal:
        return Refusal(f"{self.endpoint.url} sent {what}", status=200, again=True)


def load_llm(name: str | None = None) -> LanguageModel | None:
    """Return the model of `MODEL[@URL]`, or of IMI_LLM where no name is given; None where neither is set."""
    name = name or os.environ.get("IMI_LLM")
    if not name:
        return None
    model, url = split_name(name.removeprefix("openai:"))
    return LanguageModel(model, Endpoint(url), Budget.from_environment(model))


def _call(call: Mapping[str, Any]) -> ToolCall:
    function = call["function"]
    return _tool_call(str(call.get("id") or ""), str(function["name"]), str(function.get("arguments") or ""))


def _tool_call(id_: str, name: str, raw: str) -> ToolCall:
    try:
        arguments = json.loads(raw or "{}")
    except ValueError:
        arguments = None
    return ToolCall(id_, name, arguments if isinstance(arguments, dict) else None, raw or "{}")


def _tokens(value: Mapping[str, Any]) -> int | None:
    usage = value.get("usage")
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) else None


@dataclass(slots=True)
class _Pieces:
    """Tool calls that arrive in pieces, by their place in the answer."""

    id: str = ""
    name: str = ""
    raw: list[str] = field(default_factory=list)


def _gathered(events: Iterable[Mapping[str, Any]], on_text: OnText) -> Reply:
    text: list[str] = []
    calls: dict[int, _Pieces] = {}
    finish: str | None = None
    tokens: int | None = None
    for event in events:
        tokens = _tokens(event) or tokens
        for choice in event.get("choices") or ():
            delta = choice.get("delta") or {}
            finish = choice.get("finish_reason") or finish
            if delta.get("content"):
                text.append(str(delta["content"]))
                on_text(text[-1])
            for piece in delta.get("tool_calls") or ():
                call = calls.setdefault(int(piece.get("index", 0)), _Pieces())
                function = piece.get("function") or {}
                call.id = str(piece.get("id") or call.id)
                call.name += str(function.get("name") or "")
                call.raw.append(str(function.get("arguments") or ""))
    found = tuple(_tool_call(call.id, call.name, "".join(call.raw)) for _, call in sorted(calls.items()))
    return Reply("".join(text), found, finish, tokens)


def required(llm: LanguageModel | None) -> LanguageModel:
    """Return the model, or say how to name one.

    Raises:
        UsageError: there is none.
    """
    if llm is None:
        raise UsageError("this needs a language model", hint="--llm MODEL@http://localhost:8080/v1, or set IMI_LLM")
    return llm
