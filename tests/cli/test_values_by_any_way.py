"""One table by CSV, JSON Lines and Python, and one answer of each filter."""

import datetime
import decimal
import json

import numpy as np
import pytest

import imi

CSV = """id,text,price,ver,code,active,day,long
1,one item,"1,200",3.9,007,true,2024/9/1,1234567890123456789
2,two items,90,3.10,12,false,2024/10/1,1234567890123456788
3,three items,5,3.11,5,true,2024/1/5,5
"""


def ids(run, name, where):
    done = run("search", name, "item", "--mode", "meaning", "--where", where, "--json")
    assert done.code == 0, done.err
    return sorted(hit["id"] for hit in done.json), done.err


@pytest.fixture
def shop(here, run):
    (here / "a.csv").write_text(CSV)
    run("add", "shop", "a.csv", "--id", "id")
    return "shop"


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("price>=90", ["1", "2"]),
        ("price=1,200", ["1"]),
        ("price=1200", ["1"]),
        ("ver=3.10", ["2"]),
        ("ver=3.1", []),
        ("code=007", ["1"]),
        ("code=7", []),
        ("code in 5,12", ["2", "3"]),
        ("active=true", ["1", "3"]),
        ("active!=true", ["2"]),
        ("day>=2024/9/1", ["1", "2"]),
        ("day=2024-09-01", ["1"]),
        ("day<令和6年9月", ["3"]),
        ("day=2024年10月", ["2"]),
        ("day in 2024-10-01,2024-01-05", ["2", "3"]),
        ("long=1234567890123456789", ["1"]),
        ("long>1234567890123456788", ["1"]),
    ],
)
def test_a_column_compares_as_what_it_is(shop, run, where, expected):
    assert ids(run, shop, where)[0] == expected


def test_the_same_rows_by_json_and_from_python_answer_alike(here, shop, run):
    with imi.open(shop, mode="r") as collection:
        rows = [{**one.metadata, "id": one.id, "text": one.text} for one in collection]
        for row in rows:
            row.pop("imi"), row.pop("source"), row.pop("line")
    (here / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run("add", "b", "b.jsonl", "--id", "id")
    with imi.open("c.imi") as collection:
        collection.add([imi.Document(row["id"], row["text"], row) for row in rows])
    for where in ("price>=90", "ver=3.10", "code=007", "active=true", "day>=2024/9/1", "long=1234567890123456789"):
        found = {name: ids(run, name, where)[0] for name in (shop, "b", "c")}
        assert found["b"] == found[shop] == found["c"], where


def test_a_filter_says_what_it_could_not_compare(here, run):
    (here / "a.csv").write_text("id,text,price,day\n1,one,10,2024/9/1\n2,two,ask,soon\n3,three,30,2024/9/3\n")
    run("add", "c", "a.csv", "--id", "id")
    found, said = ids(run, "c", "price>5")
    assert found == ["1", "3"] and "1 of 3 values of 'price' are not numbers, and were not compared" in said
    found, said = ids(run, "c", "day>2024/9/1")
    assert found == ["3"] and "1 of 3 values of 'day' are not dates, and were not compared" in said
    assert "not compared" not in ids(run, "c", "price=10")[1]
    found, said = ids(run, "c", "price=true")
    assert found == [] and "3 of 3 values of 'price' are not true or false, and were not compared" in said


def test_digits_beyond_64_bits_are_kept(here, run):
    (here / "a.jsonl").write_text('{"id": "a", "text": "x", "n": 123456789012345678901234567890}\n')
    run("add", "c", "a.jsonl", "--id", "id")
    assert run("show", "c", "a", "--json").json["metadata"]["n"] == 123456789012345678901234567890
    assert ids(run, "c", "n=123456789012345678901234567890")[0] == ["a"]
    assert ids(run, "c", "n=123456789012345678901234567891")[0] == []
    with imi.open("c", mode="r") as collection:
        assert collection.count({"n": 123456789012345678901234567890}) == 1
        assert collection.count({"n": 123456789012345678901234567891}) == 0


def test_values_of_data_frames_are_taken_and_others_named(here):
    values = {
        "int64": (np.int64(3), 3),
        "bool": (np.bool_(True), True),
        "float32": (np.float32(0.5), 0.5),
        "date": (datetime.date(2024, 1, 5), "2024-01-05"),
        "datetime": (datetime.datetime(2024, 1, 5, 10, 30), "2024-01-05T10:30:00"),
        "decimal": (decimal.Decimal("1.10"), 1.1),
        "exact": (decimal.Decimal("0.12345678901234567890123"), "0.12345678901234567890123"),
        "array": (np.arange(3), [0, 1, 2]),
        "nothing": (np.datetime64("NaT", "s"), None),
    }
    with imi.open("c.imi") as collection:
        added = [imi.Document("a", "x", {name: value for name, (value, _) in values.items()})]
        collection.add(added)
        assert dict(collection["a"].metadata) == {name: kept for name, (_, kept) in values.items()}
        assert collection.add(added).unchanged == 1
        for value in (float("nan"), b"bytes", object(), np.float64("inf")):
            with pytest.raises(imi.ImiError, match="the metadata field 'Score' is not JSON"):
                collection.add([imi.Document("b", "x", {"Score": value})])
