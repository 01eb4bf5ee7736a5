import importlib.util
import io
import runpy

import numpy as np
import pytest

from imi.errors import DataError
from imi.exif import Shot
from imi.pictures import LARGEST, VIEW, Picture, describe_picture, is_picture, open_all, open_picture
from tests.drawn import draw, noise, png_head

pytest.importorskip("PIL")
from PIL import Image, features


def saved(image, kind, **how):
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG"])
def test_every_kind_of_file_is_the_same_picture(kind):
    how = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})
    read = open_picture(saved(draw(), kind, **how))
    assert (read.format, read.width, read.height) == (kind.lower(), 96, 96)
    difference = np.abs(read.pixels.astype(int) - np.asarray(draw()).astype(int))
    assert difference.max() <= (0 if kind != "JPEG" else 120) and difference.mean() < 2


def test_a_path_its_bytes_the_image_and_the_array_are_one_picture(tmp_path):
    image = draw("cross", "blue")
    image.save(tmp_path / "cross.png")
    sources = [tmp_path / "cross.png", str(tmp_path / "cross.png"), (tmp_path / "cross.png").read_bytes(), image]
    digests = {open_picture(source).digest for source in [*sources, np.asarray(image), open_picture(image)]}
    assert len(digests) == 1
    assert digests != {open_picture(draw("cross", "red")).digest}


def test_reading_leaves_the_image_of_others_as_it_was():
    image = draw(size=(800, 600))
    assert open_picture(image).pixels.shape == (252, 336, 3)
    assert image.size == (800, 600)


def test_a_rotated_photo_stands_upright():
    image = Image.fromarray(noise(60, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter, clockwise, to see it upright
    read = open_picture(saved(image, "PNG", exif=exif))
    assert (read.width, read.height) == (40, 60)
    np.testing.assert_array_equal(read.pixels, np.rot90(np.asarray(image), -1))
    told = describe_picture(saved(image, "PNG", exif=exif))
    assert (told.width, told.height) == (40, 60)


@pytest.mark.parametrize("lies", range(1, 9))
def test_a_photo_stands_upright_however_it_lies(lies):
    from PIL import ImageOps

    image, exif = Image.fromarray(noise(30, 20)), Image.Exif()
    exif[0x0112] = lies
    data = saved(image, "PNG", exif=exif)
    with Image.open(io.BytesIO(data)) as again:
        np.testing.assert_array_equal(open_picture(data).pixels, np.asarray(ImageOps.exif_transpose(again)))


def shot(**how):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = how.get("make", "Canon"), how.get("model", "Canon EOS R6")
    exif.get_ifd(0x8769)[0x9003] = how.get("taken", "2023:05:01 12:30:00")
    if "offset" in how:
        exif.get_ifd(0x8769)[0x9011] = how["offset"]
    if "gps" in how:
        exif.get_ifd(0x8825).update(how["gps"])
    return exif


TOKYO = {1: "N", 2: (35.0, 40.0, 30.0), 3: "E", 4: (139.0, 45.0, 0.0)}


def test_when_where_and_by_what_a_photo_was_taken_is_read():
    exif = shot(offset="+09:00", gps=TOKYO)
    for kind in ("PNG", "WEBP", "JPEG"):
        read = open_picture(saved(draw(), kind, exif=exif)).shot
        assert read == Shot("2023-05-01T12:30:00+09:00", "Canon EOS R6", (35.675, 139.75)), kind
    assert describe_picture(saved(draw(), "JPEG", exif=exif)).shot == read
    assert open_picture(saved(draw(), "JPEG")).shot == Shot()


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ({"make": "SONY", "model": "ILCE-7M4"}, {"camera": "SONY ILCE-7M4"}),
        ({"make": "NIKON CORPORATION", "model": "NIKON D850"}, {"camera": "NIKON D850"}),
        ({"make": "", "model": "\x00\x1b[31mx"}, {"camera": "[31mx"}),
        ({"taken": "0000:00:00 00:00:00"}, {"taken": None}),
        ({"taken": "2023:13:45 12:00:00"}, {"taken": None}),
        ({"taken": "2024-02-29T08:05"}, {"taken": "2024-02-29T08:05:00"}),
        ({"offset": "JST"}, {"taken": "2023-05-01T12:30:00"}),
        ({"gps": TOKYO | {1: "S", 3: "W"}}, {"place": (-35.675, -139.75)}),
        ({"gps": {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}}, {"place": None}),
        ({"gps": TOKYO | {2: (95.0, 0.0, 0.0)}}, {"place": None}),
        ({"gps": {1: "N", 2: (35.0, 40.0, 30.0)}}, {"place": None}),
    ],
)
def test_what_cameras_write_wrongly_is_left_out(how, wanted):
    read = open_picture(saved(draw(), "JPEG", exif=shot(**how))).shot
    assert {name: getattr(read, name) for name in wanted} == wanted


def test_a_damaged_block_of_exif_leaves_the_picture_readable():
    whole = saved(draw(), "JPEG", exif=shot(gps=TOKYO))
    at = whole.index(b"Exif") + 6
    for place in range(at, at + 120, 7):
        broken = bytearray(whole)
        broken[place : place + 4] = b"\xff\xff\xff\xff"
        assert open_picture(bytes(broken)).pixels.shape == (96, 96, 3), place


def test_pictures_of_phones_are_read_where_there_is_a_decoder():
    kinds = [("AVIF", features.check("avif")), ("HEIF", importlib.util.find_spec("pillow_heif") is not None)]
    for kind, there in kinds:
        if not there:
            continue
        if kind == "HEIF":
            open_picture(draw())
            import pillow_heif

            pillow_heif.register_heif_opener()
        data = saved(draw(), kind, quality=90, exif=shot(gps=TOKYO).tobytes())
        read = open_picture(data)
        assert (read.format, read.width, read.shot.camera) == (kind.lower(), 96, "Canon EOS R6")
        assert np.abs(read.pixels[48, 48].astype(int) - (200, 30, 30)).max() < 30


