import json
import sys

import numpy as np
import pytest
from rich.cells import cell_len

import imi
from imi.embedders.testing import HashEmbedder


def test_hits_as_json_and_as_lines(reviews, run):
    found = run("search", "reviews", "baked beans", "-k", "3", "--json").json
    assert [set(hit) for hit in found] == [{"id", "score", "text", "metadata"}] * 3
    assert found[0]["id"] == "1" and found[0]["metadata"]["Score"] == 5
    with imi.open("reviews", mode="r") as collection:
        assert found == collection.search("baked beans", k=3).to_dicts()
    rows = run("search", "reviews", "baked", "beans", "-k", "3").rows
    assert [row[1] for row in rows] == [hit["id"] for hit in found]
    assert rows[0][2].startswith("Title: The best baked beans; Content: We eat")


def test_modes_and_filters(reviews, run):
    text = run("search", "reviews", "beans", "--mode", "text", "-k", "20", "--json").json
    assert {hit["id"] for hit in text} >= {"1", "2", "3", "4", "22"}
    good = run("search", "reviews", "beans", "--mode", "text", "-k", "20", "--where", "Score>=5", "--json").json
    assert {hit["metadata"]["Score"] for hit in good} == {5} and len(good) == sum(
        h["metadata"]["Score"] == 5 for h in text
    )
    both = run("search", "reviews", "beans", "--where", "Score>=4", "--where", "ProductId in B11BEANS,x", "--json").json
    assert both and all(hit["metadata"]["Score"] >= 4 and hit["metadata"]["ProductId"] == "B11BEANS" for hit in both)


def test_compare_puts_the_modes_side_by_side(reviews, run):
    compared = run("search", "reviews", "猫", "--compare", "-k", "3", "--json").json
    assert list(compared) == ["text", "meaning", "hybrid"]
    assert [hit["id"] for hit in compared["text"]] == ["54"]
    assert len(compared["meaning"]) == 3
    assert all(len(row) == 3 for row in run("search", "reviews", "猫", "--compare", "-k", "3").rows)


def test_facets_offset_and_min_score(reviews, run):
    answer = run("search", "reviews", "beans", "--mode", "text", "--facet", "Score", "-k", "2", "--json").json
    assert len(answer["hits"]) == 2 and sum(answer["facets"]["Score"].values()) >= 5
    first = run("search", "reviews", "tea", "-k", "4", "--json").json
    assert run("search", "reviews", "tea", "-k", "2", "--offset", "2", "--json").json == first[2:]
    score = first[1]["score"]
    assert len(run("search", "reviews", "tea", "--min-score", score, "--json").json) == 2
    nothing = run("search", "reviews", "tea", "--mode", "meaning", "--min-score", "1.1")
    assert (nothing.code, nothing.out) == (0, "") and "nothing found" in nothing.err


def test_questions_from_standard_input(reviews, run):
    answers = run("search", "reviews", "-", "-k", "1", "--json", stdin="beans\n緑茶\n").json
    assert [answer["query"] for answer in answers] == ["beans", "緑茶"]
    assert [len(answer["hits"]) for answer in answers] == [1, 1]


def test_by_vector(reviews, run):
    text = run("show", "reviews", "44", "--json").json["text"]
    vector = HashEmbedder().embed([text])[0]
    np.save("v.npy", vector)
    found = run("search", "reviews", "--vector", "v.npy", "-k", "1", "--json").json
    assert found[0]["id"] == "44"
    assert (
        run("search", "reviews", "--vector", "-", "-k", "1", "--json", stdin=json.dumps(vector.tolist())).json == found
    )
    for given, told in [("none.npy", "no such file"), ("reviews.csv", "holds no vector")]:
        done = run("search", "reviews", "--vector", given)
        assert done.code == 1 and told in done.err


