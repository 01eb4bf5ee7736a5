"""Documents of many kinds: pieces with their places, and broken files told instead of stopping a run."""

import contextlib
import gzip
import json
import sqlite3
import zipfile

import pytest

from imi.errors import DataError, Failure, UsageError
from imi.text.readers import ReadOptions, Row, read
from imi.text.readers.pieces import LONGEST, rough_tokens
from imi.text.readers.rows import PASSAGE


def pdf(pages):
    """Return a small PDF of one line a page."""
    kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for at, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {5 + 2 * at} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    return out + f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()


def rows(path, **options):
    found = list(read(path, ReadOptions(**options)))
    return [one.document for one in found if isinstance(one, Row)], [one for one in found if isinstance(one, Failure)]


def test_a_pdf_by_page(tmp_path):
    pytest.importorskip("pypdf")
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(["The first page.", "", "The third page."]))
    found, failed = rows(path)
    assert [(one.text, one.metadata["page"]) for one in found] == [("The first page.", 1), ("The third page.", 3)]
    assert found[0].id == f"{path}:p1#1" and not failed


@pytest.mark.parametrize("times", [1, 12])
def test_html_without_its_menu(tmp_path, times):
    pytest.importorskip("trafilatura")
    body = "<p>" + "The old bridge was built in 1850 of stone. " * times + "</p>"
    page = f"<html><body><nav><a href='/x'>Menu</a></nav><article><h1>Bridges</h1>{body}</article></body></html>"
    (tmp_path / "a.html").write_text(page)
    found, failed = rows(tmp_path / "a.html")
    assert found and not failed
    assert "built in 1850" in found[0].text and all("Menu" not in one.text for one in found)
    assert {one.metadata["heading"] for one in found} == {"Bridges"}


def test_a_notebook_without_its_outputs(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["# Loading\n", "We read the data."]},
        {"cell_type": "code", "source": ["x = 1\n", "# no heading"], "outputs": [{"text": ["secret output"]}]},
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    (found,), failed = rows(tmp_path / "a.ipynb")
    assert found.metadata["heading"] == "Loading" and "x = 1" in found.text and "secret" not in found.text
    assert not failed


def test_code_with_its_lines_and_exact_text(tmp_path):
    source = "".join(f"# step {at}\ndef f{at}(x):\n    return x + {at}\n\n\n" for at in range(80))
    (tmp_path / "a.py").write_text(source)
    found, _ = rows(tmp_path / "a.py")
    assert len(found) > 3
    lines = source.split("\n")
    for one in found:
        assert source[one.start : one.end] == one.text
        assert lines[one.metadata["line"] - 1].strip().startswith(one.text.split("\n")[0].strip())
        assert rough_tokens([one.text])[0] <= 256


def test_a_query_over_sqlite(tmp_path):
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE notes (id TEXT, text TEXT, n INTEGER)")
        database.executemany("INSERT INTO notes VALUES (?, ?, ?)", [("a", "猫", 1), ("b", None, 2)])
    database.close()
    found, failed = rows(path, sql="SELECT * FROM notes", id="id")
    assert [(one.id, one.text, one.metadata["n"]) for one in found] == [("a", "猫", 1)]
    assert [one.line for one in failed] == [2]
    assert (
        [one.id for one in rows(path, id="id")[0]] == ["a"] == [one.id for one in rows(path, sql="notes", id="id")[0]]
    )
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE others (id TEXT)")
    with pytest.raises(UsageError, match="its tables: notes, others"):
        rows(path)
    with pytest.raises(UsageError, match="no such table"):
        rows(path, sql="SELECT * FROM x")


