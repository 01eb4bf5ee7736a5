"""Adding a folder again: unchanged files are not read, changed ones replaced, vanished ones removed with --sync."""

from pathlib import Path

import pytest

import imi.text.readers


@pytest.fixture
def folder(here):
    notes = here / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("# One\nfirst\n\n# Two\nsecond\n")
    (notes / "b.txt").write_text("alpha\nbeta\n")
    return notes


def counts(done):
    assert done.code == 0, done.err
    return {key: value for key, value in done.json.items() if value and key not in ("failed", "summary")}


def test_unchanged_files_are_not_read_again(folder, run, monkeypatch):
    assert counts(run("add", "c", "notes", "--json")) == {"added": 4}

    def refuse(path, options):
        raise AssertionError(f"{path} was read again")

    monkeypatch.setitem(imi.text.readers.READERS, ".txt", refuse)
    monkeypatch.setitem(imi.text.readers.READERS, ".md", refuse)
    assert counts(run("add", "c", "notes", "--json")) == {"unchanged": 4}
    assert counts(run("add", "c", "notes/b.txt", "--json")) == {"unchanged": 2}


def test_a_changed_file_is_replaced(folder, run):
    run("add", "c", "notes")
    (folder / "b.txt").write_text("alpha\n")
    (folder / "a.md").write_text("# One\nfirst, changed\n\n# Two\nsecond\n")
    # The second section is the same, but stands at another place.
    assert counts(run("add", "c", "notes", "--json")) == {"updated": 2, "unchanged": 1, "removed": 1}
    assert run("show", "c", "--json").json["count"] == 3


def test_vanished_files_go_only_with_sync(folder, run):
    run("add", "c", "notes")
    (folder / "b.txt").unlink()
    assert counts(run("add", "c", "notes", "--json")) == {"unchanged": 2}
    assert run("show", "c", "--json").json["count"] == 4
    assert counts(run("add", "c", "notes", "--sync", "--json")) == {"unchanged": 2, "removed": 2}
    assert run("show", "c", "--json").json["count"] == 2


def test_deleted_rows_and_other_ways_of_reading_are_noticed(folder, run):
    run("add", "c", "notes")
    run("rm", "c", "notes/b.txt:2")
    assert counts(run("add", "c", "notes", "--json")) == {"added": 1, "unchanged": 3}
    (folder / "t.csv").write_text("text,n\nhello,1\n")
    run("add", "c", "notes/t.csv")
    assert counts(run("add", "c", "notes/t.csv", "--template", "{text} {n}", "--json")) == {"updated": 1}


def test_a_file_with_a_bad_row_is_read_again(folder, run):
    (folder / "j.jsonl").write_text('{"text": "x"}\nno json\n')
    first = run("add", "c", "notes", "--skip-errors", "--json")
    assert len(first.json["failed"]) == 1
    again = run("add", "c", "notes", "--skip-errors", "--json")
    assert len(again.json["failed"]) == 1 and again.json["unchanged"] == 5


def test_a_broken_file_in_a_folder_stops_nothing_and_one_that_is_named_does_with_strict(folder, run):
    (folder / "broken.jsonl").write_text("no json\n")
    done = run("add", "c", "notes", "--json")
    assert done.code == 0 and [one["source"] for one in done.json["failed"]] == ["notes/broken.jsonl"]
    assert done.json["added"] == 4
    named = run("add", "d", "notes", "notes/broken.jsonl", "--strict")
    assert named.code == 1 and "nothing was added" in named.err and not Path("d.imi").exists()
    alone = folder / "alone"
    alone.mkdir()
    (alone / "broken.jsonl").write_text("no json\n")
    nothing = run("add", "e", "notes/alone")
    assert nothing.code == 1 and "broken.jsonl:1" in nothing.err and not Path("e.imi").exists()


def test_watching_adds_what_changes_until_it_is_interrupted(folder, run, monkeypatch):
    steps = [
        lambda: (folder / "b.txt").write_text("alpha\nbeta\ngamma\n"),
        lambda: (folder / "new.txt").write_text("delta\n"),
        lambda: (folder / "broken.jsonl").write_text("no json\n"),
        lambda: (folder / "broken.jsonl").unlink(),
    ]

    def sleep(_):
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    monkeypatch.setattr("imi.ingest.watching.time.sleep", sleep)
    done = run("add", "c", "notes", "--watch")
    assert done.code == 130
    assert "left out notes/broken.jsonl:1: not JSON" in done.err
    assert run("show", "c", "--json").json["count"] == 6
    assert run("add", "c", "-", "--watch", stdin="x\n").code == 2


def test_what_a_source_must_be_is_checked(here, run):
    run("add", "a.imi", "reviews.csv", "--id", "Id", "-q")
    run("export", "a.imi", "out.jsonl")
    assert run("add", "b.imi", "out.jsonl", "--from", "imi", "--json").json["added"] > 0
    done = run("add", "c.imi", "out.jsonl", "--from", "chroma")
    assert done.code == 2 and "out.jsonl is of the kind imi, not chroma" in done.err
    assert "reviews.csv is nothing that was exported" in run("add", "c.imi", "reviews.csv", "--from", "llm").err
    assert "allowed are imi, llm, chroma, lancedb" in run("add", "c.imi", "reviews.csv", "--from", "weaviate").err
