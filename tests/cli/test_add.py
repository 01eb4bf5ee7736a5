import json

import pytest

import imi
from imi.records import with_facts

SENTENCES = "AIは素晴らしい！\nうちの猫はタマと言います\nうちのペットはいつも寝ています\n金魚は夜は休むのかな？\n"


def test_adding_again_changes_nothing_and_a_changed_row_is_updated(reviews, run):
    command = (
        "add",
        "reviews",
        "reviews.csv",
        "--id",
        "Id",
        "--template",
        "Title: {Summary}; Content: {Text}",
        "--json",
    )
    assert run(*command).json == {"added": 0, "updated": 0, "unchanged": 60, "removed": 0, "failed": []}
    text = (reviews / "reviews.csv").read_text("utf-8").replace("Real maple flavour", "True maple flavour")
    (reviews / "reviews.csv").write_text(text, "utf-8")
    assert run(*command).json == {"added": 0, "updated": 1, "unchanged": 59, "removed": 0, "failed": []}
    with imi.open("reviews", mode="r") as collection:
        document = collection.get("26")
        assert document.text.startswith("Title: True maple flavour; Content: Pure maple syrup")
        assert (document.metadata["source"], document.metadata["Score"]) == ("reviews.csv", 5)
        assert collection.info.model == "hash"


def test_a_new_collection_gets_the_suffix(here, run):
    (here / "four.txt").write_text(SENTENCES, "utf-8")
    done = run("add", "notes", "four.txt")
    assert (done.code, done.rows) == (0, [["added", "4"]])
    assert (here / "notes.imi").is_dir()
    assert run("show", "notes", "--json").json["count"] == 4
    assert run("show", "notes", "four.txt:2", "--json").json["text"] == "うちの猫はタマと言います"


def test_standard_input(here, run):
    assert run("add", "notes", "-", stdin=SENTENCES).rows == [["added", "4"]]
    assert run("add", "lines", "-", stdin='{"text": "猫", "n": 1}\n{"text": "犬"}\n').rows == [["added", "2"]]
    assert run("show", "lines", "stdin:1", "--json").json["metadata"] == with_facts(
        {"n": 1}, {"source": "-", "line": 1}
    )
    assert run("add", "notes", "-", "-").code == 2
    empty = run("add", "notes", "-", stdin="")
    assert empty.code == 1 and "holds no rows" in empty.err


def test_strict_stops_at_a_broken_line_before_anything_is_written(reviews, run):
    lines = (reviews / "reviews.csv").read_text("utf-8").splitlines()
    many = [lines[0], *[line.replace(",", f"{n},", 1) for n in range(9) for line in lines[1:]]][:1001]
    many[500] = "501,B,U"
    (reviews / "broken.csv").write_text("\n".join(many), "utf-8")
    before = run("show", "reviews", "--json").out
    done = run("add", "reviews", "broken.csv", "--id", "Id", "--strict")
    assert done.code == 1 and done.out == ""
    assert "broken.csv:501: 3 columns, the header has 10" in done.err
    assert "1 row of" in done.err and "nothing was added" in done.err and "try: " in done.err
    assert run("show", "reviews", "--json").out == before
    new = run("add", "other", "broken.csv", "--id", "Id", "--strict")
    assert new.code == 1 and not (reviews / "other.imi").exists()


