"""Why broken files cannot be read: in plain words, and all of them in Japanese where that is spoken."""

import gzip
import io
import json
import re
import zipfile

import pytest
from tests.text.readers import test_epub as books

from imi.errors import DataError, Failure
from imi.language import local
from imi.text.readers import ReadOptions, read

BYTES = bytes(range(256)) * 8
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


def packed(**parts):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return file.getvalue()


def damaged(raw):
    """Return an archive whose first member does not unpack."""
    at = raw.index(b"PK\x03\x04") + 30 + raw[26]
    return raw[:at] + b"\xff" * 5 + raw[at + 5 :]


def locked(raw):
    """Return an archive whose members say that they have a password."""
    raw = bytearray(raw)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + at] |= 1
    return bytes(raw)


def pdf(password=None):
    pypdf = pytest.importorskip("pypdf")
    writer = pypdf.PdfWriter()
    writer.add_blank_page(9, 9)
    if password:
        writer.encrypt(password)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


WORD = {"word/document.xml": "<w:document"}
DECLARED = '<!DOCTYPE x [<!ENTITY a "b">]><w/>'
# fmt: off
EMPTY = ["pdf", "docx", "pptx", "epub", "xlsx", "ods", "xls", "png", "zip", "ipynb", "html", "eml", "db", "parquet"]
BROKEN = [
    *((f"a.{kind}", b"", "empty") for kind in EMPTY),
    ("a.docx", BYTES, "it is not a zip archive"),
    ("a.pptx", packed(a="cats"), "ppt/presentation.xml is not in it"),
    ("a.docx", packed(a="cats"), "word/document.xml is not in it"),
    ("a.docx", packed(**WORD), "its XML is damaged at line 1, column 1"),
    ("a.docx", packed(**{"word/document.xml": DECLARED}), "declares a document type"),
    ("a.docx", packed(**{"word/document.xml": " " * 5_000_000}), "would unpack from"),
    ("a.docx", damaged(packed(**WORD)), "its archive is damaged"),
    ("a.docx", locked(packed(**WORD)), "it is locked by a password"),
    ("a.zip", BYTES, "it is not a zip archive"),
    ("a.zip", locked(packed(**{"a.txt": "cats"})), "it is locked by a password"),
    ("a.zip", damaged(packed(**{"a.txt": "cats" * 50})), "its archive is damaged"),
    ("a.zip", packed(**{"a.docx": "cats"}), "it is not a zip archive"),
    ("a.epub", packed(a="cats"), "it does not list its chapters"),
    ("a.epub", packed(**{"b.opf": "<a>"}), "its XML is damaged"),
    ("a.epub", packed(**{"b.opf": books.ENTITIES + "<a/>"}), "declares entities"),
    ("a.xlsx", BYTES, "not in a format of spreadsheets"),
    ("a.xls", OLE, "not in a format of spreadsheets"),
    ("a.ods", packed(a="cats"), "not in a format of spreadsheets"),
    ("a.pdf", b"cats", "its structure is damaged"),
    ("a.pdf", lambda: pdf("x"), "it is locked by a password"),
    ("a.pdf", lambda: pdf()[:300], "its structure is damaged"),
    ("a.png", BYTES, "it is not a picture that can be read"),
    ("a.ipynb", b'{"x": 3}', "it has no list of cells"),
    ("a.ipynb", b'{"cells": 3}', "it has no list of cells"),
    ("a.ipynb", b'{"cells": [', "its JSON is damaged at line 1, column 12"),
    ("a.json", b'{"a": [1,', "not JSON"),
    ("a.json", b"[" * 100_000, "nested too deep"),
    ("a.jsonl", b'{"b"', "not JSON"),
    *(("a.jsonl", one.encode(), f"a JSON {kind}") for one, kind in
      (("[1]", "array"), ("3", "number"), ("null", "null"), ("true", "boolean"), ("{}", "object"))),
    ("a.db", BYTES, "not a"),
    ("a.parquet", BYTES, "not a Parquet file"),
    ("a.txt.gz", BYTES, "it is not a gzip file"),
    ("a.txt.gz", gzip.compress(json.dumps(list(range(999))).encode())[:500], "cut off"),
    ("a.txt.gz", gzip.compress(BYTES)[:-8] + bytes(8), "damaged"),
    ("a.txt", "ねこ\n".encode() * 9 + b"\xff\n", "byte 0xFF is not utf-8"),
    ("a.csv", b"", "is empty"),
]
# fmt: on


@pytest.mark.parametrize(("name", "raw", "said"), BROKEN)
def test_a_broken_file_says_why_in_either_language(tmp_path, monkeypatch, name, raw, said):
    for package in ("lxml", "openpyxl", "python_calamine", "pypdf", "pyarrow", "PIL"):
        pytest.importorskip(package)
    path = tmp_path / name
    path.write_bytes(raw() if callable(raw) else raw)
    reasons = []
    try:
        reasons += [one.reason for one in read(str(path), ReadOptions()) if isinstance(one, Failure)]
    except DataError as refused:
        reasons.append(refused.message.removeprefix(f"{path}: "))
    assert reasons and said in " ".join(reasons)
    monkeypatch.setenv("IMI_LANG", "ja")
    for reason in reasons:
        for text in (reason, f"left out {name}:3: {reason}", f"nothing to add: {name}: {reason}", f"{name}: {reason}"):
            shown = local(text).replace(str(path), "")
            assert not re.search("[A-Za-z]{2,} [A-Za-z]{2,}", shown), shown
