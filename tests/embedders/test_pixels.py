import numpy as np
import pytest
from tests.drawn import draw, noise

import imi
from imi.embedders.base import PictureEmbedder
from imi.embedders.pixels import SHARES, bits, planes
from imi.errors import UsageError
from imi.pictures import open_picture


def test_bits_are_64_rows_of_8_bytes():
    dots = bits(open_picture(draw("box", "blue", size=(64, 64))))
    packed = np.packbits(dots, axis=1)
    assert packed.shape == (64, 8)
    black = [
        (row, column) for row in range(64) for column in range(64) if packed[row, column // 8] >> (7 - column % 8) & 1
    ]
    assert black == [(row, column) for row in range(16, 49) for column in range(16, 49)]


def test_planes_are_the_colours():
    picture = noise(32, 32)
    np.testing.assert_array_equal(planes(open_picture(picture)), picture.transpose(2, 0, 1))
    z = imi.load("pixels:planes").embed_images([picture])[0]
    wanted = picture.transpose(2, 0, 1).ravel().astype(float) - 127.5
    np.testing.assert_allclose(z, wanted / np.linalg.norm(wanted), atol=1e-6)


def test_one_changed_dot_ends_the_match_and_hardly_moves_the_likeness():
    picture = noise(64, 64)
    changed = picture.copy()
    changed[10, 20] += 128
    assert open_picture(picture).digest != open_picture(changed).digest
    for mode in ("pixels", "pixels:bits", "pixels:planes"):
        a, b = imi.load(mode).embed_images([picture, changed])
        assert a @ b > 0.98, mode


def test_likeness_is_the_weighted_mean_of_three_cosines():
    a, b = (open_picture(one) for one in (draw("disc", "red"), draw("box", "green", shift=5)))
    z = imi.load("pixels").embed_images([a, b])
    assert z.shape == (2, 576)
    parts = np.split(z, [192, 320], axis=1)
    for share, part in zip(SHARES.values(), parts, strict=True):
        np.testing.assert_allclose((part**2).sum(axis=1), share, atol=1e-5)
    cosines = [part[0] @ part[1] / share for share, part in zip(SHARES.values(), parts, strict=True)]
    assert z[0] @ z[1] == pytest.approx(sum(s * c for s, c in zip(SHARES.values(), cosines, strict=True)), abs=1e-5)


def test_likeness_sees_colour_and_shape():
    model = imi.load("pixels")
    names = [("disc", "red"), ("disc", "blue"), ("box", "red"), ("cross", "red")]
    z = model.embed_images([draw(*name) for name in names])
    moved = model.embed_images([draw("disc", "red", shift=4)])[0]
    assert (z @ moved).argmax() == 0


def test_a_picture_of_one_colour_has_a_vector_too():
    z = imi.load("pixels").embed_images([np.full((10, 10, 3), 200, np.uint8)] * 2)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-6)
    assert np.isfinite(imi.load("pixels:bits").embed_images([np.zeros((4, 4, 3), np.uint8)])).all()


def test_it_reads_pictures_only_and_says_so():
    model = imi.load("pixels")
    assert isinstance(model, PictureEmbedder)
    with pytest.raises(UsageError, match="pixels reads pictures, no words: '猫'"):
        model.embed(["猫"])
    with pytest.raises(UsageError, match="no mode 'dots', there are: likeness, bits, planes"):
        imi.load("pixels:dots")
    assert model.embed([]).shape == (0, 576) and model.embed_images([], dims=8).shape == (0, 8)
    assert len({imi.load(f"pixels:{mode}").info.fingerprint for mode in ("likeness", "bits", "planes")}) == 3
