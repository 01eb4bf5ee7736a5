"""Files of a few kilobytes that stand for gigabytes or hours: refused, or read in the time that their size allows."""

import gzip
import random
import time
import zipfile
import zlib

import pytest

from imi.errors import DataError, Failure
from imi.text.readers import ReadOptions, grid_size, hollow, limits, pdf, read, sheet_size

MB = 1 << 20


def taken(path):
    """Return the rows and the reasons that a file gives, which it may not take long for."""
    began, rows, reasons = time.process_time(), [], []
    try:
        for item in read(str(path), ReadOptions()):
            if isinstance(item, Failure):
                reasons.append(item.reason)
            else:
                rows.append(item.document.text)
    except DataError as refused:
        reasons.append(refused.message)
    assert time.process_time() - began < 4
    return rows, reasons


def packed(path, **parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


# --- sheets ---

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PLACES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
ROWS = "".join(
    f'<row r="{at}"><c r="A{at}" t="inlineStr"><is><t>{text}</t></is></c></row>'
    for at, text in ((1, "text"), (2, "cats"))
)
END = "</sheetData></worksheet>"


def workbook(path, sheet, *, shared="", sheets=1, before="", size=""):
    named = "".join(f'<sheet name="S{at}" sheetId="{at + 1}" r:id="a"/>' for at in range(sheets))
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        + "".join(
            f'<Override PartName="/xl/{name}.xml" ContentType="{KIND}.{kind}+xml"/>'
            for name, kind in (("workbook", "sheet.main"), ("s", "worksheet"), ("t", "sharedStrings"))
        )
        + "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="a" Type="{PLACES}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{PLACES}"><sheets>{named}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="a" Type="{PLACES}/worksheet" Target="s.xml"/>'
        f'<Relationship Id="b" Type="{PLACES}/sharedStrings" Target="t.xml"/></Relationships>',
        "xl/t.xml": f'<sst xmlns="{MAIN}"><si><t>{shared}</t></si></sst>',
        "xl/s.xml": f'{before}<worksheet xmlns="{MAIN}">{size}<sheetData>{sheet}',
    }
    return packed(path, **parts)


@pytest.fixture(autouse=True)
def parsers():
    for name in ("openpyxl", "pypdf", "pyarrow"):
        pytest.importorskip(name)


@pytest.mark.parametrize(
    ("sheet", "more"),
    [
        (END, {}),
        ("</sheetData><mergeCells><mergeCell ref='A1:XFD1048576'/></mergeCells></worksheet>", {}),
        (END, {"size": '<dimension ref="A1:XFD1048576"/>'}),
        ('<row r="9000"><c r="XFD9000"/></row>' + END, {}),
    ],
)
def test_a_sheet_that_says_it_is_vast_is_read(tmp_path, sheet, more):
    rows, _ = taken(workbook(tmp_path / "a.xlsx", ROWS + sheet, **more))
    assert rows == ["cats"]


@pytest.mark.parametrize(
    ("sheet", "more", "said"),
    [
        ('<row r="1048577"><c r="A3"/></row>' + END, {}, "follows row"),
        ('<row r="99999999999999"><c r="A3"/></row>' + END, {}, "follows row"),
        ('<row r="x"><c/></row>' + END, {}, "follows row"),
        ('<row><c r="XFE3"/></row>' + END, {}, "no sheet has a cell"),
        ("<row>" + "<c/>" * 16_385 + "</row>" + END, {}, "no sheet has a cell"),
        ('<row><c r="XFD9"/></row>' * 2000 + END, {}, "are spread over"),
        (END, {"sheets": 5000}, "names 5,000 sheets"),
        (END, {"before": '<!DOCTYPE x [<!ENTITY a "b">]>'}, "document type"),
        (END + " " * (20 * MB), {}, "would unpack"),
        ("<row>" + "<c/>" * 9000 + "</row>" + ("<row>" + "<c/>" * 9000 + "</row>") * 300 + END, {}, "would unpack"),
        ('<row><c t="s"><v>0</v></c></row>' * 20_000 + END, {"shared": "a word " * 100_000}, "hold more than"),
    ],
)
def test_a_sheet_of_more_than_its_size_is_refused(tmp_path, sheet, more, said):
    rows, reasons = taken(workbook(tmp_path / "a.xlsx", ROWS + sheet, **more))
    assert rows == [] and said in reasons[0]


