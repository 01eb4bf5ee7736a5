"""Spreadsheets whatever their names say, and what spreadsheets hide."""

import datetime
import zipfile

import pytest

openpyxl = pytest.importorskip("openpyxl")
pytest.importorskip("python_calamine")

from imi.errors import Failure
from imi.text.readers import ReadOptions, Report, read

ODS = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 office:version="1.2"><office:body><office:spreadsheet><table:table table:name="在庫">
<table:table-row><table:table-cell office:value-type="string"><text:p>code</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>n</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>day</text:p></table:table-cell></table:table-row>
<table:table-row><table:table-cell office:value-type="string"><text:p>00007</text:p></table:table-cell>
<table:table-cell office:value-type="float" office:value="5"><text:p>5</text:p></table:table-cell>
<table:table-cell office:value-type="date" office:date-value="2024-09-01"><text:p>1.9.24</text:p></table:table-cell>
</table:table-row></table:table></office:spreadsheet></office:body></office:document-content>"""

MANIFEST = """<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">
<manifest:file-entry manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/>
</manifest:manifest>"""


def taken(path, **options):
    report = Report()
    items = list(read(str(path), ReadOptions(report=report, **options)))
    assert not [one for one in items if isinstance(one, Failure)]
    kept = [{k: v for k, v in one.document.metadata.items() if k not in ("imi", "source", "line")} for one in items]
    return kept, {notice.text for notice in report.notices}


def test_opendocument(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", ODS.replace("\n<", "<"))
        archive.writestr("META-INF/manifest.xml", MANIFEST)
    assert taken(tmp_path / "a.ods", id="code")[0] == [{"code": "00007", "n": 5, "day": "2024-09-01"}]


def test_what_a_spreadsheet_hides_and_how_it_counts_days(tmp_path):
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    first = book.active
    first.merge_cells("A1:C1")
    for row in (["売上表"], ["day", "share", "state"], [datetime.date(2024, 9, 1), 0.25, "#N/A"]):
        first.append(row) if first.max_row > 1 or row[0] != "売上表" else first.cell(1, 1, row[0])
    hidden = book.create_sheet("old")
    hidden.sheet_state = "hidden"
    hidden.append(["day", "note"])
    hidden.append([None, "kept"])
    book.save(tmp_path / "a.xlsx")
    kept, said = taken(tmp_path / "a.xlsx")
    assert kept == [{"day": "2024-09-01", "share": 0.25, "state": "#N/A"}, {"note": "kept"}]
    assert "the sheet 'old' is hidden in the file, and is read all the same" in said
    (tmp_path / "a.csv").write_bytes((tmp_path / "a.xlsx").read_bytes())
    assert taken(tmp_path / "a.csv")[0] == kept


def test_what_is_no_spreadsheet(tmp_path):
    (tmp_path / "a.xlsx").write_text("id,text\n1,a\n")
    assert taken(tmp_path / "a.xlsx")[0] == [{"id": 1}]
    (tmp_path / "b.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    (failure,) = read(str(tmp_path / "b.xls"))
    assert "no spreadsheet that can be read" in failure.reason and "save it as .xlsx or .csv" in failure.reason


def test_a_cell_far_away_does_not_make_a_sheet_large(tmp_path):
    book = openpyxl.Workbook()
    for row in (["id", "text"], [1, "a"]):
        book.active.append(row)
    book.active.cell(900_000, 2, "b")
    book.save(tmp_path / "a.xlsx")
    merged = b'</sheetData><mergeCells count="1"><mergeCell ref="A900001:XFD1048576"/></mergeCells>'
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name).replace(b"</sheetData>", merged))
    for name in ("a.xlsx", "b.xlsx"):
        items = list(read(str(tmp_path / name), ReadOptions()))
        assert [one.document.text for one in items] == ["a", "b"] and items[1].document.metadata["line"] == 900_000


def test_a_title_over_merged_cells_is_said_once(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["Sales of 2026", None, None],
        ["shop", "first half", "second half"],
        ["Leeds", 12, 15],
        ["York", 9, 8],
    ):
        sheet.append(row)
    sheet.merge_cells("A1:C1")
    book.save(tmp_path / "a.xlsx")
    report = Report()
    assert len(list(read(str(tmp_path / "a.xlsx"), ReadOptions(report=report)))) == 2
    assert [one.text for one in report.notices] == ["the line is above the header and not a row: 'Sales of 2026'"]