def test_a_photo_of_a_phone_without_a_decoder_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("imi.pictures._formats", lambda: ("PNG", "JPEG"))
    for name, package in (("a.heic", "pillow-heif"), ("b.avif", "pillow>=11.3")):
        (tmp_path / name).write_bytes(b"\0\0\0\x1cftypheic" + bytes(40))
        with pytest.raises(DataError, match="needs a decoder that is not installed") as refused:
            open_picture(tmp_path / name)
        assert refused.value.hint == f"pip install '{package}'"
    (tmp_path / "c.png").write_bytes(b"\0\0\0\x1cftypheic" + bytes(40))
    with pytest.raises(DataError, match="not a picture that can be read"):
        open_picture(tmp_path / "c.png")


def test_transparency_lies_on_white():
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    clear.putpixel((0, 0), (0, 0, 255, 255))
    clear.putpixel((1, 0), (0, 0, 0, 128))
    read = open_picture(saved(clear, "PNG")).pixels
    assert read[0, 0].tolist() == [0, 0, 255] and read[7, 7].tolist() == [255, 255, 255]
    assert abs(int(read[0, 1, 0]) - 127) <= 1
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putpixel((1, 1), 1)
    read = open_picture(saved(palette, "PNG", transparency=0)).pixels
    assert read[0, 0].tolist() == [255, 255, 255] and read[1, 1].tolist() == [200, 100, 50]


def test_cmyk_grey_and_deep_pictures_become_rgb():
    cmyk = open_picture(saved(draw().convert("CMYK"), "JPEG", quality=95)).pixels
    assert np.abs(cmyk[48, 48].astype(int) - (200, 30, 30)).max() < 30
    grey = open_picture(saved(draw().convert("L"), "PNG")).pixels
    assert (grey[..., 0] == grey[..., 1]).all() and grey[0, 0, 0] == 255
    deep = Image.fromarray(np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8))
    read = open_picture(saved(deep, "PNG")).pixels[..., 0]
    assert read.ravel().tolist() == sorted(read.ravel().tolist()) and read.min() == 0 and read.max() == 255


def test_the_first_frame_of_an_animation_is_read():
    frames = [draw("disc", "red"), draw("box", "blue")]
    for kind in ("GIF", "WEBP"):
        how = {"lossless": True} if kind == "WEBP" else {}
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, **how)
        assert open_picture(data).pixels[48, 48].tolist() == [200, 30, 30]


def test_a_large_photo_is_read_small_and_says_how_large_it_was():
    data = saved(draw(size=(3000, 2000)), "JPEG")
    read = open_picture(data)
    assert (read.width, read.height) == (3000, 2000)
    assert read.pixels.shape == (224, VIEW, 3)


def test_decompression_bombs_are_refused_before_they_are_unpacked():
    with pytest.raises(DataError, match=f"20,000 × 15,000|limit|allowed are {LARGEST:,}"):
        open_picture(png_head(20_000, 15_000))
    with pytest.raises(DataError, match=r"12,000 × 10,000 = 120,000,000 pixels, allowed are 100,000,000"):
        open_picture(png_head(12_000, 10_000))
    with pytest.raises(DataError, match="120,000,000"):
        describe_picture(png_head(12_000, 10_000))


def test_what_is_no_picture_says_so(tmp_path):
    whole = saved(Image.fromarray(noise()), "JPEG")
    with pytest.raises(DataError, match="cannot be read whole"):
        open_picture(whole[: len(whole) // 2])
    for data in (b"", b"hello", b"\x89PNG\r\n\x1a\n" + b"\xff" * 40, b"GIF89a", b"BM" + b"\0" * 60):
        with pytest.raises(DataError, match="the picture"):
            open_picture(data)
    with pytest.raises(DataError, match="no such file"):
        open_picture(tmp_path / "absent.png")
    with pytest.raises(DataError, match="shape"):
        open_picture(np.zeros((4, 4, 7), np.uint8))
    with pytest.raises(DataError, match="no pixels"):
        open_picture(np.zeros((0, 4, 3), np.uint8))


def test_many_are_read_at_once_in_order():
    sources = [noise(8, 8, seed) for seed in range(9)]
    read = open_all([*sources[:5], b"broken", *sources[5:]])
    assert isinstance(read[5], DataError)
    for source, one in zip(sources, read[:5] + read[6:], strict=True):
        assert isinstance(one, Picture)
        np.testing.assert_array_equal(one.pixels, source)


def test_strings_are_words_and_paths_are_pictures(tmp_path):
    assert is_picture(tmp_path / "a.png") and is_picture(b"GIF89a") and is_picture(draw()) and is_picture(noise())
    assert not is_picture("a.png") and not is_picture(np.zeros(3, np.float32)) and not is_picture([1.0, 2.0])


def test_a_thumbnail_is_the_picture_as_a_jpeg():
    data = open_picture(draw("box", "green")).thumbnail()
    assert data[:3] == b"\xff\xd8\xff"
    assert np.abs(open_picture(data).pixels[48, 48].astype(int) - (30, 160, 60)).max() < 12


def test_the_slides_about_pictures_run(capsys):
    from pathlib import Path

    runpy.run_path(str(Path(__file__).parent.parent / "examples" / "pictures.py"), run_name="__main__")
    shown = capsys.readouterr().out
    assert "64 rows of 8 bytes" in shown and "exact match False" in shown
    assert "by likeness:        tama" in shown and "both (tag = toy):   orange ball" in shown
    assert "a drawing of a cat  cat.png 0.9" in shown