@pytest.mark.parametrize("row", ["<row>" + "<c/>" * 100 + "</row>", "<row/>" * 100])
def test_empty_cells_of_a_hundredth_of_a_byte_are_refused(tmp_path, row):
    # A comment that packs badly: by its size alone the file would pass.
    noise = f"<!--{random.Random(1).randbytes(70_000).hex()}-->"
    rows, reasons = taken(workbook(tmp_path / "a.xlsx", ROWS + noise + row * 12_000 + END))
    assert rows == [] and "elements in" in reasons[0]


EMPTIES = [
    '<c r="B{0}" s="0"/><c r="C{0}"/>',
    '<c s="0" r="B{0}"></c><c r="C{0}" s="0"> </c>',
    '<c r="B{0}" s="0"/><c/><c/>',
    '<c r="B{0}" s="0"/><c/><c r="D{0}"/>',
]


@pytest.mark.parametrize("empty", EMPTIES)
@pytest.mark.parametrize("wrap", ["{}", "<!--a-->{}"])
def test_a_workbook_whose_cells_are_mostly_empty_says_the_same_without_them(tmp_path, monkeypatch, empty, wrap):
    text = '<c r="{0}{1}" t="inlineStr"><is><t>{2}</t></is></c>'
    lines = [
        f'<row r="{at}">{text.format("A", at, f"row {at}")}{empty.format(at)}'
        f"{text.format('E', at, 'far') if at % 3 else '<c><v>7</v></c>'}{empty.format(at).replace('B', 'F')}</row>"
        for at in range(1, 60)
    ]
    path = workbook(tmp_path / "a.xlsx", wrap.format("".join(lines)) + END)
    kept = taken(path)
    monkeypatch.setattr(sheet_size, "_MANY", 100)
    assert sheet_size.size_of(str(path)).hollow == (wrap == "{}")
    assert taken(path) == kept and len(kept[0]) > 50


def test_empty_cells_cost_little(tmp_path):
    line = "".join(f'<c r="{chr(65 + at)}{{0}}" s="0"/>' for at in range(26))
    lines = "".join(f'<row r="{at}">{line.format(at)}</row>' for at in range(3, 8000))
    path = workbook(tmp_path / "a.xlsx", ROWS + lines + END)
    assert taken(path) == (["cats"], [])
    with hollow.without_empty_cells(str(path), ["xl/s.xml"]) as thin, zipfile.ZipFile(thin) as archive:
        assert len(archive.read("xl/s.xml")) < 8000 * len('<row r="1234"></row>')
        assert archive.read("xl/workbook.xml") == zipfile.ZipFile(path).read("xl/workbook.xml")


# --- Word and PowerPoint ---

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
P = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    f'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:r="{PLACES}"'
)
SAID = "<w:p><w:r><w:t>{}</w:t></w:r></w:p>"
SHAPE = "<p:sp><p:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:txBody></p:sp>"


def around(times, outer, inner):
    closing = "".join(f"</{one.strip('<>').split()[0]}>" for one in reversed(outer.replace("><", "> <").split(" <")))
    return outer * times + inner + closing * times


@pytest.mark.parametrize("depth", [30, 150])
@pytest.mark.parametrize(
    "outer",
    ["<w:p><w:r><w:txbxContent>", "<w:tbl><w:tr><w:tc>", "<w:tc>", "<w:p><w:tbl>", "<w:sdt>", "<w:txbxContent>"],
)
def test_what_is_nested_in_a_word_file_is_read_once(tmp_path, outer, depth):
    body = around(depth, outer, SAID.format("deep " * 20_000))
    path = packed(tmp_path / "a.docx", **{"word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>"})
    rows, _ = taken(path)
    assert sum(map(len, rows)) <= 110_000


