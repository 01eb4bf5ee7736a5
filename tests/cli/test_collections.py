import imi


def test_show_a_collection_and_a_row(reviews, run):
    shown = run("show", "reviews", "--json").json
    assert {"name", "count", "model", "fingerprint", "dims", "bytes", "index"} <= set(shown)
    assert (shown["name"], shown["count"], shown["model"], shown["dims"]) == ("reviews", 60, "hash", 64)
    row = run("show", "reviews", "58", "--json").json
    assert row["id"] == "58" and "😋" in row["text"] and row["metadata"]["line"] == 59
    assert dict(row[:2] for row in run("show", "reviews").rows)["rows"] == "60"
    done = run("show", "reviews", "61")
    assert done.code == 2 and "no row with the id '61'" in done.err


def test_ls(reviews, run):
    assert [one["name"] for one in run("ls", "--json").json] == ["reviews"]
    assert run("ls").rows[0][:4] == ["reviews.imi", "60", "hash", "64"]
    (reviews / "empty").mkdir()
    done = run("ls", "empty")
    assert (done.code, done.out) == (0, "") and "no collection in empty" in done.err
    assert run("ls", "nowhere").code == 2


def test_rm_by_id_by_filter_and_from_standard_input(reviews, run):
    assert run("rm", "reviews", "1", "2", "--json").json == {"removed": 2}
    assert run("rm", "reviews", "-", "--json", stdin="3\n4\n").json == {"removed": 2}
    low = sum(document.metadata["Score"] <= 2 for document in imi.open("reviews", mode="r").documents())
    assert run("rm", "reviews", "--where", "Score<=2", "--json").json == {"removed": low}
    assert run("show", "reviews", "--json").json["count"] == 56 - low
    for arguments in ([], ["1", "--where", "Score=1"]):
        assert run("rm", "reviews", *arguments).code == 2
    assert run("rm", "nowhere", "1").code == 2 and not (reviews / "nowhere.imi").exists()


def test_rm_names_the_ids_that_are_not_there_and_removes_the_others(reviews, run):
    done = run("rm", "reviews", "nothing")
    assert done.code == 2 and "reviews has no row with the id 'nothing'" in done.err and done.rows == [["0"]]
    assert run("show", "reviews", "--json").json["count"] == 60
    done = run("rm", "reviews", "1", "99", "2", "99", "98", "--json")
    assert done.code == 2 and "'99', '98'" in done.err
    assert done.json == {"removed": 2, "missing": ["99", "98"]}
    done = run("rm", "reviews", "-", stdin="\n".join(map(str, range(50, 1200))))
    assert done.code == 2 and "'61', '62', '63', '64', '65' …" in done.err and done.rows == [["11"]]
    done = run("rm", "reviews", "--where", "Score=77")
    assert done.code == 0 and "no row matches the filter" in done.err and done.rows == [["0"]]
