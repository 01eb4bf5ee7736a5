"""Tables as people have them: what is a row is taken, what is not is named by its line."""

import datetime
import gzip
from decimal import Decimal

import pytest

from imi.errors import Failure, UsageError
from imi.text.readers import ReadOptions, Report, read, tables


def taken(path, **options):
    """Return the texts or metadata of rows, the failures by line, and the notices by line."""
    report = Report()
    items = list(read(str(path), ReadOptions(report=report, **options)))
    rows = [item.document for item in items if not isinstance(item, Failure)]
    return rows, {item.line: item.reason for item in items if isinstance(item, Failure)}, report


def said(report):
    return {(notice.line, notice.text.split(":")[0]) for notice in report.notices}


def test_titles_blank_rows_and_footers_are_no_rows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "売上一覧\n作成日,2024/1/1,,,\n\nid,name,n,a,b\n1,tea,5,x,y\n,,,,\n2,coffee,7,x,y\n※暫定値\n", "utf-8"
    )
    rows, failed, report = taken(path, id="id")
    assert [row.id for row in rows] == ["1", "2"] and not failed
    assert said(report) == {
        (1, "the line is above the header and not a row"), (2, "the line is above the header and not a row"),
        (6, "1 row is blank"), (8, "the line is below the table and not a row"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sep=;\nid;text\n1;coffee, black\n", ["coffee, black"]),
        ("id|text\n1|a, b\n2|c; d\n", ["a, b", "c; d"]),
        ("id\ttext\n1\ta, b\n", ["a, b"]),
        ('id;text\n1;"a;b"\n2;c\n', ["a;b", "c"]),
        ("text\nhello, world\nfoo\n", ["hello, world", "foo"]),
        ("id,text\r\n1,a\r\n\r\n2,b\r\n", ["a", "b"]),
    ],
)
def test_separators(tmp_path, text, expected):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    rows, failed, _ = taken(path)
    assert [row.text for row in rows] == expected and not failed


def test_a_quote_that_is_never_closed_costs_its_line(tmp_path):
    lines = ["id,text,n"] + [f"{at},row {at},{at}" for at in range(2, 200)]
    lines[5] = '6,"never closed,6'
    lines[90] = '91,"this, one is fine",91'
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines) + "\n")
    rows, failed, _ = taken(path)
    assert len(rows) == 197 and list(failed) == [6] and "never closed" in failed[6]
    assert {row.text for row in rows} >= {"row 5", "row 7", "this, one is fine", "row 199"}


def test_a_cell_of_several_lines_stays_one(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,text\n1,"one\ntwo, three\nfour"\n2,b\n')
    rows, failed, _ = taken(path)
    assert [row.text for row in rows] == ["one\ntwo, three\nfour", "b"] and not failed


def test_columns_without_a_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",text,,note\n0,a,x,\n1,b,,\n")
    rows, failed, report = taken(path)
    assert not failed and rows[0].metadata["column 3"] == "x" and "" not in rows[0].metadata
    assert {notice.text for notice in report.notices} == {
        "the first column has no name and counts the rows: it is left out",
        "column 3 has no name: it is called 'column 3'",
    }


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["5", "7"], [5, 7]),
        (["05", "7"], ["05", "7"]),
        (["3.9", "3.10"], ["3.9", "3.10"]),
        (["3.50", "3.10"], [3.5, 3.1]),
        (["1e-05", "0.5"], [1e-05, 0.5]),
        (["1e5", "2e5"], ["1e5", "2e5"]),
        (["1,200", "90"], [1200, 90]),
        (["１２", "5"], [12, 5]),
        (["true", "FALSE"], [True, False]),
        (["$1,200.50", "$3", ""], [1200.5, 3, None]),
        (["¥3,000", "￥500"], [3000, 500]),
        (["3,000円", "▲200円", "５００円"], [3000, -200, 500]),
        (["€1.234,56", "€99"], [1234.56, 99]),
        (["1.234,56 €", "0,99 €", "1.500 €"], [1234.56, 0.99, 1500]),
        (["$5", "free"], ["$5", "free"]),
        (["$5", "$7", "free"], [5, 7, "free"]),
        (["$5", "€7"], ["$5", "€7"]),
        (["€1.200", "€950"], ["€1.200", "€950"]),
        (["12.5 %", "3%"], [12.5, 3]),
        (["30%", "0.3"], ["30%", "0.3"]),
        (["(1,200)", "300", "450"], [-1200, 300, 450]),
        (["(1)", "(2)"], ["(1)", "(2)"]),
        (["−5", "7"], [-5, 7]),
        (["–5.5", "7.25"], [-5.5, 7.25]),
        (["1e5", "0.5"], [100000.0, 0.5]),
        (["1,5", "2,75"], ["1,5", "2,75"]),
        (["555 123", "555 124"], ["555 123", "555 124"]),
        (["45000", "45001"], [45000, 45001]),
        (["yes", "No", ""], [True, False, None]),
        (["はい", "いいえ"], [True, False]),
        (["Y", "N"], [True, False]),
        (["no", "no"], ["no", "no"]),
        (["NO", "SE"], ["NO", "SE"]),
        (["yes", "no", "maybe"], ["yes", "no", "maybe"]),
        (["TRUE", "FALSE"], [True, False]),
        (["5", "n/a", "7"], [5, "n/a", 7]),
        (["Ann", "42", "Bob"], ["Ann", "42", "Bob"]),
        (["1234567890123456789", "5"], [1234567890123456789, 5]),
        (["12345678901234567890", "5"], ["12345678901234567890", "5"]),
        (["2024/9/1", "2024/10/1"], ["2024/9/1", "2024/10/1"]),
    ],
)
def test_a_column_has_one_type(tmp_path, cells, values):
    path = tmp_path / "a.csv"
    path.write_text("id,text,x\n" + "".join(f'{at},t,"{cell}"\n' for at, cell in enumerate(cells)), "utf-8")
    rows, _, _ = taken(path)
    assert [row.metadata.get("x") for row in rows] == values
    assert [type(row.metadata.get("x")) for row in rows] == list(map(type, values))


