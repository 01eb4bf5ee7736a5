"""Books: chapters in reading order under their headings, and what of hostile or broken ones is said."""

import time
import zipfile

import pytest

pytest.importorskip("lxml", reason="the extra `docs` is not installed")

from imi.errors import Failure
from imi.text.readers import ReadOptions, read

PAGE = (
    '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml">'
    "<head><title/><script src='a.js'/></head><body>{}</body></html>"
)
PLACE = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'


def package(chapters, *, order=None, more="", title="The Tide"):
    items = "".join(f'<item id="{name}" href="{name}" media-type="application/xhtml+xml"/>' for name in chapters)
    order = "".join(f'<itemref idref="{name}"/>' for name in (chapters if order is None else order))
    said = f"<dc:title>{title}</dc:title><dc:creator>Ann Lee</dc:creator><dc:creator>森 鷗外</dc:creator>"
    return (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata>{said}</metadata><manifest>{items}{more}</manifest><spine>{order}</spine></package>"
    )


def book(path, chapters, *, members=None, **how):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", PLACE)
        archive.writestr("OEBPS/book.opf", package(chapters, **how))
        for name, body in chapters.items():
            if body is not None:
                archive.writestr(f"OEBPS/{name}", PAGE.format(body) if isinstance(body, str) else body)
        for name, text in (members or {}).items():
            archive.writestr(name, text)
    return path


def taken(path):
    items = list(read(str(path), ReadOptions()))
    rows = [one.document for one in items if not isinstance(one, Failure)]
    return rows, [one.reason for one in items if isinstance(one, Failure)]


def test_chapters_are_read_in_the_order_of_the_spine(tmp_path):
    chapters = {
        "b.xhtml": "<h1>Two</h1><p>The second.</p><p>It ends.</p>",
        "a.xhtml": "<h1>One</h1><p>The first.</p><aside><p>A note &amp; a&nbsp;half.</p></aside>",
    }
    rows, reasons = taken(book(tmp_path / "a.epub", chapters, order=["a.xhtml", "b.xhtml", "a.xhtml", "gone"]))
    assert [row.text for row in rows] == [
        "The Tide > One\nThe first.\n\nA note & a half.",
        "The Tide > Two\nThe second.\n\nIt ends.",
    ]
    assert reasons == [] and rows[0].metadata["heading"] == "One" and rows[0].metadata["author"] == "Ann Lee, 森 鷗外"
    assert rows[0].start == 7 and rows[0].end < rows[1].start < rows[1].end
    assert len({row.id for row in rows}) == 2 and {row.parent for row in rows} == {str(tmp_path / "a.epub")}


