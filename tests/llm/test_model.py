"""Chat, tools, streaming and the Responses API."""

import pytest

from imi.errors import EndpointError, UsageError
from imi.llm import Budget, Endpoint, LanguageModel, load_llm
from imi.llm.model import required
from tests.llm.standin import StandIn

ASK = [{"role": "user", "content": "?"}]
TOOL = {"name": "search", "description": "d", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture
def server():
    with StandIn() as running:
        running.replies.append("こんにちは🐱")
        yield running


@pytest.fixture
def llm(server):
    return LanguageModel("m", Endpoint(server.url, first_wait=0.01))


def test_a_whole_answer(llm, server):
    reply = llm.chat(ASK, temperature=0, max_tokens=9)
    assert (reply.text, reply.finish, reply.tokens) == ("こんにちは🐱", "stop", 15)
    assert server.requests[0] == {"model": "m", "messages": ASK, "temperature": 0, "max_tokens": 9}


def test_a_streamed_answer_is_the_same(llm):
    pieces = []
    assert llm.chat(ASK, on_text=pieces.append).text == "こんにちは🐱" == "".join(pieces)
    assert len(pieces) > 1


@pytest.mark.parametrize("on_text", [None, lambda piece: None])
def test_tool_calls_whole_and_in_pieces(llm, server, on_text):
    server.replies[0] = [("search", '{"query": "猫 cat"}'), ("open", "not json")]
    reply = llm.chat(ASK, tools=[TOOL], on_text=on_text)
    assert [(call.name, call.arguments) for call in reply.calls] == [("search", {"query": "猫 cat"}), ("open", None)]
    assert server.requests[0]["tools"][0]["function"]["name"] == "search"
    message = reply.as_message()
    assert message["content"] is None
    assert message["tool_calls"][0]["function"]["arguments"] == '{"query": "猫 cat"}'


def test_a_reply_without_choices_is_tried_again(llm, server):
    server.faults.append("no-choices")
    assert llm.chat(ASK).text
    assert server.asked() == 2


def test_responses_join_their_parts(llm, server):
    reply = llm.respond("Translate into English.", "吾輩は猫である。")
    assert reply.text == "こんにちは🐱"
    assert server.requests[0] == {"model": "m", "instructions": "Translate into English.", "input": "吾輩は猫である。"}


def test_a_response_without_text_is_an_error(server):
    server.faults.extend(["no-text", "no-text"])
    with pytest.raises(EndpointError, match="without text"):
        LanguageModel("m", Endpoint(server.url, retries=1, first_wait=0.01)).respond("i", "t")


def test_the_budget_ends_a_conversation(server):
    llm = LanguageModel("m", Endpoint(server.url), Budget(tokens=60))
    done = 0
    with pytest.raises(UsageError, match="budget is 60 tokens"):
        for _ in range(10):
            llm.chat(ASK)
            done += 1
    assert done == server.asked()
    assert 15 * done == llm.budget.spent.tokens <= 60


def test_a_model_by_name_or_from_the_environment(server, monkeypatch):
    assert load_llm() is None
    with pytest.raises(UsageError, match="language model"):
        required(load_llm())
    monkeypatch.setenv("IMI_LLM", f"m@{server.url}")
    assert required(load_llm()).chat(ASK).text == "こんにちは🐱"
    assert load_llm(f"other@{server.url}").name == f"other@{server.url}"