def test_an_archive_with_the_names_of_its_members(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("notes/a.md", "# Head\nbody text\n")
        archive.writestr("../evil.txt", "a line\n")
        archive.writestr("b.csv", "text,n\nhello,1\n")
        archive.writestr("c.exe", b"\x00")
    found, failed = rows(tmp_path / "a.zip")
    assert not failed
    assert [one.metadata["source"] for one in found] == [
        f"{tmp_path}/a.zip/{name}" for name in ("../evil.txt", "b.csv", "notes/a.md")
    ]
    assert all(one.id.startswith(str(tmp_path / "a.zip")) for one in found)
    assert not (tmp_path / "evil.txt").exists()


def test_word_files(tmp_path):
    docx = pytest.importorskip("docx", reason="python-docx writes the test's file")
    made = docx.Document()
    made.add_paragraph("The contract ends in May.")
    made.save(str(tmp_path / "a.docx"))
    assert "ends in May" in rows(tmp_path / "a.docx")[0][0].text


def test_broken_files_are_told_and_the_others_read(tmp_path):
    pytest.importorskip("pypdf")
    for name in ("a.pdf", "b.zip", "c.ipynb", "d.db", "f.json"):
        (tmp_path / name).write_bytes(b"{ this is none of them \xff")
    (tmp_path / "e.txt").write_text("fine\n")
    (tmp_path / "g.txt.gz").write_bytes(gzip.compress(b"packed\n"))
    found, failed = rows(tmp_path)
    assert [one.text for one in found] == ["fine", "packed"]
    assert {one.source.rsplit("/", 1)[1] for one in failed} == {"a.pdf", "b.zip", "c.ipynb", "d.db", "f.json"}
    with pytest.raises(DataError):
        rows(tmp_path / "d.db", sql="SELECT 1")


def test_a_database_that_no_query_reads_does_not_stop_its_folder(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as database:
        database.execute("CREATE TABLE plants (name TEXT)")
        database.execute("CREATE TABLE soils (name TEXT)")
    (tmp_path / "b.txt").write_text("fine\n")
    for query, told in (
        (None, "needs a query; its tables: plants, soils"),
        ("SELECT x FROM y", "does not take the query"),
    ):
        found, failed = rows(tmp_path, sql=query)
        assert [one.text for one in found] == ["fine"]
        assert [one.source for one in failed] == [str(tmp_path / "a.db")] and told in failed[0].reason
        with pytest.raises(UsageError, match="tables: plants, soils"):
            rows(tmp_path / "a.db", sql=query)


@pytest.mark.parametrize("how", ["lines", "passages"])
def test_long_lines_and_sections_are_cut_to_what_models_read(tmp_path, how):
    (tmp_path / "a.txt").write_text("吾輩は猫である。" * 2000 + "\nshort\n")
    found, _ = rows(tmp_path / "a.txt", rows=how)
    assert found[-1].text.endswith("short")
    assert (found[-1].parent is None) == (how == "lines")
    assert len(found) > 20
    whole = "吾輩は猫である。" * 2000
    for one in found[:-1]:
        assert whole[one.start : one.end] == one.text and len(one.text) < LONGEST
        assert one.metadata["line"] == 1
        assert rough_tokens([one.text])[0] <= 256 if how == "lines" else len(one.text) <= PASSAGE


@pytest.mark.parametrize("suffix", [".txt", ".md"])
def test_no_text_has_more_tokens_than_its_model_reads(tmp_path, suffix):
    lines = [
        "短い行。",
        "国境の長いトンネルを抜けると雪国であった。" * 40,
        "no space" * 100,
        "🐈" * 300,
        "A short one.",
    ]
    (tmp_path / f"a{suffix}").write_text("\n\n".join(lines) + "\n\n# " + "long heading " * 40 + "\n\nbody\n" * 60)
    found, failed = rows(tmp_path / f"a{suffix}", count_tokens=rough_tokens, limit=lambda: 128)
    assert not failed and rough_tokens([one.text for one in found]).max() <= 128
    said = "".join(one.text for one in found)
    assert all(said.count(letter) >= "".join(lines).count(letter) for letter in "国🐈")
    unlimited, _ = rows(tmp_path / f"a{suffix}", count_tokens=rough_tokens, limit=lambda: None)
    assert len(unlimited) < len(found)
