import zipfile

import pytest
from tests.drawn import album, draw, png_head

from imi.errors import Failure
from imi.pictures import Picture
from imi.records import user_fields
from imi.text.readers import looked_at, read

pytest.importorskip("PIL")
from PIL import Image


def test_a_folder_of_pictures_is_read_with_its_tags(tmp_path):
    album(tmp_path)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2023:05:01 12:30:00"
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS R6"
    exif.get_ifd(0x8825).update({1: "N", 2: (35.0, 40.0, 30.0), 3: "E", 4: (139.0, 45.0, 0.0)})
    draw(size=(300, 200)).save(tmp_path / "disc" / "photo.jpg", exif=exif)
    rows = {row.document.id: row.document for row in read(tmp_path)}
    assert len(rows) == 10
    photo = rows[str(tmp_path / "disc" / "photo.jpg")]
    assert photo.text is None and photo.picture == photo.id
    assert user_fields(photo.metadata) == {
        "source": photo.id, "format": "jpeg", "width": 300, "height": 200, "folder": "disc",
        "taken": "2023-05-01T12:30:00", "camera": "Canon EOS R6", "latitude": 35.675, "longitude": 139.75,
    }  # fmt: skip


def test_pictures_stand_beside_texts(tmp_path):
    (tmp_path / "a.txt").write_text("a text", "utf-8")
    draw().save(tmp_path / "b.png")
    texts = [row.document.text for row in looked_at(read(tmp_path))]
    assert texts == ["a text", None]


def test_broken_pictures_are_failures_by_file(tmp_path):
    draw().save(tmp_path / "good.jpg")
    whole = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "none.png").write_bytes(b"no picture")
    (tmp_path / "bomb.png").write_bytes(png_head(12_000, 10_000))
    found = list(looked_at(read(tmp_path)))
    wrong = {item.source.rsplit("/", 1)[1]: item.reason for item in found if isinstance(item, Failure)}
    assert set(wrong) == {"cut.jpg", "none.png", "bomb.png"}
    assert wrong["bomb.png"].startswith("it would unpack to 12,000 × 10,000")
    assert "read whole" in wrong["cut.jpg"] and "not a picture" in wrong["none.png"]
    assert all(str(tmp_path) not in reason for reason in wrong.values()), "the source says where"


def test_pictures_in_an_archive_are_read_before_it_is_closed(tmp_path):
    draw("box", "blue").save(tmp_path / "blue.png")
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as archive:
        archive.write(tmp_path / "blue.png", "boxes/blue.png")
        archive.writestr("boxes/broken.png", b"\x89PNG")
    row, wrong = list(read(tmp_path / "album.zip"))
    assert isinstance(wrong, Failure) and wrong.source.endswith("album.zip/boxes/broken.png")
    document = row.document
    assert document.id == document.metadata["source"] == f"{tmp_path}/album.zip/boxes/blue.png"
    assert document.metadata["folder"] == "boxes"
    assert isinstance(document.picture, Picture) and document.picture.pixels[48, 48].tolist() == [30, 60, 200]