def test_commas_before_fractions_where_semicolons_separate(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id;preis;menge\n1;1,5;1.200\n2;12,25;7\n3;1.234,00;8\n")
    rows, _, report = taken(path)
    assert [row.metadata["preis"] for row in rows] == [1.5, 12.25, 1234.0]
    assert [row.metadata["menge"] for row in rows] == [1.2, 7, 8]  # nothing in it says that its point is another
    assert [notice.text for notice in report.notices] == [
        "the column 'preis' has a comma before its fractions: 1,5 is read as 1.5"
    ]


def test_amounts_are_said_and_stay_in_the_text_as_written(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,price,share,fee\n1,"$1,200.50",5%,$1\n2,$3,7 %,€1\n')
    rows, _, report = taken(path)
    assert rows[0].text == "id: 1; price: $1,200.50; share: 5%; fee: $1"
    assert [notice.text for notice in report.notices] == [
        "the column 'price' holds amounts in $: kept as numbers, without the sign",
        "the column 'share' holds percents: kept as numbers, without the sign",
        "the column 'fee' holds amounts in $ and €: kept as texts",
    ]


@pytest.mark.parametrize("join", [", ", " ", "  ", "\n "])
def test_vectors_are_no_text_even_where_the_first_cell_is_empty(tmp_path, join):
    vector = "[" + join.join(f"0.{at}" for at in range(10, 26)) + "]"
    path = tmp_path / "a.csv"
    path.write_text(f'id,title,embedding\n1,cat,\n2,dog,"{vector}"\n')
    rows, _, report = taken(path)
    assert [row.text for row in rows] == ["id: 1; title: cat", "id: 2; title: dog"]
    assert report.dropped == {"embedding": "it holds vectors; --vectors uses them"}
    found = list(read(str(path), ReadOptions(vectors="embedding", id="id")))
    assert found[1].vector.shape == (16,) and isinstance(found[0], Failure)


def test_a_cut_gzip_gives_what_stands_before_the_cut(tmp_path):
    packed = gzip.compress(b"id,text\n" + b"".join(b"%d,row %d\n" % (at, at * 7919 % 1000) for at in range(3000)))
    (tmp_path / "a.csv.gz").write_bytes(packed[: len(packed) // 2])
    rows, failed, _ = taken(tmp_path / "a.csv.gz")
    assert 500 < len(rows) < 3000 and list(failed.values()) == ["the compressed file is cut off"]


def test_sheets_are_tables_with_types(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    first = book.active
    first.title = "在庫"
    for row in (["在庫表"], [], ["品番", "品名", "数", "備考", "日付"]):
        first.append(row)
    first.append(["00007", "りんご", 5, None, datetime.datetime(2024, 9, 1)])
    first.append(["00008", "みかん", 2.5, "NA", datetime.datetime(2024, 9, 2, 10, 30)])
    padded = first.cell(row=6, column=1, value=9)
    padded.number_format = "00000"
    first.cell(row=6, column=2, value="かき")
    second = book.create_sheet("地域")
    second.append(["地域", "売上", None])
    second.append([None, "上期", "下期"])
    second.append(["東", 1, 2])
    second.merge_cells("B1:C1")
    book.create_sheet("空")
    book.save(tmp_path / "a.xlsx")
    rows, failed, _ = taken(tmp_path / "a.xlsx")
    assert not failed
    apple, orange, persimmon, east = [
        {key: value for key, value in row.metadata.items() if key not in ("source", "line", "imi")} for row in rows
    ]
    assert apple == {"品番": "00007", "品名": "りんご", "数": 5, "日付": "2024-09-01"}
    assert orange == {"品番": "00008", "品名": "みかん", "数": 2.5, "備考": "NA", "日付": "2024-09-02 10:30:00"}
    assert persimmon == {"品番": "00009", "品名": "かき"}
    assert east == {"地域": "東", "売上 上期": 1, "売上 下期": 2}
    assert rows[0].metadata["imi"] == {"source": str(tmp_path / "a.xlsx"), "line": 4, "sheet": "在庫"}
    named, _, report = taken(tmp_path / "a.xlsx", id="品番", template="{品名}")
    assert [(row.id, row.text) for row in named] == [("00007", "りんご"), ("00008", "みかん"), ("00009", "かき")]
    assert any("the sheet '地域' was left out" in notice.text for notice in report.notices)
    with pytest.raises(UsageError, match="no column 'x'"):
        list(read(str(tmp_path / "a.xlsx"), ReadOptions(id="x")))


def test_options_that_speak_of_columns_are_refused_where_there_are_none(tmp_path):
    (tmp_path / "p.html").write_text("<p>text</p>")
    with pytest.raises(UsageError, match="--id speaks of columns"):
        list(read(str(tmp_path / "p.html"), ReadOptions(id="x")))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("id,code,text\n1,NA,a\n2,null,b\n3,None,c\n4,nan,d\n", ["NA", "null", "None", "nan"]),
        ("id,code,text\n1,5,a\n2,NA,b\n3,7,c\n", [5, "NA", 7]),
        ("phone,code,text\n+81312345678,+5,a\n+81312345679,-3,b\n", [5, -3]),
        ("time,code,text\n(s),(C),u\n1,20.5,a\n2,21,b\n3,22,c\n", ["(C)", 20.5, 21, 22]),
        ('\ufeff"last, first",code\r\n"Doe, Jane",30\r\n', [30]),
        ("\ufeffsep=;\r\nid;code\r\n1;x\r\n", ["x"]),
        ("# made by a tool\n# v 2\nid,code\n1,7\n2,8\n", [7, 8]),
        ("id,code\r1,a\r2,b\r", ["a", "b"]),
        ("id,code\r\n1,a\n2,b\r3,c\r\n", ["a", "b", "c"]),
        ("region,code,2019,2020\nN,5,1,2\nS,6,3,4\n", [5, 6]),
    ],
)
def test_cells_that_other_programs_lose(tmp_path, text, kept):
    (tmp_path / "a.csv").write_bytes(text.encode())
    rows, failed, _ = taken(tmp_path / "a.csv")
    assert not failed and [row.metadata.get("code") for row in rows] == kept


def test_sheets_of_1904_with_times_and_errors(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    for row in (
        ["at", "text"],
        [datetime.datetime(2024, 9, 1), "a"],
        [datetime.time(9, 30), "b"],
        [datetime.timedelta(hours=30), "c"],
        ["#N/A", "d"],
    ):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    rows, failed, _ = taken(tmp_path / "a.xlsx")
    assert not failed and [row.metadata["at"] for row in rows] == ["2024-09-01", "09:30:00", "1 day, 6:00:00", "#N/A"]


def test_parquet_keeps_what_its_types_say(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    zoned = pyarrow.array(
        [datetime.datetime(2024, 9, 1, tzinfo=datetime.UTC)], pyarrow.timestamp("us", tz="Asia/Tokyo")
    )
    columns = {"text": ["a"], "list": [[1, 2]], "nested": [{"x": {"y": 1}}], "exact": [Decimal("12345678901234567.89")]}
    columns |= {
        "at": zoned,
        "large": pyarrow.array([2**64 - 1], pyarrow.uint64()),
        "long": [datetime.timedelta(hours=30)],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    (row,), _, _ = taken(tmp_path / "a.parquet")
    assert {name: value for name, value in row.metadata.items() if name not in ("source", "line", "imi")} == {
        "list": [1, 2], "nested": {"x": {"y": 1}}, "exact": "12345678901234567.89", "large": 2**64 - 1,
        "at": "2024-09-01T09:00:00+09:00", "long": "1 day, 6:00:00",
    }  # fmt: skip


def test_a_cell_without_an_end_is_not_said_to_be_quoted(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_LONGEST_CELL", 1000)
    (tmp_path / "a.csv").write_text("id,text\n1,cats\n2," + "x" * 1001 + '\n3,"dogs\n')
    items = list(read(str(tmp_path / "a.csv"), ReadOptions()))
    reasons = [(one.line, one.reason) for one in items if isinstance(one, Failure)]
    assert reasons == [(3, "a cell has more than 1,000 characters"), (4, "a quote is opened and never closed")]
