"""`imi cost`."""

import pytest

KEYS = {"texts", "tokens", "requests", "money", "minutes", "cached"}


def test_a_file_and_a_collection(reviews, run):
    file = run("cost", "reviews.csv", "--model", "openai:text-embedding-3-small", "--json")
    assert file.code == 0, file.err
    assert set(file.json) == KEYS
    assert file.json["money"] > 0 and file.json["requests"] == 1
    held = run("cost", "reviews.imi", "--model", "openai:text-embedding-3-small", "--json")
    assert held.json["texts"] == file.json["texts"]


def test_a_model_without_a_known_price(here, run):
    done = run("cost", "reviews.csv", "--model", "openai:m@http://127.0.0.1:9/v1", "--json")
    assert done.json["money"] is None
    assert "IMI_PRICE" in done.err


def test_the_papers_search_is_counted(run):
    found = run("cost", "--search", "1300000x2048", "--network", "4", "--json").json
    ways = {way["way"]: way for way in found["ways"]}
    assert [found[name] for name in ("rows", "width", "shortlist", "first")] == [1_300_000, 2048, 200, 16]
    assert round(ways["exact"]["mflops"]) == 2662 and round(ways["exact"]["share"], 2) == 0.40
    assert round(ways["adaptive, exact shortlist"]["mflops"], 1) == 21.2 and ways["rerank"]["fewer"] is None
    printed = run("cost", "--search", "1,300,000 x 2048").out
    assert "2662" in printed and "share" not in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--search", "1e6"), "allowed are rows and dimensions"),
        (("--search", "1000x8", "--first", "16"), "first at most the width"),
        (("--search", "0x8", "--first", "4"), "at least 1"),
        (("--search", "1000x64", "--network", "-1"), "GFLOPs from 0 on"),
        (("reviews.csv", "--search", "1000x64"), "reads no files"),
        ((), "nothing was named"),
    ],
)
def test_what_cannot_be_counted_is_refused(run, arguments, said):
    done = run("cost", *arguments)
    assert done.code == 2 and said in done.err and "try:" in done.err, done.err
