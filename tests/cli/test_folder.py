"""A plain folder in the place of a collection, on the command line."""

import os
import re

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
    assert "read 1 of 1 file: 1 row" in done.err
    again = run("search", "notes/", "deadline", "--json")
    assert again.json == done.json and again.err == ""
    assert run("ask", "notes", "When is the deadline?", "--json").json["citations"][0]["id"] == "plan.md:3"
    assert run("show", "notes", "plan.md:3", "--json").json["text"].endswith("Friday")
    (notes / "b.txt").write_text("one\ntwo\nthree\n")
    assert run("map", "notes", "--out", "map.html", "--json").json["points"] == 4


def test_a_folder_is_called_as_it_was_given_and_not_by_its_place_in_the_cache(notes, run, monkeypatch):
    (notes.parent / "more").mkdir()
    (notes.parent / "more" / "a.txt").write_text("the deadline of more\n")
    found = run("search", "notes", "deadline", "--also", "more", "--json").json
    assert {hit["collection"] for hit in found} == {"notes", "more"}
    for command in (
        ("recommend", "notes", "--like", "nothing"),
        ("search", "notes", "plan", "--where", "nothing=1"),
        ("show", "notes", "nothing"),
    ):
        done = run(*command)
        assert done.code == 2 and "notes" in done.err and "home" not in done.err, done.err
    monkeypatch.chdir(notes)
    assert f"no row of {notes} has the field" in run("search", ".", "plan", "--where", "nothing=1").err


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
    assert done.code == 2 and "holds no file that can be read" in done.err and "try: --hidden reads" in done.err
    (notes.parent / "none" / "cat.png").write_bytes(b"\x89PNG")
    for _ in range(2):  # also when it was looked at before
        said = run("search", "none", "plan").err.splitlines()
        assert "; left out: pictures" in said[0] and said[1].startswith("try: imi add none.imi ")


def test_what_was_read_and_left_out_is_said_in_japanese(notes, run, monkeypatch):
    monkeypatch.setenv("IMI_LANG", "ja")
    for name, content in {
        "a.bin": b"\0",
        "app.min.js": b"x",
        "b.zip": b"PK",
        "p.png": b"x",
        "bad.txt": b"\x81\xff\xfe\x80b\n",
    }.items():
        (notes / name).write_bytes(content)
    said = run("search", "notes", "deadline").err.splitlines()
    assert said[0] == "5 ファイル中 5 ファイルを読みました：1 行" and len(said) == 6
    letters = "".join(said).replace("imi add", "")
    for name in ("a.bin", "app.min.js", "b.zip", "p.png", "bad.txt", "0x81", "utf-8", "--encoding cp1252"):
        letters = letters.replace(name, "", 1)
    assert not re.findall(r"[A-Za-z]+", letters)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_said_by_its_own_name(notes, run):
    (notes / "locked").mkdir(mode=0)
    (notes / "no.txt").touch(mode=0)
    said = run("search", "notes", "deadline").err
    assert "left out, cannot be read: locked" in said and "left out no.txt: permission denied\n" in said
    done = run("search", "notes/locked", "deadline")
    assert done.code == 2 and done.err.endswith("locked: permission denied\n")
