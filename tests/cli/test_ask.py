"""`imi ask` and `imi translate`."""

import re
import sys

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


def test_a_japanese_reader_sees_japanese_quotation_marks(reviews, run, server, monkeypatch):
    monkeypatch.setenv("IMI_LANG", "ja")
    quoted = run("ask", "reviews.imi", "coffee").out.split("\n\n")[0].splitlines()
    assert quoted and all(line.startswith("「") and re.search(r"」 \[\d\]$", line) for line in quoted)
    assert run("ask", "reviews.imi", "coffee", "--json").json["answer"].startswith("“")
    server.replies.append("“Good” coffee [1].")
    assert run("ask", "reviews.imi", "coffee", "--llm", f"m@{server.url}").out.startswith("“Good” coffee [1].")


def test_with_a_model(reviews, run, server):
    server.replies.append("Good coffee [1]. Nonsense [42].")
    done = run("ask", "reviews.imi", "coffee", "--llm", f"m@{server.url}", "--json")
    assert done.code == 0, done.err
    assert done.json["llm"] == f"m@{server.url}"
    assert done.json["citations"][-1] == {"n": 42, "id": None, "text": None, "page": None, "supported": False}
    plain = run("ask", "reviews.imi", "coffee", "--llm", f"m@{server.url}", "--where", "Score>=4")
    assert "[42] there is no such passage  (not supported)" in plain.out


@pytest.mark.parametrize(
    ("reply", "once", "twice"), [("Good coffee [1].", "Good coffee [1].", ""), ("Nonsense [42].", "", "Nonsense [42].")]
)
def test_an_answer_stands_on_a_terminal_once_unless_the_check_changed_it(
    reviews, run, server, monkeypatch, reply, once, twice
):
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    server.replies.append(reply)
    done = run("ask", "reviews.imi", "coffee", "--llm", f"m@{server.url}")
    assert done.err.startswith(reply), "it streams while it is written"
    if once:
        assert once not in done.out and "[1] " in done.out and "checked" not in done.err
    else:
        assert f"{twice} [?]" in done.out and "checked against the passages" in done.err


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


def test_what_nothing_answers_and_two_collections(here, run, monkeypatch):
    monkeypatch.setenv("IMI_MODEL", "built-in")
    (here / "a.md").write_text("# Notes\n\n## Deadline\n\nThe deadline of the report is the last day of March.\n")
    (here / "b.md").write_text(
        "# Cooking\n\n## Beans\n\nThe beans are soaked for twelve hours before they are cooked.\n"
    )
    run("add", "a.imi", "a.md")
    run("add", "b.imi", "b.md")
    none = run("ask", "a.imi", "Which mountain in Peru is the highest?")
    assert none.code == 0 and none.out.startswith("Nothing here answers that.") and "--always" in none.err
    told = run("ask", "a.imi", "Which mountain in Peru is the highest?", "--json").json
    assert told["answer"] is None and told["reason"] and told["citations"] == []
    assert run("ask", "a.imi", "Which mountain in Peru is the highest?", "--always", "--json").json["answer"]
    both = run("ask", "a.imi", "How long are the beans soaked?", "--also", "b.imi")
    assert "twelve hours" in both.out and "b.md:5: Cooking > Beans" in both.out
    hits = run("search", "a.imi", "beans soaked", "--also", "b.imi", "--json").json
    assert {hit["collection"] for hit in hits} == {"a.imi", "b.imi"}
    hint = run("search", "a.imi", "b.imi", "beans")
    assert "b.imi is a collection" in hint.err and "--also b.imi" in hint.err
    assert run("search", "a.imi", "x", "--also", "a.imi").code == 2


def test_copies_are_folded_unless_asked(here, run):
    (here / "r.jsonl").write_text(
        "".join(f'{{"id": "{n}", "text": "the very same beans", "n": {n}}}\n' for n in range(4))
    )
    run("add", "r.imi", "r.jsonl", "--id", "id")
    (hit,) = run("search", "r.imi", "beans", "--json").json
    assert len(hit["copies"]) == 3 and len(run("search", "r.imi", "beans", "--no-fold", "--json").json) == 4
    facets = run("search", "r.imi", "beans", "--facet", "n", "--json").json["facets"]["n"]
    assert sum(facets.values()) == 4