def test_a_chapter_without_a_heading_is_called_as_the_contents_call_it(tmp_path):
    chapters = {"a%20b.xhtml": None, "c.xhtml": "<p>Later.</p>", "d.xhtml": "<p>Last.</p>"}
    spaced = {"OEBPS/a b.xhtml": PAGE.format("<p>Early.</p>")}
    contents = (
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>Morning</text></navLabel>'
        '<content src="a%20b.xhtml#x"/></navPoint></navMap></ncx>'
    )
    listed = '<html xmlns="http://www.w3.org/1999/xhtml"><nav><a href="../OEBPS/c.xhtml">Evening</a></nav></html>'
    more = (
        '<item id="n" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
        '<item id="v" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    )
    declared = '<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://www.daisy.org/z3986/2005/ncx-2005-1.dtd">'
    members = {**spaced, "OEBPS/toc.ncx": declared + contents, "OEBPS/nav.xhtml": listed}
    rows, reasons = taken(book(tmp_path / "a.epub", chapters, members=members, more=more))
    assert [row.text for row in rows] == ["The Tide > Morning\nEarly.", "The Tide > Evening\nLater.\n\nLast."]
    assert reasons == []


def test_readings_do_not_break_words(tmp_path):
    body = (
        "<h2><ruby>第一章<rt>だいいっしょう</rt></ruby></h2>"
        "<p>　<ruby>吾輩<rp>（</rp><rt>わがはい</rt><rp>）</rp></ruby>は"
        "<ruby><rb>猫</rb><rt>ねこ</rt></ruby>である。<span class='tcy'>10</span>歳で、\n  "
        "<ruby>名前\n<rt>なまえ</rt>\n</ruby>は\n無い。"
        "<ruby>東<rt>とう</rt>京<rt>きょう</rt></ruby>へ。<br/>次の行。</p>"
    )
    (row,), _ = taken(book(tmp_path / "a.epub", {"a.xhtml": body}, title="猫"))
    assert row.text == "猫 > 第一章\n吾輩は猫である。10歳で、名前は無い。東京へ。次の行。"


def test_a_title_that_the_first_heading_says_is_said_once(tmp_path):
    (row,), _ = taken(book(tmp_path / "a.epub", {"a.xhtml": "<h1>The Tide</h1><p>It rose.</p>"}))
    assert row.text == "The Tide\nIt rose."


def encrypted(*names, method="http://www.w3.org/2001/04/xmlenc#aes128-cbc"):
    data = "".join(
        f'<e:EncryptedData><e:EncryptionMethod Algorithm="{method}"/><e:CipherData><e:CipherReference URI="{one}"/>'
        "</e:CipherData></e:EncryptedData>"
        for one in names
    )
    return {"META-INF/encryption.xml": f'<encryption xmlns:e="http://www.w3.org/2001/04/xmlenc#">{data}</encryption>'}


@pytest.mark.parametrize(
    ("locked", "texts", "said"),
    [
        (["OEBPS/a.xhtml", "OEBPS/b.xhtml"], [], "the book is encrypted (DRM)"),
        (["OEBPS/a.xhtml"], ["The Tide\nb"], "1 of its chapters are encrypted (DRM)"),
        (["OEBPS/font.otf"], ["The Tide\na\n\nb"], None),
    ],
)
def test_what_is_encrypted_is_said(tmp_path, locked, texts, said):
    chapters = {"a.xhtml": "<p>a</p>", "b.xhtml": "<p>b</p>"}
    rows, reasons = taken(book(tmp_path / "a.epub", chapters, members=encrypted(*locked)))
    assert [row.text for row in rows] == texts
    assert reasons == [] if said is None else len(reasons) == 1 and reasons[0].startswith(said)


def test_what_is_missing_or_outside_is_named_and_the_rest_is_read(tmp_path):
    (tmp_path / "secret.xhtml").write_text(PAGE.format("<p>secret</p>"))
    chapters = {
        "a.xhtml": None, "../../secret.xhtml": None, "https://example.com/a.xhtml": None,
        str(tmp_path / "secret.xhtml"): None, "b.xhtml": "<p>Here.</p>",
    }  # fmt: skip
    rows, reasons = taken(book(tmp_path / "a.epub", chapters))
    assert [row.text for row in rows] == ["The Tide\nHere."]
    assert len(reasons) == 4 and all("is not in the file" in one for one in reasons)


def test_a_damaged_chapter_is_named_and_the_rest_is_read(tmp_path):
    path = book(tmp_path / "a.epub", {"a.xhtml": "<p>one " + "x" * 99 + "</p>", "b.xhtml": "<p>two</p>"})
    raw = bytearray(path.read_bytes())
    at = raw.index(b"OEBPS/a.xhtml") + len("OEBPS/a.xhtml")
    raw[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    path.write_bytes(raw)
    rows, reasons = taken(path)
    assert [row.text for row in rows] == ["The Tide\ntwo"]
    assert len(reasons) == 1 and reasons[0].startswith("the chapter OEBPS/a.xhtml cannot be read: ")


ENTITIES = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "' + "&a;" * 999 + '">]>'


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (None, "no readable EPUB: it is not a zip archive"),
        ({"a.txt": "cats"}, "no readable EPUB: it does not list its chapters"),
        ({"b.opf": package({})}, "no readable EPUB: it does not list its chapters"),
        ({"b.opf": "<package>"}, "no readable EPUB: "),
        ({"b.opf": ENTITIES + package({"a": "&b;"})}, "b.opf declares entities"),
        ({"META-INF/container.xml": ENTITIES + PLACE, "OEBPS/book.opf": package({})}, "r.xml declares entities"),
        ({"b.opf": package({"a.xhtml": ""}), "a.xhtml": PAGE.format("")}, "the book holds no text"),
        ({"b.opf": package({"a.jpg": ""}), "a.jpg": PAGE.format("cats")}, "the book holds no text"),
        ({"b.opf": package({"a": ""}), "a": PAGE.format("cats" * 2_000_000)}, "would unpack"),
        ({"b.opf": package({"a": ""}), "a": PAGE.format("<b/>" * 2_000_000), "c": "<"}, "would unpack"),
    ],
)
def test_what_is_no_book_is_refused_by_its_reason(tmp_path, members, said):
    path = tmp_path / "a.epub"
    path.write_bytes(b"<html>")
    if members is not None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in members.items():
                archive.writestr(name, text)
    rows, reasons = taken(path)
    assert rows == [] and len(reasons) == 1 and said in reasons[0]


def test_an_entity_in_a_chapter_is_not_expanded(tmp_path):
    declared = '<!DOCTYPE html [<!ENTITY a SYSTEM "file:///etc/passwd"><!ENTITY b "ha">]>'
    page = declared + PAGE.format("<p>x &a; &b; y</p>")
    (row,), _ = taken(book(tmp_path / "a.epub", {"a.xhtml": page.encode()}))
    assert "root" not in row.text and "ha" not in row.text.split("x")[-1]


def test_books_in_archives_and_folders_are_read(tmp_path):
    path = book(tmp_path / "a.epub", {"a.xhtml": "<h1>One</h1><p>The first.</p>"})
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.write(path, "shelf/a.epub")
    rows, reasons = taken(tmp_path / "b.zip")
    assert [row.id for row in rows] == [f"{tmp_path}/b.zip/shelf/a.epub#1"] and reasons == []
    assert [row.text for row in taken(tmp_path)[0]] == ["The Tide > One\nThe first."] * 2


def test_names_within_names_are_read_once(tmp_path):
    deep = (
        '<html xmlns="http://www.w3.org/1999/xhtml"><nav>'
        + '<a href="a.xhtml">x' * 30_000
        + "</a>" * 30_000
        + "</nav></html>"
    )
    more = '<item id="v" href="nav.xhtml" properties="nav"/>'
    began = time.process_time()
    rows, _ = taken(book(tmp_path / "a.epub", {"a.xhtml": "<p>cats</p>"}, members={"OEBPS/nav.xhtml": deep}, more=more))
    assert len(rows) == 1 and time.process_time() - began < 3


def test_an_address_that_is_none_costs_its_name_only(tmp_path):
    nav = '<html><nav><a href="http://[x">b</a><a href="a.xhtml">The tide</a></nav></html>'
    more = '<item id="n" properties="nav" href="nav.xhtml"/>'
    (row,), reasons = taken(
        book(tmp_path / "a.epub", {"a.xhtml": "<p>It rose.</p>"}, members={"OEBPS/nav.xhtml": nav}, more=more)
    )
    assert row.text == "The Tide > The tide\nIt rose." and reasons == []