@pytest.mark.parametrize(
    "body", ["<w:a>" * 900_000 + "</w:a>" * 900_000, "<w:a/>" * 4_000_000, SAID.format(" " * (70 * MB))]
)
def test_a_word_file_of_more_than_its_size_is_refused(tmp_path, body):
    path = packed(tmp_path / "a.docx", **{"word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>"})
    rows, reasons = taken(path)
    assert rows == [] and "would unpack" in reasons[0]


def test_a_tree_of_too_many_elements_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "_TAGS", 1000)
    assert limits.sound_tags("<a/>" * 1000)
    with pytest.raises(ValueError, match="elements"):
        limits.sound_tags("<a/>" * 1001)
    document = "<w:document {}><w:body>{}</w:body></w:document>"
    parts = {"word/document.xml": document.format(W, SAID.format("cats") + "<w:p/>" * 600)}
    assert taken(packed(tmp_path / "a.docx", **parts)) == (["cats"], [])
    path = packed(tmp_path / "b.docx", **parts, **{"word/footnotes.xml": document.format(W, "<w:p/>" * 600)})
    assert taken(path) == ([], ["no readable Word file: it has more than 500 elements"])
    (tmp_path / "a.html").write_text("<p>cats</p>" * 600)
    assert taken(tmp_path / "a.html")[1][0].endswith("cannot be read: it has more than 500 elements; divide it")


def test_what_is_nested_past_reading_says_so(tmp_path):
    body = "<w:p>" + "<w:r>" * 5000 + "<w:t>cats</w:t>" + "</w:r>" * 5000 + "</w:p>"
    path = packed(tmp_path / "a.docx", **{"word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>"})
    assert taken(path) == ([], ["no readable Word file: its elements are nested too deeply"])


def slides(path, slide, times):
    return packed(
        path,
        **{
            "ppt/presentation.xml": f"<p:x {P}>" + '<p:sldId r:id="a"/>' * times + "</p:x>",
            "ppt/_rels/presentation.xml.rels": '<R><x Id="a" Target="slides/s.xml"/></R>',
            "ppt/slides/s.xml": f"<p:sld {P}>{slide}</p:sld>",
        },
    )


@pytest.mark.parametrize(
    ("slide", "times"),
    [
        (SHAPE.format("cats " * 20_000), 5000),
        (around(2000, "<p:sp>", SHAPE.format("cats " * 20_000)), 1),
        (around(700, "<a:tbl><a:tr><a:tc>", f"<a:p><a:r><a:t>{'cats ' * 20_000}</a:t></a:r></a:p>"), 1),
        (around(2000, "<a:p>", f"<a:r><a:t>{'cats ' * 20_000}</a:t></a:r>").join(["<p:sp>", "</p:sp>"]), 1),
    ],
)
def test_what_is_nested_or_repeated_in_slides_is_read_once(tmp_path, slide, times):
    rows, _ = taken(slides(tmp_path / "a.pptx", slide, times))
    assert 90_000 < sum(map(len, rows)) <= 110_000


# --- gzip and zip ---