def test_what_was_read_is_told(reviews, run):
    answer = run("search", "reviews", "beans", "--mode", "meaning", "--explain-search", "-k", "3", "--json").json
    assert set(answer) == {"hits", "facets", "search"} and answer["search"]
    plain = run("search", "reviews", "beans", "--mode", "meaning", "-k", "3", "--json").json
    assert [hit["id"] for hit in answer["hits"]] == [hit["id"] for hit in plain]
    assert run("search", "reviews", "beans", "--mode", "meaning", "--exact", "-k", "3", "--json").json == plain
    climbed = run("search", "reviews", "beans", "--mode", "meaning", "--ladder", "32:60,64:3", "-k", "3", "--json").json
    assert [hit["id"] for hit in climbed] == [hit["id"] for hit in plain]
    assert run("search", "reviews", "beans", "--exact", "--offset", "1").code == 2
    printed = run("search", "reviews", "beans", "--mode", "meaning", "--explain-search", "-k", "3").out
    told = dict(row.split("\t") for row in printed.splitlines() if row.count("\t") == 1)
    assert told["rows"] == "60" and told["millions of multiply-adds"] == f"{answer['search']['mflops']:.4g}"
    assert "60 rows" in told["step 1"] and " ms" in told["step 1"] and "null" not in printed and "{" not in printed
    assert run("search", "reviews", "beans", "--ladder", "x").code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([""], "empty"),
        (["x", "-k", "0"], "k is 0"),
        (["x", "--mode", "fuzzy"], "allowed are text, meaning, hybrid"),
        (["x", "--where", "Stars>3"], "'Stars'"),
        (["x", "--where", "Score"], "the filter 'Score' cannot be read"),
        (["x", "--where", "{bad"], "is not JSON"),
        (["x", "--dims", "65"], "65"),
        (["x", "--facet", "Stars"], "'Stars'"),
        ([], "there is no question"),
        (["x", "--vector", "v.npy"], "asked alone"),
        (["x", "--kk", "3"], "no such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_sentence(reviews, run, arguments, told):
    done = run("search", "reviews", *arguments)
    assert (done.code, done.out) == (2, "") and told in done.err, done.err
    assert done.err.startswith("imi: ") and "Traceback" not in done.err


def test_what_is_no_collection(reviews, run, tmp_path):
    done = run("search", "nowhere", "x")
    assert done.code == 2 and "there is no collection nowhere" in done.err
    assert run("search", "reviews.csv", "x").code == 2
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    done = run("search", "folder", "x")
    assert done.code == 2 and "holds no file that can be read" in done.err
    (tmp_path / "bad.imi").mkdir()
    (tmp_path / "bad.imi" / "collection.sqlite").write_bytes(b"this is no database" * 1000)
    done = run("search", "bad", "x")
    assert done.code in (1, 2) and done.err.count("imi: ") == 1 and "Traceback" not in done.err


def test_a_collection_of_another_model(reviews, run, monkeypatch):
    changed = HashEmbedder()
    changed.info = imi.ModelInfo(id="hash", width=64, dims=(16, 32, 64), weights="other")
    monkeypatch.setattr("imi.embedders.testing.HashEmbedder", lambda: changed)
    done = run("search", "reviews", "beans", "--mode", "meaning")
    assert done.code in (1, 2) and "try: " in done.err and "Traceback" not in done.err


def test_the_inverted_index_is_shown_by_term(run, reviews):
    shown = run("explain", "reviews", "--index", "coffee", "--json").json
    assert {"term", "tokens", "total", "documents", "occurrences", "idf", "postings", "longer"} == set(shown)
    assert {"id", "count", "positions", "score", "text"} == set(shown["postings"][0])
    by_text = run("search", "reviews", '"coffee"', "--mode", "text", "-k", "60", "--json").json
    assert {one["id"] for one in shown["postings"]} == {hit["id"] for hit in by_text}
    assert run("explain", "reviews", "--index", "coffee").rows[0][0] == shown["postings"][0]["id"]
    assert run("explain", "reviews", "cat", "--index", "coffee").code == 2
    assert run("explain", "nowhere", "--index", "coffee").code == 2


def test_hits_as_json_lines_are_the_hits_of_json(reviews, run):
    whole = run("search", "reviews.imi", "beans", "-k", "3", "--json").json
    lines = [json.loads(line) for line in run("search", "reviews.imi", "beans", "-k", "3", "--jsonl").out.splitlines()]
    assert [(line.pop("query"), line.pop("rank")) for line in lines] == [("beans", at) for at in (1, 2, 3)]
    assert lines == (whole["hits"] if isinstance(whole, dict) else whole)
    many = run("search", "reviews.imi", "-", "-k", "1", "--jsonl", stdin="beans\ncoffee\n").out.splitlines()
    assert [json.loads(line)["query"] for line in many] == ["beans", "coffee"]
    assert run("search", "reviews.imi", "beans", "--jsonl", "--facet", "Score").code == 2


def test_a_terminal_shows_a_row_without_the_words_of_its_template(reviews, run, monkeypatch):
    assert "Title: " in run("search", "reviews", "baked beans", "-k", "1").out, "a pipe gets what is there"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    title, *body = run("search", "reviews", "baked beans", "-k", "1", "--mode", "text").out.splitlines()
    assert "The best baked beans  1" in title
    assert body[0].startswith("    We eat") and all(line.startswith("    ") for line in body if line)
    assert "Title: The best" in run("search", "reviews", "baked beans", "-k", "1", "--mode", "text", "--full").out
    (reviews / "code.py").write_text("def cut():\n    return text.split('<br>')\n", "utf-8")
    run("add", "code", "code.py")
    assert "split('<br>')" in run("search", "code", "cut", "-k", "1").out


def test_a_table_on_a_narrow_terminal_cuts_no_word_in_two(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    shown = run("explain", "The cat sleeps.", "--model", "built-in")
    assert "▁sleep " in shown.out and max(map(cell_len, shown.out.splitlines())) <= 80
    assert ".: a large share, little effect" in shown.err
