"""What imi notes of a row itself stays apart from the user's columns, whatever these are called."""

import json

import pytest

import imi
from imi.records import facts_of, own_facts, user_fields, with_facts


def rows(name):
    with imi.open(name, mode="r") as collection:
        return {one.text: dict(one.metadata) for one in collection.documents()}


def test_facts_are_under_a_key_of_their_own_and_readable_by_their_plain_names():
    made = with_facts({"Score": 5}, {"source": "a.csv", "line": 2, "heading": None})
    assert made == {"source": "a.csv", "line": 2, "Score": 5, "imi": {"source": "a.csv", "line": 2}}
    assert user_fields(made) == {"source": "a.csv", "line": 2, "Score": 5}


def test_a_column_of_the_same_name_stays_the_users():
    made = with_facts({"source": "press", "line": "U3"}, {"source": "a.csv", "line": 2})
    assert (made["source"], made["line"]) == ("press", "U3")
    assert own_facts(made) == {"source": "a.csv", "line": 2}
    again = with_facts(made, {"source": "z.zip/a.csv"})
    assert again["source"] == "press" and own_facts(again) == {"source": "z.zip/a.csv", "line": 2}


def test_rows_of_an_older_imi_say_it_by_their_fields():
    assert facts_of({"source": "a.txt", "line": 3, "Score": 1}) == {"source": "a.txt", "line": 3}
    assert own_facts({"source": "a.txt"}) == {}


@pytest.mark.parametrize("name", ["source", "line", "page", "heading"])
def test_users_columns_are_searched_and_shown_as_they_are(here, run, name):
    (here / "t.csv").write_text(f"id,text,{name}\n1,tea,mine\n2,coffee,yours\n")
    run("add", "c", "t.csv", "--id", "id")
    assert [row[name] for row in rows("c").values()] == ["mine", "yours"]
    found = run("search", "c", "tea", "--where", f"{name}=mine", "--json").json
    assert [hit["id"] for hit in found] == ["1"]
    assert [own_facts(row) for row in rows("c").values()] == [
        {"source": "t.csv", "line": 2},
        {"source": "t.csv", "line": 3},
    ]
    assert len(run("search", "c", "tea", "--where", "imi.source=t.csv", "--json").json) == 2


def test_a_column_called_like_the_key_is_left_out(here, run):
    (here / "t.csv").write_text("id,text,imi\n1,tea,x\n")
    run("add", "c", "t.csv", "--id", "id")
    assert rows("c")["tea"]["imi"] == {"source": "t.csv", "line": 2}


def test_a_row_that_names_another_file_stays_when_that_file_changes_or_goes(here, run):
    folder = here / "d"
    folder.mkdir()
    (folder / "a.txt").write_text("first\nsecond\n")
    (folder / "c.jsonl").write_text('{"text": "a comment", "source": "d/a.txt"}\n')
    run("add", "c", "d", "--sync")
    (folder / "a.txt").write_text("first\n")
    assert run("add", "c", "d", "--sync", "--json").json["removed"] == 1
    assert set(rows("c")) == {"first", "a comment"}
    (folder / "a.txt").unlink()
    assert run("add", "c", "d", "--sync", "--json").json["removed"] == 1
    assert set(rows("c")) == {"a comment"}
    (folder / "c.jsonl").write_text('{"text": "another", "source": "d/a.txt"}\n')
    run("add", "c", "d", "--sync")
    assert set(rows("c")) == {"another"}
    (folder / "c.jsonl").unlink()
    (folder / "b.txt").write_text("b\n")
    run("add", "c", "d", "--sync")
    assert set(rows("c")) == {"b"}


def test_rows_added_from_python_belong_to_no_file(here, run):
    folder = here / "d"
    folder.mkdir()
    (folder / "a.txt").write_text("first\nsecond\n")
    run("add", "c", "d", "--sync")
    with imi.open("c") as collection:
        collection.add([imi.Document("mine", "my note on it", {"source": "d/a.txt", "line": 1})])
    (folder / "a.txt").write_text("first\n")
    run("add", "c", "d", "--sync")
    assert set(rows("c")) == {"first", "my note on it"}


def as_older(name):
    """Make a collection what an imi without a key of its own wrote: the facts are plain fields, notes have no form."""
    with imi.open(name) as collection:
        store = collection._store
        with store.writing():
            store.connection.execute(
                "DROP INDEX documents_origin; DROP TRIGGER documents_deep; DROP TABLE deep_vectors"
            )
            for stored in list(store.documents()):
                plain = user_fields(stored.document.metadata)
                text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
                document = imi.Document(stored.document.id, stored.document.text, plain)
                store.replace_metadata(stored.row, document, text)
            store.connection.execute("DELETE FROM fields WHERE name = 'imi'")
            store.connection.execute("UPDATE sources SET digest = substr(digest, 3)")
            store.connection.pragma("user_version", 2)


def test_collections_of_an_older_imi_open_and_go_on(here, run):
    folder = here / "d"
    folder.mkdir()
    (folder / "a.txt").write_text("first\nsecond\n")
    (folder / "b.txt").write_text("third\n")
    (folder / "c.txt").write_text("fourth\n")
    run("add", "c", "d")
    as_older("c")
    done = run("search", "c", "first", "--where", "source=d/a.txt", "--json")
    assert done.code == 0, done.err
    assert len(done.json) == 2
    with imi.open("c", mode="r") as collection:
        assert len(collection) == 4
    (folder / "a.txt").write_text("first\n")
    (folder / "c.txt").unlink()
    done = run("add", "c", "d", "--sync", "--json").json
    assert (done["added"], done["removed"]) == (0, 2)
    assert {text: own_facts(row)["source"] for text, row in rows("c").items()} == {
        "first": "d/a.txt",
        "third": "d/b.txt",
    }
    assert run("add", "c", "d", "--json").json["unchanged"] == 2
