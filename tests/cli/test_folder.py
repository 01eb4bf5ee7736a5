"""A plain folder in the place of a collection, on the command line."""

import pytest


@pytest.fixture
def notes(here, monkeypatch):
    monkeypatch.setenv("IMI_HOME", str(here / "home"))
    for name, text in {"plan.md": "# Plan\n\nthe deadline is on Friday\n", "secret.txt": "plan\n"}.items():
        (here / "notes" / name).parent.mkdir(exist_ok=True)
        (here / "notes" / name).write_text(text)
    (here / "notes" / ".gitignore").write_text("secret.txt\n")
    return here / "notes"


def test_search_ask_map_and_others_take_a_folder(notes, run):
    done = run("search", "notes", "deadline", "--json")
    assert done.code == 0 and [hit["id"] for hit in done.json] == ["plan.md:3"], done.err
    assert "read 1 of 1 files: 1 rows" in done.err
    again = run("search", "notes/", "deadline", "--json")
    assert again.json == done.json and again.err == ""
    assert run("ask", "notes", "When is the deadline?", "--json").json["citations"][0]["id"] == "plan.md:3"
    assert run("show", "notes", "plan.md:3", "--json").json["text"].endswith("Friday")
    (notes / "b.txt").write_text("one\ntwo\nthree\n")
    assert run("map", "notes", "--out", "map.html", "--json").json["points"] == 4


def test_ignored_files_come_when_asked_for_and_quiet_is_quiet(notes, run):
    assert {hit["id"] for hit in run("search", "notes", "plan", "--no-ignore", "--json").json} == {
        "plan.md:3",
        "secret.txt:1",
    }
    assert run("search", "notes", "plan", "--hidden", "-q", "--json").err == ""


def test_forget_and_what_cannot_be(notes, run):
    assert run("forget", "notes").err.startswith("imi: there is no index of the folder notes")
    run("search", "notes", "plan")
    assert run("forget", "notes", "--json").json["indexes"] == 1
    assert run("search", "nowhere", "plan").code == 2
    done = run("add", "notes", "reviews.csv")
    assert done.code == 2 and "no collection" in done.err
    (notes.parent / "none").mkdir()
    done = run("search", "none", "plan")
    assert done.code == 2 and "holds no file that can be read" in done.err and "try:" not in done.err
    (notes.parent / "none" / "cat.png").write_bytes(b"\x89PNG")
    for _ in range(2):  # also when it was looked at before
        said = run("search", "none", "plan").err.splitlines()
        assert "; left out: pictures" in said[0] and said[1].startswith("try: imi add none.imi ")
