"""Where a table begins: with a header of any form, or with rows at once."""

import pytest

from imi.errors import DataError
from imi.text.readers import ReadOptions, Report, read
from imi.text.readers.headers import is_row


def taken(path, text, **options):
    report = Report()
    path.write_bytes(text.encode())
    found = list(read(str(path), ReadOptions(report=report, **options)))
    return [one.document for one in found], [notice.text for notice in report.notices]


@pytest.mark.parametrize(
    ("first", "below", "row"),
    [
        (["1", "apple pie", "3.2"], [["2", "banana", "4"]], True),
        (["apple is good", "2024-01-01"], [["banana", "2024-02-01"]], True),
        (["りんご", "100"], [["みかん", "200"]], True),
        (["tom@example.com", "Tom"], [["ann@example.com", "Ann"]], True),
        (["¥1,200", "tea"], [["¥90", "coffee"]], True),
        (["true", "x"], [["false", "y"]], True),
        (["I like this shop a lot, really.", "5"], [["The beans came late and broken.", "1"]], True),
        ([1, "a"], [[2, "b"]], True),
        (["年", "2021", "2022"], [["東京", "1", "2"]], False),
        (["", "0", "1"], [["0", "5", "6"]], False),
        (["2024-01", "2024-02"], [["3", "4"]], False),
        (["name", "age"], [["Tom", "12"]], False),
        (["りんご", "赤"], [["みかん", "黄"]], False),
        (["What did you like about the shop?", "n"], [["I liked the beans and the staff.", "5"]], False),
        (["id", "5"], [["1", "6"]], False),
        (["1", "2", "3"], [], True),
    ],
)
def test_values_above_values_are_a_row(first, below, row):
    assert is_row(first, below) is row


def test_a_table_without_a_header_keeps_its_first_row(tmp_path):
    rows, said = taken(tmp_path / "a.csv", "1,apple pie,3.2\n2,banana bread,4\n")
    assert [row.text for row in rows] == ["1; apple pie; 3.2", "2; banana bread; 4"]
    assert rows[0].metadata["column 3"] == 3.2 and rows[0].id.endswith(":1")
    assert "the table has no header" in said[0] and "--header says so" in said[0]
    assert [row.text for row in taken(tmp_path / "b.csv", "1,2\n2,3\n", header=True)[0]] == ["1: 2; 2: 3"]
    names = taken(tmp_path / "c.csv", "red,green\nblue,black\n", header=False, template="{column 2}!")[0]
    assert [row.text for row in names] == ["green!", "black!"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,,price,\n1,x,2,z\n", {"id": 1, "column 2": "x", "price": 2, "column 4": "z"}),
        ("a,b\n1,x,y\n2,z,w\n", {"a": "x", "b": "y"}),
        ("k,b\nm,x,y\nn,z,w\n", {"k": "m", "b": "x", "column 3": "y"}),
        ("a,note,note\nx,y,z\n", {"a": "x", "note": "y", "note 2": "z"}),
        ("'a','b'\n'x, y','z'\n", {"a": "x, y", "b": "z"}),
        ("k,b\nm,x,y,z\nn,z\no,p,q\n", {"k": "m", "b": "x", "column 3": "y", "column 4": "z"}),
        ("a^b\nx^y\n", {"a": "x", "b": "y"}),
        ("title\nhello, world\nbye, all, friends\n", {"title": "hello, world"}),
        ('a,b\nx,"say \\"hi\\", you"\n', {"a": "x", "b": 'say "hi", you'}),
        ("a,b\nx,y\n , \n", {"a": "x", "b": "y"}),
        ('a, b\nx, "1,200"\n', {"a": "x", "b": 1200}),
        ("T,T,T,T,n\na,b,c,d,e\nv,w,x,y,z\n", {"a": "v", "b": "w", "c": "x", "d": "y", "e": "z"}),
    ],
)
def test_headers_and_separators_of_other_forms(tmp_path, text, expected):
    rows, _ = taken(tmp_path / "a.csv", text)
    assert {
        name: value for name, value in rows[0].metadata.items() if name not in ("imi", "source", "line")
    } == expected


def test_a_column_that_occurs_twice_is_not_asked_for(tmp_path):
    with pytest.raises(DataError, match="two columns called 'a'"):
        taken(tmp_path / "a.csv", "a,a\nx,y\n", columns=("a",))


def test_quotes_of_tabs_as_spreadsheets_write_them(tmp_path):
    assert taken(tmp_path / "a.tsv", 'id\ttext\n1\t"a\tb"\n2\t"c ""d"""\n')[0][0].text == "a\tb"
    assert taken(tmp_path / "b.tsv", 'id\ttext\n1\t"open\n2\tb\n')[0][0].text == '"open'


def test_a_header_in_another_encoding_costs_its_letters_alone(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,text,\x81\xff\x9a\n1,a,b\n")
    (row,) = read(str(path), ReadOptions())
    assert row.document.text == "a"


def test_a_sign_that_stands_alone_is_western(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b,c\n1,2,3\n4,5,\xa9\n")
    report = Report()
    rows = list(read(str(path), ReadOptions(report=report)))
    assert rows[1].document.metadata["c"] == "©"
    assert any(notice.text.startswith("read as latin-1") for notice in report.notices)
