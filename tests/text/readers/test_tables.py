import gzip
import tracemalloc
import zipfile

import pytest

from imi.errors import DataError, Failure, UsageError
from imi.records import with_facts
from imi.text.readers import ReadOptions, Report, Row, read

HEADER = "Id,ProductId,Score,Summary,Text\n"


def write(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return str(path)


def rows(source, **options):
    found = list(read(source, ReadOptions(**options)))
    assert all(isinstance(item, Row) for item in found), found
    return [item.document for item in found]


def test_template_id_and_types(tmp_path):
    source = write(tmp_path, "r.csv", HEADER + '7,B00,5, Good ,"Two\nlines, ""quoted"""\n8,0012,1.5,Bad,x\n')
    first, second = rows(source, template="Title: {Summary}; Content: {Text}", id="Id")
    assert (first.id, first.text) == ("7", 'Title: Good; Content: Two\nlines, "quoted"')
    kept = {"Id": 7, "ProductId": "B00", "Score": 5, "Summary": " Good ", "Text": 'Two\nlines, "quoted"'}
    assert first.metadata == with_facts(kept, {"source": source, "line": 2})
    # A number that would lose its zeros stays text; the second row begins after the two lines of the first.
    assert (second.metadata["ProductId"], second.metadata["Score"], second.metadata["line"]) == ("0012", 1.5, 4)


def test_ids_come_from_source_and_line_without_an_id_column(tmp_path):
    source = write(tmp_path, "r.csv", "Score,Text\n5,a\n\n4,b\n")
    assert [document.id for document in rows(source)] == [f"{source}:2", f"{source}:4"]
    assert [document.text for document in rows(source)] == ["a", "b"]


def test_index_column_without_a_name_is_no_metadata(tmp_path):
    source = write(tmp_path, "r.csv", ",Score,Text\n0,5,a\n")
    assert set(rows(source)[0].metadata) == {"source", "line", "Score", "imi"}


def test_columns_narrow_the_metadata(tmp_path):
    source = write(tmp_path, "r.csv", HEADER + "1,B,5,s,t\n")
    assert set(rows(source, columns=("Score",))[0].metadata) == {"source", "line", "Score", "imi"}


def test_without_a_text_column_all_columns_speak(tmp_path):
    source = write(tmp_path, "r.csv", "name,city\nTama,京都\n")
    assert rows(source)[0].text == "name: Tama; city: 京都"
    assert rows(write(tmp_path, "one.csv", "name\nTama\n"))[0].text == "Tama"


@pytest.mark.parametrize(
    "options",
    [{"template": "{Txt}"}, {"id": "Txt"}, {"columns": ("Txt",)}, {"vectors": "Txt"}],
    ids=lambda o: next(iter(o)),
)
def test_missing_column_lists_those_that_are_there(tmp_path, options):
    source = write(tmp_path, "r.csv", HEADER + "1,B,5,s,t\n")
    with pytest.raises(UsageError, match="no column 'Txt', it has: Id, ProductId, Score, Summary, Text") as raised:
        list(read(source, ReadOptions(**options)))
    assert raised.value.hint == "Text"


@pytest.mark.parametrize("template", ["{", "no column", "{}", "{a", "a}"])
def test_bad_templates_are_refused(tmp_path, template):
    with pytest.raises(UsageError, match="template"):
        list(read(write(tmp_path, "r.csv", HEADER + "1,B,5,s,t\n"), ReadOptions(template=template)))


def test_broken_line_501_is_told_by_its_number_and_the_rest_is_read(tmp_path):
    lines = [f"{n},B,5,s,text {n}" for n in range(2, 1002)]
    lines[499] = "501,B,5"
    found = list(read(write(tmp_path, "r.csv", HEADER + "\n".join(lines))))
    failures = [item for item in found if isinstance(item, Failure)]
    assert failures == [Failure(str(tmp_path / "r.csv"), 501, "3 columns, the header has 5")]
    assert len(found) == 1000 and found[-1].document.metadata["line"] == 1001


def test_quotes_that_do_not_close_and_rows_without_text(tmp_path):
    source = write(tmp_path, "r.csv", 'Id,Text\n1,"a"b\n2,\n3,ok\n4,"never closed\n5,x\n')
    first, second, third, open_, last = list(read(source, ReadOptions(id="Id")))
    assert (first.document.text, third.document.id, last.document.id) == ("ab", "3", "5")
    assert second == Failure(source, 3, "the row has no text")
    assert open_.line == 5 and "never closed; the 1 lines after it" in open_.reason


def test_empty_id_is_a_bad_row(tmp_path):
    source = write(tmp_path, "r.csv", "Id,Text\n,a\n")
    assert list(read(source, ReadOptions(id="Id"))) == [Failure(source, 2, "the id column 'Id' is empty")]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Café noir", "latin-1"), ("これは猫の本です", "cp932"), ("これは猫の本です", "euc-jp")],
)
def test_other_encodings_are_guessed_and_said(tmp_path, text, encoding):
    source = write(tmp_path, "r.csv", f"Id,Text\n1,plain\n2,{text}\n", encoding)
    report = Report()
    assert [document.text for document in rows(source, report=report)] == ["plain", text]
    (notice,) = report.notices
    assert notice.text.startswith(f"read as {encoding}: it is not valid UTF-8")