def test_a_bad_row_is_named_and_the_rest_is_taken(here, run):
    (here / "a.jsonl").write_text('{"text": "a"}\n{"text":\n{"text": "b"}\n', "utf-8")
    done = run("add", "c", "a.jsonl", "--json")
    assert done.code == 0 and done.json["added"] == 2
    assert [(one["source"], one["line"]) for one in done.json["failed"]] == [("a.jsonl", 2)]
    assert "left out a.jsonl:2: not JSON" in done.err
    assert run("add", "c", "a.jsonl", "--skip-errors", "-q").err == ""
    assert run("add", "c", "a.jsonl", "--skip-errors", "--strict").code == 2
    (here / "b.jsonl").write_text('{"text":\n[]\n', "utf-8")
    none = run("add", "d", "b.jsonl")
    assert none.code == 1 and "b.jsonl:1: not JSON" in none.err and not (here / "d.imi").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["missing.csv"], 1, "missing.csv: no such file or folder"),
        (["reviews.csv", "--template", "{Txt}"], 2, "no column 'Txt', it has: Id, ProductId, UserId"),
        (["reviews.csv", "--id", "Nr"], 2, "no column 'Nr'"),
        (["reviews.csv", "--columns", "Score,Stars"], 2, "no column 'Stars'"),
        (["sjis.csv", "--strict"], 1, "sjis.csv:3: byte 0x94 is not utf-8; --encoding cp932 may be right"),
        (["reviews.csv", "--encoding", "klingon"], 2, "'klingon' is unknown"),
        (["four.txt", "--template", "{a}"], 2, "--template speaks of columns"),
        (["four.txt", "--no-header"], 2, "--no-header speaks of columns"),
        (["picture.bin"], 1, "cannot be read"),
        ([], 2, "missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_leaves_no_collection(here, run, arguments, code, told):
    (here / "sjis.csv").write_bytes("Id,Text\n1,ok\n2,猫\n".encode("cp932"))
    (here / "four.txt").write_text(SENTENCES, "utf-8")
    (here / "picture.bin").write_bytes(b"\0")
    done = run("add", "new", *arguments)
    assert done.code == code and done.out == "" and told in done.err, done.err
    assert done.err.count("imi: ") == 1 and "Traceback" not in done.err
    assert not (here / "new.imi").exists() and not (here / "new").exists()
    if "sjis.csv" in arguments:
        assert run("add", "new", "sjis.csv", "--encoding", "cp932").code == 0


def test_another_model_or_something_else_in_its_place(reviews, run):
    done = run("add", "reviews.csv", "reviews.csv")
    assert done.code == 2 and "is a file, a collection is a folder" in done.err
    done = run("add", "reviews", "reviews.csv", "--model", "nonsense")
    assert done.code == 2 and "unknown model 'nonsense'" in done.err


def test_vectors_of_ones_own_without_text(here, run):
    users = [{"user": f"u{n}", "activity": [0.1 * n, 0.02, 1.0]} for n in range(1, 6)]
    (here / "users.jsonl").write_text("\n".join(map(json.dumps, users)), "utf-8")
    assert run("add", "users", "users.jsonl", "--vectors", "activity", "--id", "user", "--columns", "user").code == 0
    (here / "ask.json").write_text("[0.5, 0.02, 1.0]", "utf-8")
    found = run("search", "users", "--vector", "ask.json", "-k", "2", "--json").json
    assert found[0]["id"] == "u5" and found[0]["score"] == pytest.approx(1, abs=1e-6)
    (here / "wide.jsonl").write_text('{"user": "w", "activity": [1, 2]}', "utf-8")
    refused = run("add", "users", "wide.jsonl", "--vectors", "activity", "--id", "user")
    assert refused.code in (1, 2) and run("show", "users", "--json").json["count"] == 5
    words = run("search", "users", "cat", "--mode", "meaning")
    assert words.code != 0 and words.err.count("imi: ") == 1 and "Traceback" not in words.err


def test_the_cookbooks_csv_carries_its_vectors_as_literal_lists(here, run, shared_data):
    source = shared_data / "embeddings" / "ada002_ru_100_with_embeddings.csv.gz"
    done = run("add", "ada", source, "--vectors", "embedding", "--id", "ID", "--template", "{combined}", "--json")
    assert done.code == 0 and done.json["added"] == 100, done.err
    assert run("show", "ada", "--json").json["dims"] == 1536


def test_folders_leave_out_what_git_ignores_unless_asked(here, run):
    for name, text in {".gitignore": "secret*\n", "secret.txt": "plan\n", "a.txt": "open\n", ".b.txt": "dot\n"}.items():
        (here / "notes" / name).parent.mkdir(exist_ok=True)
        (here / "notes" / name).write_text(text)
    assert run("add", "c.imi", "notes", "--json").json["added"] == 1
    assert run("add", "d.imi", "notes", "--hidden", "--json").json["added"] == 2
    assert run("add", "e.imi", "notes", "--no-ignore", "--json").json["added"] == 2
    assert run("add", "c.imi", "notes", "--no-ignore", "--sync", "--json").json["added"] == 1
    assert run("add", "c.imi", "notes", "--sync", "--json").json["removed"] == 1


def test_text_files_say_how_they_were_read_and_rows_decides(here, run):
    (here / "four.txt").write_text("one line\nanother line\nthird\n")
    (here / "talk.txt").write_text("A talk\n\nA paragraph says something here.\n\nAnd another one does.\n")
    done = run("add", "c", "four.txt", "--json")
    assert done.json["added"] == 3 and "four.txt read a row a line; --rows passages" in done.err
    done = run("add", "d", "talk.txt", "--json")
    assert done.json["added"] == 1 and "talk.txt read in passages; --rows lines" in done.err
    done = run("add", "e", "talk.txt", "--rows", "lines", "--json")
    assert done.json["added"] == 3 and "--rows" not in done.err
    assert run("add", "f", "four.txt", "--rows", "passages", "--json").json["added"] == 1
    assert "read a row a line" not in run("add", "g", "four.txt", "-q").err
    wrong = run("add", "h", "four.txt", "--rows", "pages")
    assert wrong.code == 2 and "'pages', allowed are lines and passages" in wrong.err
    table = run("add", "i", "reviews.csv", "--rows", "lines")
    assert table.code == 2 and "--rows speaks of text files" in table.err
    piped = run("add", "j", "-", "--rows", "passages", "--json", stdin="A first one.\n\nA second one.\n")
    assert piped.json["added"] == 1


def test_own_vectors_and_ids_in_a_column_come_with_hints_that_fit(here, run):
    rows = ['{"id": "a", "vector": [0.1, 0.9]}', '{"id": "b", "vector": [0.2, 0.8]}']
    (here / "v.jsonl").write_text("\n".join(rows), "utf-8")
    assert "--id id takes them from that column" in run("add", "plain", "v.jsonl", "--vectors", "vector").err
    assert "has no row with the id 'a'" in run("recommend", "plain", "--like", "a").err
    done = run("add", "named", "v.jsonl", "--vectors", "vector", "--id", "id")
    assert done.code == 0 and "--id" not in done.err
    assert [row[1] for row in run("recommend", "named", "--like", "a").rows] == ["b"]
    assert "search with --vector FILE" in run("search", "named", "猫").err
