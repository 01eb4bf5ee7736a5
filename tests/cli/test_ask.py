"""`imi ask` and `imi translate`."""

import pytest
from tests.llm.standin import StandIn


@pytest.fixture
def server():
    with StandIn() as running:
        yield running


def test_without_a_model_it_quotes_and_says_so(reviews, run):
    done = run("ask", "reviews.imi", "coffee", "--show-context")
    assert done.code == 0, done.err
    assert "“" in done.out and "[1]" in done.out and "--- 1:" in done.out
    assert "no language model is set" in done.err
    value = run("ask", "reviews.imi", "coffee", "--json").json
    assert set(value) == {"answer", "citations", "llm"} and value["llm"] is None


def test_with_a_model(reviews, run, server):
    server.replies.append("Good coffee [1]. Nonsense [42].")
    done = run("ask", "reviews.imi", "coffee", "--llm", f"m@{server.url}", "--json")
    assert done.code == 0, done.err
    assert done.json["llm"] == f"m@{server.url}"
    assert done.json["citations"][-1] == {"n": 42, "id": None, "text": None, "page": None, "supported": False}
    plain = run("ask", "reviews.imi", "coffee", "--llm", f"m@{server.url}", "--where", "Score>=4")
    assert "[42] there is no such passage  (not supported)" in plain.out


def test_what_needs_a_model_says_so(reviews, run):
    for option in ("--agent", "--rewrite"):
        done = run("ask", "reviews.imi", "coffee", option)
        assert done.code == 2
        assert "--llm" in done.err
    assert run("translate", "吾輩は猫である。").code == 2


def test_translate(here, run, server):
    server.replies.append("I am a cat.")
    done = run("translate", "吾輩は猫である。", "--to", "en", "--llm", f"m@{server.url}", "--json")
    assert done.json["text"] == "I am a cat."
    assert set(done.json) == {"text", "similarity", "suspicious"}
    assert "suspicious" in done.err, "the test model knows letters only"