def test_too_little_to_guess_by_is_told_and_offered(tmp_path):
    source = write(tmp_path, "r.csv", "Id,Text\n1,plain\n2,猫\n", "cp932")
    good, bad = list(read(source))
    assert good.document.text == "plain" and bad.line == 3
    assert "is not utf-8; --encoding cp932 may be right" in bad.reason
    assert [document.text for document in rows(source, encoding="cp932")] == ["plain", "猫"]


def test_unknown_encoding(tmp_path):
    with pytest.raises(UsageError, match="'klingon' is unknown"):
        list(read(write(tmp_path, "r.csv", "a\n1\n"), ReadOptions(encoding="klingon")))


def test_marks_semicolons_tabs_and_gzip(tmp_path):
    text = "Id;Text\r\n1;a, b\r\n"
    assert rows(write(tmp_path, "bom.csv", text, "utf-8-sig"), id="Id")[0].text == "a, b"
    assert rows(write(tmp_path, "excel.csv", "Id\tText\r\n1\t猫\r\n", "utf-16"), id="Id")[0].text == "猫"
    packed = tmp_path / "r.tsv.gz"
    packed.write_bytes(gzip.compress(b'Id\tText\n1\t"open quote\n2\tb\n'))
    assert [document.text for document in rows(str(packed), id="Id")] == ['"open quote', "b"]


def test_headers_that_are_none(tmp_path):
    with pytest.raises(DataError, match="is empty"):
        list(read(write(tmp_path, "r.csv", "")))
    with pytest.raises(DataError, match="two columns called 'a'"):
        list(read(write(tmp_path, "r.csv", "a,a\nx,y\n"), ReadOptions(id="a")))
    (row,) = read(write(tmp_path, "r.csv", "a,a\nx,y\n"))
    assert row.document.text == "a: x; a 2: y"


def test_a_member_of_an_archive_whose_columns_have_one_name_is_left_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one.csv", "a,a\nx,y\n")
        archive.writestr("some.csv", "id,a,a\n1,x,y\n")
    failure, row = read(str(tmp_path / "a.zip"))
    assert failure.source.endswith("a.zip/one.csv") and "all its 2 columns are called 'a'" in failure.reason
    assert row.document.text == "id: 1; a: x; a 2: y"


def test_literal_lists_are_vectors_when_asked_and_never_metadata(tmp_path):
    numbers = [0.123456789, -2e-05, *([0.25] * 10)]
    source = write(tmp_path, "r.csv", f'Id,Text,embedding\n1,a,"{numbers}"\n2,b,"[1, nan]"\n')
    first, second = list(read(source, ReadOptions(vectors="embedding", id="Id")))
    assert first.vector.tolist() == pytest.approx(numbers, rel=1e-6)
    assert (
        second == Failure(source, 3, "column 'embedding': it is not a list of finite numbers")
        or "not a list" in second.reason
    )
    plain = next(iter(read(source)))
    assert plain.vector is None and "embedding" not in plain.document.metadata


def test_vectors_without_text(tmp_path):
    source = write(tmp_path, "r.csv", 'user,vector\nu1,"[0.1, 0.02, 0.3]"\n')
    (row,) = read(source, ReadOptions(vectors="vector", id="user", template=None))
    assert row.vector.tolist() == pytest.approx([0.1, 0.02, 0.3]) and row.document.metadata["user"] == "u1"


def test_a_large_file_streams(tmp_path):
    path = tmp_path / "big.csv"
    with path.open("w") as file:
        file.write(HEADER)
        file.writelines(f"{n},B,5,summary,{'words ' * 20}\n" for n in range(30_000))
    tracemalloc.start()
    count = sum(1 for _ in read(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 30_000 and peak < 2**20


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"Id": [1, 2], "Text": ["a", None], "embedding": [[0.1, 0.2], [0.3, 0.4]]})
    source = str(tmp_path / "r.parquet")
    parquet.write_table(table, source)
    first, second = list(read(source, ReadOptions(id="Id", vectors="embedding")))
    assert (first.document.id, first.document.text, second.document.text) == ("1", "a", None)
    assert second.vector.tolist() == pytest.approx([0.3, 0.4]) and first.document.metadata["line"] == 1
    (tmp_path / "bad.parquet").write_bytes(b"PAR")
    with pytest.raises(DataError, match="not a Parquet file"):
        list(read(tmp_path / "bad.parquet"))


def test_korean_is_not_read_as_kanji(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("한국어 텍스트입니다 안녕하세요\n".encode("euc-kr"))
    (failure,) = read(str(path))
    assert "is not utf-8" in failure.reason