@pytest.fixture(scope="module")
def bomb():
    """Return 96 MB as gzip packs them: a thousandth of that."""
    made = zlib.compressobj(6, zlib.DEFLATED, 31)
    return b"".join([made.compress(b"a " * (MB // 2)) for _ in range(96)]) + made.flush()


@pytest.mark.parametrize("suffix", [".txt", ".md", ".jsonl", ".csv", ".tsv", ".py", ".ipynb", ".rst", ".adoc"])
def test_a_bomb_of_gzip_is_refused(tmp_path, bomb, suffix):
    (tmp_path / f"a{suffix}.gz").write_bytes(gzip.compress(b"text\ncats\n") + bomb)
    _, reasons = taken(tmp_path / f"a{suffix}.gz")
    # What is read in one piece may be too large first: how much gzip unpacks at once depends on the Python.
    assert any("200 times its size" in one or "larger than 67,108,864 bytes" in one for one in reasons)


def test_what_is_packed_well_and_small_is_read(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"cats\n" * 200_000))
    assert len(taken(tmp_path / "a.txt.gz")[0]) == 200_000


def test_bombs_in_an_archive_are_left_out_by_name(tmp_path, bomb):
    path = packed(tmp_path / "a.zip", **{"a.txt": "cats\n", "b.txt": b"a " * (40 * MB), "c.txt.gz": bomb * 3})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("d.docx", b"\0" * (5 * MB))
    rows, reasons = taken(path)
    assert rows == ["cats"]
    assert "200 times its packed size" in reasons[0]
    assert any("packed again" in reason for reason in reasons)


def test_members_in_each_others_bytes_are_refused(tmp_path):
    path = packed(tmp_path / "a.zip", **{"a.txt": "".join(map(str, range(9000)))})
    with zipfile.ZipFile(path, "a") as archive:
        first = archive.infolist()[0]
        archive.filelist += [first] * 50
        archive._didModify = True
    rows, reasons = taken(path)
    assert rows == [] and "each other's bytes" in reasons[0]


# --- Parquet ---


def table(path, values, once=True):
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"text": values}), path, compression="zstd", use_dictionary=once)
    return path


def repeated(value, times):
    import numpy as np
    import pyarrow

    return pyarrow.DictionaryArray.from_arrays(pyarrow.array(np.zeros(times, np.int32)), pyarrow.array([value]))


def test_a_parquet_file_of_more_than_its_size_is_refused(tmp_path):
    import pyarrow

    path = table(tmp_path / "a.parquet", pyarrow.array(["a " * MB] * 40), once=False)
    assert "would unpack" in taken(path)[1][0]
    path = table(tmp_path / "b.parquet", repeated("a", 5_000_000))
    assert "rows stand in" in taken(path)[1][0]
    rows, _ = taken(table(tmp_path / "c.parquet", repeated("cats", 3000)))
    assert len(rows) == 3000


def test_a_value_that_all_rows_share_is_not_read_for_ever(tmp_path, monkeypatch):
    from imi.text.readers import tables

    monkeypatch.setattr(tables, "_VALUES", 20 * MB)
    rows, reasons = taken(table(tmp_path / "a.parquet", repeated("a word " * 150_000, 3000)))
    assert len(rows) < 30 and "the rest is left out" in reasons[0]


# --- PDF ---


def document(path, *objects):
    written, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%b\nendobj\n" % (number, one)
    table_ = b"".join(b"%010d 00000 n \n" % place for place in places)
    last = len(objects) + 1
    written += b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        last, table_, last, len(written),
    )  # fmt: skip
    path.write_bytes(written)
    return path


def stream(data):
    data = zlib.compress(data, 9)
    return b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(data), data)


CATALOG, FONT = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"


def pages(path, kids, content):
    tree = b"<</Type/Pages/Count %d/Kids[%b]>>" % (kids, b"3 0 R " * kids)
    return document(path, CATALOG, tree, PAGE, stream(content), FONT)


@pytest.mark.parametrize("content", [b" " * (20 * MB), b"(a)Tj " * 2_000_000, b"[" * 4_000_000])
def test_a_page_of_more_than_its_size_is_refused(tmp_path, content):
    rows, reasons = taken(pages(tmp_path / "a.pdf", 1, b"BT /F1 12 Tf (cats) Tj ET " + content))
    assert rows == [] and "no readable PDF" in reasons[0]


