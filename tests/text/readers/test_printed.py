"""Text in pictures: by tesseract where it is installed, and what happens where it is not or fails."""

import stat

import numpy as np
import pytest
from tests.drawn import draw, noise

import imi
from imi.errors import Failure
from imi.pictures import open_picture
from imi.text.readers import read
from imi.text.readers.printed import _lines, may_hold_text, read_printed, tesseract

PIL = pytest.importorskip("PIL.Image")
from PIL import ImageDraw, ImageFont

needs_tesseract = pytest.mark.skipif(tesseract() is None, reason="the program tesseract is not installed")


@pytest.fixture(autouse=True)
def asked_anew():
    """Forget what was found, which lasts as long as the process."""
    tesseract.cache_clear()
    yield
    tesseract.cache_clear()


def written(lines, size=(900, 500), ink="black", ground="white", font=None):
    picture = PIL.new("RGB", size, ground)
    pen = ImageDraw.Draw(picture)
    for at, line in enumerate(lines):
        pen.text((40, 40 + 60 * at), line, fill=ink, font=font or ImageFont.load_default(36))
    return picture


@needs_tesseract
def test_a_screenshot_is_found_by_its_words_and_by_what_it_looks_like(tmp_path):
    written(["Invoice number 4711", "Total due: 128 euros"]).save(tmp_path / "invoice.png")
    written(["Departure at gate seven"], ink="white", ground="navy").save(tmp_path / "gate.png")
    draw(size=(400, 300)).save(tmp_path / "disc.jpg")
    with imi.open(tmp_path / "album.imi") as album:
        album.add_files([tmp_path])
        assert album.search("invoice 4711", k=1, mode="text")[0].id.endswith("invoice.png")
        assert album.search("departure gate", k=1)[0].id.endswith("gate.png")
        assert album.search(tmp_path / "disc.jpg", k=1)[0].id.endswith("disc.jpg")
        rows = {document.id.rpartition("/")[2]: document for document in album}
    assert "Total due: 128 euros" in rows["invoice.png"].text and rows["disc.jpg"].text is None
    assert rows["invoice.png"].metadata["imi"]["read_by"] == "tesseract"


@needs_tesseract
def test_japanese_is_read_without_gaps_between_its_letters():
    fonts = pytest.importorskip("japanize_matplotlib")
    if "jpn" not in tesseract()[1]:
        pytest.skip("tesseract has no Japanese here")
    from pathlib import Path

    file = next(Path(fonts.__file__).parent.rglob("*.ttf"))
    picture = written(["請求書の番号は四千", "明日の会議は三時から"], font=ImageFont.truetype(str(file), 40))
    text = read_printed(np.asarray(picture))
    assert "会議" in text and "請求書" in text


@needs_tesseract
def test_pages_of_a_pdf_that_are_pictures_are_read(tmp_path):
    pytest.importorskip("pypdf")
    page = written(["The committee met on Monday", "and approved the annual budget."], size=(1240, 800))
    page.save(tmp_path / "scan.pdf", resolution=150)
    rows = list(read(tmp_path / "scan.pdf"))
    assert "approved the annual budget" in rows[0].document.text
    assert rows[0].document.metadata["page"] == 1


def test_without_tesseract_pictures_have_no_text_and_scans_are_named(tmp_path, monkeypatch):
    pytest.importorskip("pypdf")
    monkeypatch.setenv("IMI_TESSERACT", "off")
    assert tesseract() is None and read_printed(noise(300, 300)) is None
    page = written(["a scan"])
    page.save(tmp_path / "scan.pdf")
    page.save(tmp_path / "page.png")
    (failure,) = read(tmp_path / "scan.pdf")
    assert isinstance(failure, Failure)
    assert failure.reason == "the PDF holds no text; pictures of pages are read where tesseract is installed"
    (row,) = read(tmp_path / "page.png")
    assert row.document.text is None


def program(folder, script):
    path = folder / "tesseract"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return str(path)


FAILING = ("exit 1", "echo no languages", 'case "$1" in --list-langs) echo eng;; *) exit 3;; esac')


@pytest.mark.parametrize("script", FAILING)
def test_a_program_that_fails_costs_the_text_and_nothing_else(tmp_path, monkeypatch, script):
    monkeypatch.setenv("IMI_TESSERACT", program(tmp_path, script))
    written(["words"]).save(tmp_path / "page.png")
    (row,) = read(tmp_path / "page.png")
    assert row.document.text is None and row.document.picture


def test_photos_and_small_pictures_are_not_tried():
    assert may_hold_text(open_picture(written(["words"])))
    assert may_hold_text(open_picture(written(["words"], ink="white", ground="black")))
    assert not may_hold_text(open_picture(noise(400, 300)))
    ramp = np.broadcast_to(np.linspace(0, 255, 400, dtype=np.uint8)[:, None], (300, 400, 1)).repeat(3, axis=2)
    assert not may_hold_text(open_picture(np.ascontiguousarray(ramp)))
    assert not may_hold_text(open_picture(PIL.new("RGB", (96, 96), "white")))


def word(text, conf="90", block="1", paragraph="1", line="1"):
    return {"text": text, "conf": conf, "block_num": block, "par_num": paragraph, "line_num": line}


def test_words_that_are_sure_make_lines_and_blocks():
    words = [
        word("Hello"), word("there"), word("~~", "12"), word("line", line="2"), word("", "-1", line="3"),
        word("日", block="2"), word("本", block="2"), word("と", block="2"), word("Python", block="2"),
        word("x", "odd"),
    ]  # fmt: skip
    assert _lines(words) == "Hello there\nline\n\n日本と Python"
