"""A picture is one of six formats, whatever its name says: a PostScript file would start a program."""

import subprocess

import pytest

import imi
from imi.errors import DataError

PIL = pytest.importorskip("PIL.Image")
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
OTHERS = {
    "postscript": EPS,
    "xbm": b"#define a_width 8\n#define a_height 1\nstatic char a_bits[] = {0x01};\n",
    "ppm": b"P6\n2 2\n255\n" + bytes(12),
    "pcx": b"\x0a\x05\x01\x08" + bytes(124) + b"\x01" * 64,
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tiff"])
def test_no_other_format_is_parsed(tmp_path, monkeypatch, kind, suffix):
    started = []
    monkeypatch.setattr(subprocess, "check_call", lambda *a, **_: started.append(a))
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **_: started.append(a))
    path = tmp_path / f"x{suffix}"
    path.write_bytes(OTHERS[kind])
    for source in (path, OTHERS[kind]):
        with pytest.raises(DataError):
            imi.load().embed_images([source])
    assert started == []


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_the_six_are(tmp_path, kind):
    path = tmp_path / f"x.{kind.lower()}"
    PIL.new("RGB", (8, 8), "red").save(path, kind)
    assert imi.load().embed_images([path]).shape[0] == 1