def test_pages_that_share_what_they_show_take_no_longer_than_others(tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "_SECONDS", 0.3)
    _, reasons = taken(pages(tmp_path / "a.pdf", 5000, b"BT /F1 12 Tf " + b"(cats and dogs) Tj " * 500 + b"ET"))
    assert "longer than any of its size may" in reasons[-1]


def test_a_tree_of_pages_that_branches_is_refused(tmp_path):
    trees = [b"<</Type/Pages/Count %d/Kids[%b]>>" % (10 ** (7 - at), b"%d 0 R " % (at + 3) * 10) for at in range(7)]
    rows, reasons = taken(document(tmp_path / "a.pdf", CATALOG, *trees, PAGE, stream(b""), FONT))
    assert rows == [] and reasons


# --- OpenDocument and .xlsb ---

OPEN = "urn:oasis:names:tc:opendocument:xmlns"
CELL = '<table:table-cell office:value-type="string" {}><text:p>{}</text:p></table:table-cell>'
TWO = "".join(f"<table:table-row>{CELL.format('', text)}</table:table-row>" for text in ("text", "cats"))
BLANK = (
    '<table:table-row table:number-rows-repeated="1048000">'
    '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
)


def row_of(text, times=1, wide=1):
    cell = CELL.format(f'table:number-columns-repeated="{wide}"', text)
    return f'<table:table-row table:number-rows-repeated="{times}">{cell}</table:table-row>'


def open_document(path, rows, before=""):
    names = " ".join(f'xmlns:{one}="{OPEN}:{one}:1.0"' for one in ("office", "table", "text"))
    sheet = f'<table:table table:name="S">{rows}</table:table>'
    sheet = f"<office:body><office:spreadsheet>{sheet}</office:spreadsheet></office:body>"
    content = f"{before}<office:document-content {names}>{sheet}</office:document-content>"
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = f'<m:manifest xmlns:m="{OPEN}:manifest:1.0"/>'
    return packed(path, mimetype=kind, **{"META-INF/manifest.xml": manifest, "content.xml": content})


@pytest.mark.parametrize(
    ("rows", "before", "said"),
    [
        (BLANK + row_of("x", 1, 9), "", "are spread over"),
        (row_of("x", 9000, 9000), "", "are spread over"),
        (row_of("x", 1, 99_999_999_999), "", "stands"),
        (row_of("word " * 9000, 100_000), "", "hold more"),
        ("", "<!DOCTYPE a>", "document type"),
        (" " * (20 * MB), "", "would unpack"),
    ],
)
def test_what_repeats_in_open_document_is_counted(tmp_path, rows, before, said):
    pytest.importorskip("python_calamine")
    found, reasons = taken(open_document(tmp_path / "a.ods", TWO + rows, before))
    assert found == [] and said in reasons[0]
    assert taken(open_document(tmp_path / "b.ods", TWO + BLANK)) == (["cats"], [])


def test_two_cells_of_a_binary_workbook_are_no_sheet_of_millions(tmp_path):
    pytest.importorskip("python_calamine")

    def record(kind, number):
        return bytes([kind, 4]) + number.to_bytes(4, "little")

    near = record(0, 0) + record(5, 0) + record(0, 9) + record(5, 9)
    far = near + record(0, 1_048_575) + record(5, 16_383)
    assert grid_size._binary(near, 4) == (100, 2)
    rows, reasons = taken(packed(tmp_path / "a.xlsb", **{"xl/worksheets/sheet1.bin": far}))
    assert rows == [] and "are spread over" in reasons[0]


def test_a_binary_workbook_of_blank_cells_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("python_calamine")
    monkeypatch.setattr(grid_size, "_FEW", 10_000)
    sheet = (bytes([0, 4, 0, 0, 0, 0]) + bytes([1, 8, *bytes(8)]) * 100) * 200
    rows, reasons = taken(packed(tmp_path / "a.xlsb", **{"xl/worksheets/sheet1.bin": sheet}))
    assert rows == [] and "more than 10,000 records" in reasons[0]
